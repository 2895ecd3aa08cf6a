"""A mission's canvas on real Celery: a real worker, the real server, the names of the product's own tasks.

``tinytown.canvases.release`` leans on how Celery counts the parts of a chord; what it leans on is proved here.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker

from tests.waiting import wait_until
from tinytown import contract
from tinytown.app import create_app, send_task
from tinytown.canvases import release
from tinytown.canvases.canvas import WIDE, Canvas, compile_canvas, restore
from tinytown.canvases.message import message
from tinytown.host.server import Server
from tinytown.state.database import connect


@dataclass
class Stage:
    """A Celery application under a prefix of its own, and what its worker ran."""

    app: Celery
    prefix: str
    client: Any
    ran: list[tuple[str, ...]] = field(default_factory=list)
    #: Tasks that the worker took from the queue, and those that ended, their joins counted.
    received: int = 0
    ended: int = 0

    def tell(self, *words: str) -> None:
        self.ran.append(words)

    def count(self, *words: str) -> int:
        return self.ran.count(words)

    def on_received(self, **_: Any) -> None:
        self.received += 1

    def on_ended(self, **_: Any) -> None:
        self.ended += 1

    def settle(self, canvas: Canvas, key: str) -> None:
        release.settle(self.app, canvas, key)


@pytest.fixture
def stage(server: Server) -> Iterator[Stage]:
    prefix = f"tt:canvas-{uuid.uuid4().hex[:8]}:"
    client: Any = connect(server.url)
    stage = Stage(create_app(server.url, prefix), prefix, client)
    app = cast(Any, stage.app)

    def edge(mission: str, dependency: str, item: str) -> None:
        stage.tell("edge", dependency, item)

    def start(mission: str, item: str) -> None:
        stage.tell("start", item)

    def mark(name: str) -> None:
        stage.tell("mark", name)

    tasks = {
        contract.TASK_EDGE: edge,
        contract.TASK_START: start,
        "mark": mark,
    }
    for name, task in tasks.items():
        app.task(task, name=name, ignore_result=True, shared=False)
    signals.task_received.connect(stage.on_received, weak=False)
    signals.task_postrun.connect(stage.on_ended, weak=False)
    yield stage
    signals.task_received.disconnect(stage.on_received)
    signals.task_postrun.disconnect(stage.on_ended)
    app.close()
    if left := list(client.scan_iter(match=f"{prefix}*", count=1000)):
        client.delete(*left)
    client.close()


@pytest.fixture
def worker(stage: Stage) -> Iterator[None]:
    """A worker of the control queue, as the product's: threads, one message at a time."""
    with start_worker(
        stage.app, pool="threads", concurrency=2, perform_ping_check=False, queues=[contract.QUEUE_CONTROL],
        shutdown_timeout=20,
    ):  # fmt: skip
        yield


def canvas_of(*, wide: int = 1, **edges: str) -> Canvas:
    """``c="a b"``: the item ``c`` waits for ``a`` and ``b``; whatever waits for more than ``wide`` has a chord."""
    canvas = compile_canvas(uuid.uuid4().hex, {key: depends.split() for key, depends in edges.items()})
    return replace(canvas, wide=wide)


def begun(stage: Stage, canvas: Canvas) -> Canvas:
    release.freeze(stage.app, canvas)
    release.begin(stage.app, canvas)
    return canvas


def until(stage: Stage, *words: str) -> None:
    wait_until(lambda: stage.count(*words), timeout=20, description=f"{' '.join(words)} ran")


def quiet(stage: Stage, edges: int) -> None:
    """All that was sent has run, and what it set free too.

    An edge that ended has sent what it set free. The queue is in order, so what was sent before the mark was received
    before it.
    """
    wait_until(
        lambda: sum(1 for w in stage.ran if w[0] == "edge") == edges and stage.received == stage.ended,
        timeout=20,
        description=f"{edges} edges ran and ended",
    )
    mark = uuid.uuid4().hex
    send_task(stage.app, "mark", (mark,), queue=contract.QUEUE_CONTROL)
    until(stage, "mark", mark)
    wait_until(lambda: stage.received == stage.ended, timeout=20, description="nothing is under way any more")
    stage.ran.remove(("mark", mark))


# -- what is sent --------------------------------------------------------------------------------


def test_the_roots_start_at_once_and_nothing_else(stage: Stage, worker: None) -> None:
    """One of them is named: whoever starts it starts its peers with it."""
    canvas = begun(stage, canvas_of(a="", b="", c="a b"))
    until(stage, "start", "a")
    quiet(stage, 0)
    assert stage.ran == [("start", "a")]
    assert canvas.peers("a") == ["a", "b"]


def test_a_chain_starts_the_next(stage: Stage, worker: None) -> None:
    canvas = begun(stage, canvas_of(a="", b="a"))
    stage.settle(canvas, "a")
    until(stage, "start", "b")
    stage.settle(canvas, "b")
    quiet(stage, 1)
    assert stage.count("start", "b") == 1


