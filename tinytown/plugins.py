"""Plug-ins: what enters by the entry points ``tinytown.agents`` and ``tinytown.forges``.

What tinytown brings along enters by the same door, so a plug-in can do whatever a built-in can. A plug-in is a
class, called with the arguments that its contract states.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tinytown.errors import ConfigurationError
from tinytown.missions.configuring import LAUNCHERS, SHARED, Table
from tinytown.nearest import nearest
from tinytown.settings import AgentCliSettings
from tinytown.town import Town

#: Drivers of agent CLIs; the contract is ``tinytown.agents.driver.Driver``.
AGENTS: Final = "tinytown.agents"
#: Forges; the contract is ``tinytown.forge.contract.Forge``.
FORGES: Final = "tinytown.forges"

#: The driver for commands from the configuration; not the name of a CLI.
_CUSTOM = "custom"
_NOUNS = {AGENTS: "agent CLI", FORGES: "forge"}


def names(group: str) -> tuple[str, ...]:
    """Names of everything that is installed for ``group``, in order."""
    return tuple(sorted(_entry_points(group)))


def driver(name: str, cli: AgentCliSettings, *, configured: Iterable[str] = ()) -> Any:
    """The ``tinytown.agents.driver.Driver`` for a CLI: its configured command if it has one, else its plug-in.

    ``configured`` are the names that the town's own file adds; an error suggests them too.

    Raises:
        ConfigurationError: nobody knows the name, or its settings are wrong.
    """
    if cli.command is not None:
        return load(AGENTS, _CUSTOM)(name, cli)
    built_in = tuple(other for other in names(AGENTS) if other != _CUSTOM)
    if name not in built_in:
        known = tuple(dict.fromkeys((*configured, *built_in)))
        own = f'write `[agent_clis.{name}] command = "…"` in tinytown.toml'
        raise _unknown(AGENTS, name, known, remedy=f"use {', '.join(known)}, or {own}" if known else own)
    return load(AGENTS, name)(name, cli)


def configuration(clis: Mapping[str, AgentCliSettings]) -> Table:
    """The files of a repository that configure agents: those of every driver, and what the town's settings add."""
    return Table((*_declared(), *(pattern for cli in clis.values() for pattern in cli.configures)))


@functools.cache
def _declared() -> tuple[str, ...]:
    found: dict[str, None] = dict.fromkeys((*LAUNCHERS, *SHARED))
    for name in names(AGENTS):
        # One that cannot be loaded runs no CLI, either.
        with contextlib.suppress(ConfigurationError):
            found |= dict.fromkeys(map(str, getattr(load(AGENTS, name), "configures", ())))
    return tuple(found)


def forge(town: Town) -> Any:
    """The ``tinytown.forge.contract.Forge`` of a town.

    Raises:
        ConfigurationError: nobody knows its kind, or its settings are wrong.
    """
    return load(FORGES, town.settings.forge.kind)(town)


def load(group: str, name: str) -> Callable[..., Any]:
    """The plug-in ``name`` of ``group``.

    Raises:
        ConfigurationError: there is none of this name, or it cannot be imported.
    """
    noun = _NOUNS[group]
    entry = _entry_points(group).get(name)
    if entry is None:
        known = names(group)
        raise _unknown(group, name, known, remedy=f"use {', '.join(known)}" if known else "reinstall tinytown")
    try:
        plugin: Callable[..., Any] = entry.load()
    except Exception as error:
        raise ConfigurationError(
            f"the {noun} `{name}` ({entry.value}) cannot be loaded: {error}",
            remedy="reinstall its package, or remove it",
        ) from error
    return plugin


def _unknown(group: str, name: str, known: tuple[str, ...], *, remedy: str) -> ConfigurationError:
    near = nearest(name, known)
    hint = f", did you mean `{near[0]}`" if near else ""
    return ConfigurationError(f"there is no {_NOUNS[group]} `{name}`{hint}", remedy=remedy)


@functools.cache
def _entry_points(group: str) -> dict[str, importlib.metadata.EntryPoint]:
    # Reading every installed distribution's metadata takes milliseconds: once a process is enough.
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=group)}
