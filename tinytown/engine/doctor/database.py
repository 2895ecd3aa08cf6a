"""The server, what it holds, and whether that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tinytown.engine.context import Context
from tinytown.engine.doctor.findings import Finding
from tinytown.errors import DatabaseFullError, TinytownError
from tinytown.state import server
from tinytown.state.epoch import Epoch, epoch_of, lost
from tinytown.town import Town


def server_of(town: Town) -> Iterator[Finding]:
    """It answers, keeps what it is given, and holds this town."""
    url = server.server_url(town)
    external = town.settings.redis.url is not None
    if not external and server.server_process(town) is None:
        yield Finding("server", "fail", "the town's server is not running", "run `tt start`")
        return
    found = server.look(town)
    detail = f"{found.engine} {found.version} at {server.public_url(url)}"
    wrong = server.persistence(town)
    if wrong:
        full = any("disk full" in sentence for sentence in wrong)
        remedy = "free some space: it goes on by itself" if full else "change its configuration"
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
            return Finding("database", "ok", "it is this town's")
        case Epoch.NEW:
            return Finding("database", "ok", "it is empty, and the town is new")
        case Epoch.ANOTHER:
            return Finding(
                "database",
                "fail",
                "it belongs to another life of this town",
                "point REDIS_URL at the right server, or restore `.tt` from a backup",
            )
        case Epoch.LOST:
            error = lost()
            return Finding("database", "fail", error.message, error.remedy)


def is_this_towns(town: Town) -> bool:
    """Whether a database answers that is this town's."""
    try:
        return epoch_of(town, server.server_url(town)) is Epoch.OURS
    except TinytownError:
        return False


def records(context: Context) -> Iterator[Finding]:
    """Every record of the missions that have not ended, and of the agents, can be read."""
    missions = context.store.mission_ids(live=True)
    damaged: list[str] = []
    for mission in missions:
        damaged += _damage(f"mission {mission[:8]}", partial(_read_mission, context, mission))
    damaged += _damage("the agents", context.crew.agents)
    damaged += _damage("the index of attempts", context.store.live_attempts)
    if damaged:
        remedy = "restore `.tt/data` from a backup made before; all other missions go on without what it names"
        yield from (Finding("records", "fail", sentence, remedy) for sentence in damaged)
    else:
        yield Finding("records", "ok", f"{len(missions)} missions under way, all readable")


def _damage(what: str, read: Callable[[], object]) -> list[str]:
    try:
        read()
    except TinytownError as error:
        return [f"{what}: {error.message}"]
    except (ValueError, KeyError, TypeError) as error:
        return [f"{what} is damaged: {type(error).__name__}"]
    return []


def _read_mission(context: Context, mission: str) -> None:
    context.store.mission(mission)
    context.store.items(mission)
    context.canvas(mission)
    context.store.finished_attempts(mission)
    context.store.due(mission)
