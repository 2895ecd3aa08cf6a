"""What an agent's process sees of the environment: an allow-list, because secrets have no common name."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import sys
import sysconfig
import zoneinfo
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import tinytown
from tinytown import contract
from tinytown import programs as outside
from tinytown.agents import relative
from tinytown_workers.clone.remove_tree import remove_folder

if TYPE_CHECKING:
    from tinytown.engine.dispatch.claiming import Claim
    from tinytown.town import Town
    from tinytown_workers.run.agent_socket import AgentSocket

#: Programs of ours that an agent may call.
PROGRAMS = ("tt", "tt-demo-agent")
#: Mode of a folder of them.
_MODE = 0o755
#: Where programs are looked for when the worker itself has no ``PATH``.
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def marks(town: Town, claimed: Claim, *, role: str, agent_socket: AgentSocket | None) -> dict[str, str]:
    """The ``TINYTOWN_*`` variables of an attempt; a check has no agent socket."""
    return {
        contract.ENV_TOWN: str(town.root),
        contract.ENV_MISSION: claimed.mission.id,
        contract.ENV_ITEM: claimed.item.key,
        contract.ENV_ATTEMPT: str(claimed.attempt.number),
        contract.ENV_AGENT: claimed.agent,
        contract.ENV_ROLE: role,
        contract.ENV_RUN: claimed.attempt.id,
        **(agent_socket.environment if agent_socket is not None else {}),
    }


def for_agent(
    environ: Mapping[str, str],
    *,
    programs: Path,
    tmp: Path,
    program: str = "",
    cli_env: Mapping[str, str],
    driver_env: Mapping[str, str],
    marks: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of an agent's process.

    ``environ`` is the worker's; ``programs`` a folder from ``programs_folder``; ``tmp`` where the agent finds its own
    temporary folder; ``program`` is the agent's, empty for a check; ``driver_env`` comes from the invocation,
    ``cli_env`` from ``[agent_clis.NAME] env``, which wins.
    ``marks`` come last, so nobody can forge the marker of a run.
    """
    # By name: to read a variable of a process decodes it, and there are many.
    seen = {name: environ[name] for name in environ if contract.agent_sees(name)}
    seen.setdefault("LANG", "C.UTF-8")
    seen["PATH"] = f"{programs}:{_without_ours(environ.get('PATH') or DEFAULT_PATH, program)}"
    seen["TERM"] = "dumb"
    seen["TMPDIR"] = str(tmp)
    # Nobody is there to log in with a browser.
    seen["BROWSER"] = "false"
    whole = {**seen, **driver_env, **cli_env, **marks}
    return relative.absolute(whole) if program else whole


def path(environ: Mapping[str, str], cli_env: Mapping[str, str]) -> str:
    """Where setups and checks look for programs, besides ours."""
    return cli_env.get("PATH") or _without_ours(environ.get("PATH") or DEFAULT_PATH, "")


def path_of_agents(environ: Mapping[str, str]) -> str:
    """Where the CLIs of agents are looked for."""
    return outside.agents_path(environ.get("PATH") or DEFAULT_PATH)


def _without_ours(path: str, program: str) -> str:
    """``path`` without relative entries, and without what ``make setup`` makes in a checkout of tinytown.

    With its ``python``, ``pip`` and ``pytest`` a project would be checked by what tinytown happens to need, and a setup
    could install into it. It stays, as the last entry, if ``program`` is only there.
    """
    path = outside.agents_path(path) if program else outside.absolute_path(path)
    rest, ours = _parted(path)
    if program and shutil.which(program, path=rest) is None and shutil.which(program, path=path) is not None:
        return os.pathsep.join((rest, *ours))
    return rest


@functools.lru_cache(maxsize=64)
def _parted(path: str) -> tuple[str, tuple[str, ...]]:
    """A ``PATH`` without the folders of tinytown's own environment, and those of them that it names."""
    own, places = _own_environment(), path.split(os.pathsep)
    rest = os.pathsep.join(place for place in places if Path(place) not in own) or DEFAULT_PATH
    return rest, tuple(place for place in places if Path(place) in own)


@functools.cache
def _own_environment() -> frozenset[Path]:
    """The folders of programs of tinytown's own environment; none if it is installed into one of the user's."""
    checkout = Path(tinytown.__file__).resolve().parents[1]
    return frozenset(place for place in _script_folders() if place.resolve().is_relative_to(checkout))


def zone(cli_env: Mapping[str, str]) -> tzinfo | None:
    """The zone of the clocks that a CLI names; ``None`` for this machine's."""
    try:
        return zoneinfo.ZoneInfo(cli_env["TZ"].lstrip(":")) if cli_env.get("TZ") else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def programs_folder(folder: Path) -> Path:
    """Make ``folder`` anew, with ``tt`` and nothing else in it: without a sandbox, a run could have put more there.

    The folder where ``tt`` is installed would put the Python of tinytown before the user's.
    """
    remove_folder(folder)
    # Readable for everybody who can reach it, since another user may run in the sandbox.
    folder.mkdir(parents=True)
    folder.chmod(_MODE)
    for name, target in _links().items():
        (folder / name).symlink_to(target)
    return folder


def kept_programs(folder: Path) -> Path:
    """The same, but left alone where it is just as that makes it; for a folder that serves one run at a time."""
    return folder if _is_as_made(folder) else programs_folder(folder)


def _is_as_made(folder: Path) -> bool:
    try:
        about = folder.lstat()
        if (about.st_mode, about.st_uid) != (stat.S_IFDIR | _MODE, os.geteuid()):
            return False
        # What is no link makes this fail.
        return {name: os.readlink(folder / name) for name in os.listdir(folder)} == _links()  # noqa: PTH115, PTH208
    except OSError:
        return False


def _links() -> dict[str, str]:
    return {name: str(target) for name in PROGRAMS if (target := installed(name)) is not None}


def installed(name: str) -> Path | None:
    """Path of a program of ours."""
    return next((place / name for place in _script_folders() if (place / name).is_file()), None)


@functools.cache
def _script_folders() -> tuple[Path, ...]:
    return Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))
