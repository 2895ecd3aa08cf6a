"""What a host says of itself: its release, its agents' CLIs, its sandbox, its clock."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tinytown import contract, plugins, processes, programs
from tinytown.agents import login
from tinytown.errors import TinytownError
from tinytown.host import confinement
from tinytown.settings import AgentCliSettings, joined
from tinytown.state.hosts import Host, HostCli
from tinytown.town import Town

#: A plug-in that stands for whatever command is configured, and is no CLI by itself.
_CUSTOM = "custom"


def release() -> str:
    """The release of tinytown that runs here."""
    return version("tinytown")


def work_together(one: str, other: str) -> bool:
    """Whether two releases may serve one town: of the same major release, and neighbours, or the same."""
    try:
        (major, minor), (others_major, others_minor) = _numbers(one), _numbers(other)
    except ValueError:
        return one == other
    return major == others_major and abs(minor - others_minor) <= 1


def _numbers(release: str) -> tuple[int, int]:
    major, minor, *_ = release.split(".")
    return int(major), int(minor)


def describe(town: Town, known: Host, *, now: float) -> Host:
    """The record of this host with what is true of it now; ``now`` is the server's time."""
    settings = town.settings
    return known.evolve(
        release=release(),
        form=contract.SCHEMA,
        python=platform.python_version(),
        address=socket.gethostname(),
        root=str(town.root),
        max_agents=settings.host.max_agents or 0,
        clis=tuple(clis(town)),
        sandbox=settings.sandbox.kind,
        weak=tuple(one.said for one in confinement.known(town)),
        # Told to people alone, so a tenth will do; what takes the answer to arrive is in it.
        unknown=tuple(_unknown(town)),
        clock_ahead=round(time.time() - now, 1),
    )


def _unknown(town: Town) -> Sequence[str]:
    """Names of settings that the town's home told, and this release does not know."""
    told = joined.read_published(town.root)
    return joined.layers_of(town.root, told, os.environ, of_user=None)[1] if told is not None else ()


def clis(town: Town) -> Iterator[HostCli]:
    """The CLIs whose programs are here, by name. Nothing is started for it."""
    settings = town.settings
    path = programs.agents_path(os.environ.get("PATH") or os.defpath)
    for name in sorted({*plugins.names(plugins.AGENTS), *settings.agent_clis} - {_CUSTOM}):
        cli = settings.agent_clis.get(name) or AgentCliSettings()
        try:
            driver = plugins.driver(name, cli, configured=settings.agent_clis)
            program = str(driver.executable())
        except TinytownError:
            continue  # Its settings are wrong, as the doctor says.
        found = shutil.which(program, path=path)
        if found is None:
            continue
        home = Path(cli.env.get("HOME") or os.environ.get("HOME") or "/")
        told = login.told(town, name, driver, home=home, path=path, folders=[town.root])
        folder = "" if processes.is_relative(program) else str(Path(found).absolute().parent)
        yield HostCli(name=name, logged_in=told, folder=folder)
