"""How an attempt is taken: by a worker that its message reached, or by one that has just reported another.

Whoever reports is free from that moment, and often what its report releases goes to the queue that it serves. Then the
commit that ends the one attempt takes the next as well: no message has to come back to where it was sent from.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.admission import Decision
from tinytown.errors import ConflictError, NotFoundError, TinytownError
from tinytown.missions import lifecycle, mission_state
from tinytown.missions.limits import Limit
from tinytown.missions.records.agent import Event
from tinytown.missions.records.attempt import Attempt
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Purpose
from tinytown.state import briefs
from tinytown.state.change import Change
from tinytown.state.records import BriefRecords

#: Most dependencies of which a claim reads what they left.
_READ_WITH_CLAIM = 200
#: Chooses the CLI of an attempt at an item, by the usage limits that were reached and the database's time; ``None``
#: leaves the attempt to others.
Choose = Callable[[str, Mapping[str, Limit], float], str | None]


@dataclass(frozen=True)
class Claim:
    """Proof that this worker may run an attempt, with the records it was claimed from."""

    mission: Mission
    item: Item
    attempt: Attempt
    agent: str
    #: What its brief is made from, where that was read with the claim.
    brief: BriefRecords | None = None

    @property
    def token(self) -> str:
        assert self.attempt.token is not None
        return self.attempt.token


@dataclass(frozen=True)
class Taker:
    """Who takes an attempt: an agent in a worker process."""

    agent: str
    choose: Choose
    #: Of the process, and of its machine.
    worker: str | None = None
    host: str = ""
    #: The queues that the agent serves.
    queues: Collection[str] = ()
    #: Proves what is taken; a taker takes one attempt, and knows it again if the answer to that was lost.
    token: str = field(default_factory=lambda: secrets.token_hex(16))


def by_name(agent: str, cli: str = "", *, worker: str | None = None, host: str = "") -> Taker:
    """One whose CLI is known."""
    return Taker(agent, lambda _key, _limits, _now: cli, worker=worker, host=host)


def claim(
    context: Context,
    mission_id: str,
    key: str,
    number: int,
    *,
    agent: str,
    worker: str | None = None,
    cli: str = "",
    host: str = "",
) -> Claim | None:
    """``take`` by an agent whose CLI is known."""
    return take(context, mission_id, key, number, by_name(agent, cli, worker=worker, host=host))


def take(context: Context, mission_id: str, key: str, number: int, taker: Taker) -> Claim | None:
    """Take an attempt; ``None`` if it is not the live one, was taken already, or the mission does not run."""
    asked: list[Change] = []

    def decide(change: Change) -> Claim | None:
        try:
            seen = context.store.mission_items(mission_id, [key], limits=True)
        except NotFoundError:
            return None
        mission, item, now = seen.mission, seen.items.get(key), seen.now
        if item is None:
            return None
        if (ours := item.record.attempt) is not None and ours.token == taker.token:
            return Claim(mission=mission.record, item=item.record, attempt=ours, agent=taker.agent)
        if not mission.record.state.active:
            return None
        new = _taken(item.record, number, taker, seen.limits, now=now)
        if new is None or new.attempt is None:
            return None
        change.by = taker.agent
        change.expect_mission(mission)  # If the mission was paused meanwhile, nothing may begin.
        change.put_item(mission.record, item, new, lease=context.town.settings.timing.lease_secs)
        change.event(_began(mission_id, new, new.attempt, now=now))
        _count_and_read(context, change, mission.record, new)
        asked[:] = [change]
        return Claim(mission=mission.record, item=new, attempt=new.attempt, agent=taker.agent)

    try:
        claimed = commit(context, decide)
    except ConflictError:
        return None
    return with_brief(context, claimed, asked[0].answers) if claimed is not None and asked else claimed


def take_next(context: Context, decision: Decision, taker: Taker) -> Claim | None:
    """Take one of the attempts that this decision admits, in its own commit: the first that the agent serves."""
    now = decision.view.now
    for item in decision.admitted:
        if item.attempt is None or item.attempt.queue not in taker.queues:
            continue
        new = _taken(item, item.attempt.number, taker, decision.view.limits, now=now)
        if new is None or new.attempt is None:
            continue
        decision.take(new, lease=context.town.settings.timing.lease_secs)
        decision.change.event(_began(decision.mission, new, new.attempt, now=now))
        _count_and_read(context, decision.change, decision.head, new)
        return Claim(mission=decision.head, item=new, attempt=new.attempt, agent=taker.agent)
    return None


def taken_by(context: Context, taker: Taker) -> Claim | None:
    """What was taken already, where the answer to that commit was lost."""
    for live in context.store.live_attempts():
        if live.claimed and live.agent == taker.agent:
            with contextlib.suppress(NotFoundError):
                seen = context.store.mission_items(live.mission, [live.item])
                item = seen.items[live.item].record if live.item in seen.items else None
                if item is not None and item.attempt is not None and item.attempt.token == taker.token:
                    return Claim(mission=seen.mission.record, item=item, attempt=item.attempt, agent=taker.agent)
    return None


def with_brief(context: Context, claimed: Claim, answers: Sequence[Any]) -> Claim:
    """With what the commit that took it has read for its brief."""
    if not answers:
        return claimed
    wanted = mission_state.waited_for(claimed.item)
    # What is damaged is met again where the brief is made, and reported as the attempt's end.
    with contextlib.suppress(TinytownError, ValueError):
        read = briefs.made_of(context.store.keys, claimed.mission.id, wanted, answers, agent=claimed.agent)
        return replace(claimed, brief=read)
    return claimed


def _taken(item: Item, number: int, taker: Taker, known: Mapping[str, Limit], *, now: float) -> Item | None:
    cli = taker.choose(item.key, known, now)
    if cli is None:
        return None
    return lifecycle.claim(
        item, number, agent=taker.agent, token=taker.token, worker=taker.worker, cli=cli, host=taker.host, now=now
    )


def _began(mission: str, item: Item, attempt: Attempt, *, now: float) -> Event:
    return event(
        "attempt_started",
        at=now,
        mission=mission,
        item=item.key,
        agent=attempt.agent,
        purpose=attempt.purpose.kind.value,
        target=attempt.purpose.target,
        number=attempt.number,
        cli=attempt.cli,
    )


def _count_and_read(context: Context, change: Change, mission: Mission, item: Item) -> None:
    assert item.attempt is not None
    assert item.attempt.agent is not None
    if item.attempt.purpose.runs_agent:
        change.count_round(item.attempt.agent)
    if _is_briefed_at_once(mission, item):
        wanted = mission_state.waited_for(item)
        change.reads = briefs.reads(context.store.keys, mission.id, item.key, wanted, agent=item.attempt.agent)


def _is_briefed_at_once(mission: Mission, item: Item) -> bool:
    """Whether nothing comes between the claim of an attempt and its brief; else that tells what is there by then."""
    writes = item.attempt is not None and item.attempt.purpose in (Purpose.WORK, Purpose.FIX)
    return mission.workspace == "none" and writes and len(item.edges) <= _READ_WITH_CLAIM
