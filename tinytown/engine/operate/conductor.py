"""The AI conductor: which CLI it is, and how that is opened in a person's terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import contract, files, plugins
from tinytown import programs as tools
from tinytown.agents import conversation, relative
from tinytown.agents.driver import Driver, Opening
from tinytown.agents.shown import private
from tinytown.errors import ConfigurationError, StateError
from tinytown.host import process_specs, unattended
from tinytown.settings import AgentCliSettings
from tinytown.town import Town

#: Name of the file with what the conductor shall know, in the town's own folder.
FILE = "conductor_context.md"
_WITHOUT = "`tt conductor --no-ai` runs the plan without one"


@dataclass(frozen=True)
class Opened:
    """How to open the CLI."""

    #: Its name.
    cli: str
    #: Begins with the absolute path of the program.
    argv: Sequence[str]
    #: The person's own environment, and what the settings add for this CLI.
    env: Mapping[str, str]
    #: Where it is opened.
    folder: Path
    #: The file with what it shall know.
    context: Path
    #: What the person has to say to it first, where it takes nothing to begin with; else empty.
    say: str


def cli_of(town: Town) -> str:
    """The name of the CLI, which is known and installed.

    Raises:
        ConfigurationError: nobody knows this name, or its settings are wrong.
        StateError: it is not installed, or a file of the repository.
    """
    opened(town, "")
    return name_of(town)


def name_of(town: Town) -> str:
    """The name of the CLI, whether or not it is installed."""
    return town.settings.conductor_cli or town.settings.default_cli


def switch(town: Town, *, on: bool) -> bool:
    """Switch the unattended conductor on or off; ``False`` if it was so already. It begins with the next start.

    Raises:
        ConfigurationError: nobody knows its CLI, or its settings are wrong.
        StateError: that is not installed, or a file of the repository.
    """
    if on:
        program = require_headless(town)
        return unattended.switch_on(town, cli_folder=str(Path(program).parent))
    was = unattended.switch_off(town)
    process_specs.remove_spec(town, unattended.NAME)
    return was


def require_headless(town: Town) -> str:
    """The program that runs the conductor where nobody watches; see ``switch`` for the errors."""
    name = name_of(town)
    cli = town.settings.agent_clis.get(name) or AgentCliSettings()
    headless = cli.model_copy(update={"interactive": None})
    return _program(town, name, _driver(town, name, headless).executable(), headless)


def prepare(town: Town, text: str) -> Opened:
    """Write down what the conductor shall know; gives how to open it. See ``cli_of`` for the errors."""
    found = opened(town, text)
    files.write_atomically(found.context, text)
    return found


def opened(town: Town, text: str) -> Opened:
    """How the CLI is opened with this text; writes nothing. See ``cli_of`` for the errors."""
    settings = town.settings
    name = name_of(town)
    cli = settings.agent_clis.get(name) or AgentCliSettings()
    driver = _driver(town, name, cli)
    file = town.folder / FILE
    opening = Opening(f"You are the conductor of this town. Read the whole of {file} first; it says how.", text, file)
    argv = conversation.argv(driver, cli, opening)
    program = _program(town, name, argv[0], cli)
    return Opened(
        cli=name,
        argv=[program, *argv[1:]],
        env=_environment(town, cli),
        folder=town.root,
        context=file,
        say="" if conversation.is_told(argv, opening) else opening.words,
    )


def _driver(town: Town, name: str, cli: AgentCliSettings) -> Driver:
    try:
        driver: Driver = plugins.driver(name, cli, configured=town.settings.agent_clis)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"`{_setting(town)}` cannot be the conductor: {error.message}", remedy=f"{error.remedy}; {_WITHOUT}"
        ) from None
    return driver


def _program(town: Town, name: str, program: str, cli: AgentCliSettings) -> str:
    """The program's absolute path. It runs as the person, outside the sandbox, so it is none that agents can write."""
    words = shlex.split(cli.interactive or cli.command or "")
    setting = "interactive" if cli.interactive else "command"
    if why := relative.fault(words) or relative.within(words, private(town)):
        raise StateError(
            f"`agent_clis.{name}.{setting}` would run what agents can write: {why}",
            remedy=f"install it outside of your repositories, and write absolute paths; {_WITHOUT}",
        )
    found = shutil.which(program, path=tools.agents_path(os.environ.get("PATH") or os.defpath))
    if found is None:
        raise StateError(
            f"the CLI `{name}` of `{_setting(town)}` is not installed: `{program}` was not found",
            remedy=f"install it, or set another one with `tt config conductor_cli NAME`; {_WITHOUT}",
        )
    return str(Path(found).absolute())


def _setting(town: Town) -> str:
    return "conductor_cli" if town.settings.conductor_cli else "default_cli"


def _environment(town: Town, cli: AgentCliSettings) -> dict[str, str]:
    """What the person who typed it has; with it ``tt`` means this town, and is found wherever it is installed."""
    path = os.environ.get("PATH") or os.defpath
    if shutil.which("tt", path=path) is None:
        path = f"{path}{os.pathsep}{sysconfig.get_path('scripts')}"
    return {**os.environ, "PATH": path, contract.ENV_TOWN: str(town.root), **cli.env}
