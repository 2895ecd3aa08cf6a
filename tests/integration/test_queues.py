"""Messages as they lie in Redis: what Celery itself writes is sound, what it would choke on is found and kept."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tinytown import contract
from tinytown.app import create_app, send_task
from tinytown.canvases import release
from tinytown.canvases.canvas import compile_canvas
from tinytown.host.server import Server
from tinytown.state.database import connect
from tinytown.state.envelopes import flaw, flaw_of_taken
from tinytown.state.queues import Queues


@pytest.fixture
def prefix(server: Server) -> Iterator[str]:
    name = f"tt:{uuid.uuid4().hex}:"
    yield name
    client: Any = connect(server.url)
    for key in client.scan_iter(match=f"{name}*"):
        client.delete(key)


@pytest.fixture
def client(server: Server) -> Any:
    return connect(server.url, decode=False)


@pytest.fixture
def sound(server: Server, prefix: str, client: Any) -> list[bytes]:
    """One message of each sort that a town sends, as Celery writes it."""
    app = create_app(server.url, prefix)
    send_task(app, contract.TASK_ATTEMPT, ("m", "local/x#1", 1), queue="control", argsrepr="(x)")
    send_task(app, contract.TASK_DISPATCH, (), queue="control", expires=27.0)
    canvas = replace(compile_canvas("m", {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a", "b", "c"]}), wide=2)
    release.freeze(app, canvas)
    release.begin(app, canvas)
    for key in "abcd":
        release.settle(app, canvas, key)
    found: list[bytes] = client.lrange(f"{prefix}control", 0, -1)
    assert len(found) > 8
    return found


def test_what_celery_writes_is_sound(sound: list[bytes], server: Server, prefix: str) -> None:
    """Else a quarantine would take away what a worker could run."""
    assert [flaw(message) for message in sound] == [""] * len(sound)
    taken = [json.dumps([json.loads(message), "", "control"]).encode() for message in sound]
    assert [flaw_of_taken(entry) for entry in taken] == [""] * len(sound)
    assert Queues(server.url, prefix).flawed() == []


def body(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(envelope: dict[str, Any]) -> None:
        for name in path[:-1]:
            envelope = envelope[name]
        del envelope[path[-1]]

    return change


def having(value: object, *path: str) -> Callable[[dict[str, Any]], None]:
    def change(envelope: dict[str, Any]) -> None:
        for name in path[:-1]:
            envelope = envelope[name]
        envelope[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("properties"),
        having([], "properties"),
        without("properties", "delivery_tag"),
        having(5, "properties", "delivery_tag"),
        without("properties", "delivery_info"),
        without("properties", "delivery_info", "routing_key"),
        having(None, "properties", "delivery_info", "exchange"),
        having("rot13", "properties", "body_encoding"),
        without("headers"),
        having("x", "headers"),
        without("headers", "task"),
        having([], "headers", "task"),
        without("headers", "id"),
        having(None, "headers", "id"),
        having(1, "headers", "expires"),
        having(5, "headers", "timelimit"),
        having("x", "headers", "retries"),
        without("body"),
        having(5, "body"),
        having("***", "body"),
        having("e3t7", "body"),
        having(body([1]), "body"),
        having(body([[], None, {}]), "body"),
        having(body({"a": 1, "b": 2, "c": 3}), "body"),
        having("application/x-python-serialize", "content-type"),
        without("content-encoding"),
    ],
)
def test_what_a_worker_cannot_take_is_told(sound: list[bytes], change: Callable[[dict[str, Any]], None]) -> None:
    """Each of these ends a worker, leaves it deaf, or is at best thrown away."""
    envelope = json.loads(sound[0])
    change(envelope)
    assert flaw(json.dumps(envelope).encode())
    assert flaw_of_taken(json.dumps([envelope, "", "control"]).encode())


@pytest.mark.parametrize("message", [b"", b"garbage", b"\xff\xfe", b"5", b"[]", b"null", b'"x"', b"{}"])
def test_what_is_no_envelope_is_told(message: bytes) -> None:
    assert flaw(message)
    assert flaw_of_taken(message)


def test_the_quarantine_holds_what_was_moved_byte_for_byte(
    server: Server, prefix: str, client: Any, sound: list[bytes]
) -> None:
    """One step each; what is gone meanwhile is not moved, what is sound stays where it is, in order."""
    strange = [b"\xff\x00garbage", b'{"properties": {}}', b"\xff\x00garbage"]
    for message in strange:
        client.lpush(f"{prefix}control", message)
    client.lpush(f"{prefix}role.backend", b"1")
    client.set(f"{prefix}agent.bob", b"no list")
    client.hset(f"{prefix}unacked", "good", json.dumps([json.loads(sound[0]), "", "control"]))
    client.hset(f"{prefix}unacked", "bad", b"[1]")
    client.zadd(f"{prefix}unacked_index", {"good": 1, "bad": 1})
    queues = Queues(server.url, prefix)
    assert queues.lengths() == {"agent.bob": -1, "checks": 0, "control": len(sound) + 3, "role.backend": 1}
    flawed = queues.flawed()
    assert sorted(one.place for one in flawed) == ["agent.bob", *["control"] * 3, "role.backend", "unacked"]

    assert [queues.set_aside(one) for one in flawed] == [True] * 6
    assert [queues.set_aside(one) for one in flawed] == [False] * 6
    assert client.lrange(f"{prefix}control", 0, -1) == sound
    assert sorted(client.lrange(f"{prefix}quarantine:control", 0, -1)) == sorted(strange)
    assert client.lrange(f"{prefix}quarantine:role.backend", 0, -1) == [b"1"]
    assert client.lrange(f"{prefix}quarantine:unacked", 0, -1) == [b"[1]"]
    assert (client.hkeys(f"{prefix}unacked"), client.zrange(f"{prefix}unacked_index", 0, -1)) == ([b"good"], [b"good"])
    kept = list(client.scan_iter(match=f"{prefix}quarantine:agent.bob:*"))
    assert [client.get(key) for key in kept] == [b"no list"]
    assert queues.flawed() == []
    assert sum(queues.quarantined().values()) == 6
