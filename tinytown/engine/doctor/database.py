"""The server, what it holds, and whether that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tinytown.engine.context import Context
from tinytown.engine.doctor.findings import Finding
from tinytown.errors import DatabaseFullError, NotFoundError, TinytownError
from tinytown.host import lifecycle as towns
from tinytown.host import server
from tinytown.state import lookup
from tinytown.state.damaged import aside, set_aside
from tinytown.state.epoch import Epoch, epoch_of, lost
from tinytown.state.records import DamagedRecordError
from tinytown.town import Town


def server_of(town: Town) -> Iterator[Finding]:
    """The server answers, keeps its data safely, and holds this town."""
    url = server.server_url(town)
    external = town.settings.redis.url is not None
    if not external and server.server_process(town) is None:
        yield Finding("server", "fail", "the town's server is not running", "run `tt start`")
        return
    towns.require_server(town)
    found = server.running_server(town)
    detail = f"{found.engine} {found.version} at {server.public_url(url)}"
    wrong = server.persistence(town)
    if wrong:
        full = any("disk full" in sentence for sentence in wrong)
        remedy = "free some space: it continues by itself" if full else "change its configuration"
        yield Finding("server", "fail" if full else "warn", f"{detail}: {'; '.join(wrong)}", remedy)
    else:
        yield Finding("server", "ok", f"{detail}, {'yours' if external else 'with an append-only file'}")
    try:
        yield _epoch(town)
    except DatabaseFullError as error:
        yield Finding("database", "fail", error.message, error.remedy)


def _epoch(town: Town) -> Finding:
    match epoch_of(town, server.server_url(town)):
        case Epoch.OURS:
            return Finding("database", "ok", "it belongs to this town")
        case Epoch.NEW:
            return Finding("database", "ok", "it is empty, and the town is new")
        case Epoch.ANOTHER:
            return Finding(
                "database",
                "fail",
                "it belongs to an earlier setup of this town",
                "point REDIS_URL at the right server, or restore `.tt` from a backup",
            )
        case Epoch.LOST:
            error = lost()
            return Finding("database", "fail", error.message, error.remedy)


def is_this_towns(town: Town) -> bool:
    """Whether a database answers and is this town's."""
    try:
        towns.require_server(town)
        return epoch_of(town, server.server_url(town)) is Epoch.OURS
    except TinytownError:
        return False


def records(context: Context) -> Iterator[Finding]:
    """Every record of the missions that have not ended, and of the agents, can be read."""
    missions = context.store.mission_ids(live=True)
    fine = True
    for mission in missions:
        if said := _damage(partial(_read_mission, context, mission)):
            fine = False
            remedy = "run `tt doctor --quarantine`, which sets the mission aside unchanged, or restore `.tt/data`"
            yield Finding("records", "fail", f"mission {mission[:8]}: {said}", remedy)
    for what, read in (("the agents", context.crew.agents), ("the index of attempts", context.store.live_attempts)):
        if said := _damage(read):
            fine = False
            yield Finding("records", "fail", f"{what}: {said}", "restore `.tt/data` from a backup")
    if fine:
        kept = len(aside(context.store))
        more = f"; {kept} set aside" if kept else ""
        yield Finding("records", "ok", f"active missions: {len(missions)}, all readable{more}")


def quarantine(context: Context) -> list[Finding]:
    """Set aside the missions whose records cannot be read; those that merely could not be reached stay."""
    moved = []
    for mission in context.store.mission_ids(live=True):
        if _damage(partial(_read_mission, context, mission)):
            set_aside(context.store, mission)
            moved.append(mission)
    if not moved:
        return []
    told = ", ".join(moved)
    return [
        Finding(
            "quarantine", "ok", f"set aside: {told}; records and work are unchanged, and the issues can be used again"
        )
    ]


def _damage(read: Callable[[], object]) -> str:
    """Why a record can never be read; empty if it can. A failure that may pass, such as no answer, is raised."""
    try:
        read()
    except (DamagedRecordError, NotFoundError) as error:
        return error.message
    except (ValueError, KeyError, TypeError) as error:
        return f"it is not valid ({type(error).__name__})"
    return ""


def _read_mission(context: Context, mission: str) -> None:
    context.store.mission(mission)
    context.store.items(mission)
    context.canvas(mission)
    context.store.finished_attempts(mission)
    lookup.due(context.store, mission)
