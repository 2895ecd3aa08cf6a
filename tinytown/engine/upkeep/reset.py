"""Begin a town anew, or its agents alone. What it had is saved first; the work of its missions stays where it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinytown.engine.context import Context
from tinytown.engine.operate import items, lives
from tinytown.engine.plan import by_hand
from tinytown.engine.upkeep import quiet
from tinytown.host import lifecycle as towns
from tinytown.host import seats, unattended
from tinytown.missions.crew import TOWN_ROLES
from tinytown.state import backlog
from tinytown.state.damaged import aside
from tinytown.state.snapshot import Snapshots
from tinytown.town import Town


@dataclass(frozen=True)
class Reset:
    """What is removed, or would be."""

    #: It is done, and not only looked at.
    done: bool
    agents: int
    messages: int
    missions: int = 0
    #: Those of them that have not ended.
    active: int = 0
    items: int = 0
    #: Entries of the backlog.
    backlog: int = 0
    #: Where all of it is saved; empty if there was nothing, or nothing was done.
    before: str = ""


def preview(context: Context, *, agents_only: bool = False) -> Reset:
    """What a reset would remove; nothing is changed."""
    store, crew = context.store, _crew(context)
    boxes = crew if agents_only else _mailboxes(context)
    messages = sum(map(context.mail.count, boxes))
    if agents_only:
        return Reset(done=False, agents=len(crew), messages=messages)
    ids = [*store.mission_ids(live=False), *aside(store)]
    return Reset(
        done=False,
        agents=len(crew),
        messages=messages,
        missions=len(ids),
        active=len(store.mission_ids(live=True)),
        items=sum(store.size(mission) for mission in ids),
        backlog=backlog.count(store),
    )


def reset(town: Town) -> Reset:
    """Remove all records of a town; one that runs is stopped for this, and started again.

    Raises:
        StateError: somebody works for it on another machine.
        UnreachableError: its server does not answer.
        DiskFullError: no room to save what it has. Nothing is removed in any of these cases.
    """
    ran = quiet.runs(town)
    if ran:
        towns.stop(town)
    try:
        with quiet.alone(town) as context:
            found = preview(context)
            before = quiet.set_aside(context, "reset")
            Snapshots(context.url, town.prefix).clear()
            for name in {*seats.processes(town), *seats.held(town)}:
                seats.leave(town, name)
            # A town that begins anew spends nothing that nobody asked for.
            unattended.switch_off(town)
    finally:
        if ran:
            towns.start(town)
    return replace(found, done=True, before=before)


def reset_agents(context: Context) -> Reset:
    """Remove all agents and their mailboxes; what they had in hand goes back to their missions.

    Nobody answers messages any more that are removed.
    """
    found = preview(context, agents_only=True)
    before = quiet.set_aside(context, "reset")
    for given in by_hand.all_tasks(context):
        if given.item.messages and not (given.item.state.ended or given.mission.state.ended):
            items.cancel(context, given.mission.id, given.item.key, why="its messages were removed")
    for name in _crew(context):
        lives.kill(context, name)
        context.crew.remove(name)
        context.mail.remove(name)
    return replace(found, done=True, before=before)


def _crew(context: Context) -> list[str]:
    return [name for name, agent in context.crew.agents().items() if agent.role not in TOWN_ROLES]


def _mailboxes(context: Context) -> list[str]:
    found = Snapshots(context.url, context.town.prefix).names()
    return [name.partition(":")[2] for name in found if name.startswith("mail:") and name.count(":") == 1]
