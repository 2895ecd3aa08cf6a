"""Commands on the plan of the town."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.plan.sync import Pulled, Pushed
    from tinytown.missions.records.mission import Mission


@dataclass(frozen=True)
class Sync:
    """The content of a plan's file, what it is called in messages, and what may happen."""

    content: bytes
    source: str
    #: Only say what it would do.
    dry_run: bool = False
    #: Also end running work whose task was removed, or became another one.
    force: bool = False


@dataclass(frozen=True)
class Nothing:
    """No arguments."""


def _pushed(done: Pushed) -> dict[str, Any]:
    found = done.difference
    return {
        "mission": done.mission.id if done.mission else None,
        "new": done.new,
        "added": list(found.added),
        "changed": [{"id": one.id, "fields": list(one.fields)} for one in found.changed],
        "unchanged": list(found.unchanged),
        "removed": list(found.removed),
        "meta": list(found.meta),
    }


def _pulled(done: Pulled) -> dict[str, Any]:
    return {"changed": list(done.changed)}


@command("sync.push", Sync, by=ACTS, shape=_pushed)
def push(caller: Caller, sync: Sync) -> Pushed:
    """Bring the plan in a file to the town."""
    from tinytown.engine.plan import sync as plan

    file = plan.File(sync.content, sync.source)
    return plan.push(caller.context, plan.Wanted(file, dry_run=sync.dry_run, force=sync.force))


@command("sync.pull", Sync, by=ACTS, shape=_pulled)
def pull(caller: Caller, sync: Sync) -> Pulled:
    """What the file of the plan is to hold, with the states and results of its tasks."""
    from tinytown.engine.plan import sync as plan

    return plan.pull(caller.context, plan.Wanted(plan.File(sync.content, sync.source), dry_run=sync.dry_run))


@command("plan.start", Nothing, by=ACTS)
def start(caller: Caller, _nothing: Nothing) -> Mission:
    """Start the plan that was pushed, or go on with it."""
    from tinytown.engine.plan import sync as plan

    return plan.start(caller.context)
