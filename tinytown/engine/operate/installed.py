"""The agents' CLIs on this host: whether their programs are here, and where."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tinytown import plugins
from tinytown import processes as programs
from tinytown import programs as tools
from tinytown.engine.context import Context
from tinytown.errors import ConfigurationError, StateError
from tinytown.settings import AgentCliSettings


def require_cli(context: Context, name: str) -> None:
    """The CLI must be known and installed.

    Raises:
        ConfigurationError: no driver and no ``[agent_clis.NAME] command`` has this name.
        StateError: its program is not there.
    """
    program, found = _program(context, name)
    if found is None:
        raise StateError(
            f"the CLI `{name}` is not installed: `{program}` was not found",
            remedy=f"install it, or set `command` under [agent_clis.{name}] in tinytown.toml",
        )


def is_installed(context: Context, name: str) -> bool:
    """Whether the program of a CLI is on this machine."""
    try:
        return _program(context, name)[1] is not None
    except ConfigurationError:
        return False


def _program(context: Context, name: str) -> tuple[str, str | None]:
    """The program of a CLI, and where it is found."""
    configured = context.town.settings.agent_clis
    cli = configured.get(name) or AgentCliSettings()
    program = str(plugins.driver(name, cli, configured=configured).executable())
    return program, shutil.which(program, path=tools.agents_path(os.environ.get("PATH") or os.defpath))


def folder_of(context: Context, cli: str) -> str:
    """The folder of a CLI's program: the town may have been started with another PATH.

    That of a program in the repository holds what agents wrote, and nothing there may pass for a tool of the worker's.
    """
    program, found = _program(context, cli)
    return str(Path(found).absolute().parent) if found is not None and not programs.is_relative(program) else ""
