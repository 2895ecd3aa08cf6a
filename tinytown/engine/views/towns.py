"""The user's towns on this machine, as they are shown. Nothing is started and nothing is changed."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinytown import settings
from tinytown.engine.context import Context
from tinytown.engine.operate.present import agent_views
from tinytown.errors import NotATownError, TinytownError
from tinytown.host import place, process_specs, server
from tinytown.missions.states import AgentState
from tinytown.state import serving
from tinytown.town import Identity, Town, read_identity, server_of_supervisor, state_folder

State = Literal["running", "stopped", "gone", "broken"]
#: Towns that are asked at the same time: one that does not answer keeps no other waiting.
_AT_ONCE = 16


@dataclass(frozen=True)
class TownView:
    """A town as people see it from outside."""

    id: str
    name: str
    root: str
    #: ``running``, ``stopped``, ``gone`` (its folder is no longer there, or no longer this town) or ``broken``.
    state: State
    #: Agents that it has, and those at work now; ``null`` where that is not known.
    agents: int | None = None
    working: int | None = None
    #: Missions that have not ended.
    missions: int | None = None
    #: What is wrong with it, in a sentence; else empty.
    problem: str = ""
    #: What to do about that.
    remedy: str = ""
    #: Name of the host whose folder this is; empty for the town's home. Its agents are those of the host alone.
    host: str = ""


def towns() -> list[TownView]:
    """All towns that are on record, those that run first, then by name."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda one: _view(*one), place.all_recorded().items()))
    return sorted(found, key=lambda one: (one.state != "running", one.state == "gone", one.name, one.root))


def _view(place_id: str, root: Path) -> TownView:
    try:
        identity = read_identity(root)
    except NotATownError:
        return _gone(place_id, root)
    except TinytownError as error:
        return _broken(place_id, root, error)
    if identity.place != place_id:
        return _gone(place_id, root)
    try:
        # Not by this shell's variables, which are said to one town; the server of a host is in no file.
        url = server_of_supervisor(root) if identity.host else ""
        environ = {"HOME": os.environ.get("HOME", ""), **({"REDIS_URL": url} if url else {})}
        town = Town(root, identity.id, settings.load(root, environ=environ), host=identity.host)
    except TinytownError as error:
        return _broken(identity.id, root, error, host=identity.host)
    if process_specs.supervisor(town) is None:
        return _of(town, "stopped")
    return _running(town, identity)


def _of(town: Town, state: State, **more: Any) -> TownView:
    return TownView(town.id, town.name, str(town.root), state, host=town.host, **more)


def _running(town: Town, identity: Identity) -> TownView:
    url = _url(town, identity)
    if url is None:
        problem = f"it uses the server {identity.server}, which is not known here"
        remedy = f"run `tt -t {town.root} status` in a shell with its REDIS_URL"
        return _of(town, "running", problem=problem, remedy=remedy)
    try:
        context = Context(town, url, retries=0)
        with contextlib.closing(context.store.client):
            serving.prove(town, url, context.store.client)
            crew = [one for one in agent_views(context) if not town.host or one.host == town.host]
            missions = len(context.store.mission_ids(live=True))
    except TinytownError as error:
        return _of(town, "running", problem=error.message, remedy=f"run `tt -t {town.root} doctor`")
    working = sum(agent.state == AgentState.WORKING for agent in crew)
    return _of(town, "running", agents=len(crew), working=working, missions=missions)


def _url(town: Town, identity: Identity) -> str | None:
    """Where its server is; ``None`` if only the shell that started it knows."""
    if identity.server == serving.OWN:
        return server.server_url(town)
    named = (town.settings.redis.url, os.environ.get("REDIS_URL"))
    return next((url for url in named if url and serving.address(url) == identity.server), None)


def _gone(place_id: str, root: Path) -> TownView:
    town_id, _, host = place_id.partition("-")
    return TownView(
        town_id, root.name, str(root), "gone", problem="there is no such town any more", host=host,
        remedy=f"move it back, or remove {state_folder() / place_id} if you need nothing of its work",
    )  # fmt: skip


def _broken(town_id: str, root: Path, error: TinytownError, *, host: str = "") -> TownView:
    return TownView(town_id, root.name, str(root), "broken", problem=error.message, remedy=error.remedy, host=host)
