"""A town of which nothing runs but its server: what changes all of its records wants to be alone with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from tinytown import files
from tinytown.engine.context import Context
from tinytown.engine.upkeep.save import save
from tinytown.errors import StateError
from tinytown.host import lifecycle as towns
from tinytown.host import process_specs, visit
from tinytown.host.server import ensure_server, server_url
from tinytown.missions.crew import TOWN_ROLES
from tinytown.state.snapshot import Snapshots
from tinytown.town import Town

#: Below ``.tt``: towns that were saved before something else took their place.
BEFORE = "saved"
#: Keys that every town has, whoever used it.
_EVERYBODYS = frozenset({"events", "agents"})


def runs(town: Town) -> bool:
    """Whether the town was started, and not stopped since."""
    return process_specs.supervisor(town) is not None or process_specs.wanted(town)


def require_stopped(town: Town) -> None:
    """Raise ``StateError`` if the town runs."""
    if runs(town):
        raise StateError(f"{town.name} is running", remedy="run `tt stop` first")


@contextlib.contextmanager
def alone(town: Town) -> Iterator[Context]:
    """The records of a stopped town; nothing else of it can be started inside of the ``with`` block.

    Raises:
        StateError: it runs, or somebody works for it elsewhere.
        UnreachableError: its server does not answer.
    """
    require_stopped(town)
    with _server(town), towns.turn(town):
        require_stopped(town)  # Somebody may have been quicker.
        context = Context(town, server_url(town))
        if alive := sorted(context.crew.alive()):
            raise StateError(
                f"{', '.join(alive[:3])} still works for this town, on another machine or in a terminal",
                remedy="end it first",
            )
        yield context


@contextlib.contextmanager
def _server(town: Town) -> Iterator[None]:
    if town.settings.redis.url is None:
        with visit.visit(town):
            yield
    else:
        towns.require_server(town)
        ensure_server(town)
        yield


def has_records(context: Context) -> bool:
    """Whether there is anything that somebody made."""
    found = Snapshots(context.url, context.town.prefix).names()
    return bool(found - _EVERYBODYS) or any(agent.role not in TOWN_ROLES for agent in context.crew.agents().values())


def set_aside(context: Context, what: str) -> str:
    """Save the town before ``what`` changes it; gives the file, or nothing where there is nothing to save."""
    if not has_records(context):
        return ""
    folder = files.private_folder(context.town.folder / BEFORE)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while (file := folder / f"before-{what}-{stamp}{f'-{number}' if number > 1 else ''}.zip").exists():
        number += 1
    return save(context, file).file
