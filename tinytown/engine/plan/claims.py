"""Taking work out of the backlog: a claim is one commit that takes an entry out and makes a task for an agent of it.

``take_up`` is how idle agents take what fits them (``auto_claim``). It is called whenever an agent may have become
idle, when an entry was added, and by the tick, and may be called anywhere, any number of times, at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinytown.engine.allowance import limited
from tinytown.engine.commit import commit
from tinytown.engine.context import Context
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.operate import backlog as backlog_entries
from tinytown.engine.plan import by_hand
from tinytown.engine.plan.by_hand import Assignment, Given
from tinytown.errors import ConflictError, NotFoundError, StateError, TinytownError
from tinytown.missions import backlog as rules
from tinytown.missions import budget
from tinytown.missions.agent_states import ENDED
from tinytown.missions.crew import Crew
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.backlog import Entry
from tinytown.missions.records.item import Item
from tinytown.missions.states import AgentState, ItemState
from tinytown.state import backlog
from tinytown.state import tasks as task_records
from tinytown.state.agents import gather
from tinytown.state.backlog import Taken
from tinytown.state.change import Change
from tinytown.state.records import LiveAttempt, Versioned

log = logging.getLogger(__name__)

#: Entries of one commit, where an agent is given all.
_BATCH = 50


@dataclass(frozen=True)
class Added:
    """A new entry, and the task that an idle agent has made of it already; else why it waits."""

    entry: Entry
    task: Given | None
    waits: str


def add(context: Context, text: str, tags: Sequence[str] = (), *, by: str, depth: int = 0) -> Added:
    """Put work into the backlog, and have idle agents look.

    Raises:
        ConfigurationError: the text is empty or too long, or a tag is none.
    """
    entry = backlog_entries.add(context, text, tags, by=by, depth=depth)
    take_up_quietly(context)
    seen = standing(context, whole=True)
    # It may be another process whose look was the quicker one.
    who = next((agent for agent, item in seen.unfinished.items() if item.entry == entry.id), None)
    if who is not None:
        mission = context.store.mission(seen.taken[who].mission).record
        return Added(entry, Given(mission, seen.unfinished[who]), "")
    left = backlog.some(context.store, [entry.id])
    return Added(entry, None, why(rules.lines_of(entry), seen) if left else "")


def claim(context: Context, id_: str, agent: str) -> Given:
    """Give an entry to an agent, as a task; it is sent as soon as the agent can take it.

    Raises:
        NotFoundError: there is no such entry, or no such agent; the entry stays.
        StateError: the agent has ended.
    """
    name = _able(context, agent)
    task: list[str] = []

    def decide(change: Change) -> Given:
        old = backlog.find(context.store, id_)
        return _take(context, change, [old], name, task)[0]

    given = commit(context, decide)
    _send(context, given)
    return _now(context, given)


def claim_own(context: Context, id_: str, agent: str, *, at: str = "") -> Given:
    """Give an entry to an agent that asks for it itself, from inside its run at the item ``at``.

    Raises:
        NotFoundError: there is no such entry.
        StateError: it does not fit the agent's role, or the agent has another one unfinished.
    """
    record = context.crew.agent(agent).record
    task: list[str] = []

    def decide(change: Change) -> Given:
        change.by = agent
        old = backlog.find(context.store, id_)
        if not rules.fits(old.record, record.role):
            raise StateError(f"{id_} is not for the role {record.role}", remedy="leave it to others")
        taken = backlog.taken(context.store)
        unfinished = _unfinished(context, taken).get(agent)
        if unfinished is not None and unfinished.key != at:
            raise StateError(
                f"you have task {unfinished.typed} from the backlog already", remedy="take the next one after that"
            )
        [given] = _take(context, change, [old], agent, task)
        backlog.note_taken(context.store, change, agent, Taken(given.mission.id, given.item.key), before=taken)
        return given

    given = commit(context, decide)
    _send(context, given)
    return _now(context, given)


def claim_all(context: Context, agent: str) -> int:
    """Give all that is in the backlog now to an agent, the oldest first; gives how many entries that were.

    Raises:
        NotFoundError: there is no such agent.
        StateError: it has ended.
    """
    name = _able(context, agent)
    left: Sequence[str] = backlog.ids(context.store)
    total = 0
    while left:
        left, given = _take_batch(context, left, name)
        total += len(given)
        if given:
            _send(context, given[0])
    return total


def _take_batch(context: Context, left: Sequence[str], agent: str) -> tuple[Sequence[str], list[Given]]:
    """Give an agent the first of these entries, as many as one commit takes; also gives the ids behind them."""
    task: list[str] = []

    def decide(change: Change) -> tuple[Sequence[str], list[Given]]:
        most = min(_BATCH, by_hand.room(context))
        # What others took meanwhile is not there any more.
        found = backlog.some(context.store, left[:most])
        del task[len(found) :]
        return left[most:], _take(context, change, found, agent, task) if found else []

    return commit(context, decide)


def _able(context: Context, word: str) -> str:
    """The name of an agent that can be given something."""
    name = context.crew.find(word)
    record = context.crew.agent(name).record
    if record.state is AgentState.DRAINING:
        raise StateError(f"`{name}` is being closed", remedy="name another agent; `tt list` has them")
    if record.state in ENDED and not record.returns:
        raise StateError(f"`{name}` is {record.state.value}", remedy=f"run `tt restart {name}` first")
    return name


def _take(
    context: Context, change: Change, entries: Sequence[Versioned[Entry]], agent: str, ids: list[str]
) -> list[Given]:
    """Take entries out and make tasks of them, in this change; ``ids`` are those of the tasks, made where missing."""
    while len(ids) < len(entries):
        ids.append(f"t{task_records.next_number(context.store)}")
    change.once()
    for old in entries:
        backlog.take_out(context.store, change, old)
    return by_hand.give(context, change, {id_: _task(old.record, agent) for id_, old in zip(ids, entries, strict=True)})


def _task(entry: Entry, agent: str) -> Assignment:
    return Assignment(to=agent, text=entry.text, tags=entry.tags, entry=entry.id, depth=entry.depth)


def _send(context: Context, given: Given) -> None:
    """Have the task begin, if its agent can take it now."""
    context.rejoin(given.mission.id)
    advance(context, given.mission.id)


def _now(context: Context, given: Given) -> Given:
    return Given(given.mission, context.store.item(given.mission.id, given.item.key).record)


# -- what idle agents take by themselves -----------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How things stand for those who could take something, as of a version of what admissions are decided from."""

    version: int
    now: float
    crew: Crew
    #: What agents took by themselves last, and the tasks of it that have not ended.
    taken: Mapping[str, Taken]
    unfinished: Mapping[str, Item]
    #: Why nobody takes anything now, whatever it is; empty if nothing is in the way.
    hindrance: str


