"""A town with a record of every kind, for the tests that save and restore it."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.builders import a_mission, an_item, with_change
from tinytown.engine.context import Context
from tinytown.host.server import ensure_server
from tinytown.missions.records.agent import Agent, Event, Message
from tinytown.missions.records.attempt import AttemptRecord, Report
from tinytown.missions.records.backlog import Entry
from tinytown.missions.records.issue import Issue
from tinytown.missions.states import Outcome, Purpose
from tinytown.state import backlog
from tinytown.state.database import connect
from tinytown.state.saved import PASSING
from tinytown.town import Town

REPO = "local/project"


def running(town: Town) -> Context:
    """The town's server, started, and nothing else of it."""
    return Context(town, ensure_server(town).url)


def populate(context: Context, *, missions: int = 2, items: int = 3) -> None:
    """Records of every kind."""
    store = context.store
    for number in range(1, missions + 1):
        mission = a_mission(id=f"{number:08d}-town", repo=REPO, created_at=float(number))
        first = with_change(1).evolve(key=f"{REPO}#{100_000 * number + 1}", number=100_000 * number + 1)
        rest = [
            an_item(n).evolve(key=f"{REPO}#{100_000 * number + n}", number=100_000 * number + n)
            for n in range(2, items + 1)
        ]
        every = [first, *rest]
        issues = [Issue(key=item.key, number=item.number, title="Ü\u2028\n" * 3) for item in every]
        change = store.change()
        sources = {item.key: [first.key] if item is not first else [] for item in every}
        change.create_mission(
            mission, every, issues, graph={"order": [item.key for item in every]},
            canvas={"sources": {**sources, "": [every[-1].key]}}, docs={"a.md": "text"},
        )  # fmt: skip
        change.event(Event(at=1.0, kind="mission_started", mission=mission.id))
        report = Report(outcome=Outcome.SUCCEEDED, result="done")
        ended = AttemptRecord(
            id="x", item=first.key, number=1, purpose=Purpose.WORK, sent_at=1, ended_at=2, report=report
        )
        change.end_attempt(mission.id, ended)
        change.message(Message(at=1.0, sender="dispatcher", to="conductor", text="help"))
        change.notice(json.dumps({"mission": mission.id}))
        change.commit()
    change = store.change()
    backlog.put(store, change, Entry(id=backlog.next_id(store), text="Ü", tags=("docs",), roles=("docs",), at=1.0))
    backlog.note_taken(store, change, "ann", backlog.Taken("00000001-town", f"{REPO}#100001"), before={})
    change.commit()
    context.crew.put(None, Agent(name="ann", role="worker", cli="fake", spawned_at=1.0))
    context.crew.put(None, Agent(name="checks", role="checks", cli="", spawned_at=1.0))
    context.mail.mark_seen("conductor", context.mail.read("conductor")[0].place)
    client: Any = connect(context.url, decode=False)
    client.rpush(context.store.keys.quarantine("role.worker"), b"\xff\x00 no text")
    client.zadd(context.store.keys.damaged, {"f00": 1.5})
    client.hset(context.store.keys.limits, "fake@host", '{"since":1,"until":2}')
    client.sadd(context.store.keys.wanting, "00000001-town")
    client.close()


def records(context: Context) -> dict[str, Any]:
    """All that is saved of a town, as it stands in its database."""
    client: Any = connect(context.url, decode=False)
    readers: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        b"list": lambda name: client.lrange(name, 0, -1),
        b"stream": client.xrange,
    }
    prefix = context.town.prefix
    passing = {one.partition("<")[0] for one in PASSING}
    found = {}
    for name in client.scan_iter(match=f"{prefix}*"):
        short = name.decode().removeprefix(prefix)
        if not any(short == one or (one.endswith(":") and short.startswith(one)) for one in passing):
            found[short] = readers[client.type(name)](name)
    client.close()
    return found
