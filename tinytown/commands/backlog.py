"""Commands on the backlog: work that nobody has yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, IN_A_RUN, SEES, Caller, Who, command
from tinytown.commands.tasks import task_json

if TYPE_CHECKING:
    from tinytown.engine.plan.by_hand import Given
    from tinytown.engine.plan.claims import Added
    from tinytown.engine.views.backlog import EntryView
    from tinytown.missions.records.backlog import Entry


@dataclass(frozen=True)
class Add:
    """A new entry; each tag may hold several, with commas between them."""

    text: str
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Which:
    """The entries to list; an empty text means any."""

    tag: str = ""


@dataclass(frozen=True)
class Claim:
    """An entry by its id, and whose it shall be; an agent in its run claims for itself alone."""

    id: str
    agent: str = ""


@dataclass(frozen=True)
class All:
    """Whose all of it shall be."""

    agent: str


@dataclass(frozen=True)
class Named:
    """An entry by its id."""

    id: str


def added_json(added: Added) -> dict[str, Any]:
    """Stable keys of an entry that was added."""
    task = added.task.item if added.task is not None else None
    return {
        **entry_json(added.entry, added.waits),
        "task": task.typed if task is not None else None,
        "agent": task.directed_to if task is not None else None,
    }


def entry_json(entry: Entry, waits: str) -> dict[str, Any]:
    """Stable keys of an entry."""
    fields = ("id", "text", "tags", "roles", "by", "at")
    return {**{name: getattr(entry, name) for name in fields}, "waits": waits}


def _list_json(found: Sequence[EntryView]) -> list[dict[str, Any]]:
    return [entry_json(one.entry, one.waits) for one in found]


@command("backlog.add", Add, by=ACTS | IN_A_RUN, shape=added_json)
def add(caller: Caller, wanted: Add) -> Added:
    """Put work into the backlog; an idle agent that it fits takes it at once."""
    if caller.who is Who.AGENT:
        return caller.run.add_to_backlog(wanted.text, wanted.tags)
    from tinytown.engine.plan import claims

    return claims.add(caller.context, wanted.text, wanted.tags, by=caller.context.store.by or "operator")


@command("backlog.list", Which, by=SEES | IN_A_RUN, shape=_list_json)
def list_all(caller: Caller, which: Which) -> Sequence[EntryView]:
    """The entries of the backlog, the oldest first."""
    if caller.who is Who.AGENT:
        return caller.run.backlog(which.tag)
    from tinytown.engine.views import backlog

    return backlog.entries(caller.context, tag=which.tag)


@command("backlog.claim", Claim, by=ACTS | IN_A_RUN, shape=task_json)
def claim(caller: Caller, wanted: Claim) -> Given:
    """Make an entry a task of an agent."""
    if caller.who is Who.AGENT:
        return caller.run.claim(wanted.id, wanted.agent)
    from tinytown.engine.plan import claims

    return claims.claim(caller.context, wanted.id, wanted.agent)


@command("backlog.assign_all", All, by=ACTS)
def assign_all(caller: Caller, wanted: All) -> int:
    """Make all that is in the backlog now tasks of an agent; gives how many."""
    from tinytown.engine.plan import claims

    return claims.claim_all(caller.context, wanted.agent)


@command("backlog.remove", Named, by=ACTS)
def remove(caller: Caller, named: Named) -> Entry:
    """Take an entry out of the backlog for good."""
    from tinytown.engine.operate import backlog

    return backlog.remove(caller.context, named.id)
