"""After a crash: tell who is gone, take back what they held, and give on what only they could have done.

All by leases: nobody is declared gone who was heard of within his lease. A tick does most of it by itself; this does it
now, and for agents whose machine or terminal is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from tinytown import contract, keys
from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch import placement
from tinytown.engine.dispatch.reconcile import reconcile_all
from tinytown.engine.operate import items
from tinytown.engine.operate.backlog import give_back
from tinytown.errors import ConfigurationError, ConflictError, NotFoundError, StateError
from tinytown.host import seats
from tinytown.missions.agent_states import ENDED
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.messages import pending_field
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState
from tinytown.state.agents import COMING_SECS
from tinytown.state.change import Change
from tinytown.state.hosts import Hosts
from tinytown.state.records import LiveAttempt


@dataclass(frozen=True)
class Recovery:
    """What a recovery found, and did unless it was only to look."""

    #: How many agents were looked at.
    checked: int
    #: Agents that are gone, without anybody to start them again.
    gone: tuple[str, ...]
    #: Agents that are not there, and that the town starts again by itself.
    coming: tuple[str, ...]
    #: Ids of attempts whose lease had run out: ``<mission>/<item key>/<number>``.
    lost: tuple[str, ...]


def recover(context: Context, *, dry: bool = False) -> Recovery:
    """Note which agents are gone, and send again what they held; with ``dry`` only look."""
    known = [agent for agent in context.crew.agents().values() if agent.role not in TOWN_ROLES]
    absent = _absent(context, known)
    served = {*seats.processes(context.town), *_on_live_hosts(context, absent)}
    gone = [agent for agent in absent if agent.name not in served]
    lost = _lost(context)
    if not dry:
        gone = [agent for agent in gone if _end(context, agent.name)]
        reconcile_all(context, whole=True)
    return Recovery(
        checked=len(known),
        gone=tuple(agent.name for agent in gone),
        coming=tuple(agent.name for agent in absent if agent.name in served),
        lost=tuple(attempt.id for attempt in lost),
    )


def _on_live_hosts(context: Context, absent: Sequence[Agent]) -> set[str]:
    """Those of these agents that are on another host which is there: it starts them again."""
    others = [agent for agent in absent if placement.is_elsewhere(context, agent)]
    live = {name for name, one in Hosts(context.store).all().items() if one.live} if others else set()
    return {agent.name for agent in others if agent.host in live}


def _absent(context: Context, known: list[Agent]) -> list[Agent]:
    """Those who should be there and were not heard of lately, nor started a moment ago."""
    now, presence = context.store.now(), context.crew.presence()

    def heard(agent: Agent) -> float:
        return max(presence.get(agent.name, 0.0), agent.since, agent.spawned_at)

    return [a for a in known if a.state not in ENDED and heard(a) <= now - COMING_SECS]


def _lost(context: Context) -> list[LiveAttempt]:
    leased = context.store.leased()
    return [attempt for attempt in context.store.live_attempts() if attempt.claimed and attempt.id not in leased]


def _end(context: Context, name: str) -> bool:
    """Note that an agent is gone; ``False`` if it is there after all."""

    def decide(change: Change) -> bool:
        old = context.crew.agent(name)
        if not _absent(context, [old.record]):
            return False
        new = old.record.evolve(state=AgentState.STOPPED, still=False)
        change.put_agent(old, new, why="its worker is gone", at=context.store.now())
        return True

    try:
        return commit(context, decide)
    except (ConflictError, NotFoundError):
        return False


@dataclass(frozen=True)
class Orphan:
    """What only an agent that has ended could have done: an item that is directed to it, or an unread message."""

    #: ``item`` or ``message``.
    kind: str
    agent: str
    #: Key of the item, or id of the message.
    id: str
    #: Mission of the item, or that the message is about.
    mission: str
    #: Title of the item, or who wrote and what.
    text: str
    #: Where it went: the name of an agent, the id of an entry of the backlog, or ``any`` and a role; empty if nowhere.
    went: str = ""


def reclaim(context: Context, *, to: str = "", source: str = "", to_backlog: bool = False) -> list[Orphan]:
    """Give what agents that have ended left behind to the agent ``to``; without one, only tell what there is.

    ``source``: only what this agent left. ``to_backlog``: tasks by hand that nobody has begun go there, other items to
    whoever has their role; messages stay.

    Raises:
        ConfigurationError: it is to go to an agent and to the backlog.
        NotFoundError: there is no such agent.
        StateError: ``to`` has ended, or ``source`` has not.
    """
    if to and to_backlog:
        raise ConfigurationError("it cannot go to an agent and to the backlog", remedy="use one of both options")
    known = context.crew.agents()
    target = context.crew.find(to) if to else ""
    if target and known[target].state in ENDED and not known[target].returns:
        raise StateError(f"`{target}` is {known[target].state.value}", remedy=f"run `tt restart {target}` first")
    ended = {agent.name for agent in known.values() if agent.state in ENDED and not agent.returns}
    ended = {_ended(context, source, known)} if source else ended | {*context.mail.boxes()} - known.keys()
    orphans = list(_items(context, ended, known, only=source))
    orphans += list(_messages(context, ended, {orphan.id for orphan in orphans}))
    if source and not orphans:
        context.crew.find(source)  # Nobody, or one that was pruned and left nothing.
    if to_backlog:
        return [_to_backlog(context, orphan) for orphan in orphans]
    if not target:
        return orphans
    for orphan in orphans:
        if orphan.kind == "item":
            items.redirect(context, orphan.mission, orphan.id, target)
    for name in dict.fromkeys(orphan.agent for orphan in orphans if orphan.kind == "message"):
        _forward(context, name, target)
    return [replace(orphan, went=target) for orphan in orphans]


def _to_backlog(context: Context, orphan: Orphan) -> Orphan:
    """Take an item away from its agent; what cannot be taken stays as it is."""
    back = give_back(context, orphan.mission, orphan.id, orphan.agent) if orphan.kind == "item" else None
    if back is None:
        return orphan
    return replace(orphan, went=back.entry.id if back.entry is not None else f"any {back.role}")


def _ended(context: Context, word: str, known: dict[str, Agent]) -> str:
    """The name of an agent that has ended; one whose record was removed may have left something, too."""
    try:
        name = context.crew.find(word)
    except NotFoundError:
        if contract.is_name(word) and word not in known:
            return word
        raise
    if known[name].state not in ENDED or known[name].returns:
        raise StateError(f"`{name}` has not ended", remedy=f"run `tt close {name}` or `tt kill {name}` first")
    return name


def _items(context: Context, ended: set[str], known: dict[str, Agent], *, only: str) -> Iterator[Orphan]:
    for mission in context.store.mission_ids(live=True):
        for item in (found.record for found in context.store.items(mission).values()):
            name = item.directed_to
            if not name or item.state.ended or (item.attempt is not None and item.attempt.claimed):
                continue
            if name in ended or (not only and name not in known):
                yield Orphan("item", name, item.key, mission, item.title)


def _messages(context: Context, ended: set[str], items: Collection[str]) -> Iterator[Orphan]:
    for name in sorted(ended):
        for message in context.mail.pending(name):
            if message.task and keys.task_key(message.task, plan="hand") not in items:
                continue  # It goes where the item goes that has it answered, and that is at work.
            yield Orphan("message", name, message.id, message.mission, f"{message.sender}: {message.text}")


def _forward(context: Context, name: str, to: str) -> None:
    """Put what an agent has not got into another one's mailbox: once, whoever else does the same.

    A message that an item has answered is in the mailbox of that item's agent, and goes with it.
    """

    def decide(change: Change) -> None:
        fields = [pending_field(message) for message in context.mail.pending(name) if not message.task]
        left = context.mail.still_pending(name, fields)
        for message in left:
            change.got(name, message)
            change.message(message.record.evolve(to=to), pending=True)
        if left:
            change.event(event("messages_forwarded", at=context.store.now(), agent=name, to=to, count=len(left)))

    commit(context, decide)