def test_what_waits_for_few_is_named_by_each_of_them(stage: Stage, worker: None) -> None:
    """Whoever starts it looks whether all have settled."""
    canvas = begun(stage, canvas_of(a="", b="", c="a b", wide=WIDE))
    assert canvas.chords() == {}
    stage.settle(canvas, "a")
    until(stage, "start", "c")
    stage.settle(canvas, "b")
    wait_until(lambda: stage.count("start", "c") == 2, timeout=20, description="both have named it")
    quiet(stage, 0)


def test_who_waits_for_more_than_is_read_each_time_has_a_chord() -> None:
    names = [f"s{n}" for n in range(WIDE + 1)]
    edges = {**dict.fromkeys(names, ""), "narrow": " ".join(names[1:]), "broad": " ".join(names)}
    canvas = canvas_of(**edges, wide=WIDE)
    assert canvas.chords() == {canvas.group_id("broad"): WIDE + 1}
    assert canvas.is_wide("s1")
    assert canvas.near("s1") == []


def test_a_join_waits_for_all_and_runs_once_though_every_edge_is_sent_twice(stage: Stage, worker: None) -> None:
    """As after a crash between a commit and its message, or with two dispatchers at once."""
    canvas = begun(stage, canvas_of(a="", b="", c="", d="a b c"))
    for key in ("a", "a", "b", "b"):
        stage.settle(canvas, key)
    quiet(stage, 4)
    assert stage.count("start", "d") == 0, "two of three settled, however often that was said"
    for key in ("c", "c", "a", "b", "c"):
        stage.settle(canvas, key)
    until(stage, "start", "d")
    quiet(stage, 9)
    assert stage.count("start", "d") == 1


def test_the_end_that_an_older_release_joined_in_a_canvas_is_left_out(stage: Stage) -> None:
    """Whoever settles the last item completes the mission."""
    canvas = restore("m", {"sources": {"a": [], "b": ["a"], "": ["b"]}})
    assert canvas == Canvas("m", {"a": [], "b": ["a"]})
    stage.settle(canvas, "b")
    assert sent(stage) == []


def test_joins_of_two_missions_do_not_mix(stage: Stage, worker: None) -> None:
    one = begun(stage, canvas_of(a="", b="", x="a b"))
    other = begun(stage, canvas_of(a="", b="", y="a b"))
    stage.settle(one, "a")
    stage.settle(other, "b")
    quiet(stage, 2)
    assert not stage.count("start", "x")
    assert not stage.count("start", "y")
    stage.settle(one, "b")
    until(stage, "start", "x")
    quiet(stage, 3)
    assert not stage.count("start", "y")


def test_edges_from_several_processes_at_once_fill_a_join_once(stage: Stage, worker: None) -> None:
    sources = [f"s{n}" for n in range(8)]
    canvas = begun(stage, canvas_of(**dict.fromkeys(sources, ""), z=" ".join(sources)))
    senders = [threading.Thread(target=stage.settle, args=(canvas, key)) for key in sources * 2]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    until(stage, "start", "z")
    quiet(stage, 16)
    assert stage.count("start", "z") == 1


def test_a_join_of_a_changed_graph_counts_anew(stage: Stage, worker: None) -> None:
    """What settled before is told again; an edge that was under way at the change counts for the old graph alone."""
    old = begun(stage, canvas_of(a="", b="", c="", d="a b c"))
    stage.settle(old, "a")
    new = replace(old, sources={**old.sources, "e": [], "d": ["a", "b", "c", "e"]}, edition=1)
    stage.settle(old, "b")
    release.freeze(stage.app, new)
    release.tell_join(stage.app, new, "a", "d")
    release.tell_join(stage.app, new, "b", "d")
    stage.settle(new, "c")
    stage.settle(new, "c")
    quiet(stage, 6)
    assert stage.count("start", "d") == 0, "one of four is missing"
    stage.settle(new, "e")
    until(stage, "start", "d")


def test_an_edge_whose_join_was_never_frozen_is_harmless(stage: Stage, worker: None) -> None:
    """A process may die between saving a mission and freezing it; the tick then starts its items."""
    canvas = canvas_of(a="", b="", c="a b")
    stage.settle(canvas, "a")
    stage.settle(canvas, "b")
    quiet(stage, 2)
    stage.settle(begun(stage, canvas_of(p="", q="p")), "p")
    until(stage, "start", "q")
    assert stage.count("start", "c") == 0


# -- what it leans on ----------------------------------------------------------------------------


def sent(stage: Stage) -> list[dict[str, Any]]:
    """The messages in the queue, which no worker serves, the oldest first."""
    rows = stage.client.lrange(f"{stage.prefix}{contract.QUEUE_CONTROL}", 0, -1)
    return [json.loads(row)["headers"] for row in reversed(rows)]