def take_up(context: Context) -> list[Given]:
    """Have idle agents take what fits them, each one entry; gives the tasks."""
    if not context.town.settings.auto_claim or not backlog.count(context.store):
        return []
    given: list[Given] = []
    task: list[str] = []
    while True:
        try:
            one = commit(context, lambda change: _take_next(context, change, task))
        except ConflictError:
            return given  # Whoever was quicker every time goes on.
        if one is None:
            return given
        log.info("%s takes %s from the backlog, as task %s", one.item.directed_to, one.item.entry, one.item.typed)
        task.clear()
        given.append(one)
        _send(context, one)


def put_back(context: Context) -> None:
    """Take away from agents that have ended what they took by themselves: nobody had chosen them for it."""
    agents = context.crew.agents()
    taken = backlog.taken(context.store)
    gone = [name for name in taken if name not in agents or (agents[name].state in ENDED and not agents[name].returns)]
    if not gone:
        return
    for name, item in _unfinished(context, {name: taken[name] for name in gone}).items():
        if given_back := backlog_entries.give_back(context, taken[name].mission, item.key, name):
            where = f"to the backlog, as {given_back.entry.id}" if given_back.entry else f"to any {given_back.role}"
            log.info("%s has ended; its task %s goes back %s", name, item.typed, where)


def take_up_quietly(context: Context, *, tick: bool = False) -> None:
    """``take_up``, and in a ``tick`` ``put_back``, after something that must not fail of it; the tick tries again."""
    try:
        if tick:
            put_back(context)
        take_up(context)
    except TinytownError as error:
        log.warning("nothing is taken from the backlog: %s", error)


