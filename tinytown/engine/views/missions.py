"""How missions and the town stand, for people and for scripts: plain data, read in few steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

from tinytown import keys
from tinytown.engine.allowance import allowance_of, caps_of
from tinytown.engine.context import Context
from tinytown.engine.operate import unattended
from tinytown.engine.views.limits import today_json
from tinytown.errors import NotFoundError, TinytownError, UnreachableError
from tinytown.missions import attention, explaining, gates
from tinytown.missions.records.evidence import Watched
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import ItemState, MissionState, Purpose, WaitReason
from tinytown.state import asked, forge_away, lookup, spending
from tinytown.state.agents import crew_of
from tinytown.state.forge_away import ForgeAway
from tinytown.state.records import AdmissionView
from tinytown.state.store import Store

#: Issues that a line about a mission names.
OBJECTIVES = 50


@dataclass(frozen=True)
class Watch:
    """A gate of a change that is being watched."""

    item: str
    number: int
    #: The change's name at the forge.
    change: str
    #: ``check``, ``review``, ``approval`` or ``merge``; at a remote forge the kind of evidence, as people call it, and
    #: ``forge`` where that does not answer.
    kind: str
    #: ``running``, ``waiting``, ``failing``.
    state: Literal["running", "waiting", "failing"]
    text: str
    until: float | None = None
    #: The person it waits for, if that is known.
    whom: str = ""
    #: It is what a remote forge said, and no gate of the town's own.
    seen: bool = False
    #: Since when, where that is known: a ``forge`` that does not answer.
    since: float | None = None


@dataclass(frozen=True)
class MissionView:
    """A mission as people see it; ``now`` is the database's time."""

    mission: Mission
    items: list[Item]
    now: float
    watches: list[Watch] = field(default_factory=list)
    #: Where ``items`` are not all of them: the keys of all, and how many are in each state.
    every: Collection[str] = ()
    totals: Mapping[str, int] | None = None
    #: Agents at work on them whose runs are suspended.
    interrupted: Collection[str] = ()
    #: What the unattended conductor did or does about what it asks; empty while that is off.
    unattended: str = ""
    #: Which of the town's limits of the day is used up; empty if none is.
    limited: str = ""
    #: What all missions used today; see ``limits``.
    today: Mapping[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many items are in each state, in the order of the states."""
        found = self.totals if self.totals is not None else Counter(item.state.value for item in self.items)
        return {state.value: found[state.value] for state in ItemState if found.get(state.value)}

    @property
    def size(self) -> int:
        """How many items the mission has."""
        return sum(self.counts().values())

    def names(self) -> dict[str, str]:
        """What people call the items that are shown."""
        return keys.names((item.key for item in self.items), among=self.every)


@dataclass(frozen=True)
class Summary:
    """A mission in a line, whatever its size; ``now`` is the database's time."""

    mission: Mission
    #: How many items are in each state, in the order of the states.
    counts: Mapping[str, int]
    now: float
    #: Titles of the first issues that were asked for, by their keys.
    titles: Mapping[str, str]

    @property
    def size(self) -> int:
        """All items."""
        return sum(self.counts.values())

    @property
    def settled(self) -> int:
        """Those that are."""
        return sum(count for state, count in self.counts.items() if ItemState(state).settled)


@dataclass(frozen=True)
class Unreadable:
    """A mission whose records cannot be read: they are damaged, or of a newer release."""

    id: str
    #: A sentence, and the next command.
    why: str


R = TypeVar("R")


def each(ids: Iterable[str], read: Callable[[str], R]) -> list[R | Unreadable]:
    """What ``read`` gives of each mission; one that cannot be read hides no other."""
    found: list[R | Unreadable] = []
    for one in ids:
        try:
            found.append(read(one))
        except UnreachableError:
            raise
        except NotFoundError:
            continue  # It was removed a moment ago.
        except TinytownError as error:
            found.append(Unreadable(one, str(error)))
    return found


def unreadable_json(mission: Unreadable) -> dict[str, Any]:
    """Stable keys for scripts."""
    return {"id": mission.id, "state": "unreadable", "reason": mission.why, "counts": {}}


def summary(context: Context, mission_id: str) -> Summary:
    """One mission from its counts.

    Raises:
        NotFoundError: there is none.
    """
    store = context.store
    view = store.admission_view(mission_id, heads=0)
    mission = view.mission.record.evolve(objectives=store.objectives(view.mission.record))
    first = store.some_items(mission_id, mission.objectives[:OBJECTIVES])
    return Summary(mission, counted(store, view), view.now, {key: v.record.title for key, v in first.items()})


def counted(store: Store, view: AdmissionView) -> dict[str, int]:
    """How many items of the mission that ``view`` is of are in each state, in the order of the states."""
    mission = view.mission.record.id
    found = lookup.counts(store, mission)
    if found is None:  # Not counted yet: it is of an older release.
        found = dict(Counter(attention.counted(v.record.state) for v in store.items(mission).values()))
    offered = sum(1 for a in view.attempts if a.mission == mission and a.purpose == Purpose.WORK and not a.claimed)
    at_work = found.pop(attention.AT_WORK, 0)
    found |= {ItemState.ASSIGNED.value: min(offered, at_work), ItemState.RUNNING.value: max(0, at_work - offered)}
    return {state.value: found[state.value] for state in ItemState if found.get(state.value)}


def mission_json(view: MissionView) -> dict[str, Any]:
    """Stable keys for scripts."""
    mission = view.mission
    return {
        "id": mission.id,
        "state": mission.state.value,
        "reason": mission.reason,
        "trouble": mission.trouble,
        "repo": mission.repo,
        "base": mission.base,
        "objectives": list(mission.objectives),
        "created_at": mission.created_at,
        "finished_at": mission.finished_at,
        "spent_usd": round(mission.spent_usd, 6),
        "spent_tokens": mission.spent_tokens,
        "limited": view.limited,
        "today": dict(view.today),
        "policy": mission.policy.model_dump(mode="json"),
        "help": mission.help.model_dump(mode="json") if mission.help else None,
        "unattended": view.unattended,
        "counts": view.counts(),
        "interrupted": sorted(view.interrupted),
        "items": [item_json(i) for i in view.items],
        "watches": [asdict(w) for w in view.watches],
    }


def item_json(item: Item) -> dict[str, Any]:
    """Stable keys of an item."""
    live = item.attempt
    return {
        "key": item.key,
        "number": item.number or None,
        "title": item.title,
        "state": item.state.value,
        "role": item.role,
        "kind": item.kind,
        "priority": item.priority,
        "agent": item.agent,
        "attempts": item.attempts,
        "fix_rounds": item.fix_rounds,
        "waiting": item.waiting.model_dump(mode="json") if item.waiting else None,
        "attempt": {
            "number": live.number,
            "purpose": live.purpose.kind.value,
            "target": live.purpose.target,
            "agent": live.agent,
            "claimed": live.claimed,
            "since": live.claimed_at or live.sent_at,
        }
        if live
        else None,
        "depends_on": [e.model_dump(mode="json") for e in (*item.edges, *item.external)],
        "blockers": list(item.blockers),
        "branch": item.branch,
        "change": item.change,
        "head": item.head,
        "merged": item.merged,
        "approved_by": item.approved_by,
        "human_approved": item.human_approved,
        "looks": item.review_warnings.model_dump(mode="json") if item.review_warnings else None,
        "doubt": item.doubt.model_dump(mode="json") if item.doubt else None,
        "cost_usd": round(item.cost_usd, 6),
        "news": item.news,
        "ready_at": item.ready_at,
        "started_at": item.started_at,
        "settled_at": item.settled_at,
    }


def mission_view(context: Context, mission_id: str) -> MissionView:
    """One mission with all of its items.

    Raises:
        NotFoundError: there is none.
    """
    view = context.store.admission_view(mission_id, heads=0)
    items = {key: v.record for key, v in context.store.items(mission_id).items()}
    return view_of(context, view, items, items)


def view_of(context: Context, view: AdmissionView, items: Mapping[str, Item], known: Mapping[str, Item]) -> MissionView:
    """Some items of a mission, each with why it waits; ``known`` has all that the pending ones wait for, too."""
    mission = view.mission.record
    running = [Purpose(attempt.purpose) for attempt in view.attempts if attempt.mission == mission.id]
    crew = crew_of(view, context.fallbacks)
    allowance = allowance_of(caps_of(context.town.settings), view)
    if not mission.state.ended:
        items = explaining.explained(mission, items, known, crew, now=view.now, attempts=running, allowance=allowance)
    away = forge_away.read(context.store) if mission.policy.forge_judges and mission.state.active else None
    shown = [_shown(item, mission, away) for item in items.values()]
    mission = mission.evolve(objectives=context.store.objectives(mission))
    held = {worker.name for worker in crew.interrupted}
    held &= {item.attempt.agent or "" for item in shown if item.attempt is not None and item.attempt.claimed}
    note = unattended.note_of(context, mission)
    return MissionView(
        mission,
        shown,
        view.now,
        list(_watches(shown, mission, away)),
        interrupted=held,
        unattended=note,
        limited=allowance.reached if allowance is not None and mission.state.active else "",
        today=today_json(context.town.settings, view.day, spending.costs_of(view.costs)),
    )


def current_mission(context: Context) -> str:
    """The newest mission that has not ended, else the newest.

    Raises:
        NotFoundError: the town has had none.
    """
    if active := asked.active(context.store):
        return active[-1]
    for mission in reversed(context.store.mission_ids(live=False)):
        if not asked.is_run(context.store, mission):
            return mission
    raise NotFoundError("this town has no mission yet", remedy="start one with `tt mission start --issue N`")


def _shown(item: Item, mission: Mission, away: ForgeAway | None) -> Item:
    """The item with its reason for waiting; a paused mission is reason enough, and so is a forge that is away."""
    if mission.state is MissionState.PAUSED and item.attempt is None and not item.state.ended:
        budget = mission.reason.startswith("budget")
        reason = WaitReason.BUDGET if budget else WaitReason.PAUSED
        remedy = mission.reason.removeprefix("budget: ") if budget else f"`tt mission resume {mission.short}`"
        return item.evolve(waiting=Waiting(reason=reason, since=mission.created_at, remedy=remedy))
    if away is not None and _waits_for_a_look(item, mission):
        waiting = Waiting(reason=WaitReason.UNREACHABLE, since=away.since, until=away.until, remedy=away.why)
        return item.evolve(waiting=waiting)
    return item


def _waits_for_a_look(item: Item, mission: Mission) -> bool:
    """Whether what the item waits for can only be seen at a remote forge, and by no person."""
    if not gates.is_watched(item, mission.policy):
        return False
    step = gates.next_step(item, mission.policy)
    return isinstance(step, gates.Hold) and step.reason in (WaitReason.CHECK, WaitReason.UNREACHABLE)


def _watches(items: Iterable[Item], mission: Mission, away: ForgeAway | None) -> Iterable[Watch]:
    for item in items:
        if item.state not in (ItemState.IN_REVIEW, ItemState.FIXING) and not gates.merge_due(item, mission.policy):
            continue
        name, seen = item.change or item.branch, _seen(item)
        unseen = away is not None and gates.is_watched(item, mission.policy)
        if away is not None and unseen:
            yield Watch(item.key, item.number, name, "forge", "waiting", away.why, away.until, since=away.since)
            seen = [one.evolve(until=max(one.until or 0.0, away.until)) for one in seen]
        if not (seen or unseen) or _adds_to(item, seen):
            yield _own(item, name, mission)
        for one in seen:
            yield Watch(item.key, item.number, name, one.name, one.state, one.why, one.until, one.whom, seen=True)


def _adds_to(item: Item, seen: Sequence[Watched]) -> bool:
    """Whether the town is at something that the forge's evidence does not show: what its own reviewer says."""
    if item.state is ItemState.FIXING:
        return not any(one.state == "failing" for one in seen)
    return item.attempt is not None and item.attempt.purpose is Purpose.REVIEW


def _own(item: Item, name: str, mission: Mission) -> Watch:
    live, waiting = item.attempt, item.waiting
    if item.state is ItemState.FIXING and item.fix is not None:
        who = f"{live.agent} is fixing it" if live is not None and live.claimed else "a fix round is due"
        return Watch(item.key, item.number, name, item.fix.gate, "failing", f"{item.fix.summary}; {who}")
    if live is not None:
        words = f"{live.agent} is on it" if live.claimed else "sent"
        return Watch(item.key, item.number, name, live.purpose.value, "running", words)
    text = f"{waiting.reason.value.replace('_', ' ')}: {waiting.remedy}" if waiting else "due"
    until = waiting.until if waiting else None
    return Watch(item.key, item.number, name, _next_kind(item, mission), "waiting", text, until)


def _seen(item: Item) -> Sequence[Watched]:
    """What a remote forge said that keeps the change from merging, unless its agent has brought a newer commit."""
    known = item.forge_verdict
    return known.watched if known is not None and known.sha == item.head else ()


def _next_kind(item: Item, mission: Mission) -> str:
    step = gates.next_step(item.evolve(waiting=None), mission.policy)
    match step:
        case gates.Run(purpose):
            return purpose.value
        case gates.Hold(reason, _):
            return reason.value
        case _:
            return "publish"