def test_a_part_of_a_join_carries_what_celery_counts_by(stage: Stage) -> None:
    """Its own id each time the same, the group, its place in it, and the body of the chord."""
    canvas = canvas_of(a="", b="", c="a b")
    release.freeze(stage.app, canvas)
    stage.settle(canvas, "b")
    stage.settle(canvas, "b")
    first, second = sent(stage)
    assert first["id"] == second["id"] == f"{canvas.mission}/edge/b/c"
    assert (first["group"], first["group_index"]) == (canvas.group_id("c"), 1)
    assert first["task"] == contract.TASK_EDGE
    # The group's size is planted before the first part is sent, in the backend's own key.
    key = cast(Any, stage.app.backend).get_key_for_group(canvas.group_id("c"), ".s")
    name = key.decode() if isinstance(key, bytes) else key
    stored = [n for n in stage.client.scan_iter(match=f"{stage.prefix}*") if n.endswith(name)]
    assert len(stored) == 1
    assert int(stage.client.get(stored[0])) == 2


def test_a_join_is_remembered_as_long_as_a_mission_may_take(stage: Stage, worker: None) -> None:
    """A chord that outlives ``result_expires`` dies in silence; ours must not."""
    canvas = begun(stage, canvas_of(a="", b="", c="a b"))
    stage.settle(canvas, "a")
    quiet(stage, 1)
    group = canvas.group_id("c")
    wait_until(lambda: any(group in n for n in stage.client.scan_iter(match=f"{stage.prefix}*{group}*.j")),
               timeout=10, description="the part is counted")  # fmt: skip
    for name in stage.client.scan_iter(match=f"{stage.prefix}*{group}*"):
        left = stage.client.ttl(name)
        assert left == -1 or left > 60 * 86400, f"{name} is forgotten after {left} s"


def test_every_key_of_celery_is_under_the_towns_prefix(stage: Stage, worker: None, server: Server) -> None:
    before = {n for n in stage.client.scan_iter() if not n.startswith("tt:")}
    canvas = begun(stage, canvas_of(a="", b="", c="a b"))
    stage.settle(canvas, "a")
    stage.settle(canvas, "b")
    until(stage, "start", "c")
    assert {n for n in stage.client.scan_iter() if not n.startswith("tt:")} == before


# -- size ----------------------------------------------------------------------------------------


def ladder(rungs: int) -> Canvas:
    """Two rails; each rung waits for both items of the one before: the graph that nesting doubles at every step."""
    edges: dict[str, str] = {"l000": "", "r000": ""}
    for n in range(1, rungs):
        before = f"l{n - 1:03} r{n - 1:03}"
        edges |= {f"l{n:03}": before, f"r{n:03}": before}
    return canvas_of(**edges)


def weigh(stage: Stage, canvas: Canvas) -> tuple[int, int]:
    """Messages and bytes that a whole mission sends."""
    queue = f"{stage.prefix}{contract.QUEUE_CONTROL}"
    stage.client.delete(queue)
    begun(stage, canvas)
    for key in canvas.sources:
        stage.settle(canvas, key)
    rows = stage.client.lrange(queue, 0, -1)
    stage.client.delete(queue)
    return len(rows), sum(len(row) for row in rows)


def test_what_a_mission_sends_grows_with_its_items_and_edges(stage: Stage) -> None:
    """Twice the ladder, twice the messages and twice the bytes."""
    small, large = ladder(50), ladder(100)
    messages, size = weigh(stage, small)
    more_messages, more_size = weigh(stage, large)
    edges = sum(len(s) for s in small.sources.values())
    assert messages == edges + 1
    assert more_messages / messages == pytest.approx(2, rel=0.05)
    assert more_size / size == pytest.approx(2, rel=0.05)
    assert size / messages < 3000, "a message carries ids, never the graph"
    assert len(json.dumps(large.stored())) / len(json.dumps(small.stored())) == pytest.approx(2, rel=0.05)


def test_a_message_that_a_commit_sends_is_the_one_that_celery_would_send(stage: Stage) -> None:
    args, shown = ("mission", "local/project#1 \u00fc", 3), "(mission, attempt 3)"
    send_task(stage.app, contract.TASK_ATTEMPT, args, queue="role.a", argsrepr=shown)
    sent = json.loads(stage.client.rpop(f"{stage.prefix}role.a"))
    made = json.loads(message(contract.TASK_ATTEMPT, args, queue="role.a", shown=shown))
    for one in (sent, made):
        # These differ from message to message.
        told, headers = one["properties"], one["headers"]
        assert told.pop("correlation_id") == headers.pop("id") == headers.pop("root_id")
        assert uuid.UUID(told.pop("delivery_tag"))
        # Nobody answers an attempt, so whom to answer is nobody.
        told.pop("reply_to")
    assert made == sent