def _take_next(context: Context, change: Change, task: list[str]) -> Given | None:
    store = context.store
    heads = backlog.heads(store, _lines(context))
    if not heads:
        return None
    seen = standing(context)
    if seen.hindrance:
        return None
    choice = rules.choose(heads, seen.crew, now=seen.now, having=seen.unfinished.keys())
    if choice is None:
        return None
    try:
        entry = backlog.find(store, f"b{choice.number}")
    except NotFoundError:
        raise ConflictError("the backlog changed in the meantime", remedy="try again") from None
    change.by = choice.agent
    [given] = _take(context, change, [entry], choice.agent, task)
    backlog.note_taken(store, change, choice.agent, Taken(given.mission.id, given.item.key), before=seen.taken)
    # Whoever was idle must be so still.
    change.admissions(seen.version)
    return given


def _lines(context: Context) -> list[str]:
    """The lines that somebody of the town may take from."""
    roles = {agent.role for agent in context.crew.agents().values()}
    return list(dict.fromkeys(line for role in sorted(roles) for line in rules.lines_for(role)))


def standing(context: Context, *, whole: bool = False) -> Standing:
    """How things stand; ``whole``: look for all that can be in the way, even if that takes a while."""
    store, town = context.store, context.town
    version, now = store.admissions(), store.now()
    attempts = store.live_attempts()
    agents: list[Agent] = list(context.crew.agents().values())
    crew = gather(agents, attempts, presence=context.crew.presence(), now=now, fallbacks=context.fallbacks)
    taken = backlog.taken(store)
    unfinished = _unfinished(context, taken)
    hindrance = (
        "" if town.settings.auto_claim else "`auto_claim` is off: `tt backlog claim ID AGENT` gives it to an agent"
    )
    if not hindrance:
        hindrance = _in_the_way(context, attempts, taken, unfinished, whole=whole)
    return Standing(version, now, replace(crew, limits=store.limits()), taken, unfinished, hindrance)


def why(lines: Sequence[str], seen: Standing) -> str:
    """Why the first entry of these lines waits, and what helps."""
    having = seen.unfinished.keys()
    return rules.why(lines, seen.crew, now=seen.now, having=having, hindrance=seen.hindrance)


def _unfinished(context: Context, taken: Mapping[str, Taken]) -> dict[str, Item]:
    """By agent: the task that it took by itself, if that has not ended."""
    by_mission: dict[str, list[str]] = {}
    for one in taken.values():
        by_mission.setdefault(one.mission, []).append(one.key)
    items = {(m, k): v.record for m, keys in by_mission.items() for k, v in context.store.some_items(m, keys).items()}
    found = {agent: items.get((one.mission, one.key)) for agent, one in taken.items()}
    return {
        agent: item
        for agent, item in found.items()
        if item is not None and not item.state.ended and item.directed_to == agent
    }


def _in_the_way(
    context: Context,
    attempts: Sequence[LiveAttempt],
    taken: Mapping[str, Taken],
    unfinished: Mapping[str, Item],
    *,
    whole: bool,
) -> str:
    """Why a task could not begin now, whoever took it."""
    mission = by_hand.home(context)
    if mission is None:
        if whole:
            try:
                by_hand.preflight(context)
            except TinytownError as error:
                return str(error)
        return ""
    if not mission.state.active:
        return f"mission {mission.short}, which has tasks given by hand, is paused: `tt mission resume {mission.short}`"
    mine = [attempt for attempt in attempts if attempt.mission == mission.id]
    coming = [
        agent
        for agent, item in unfinished.items()
        if taken[agent].mission == mission.id and item.state is ItemState.READY
    ]
    live, slots = len(mine) + len(coming), mission.policy.max_parallel_items
    if live >= slots:
        return f"{live} of {slots} slots of mission {mission.short} are taken (`policy.max_parallel_items`)"
    if budget.runs_left(mission, len(coming) + sum(a.purpose != "check" for a in mine)) == 0:
        return f"the budget of mission {mission.short}, which has tasks given by hand, is used up"
    if said := limited(context):
        return said
    return ""
