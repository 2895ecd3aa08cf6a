"""How a CLI is opened for a person, in their terminal: as it is configured, else as its driver says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tinytown.agents import arguments
from tinytown.agents.driver import Converses, Driver, Opening
from tinytown.settings import AgentCliSettings


def argv(driver: Driver, cli: AgentCliSettings, opening: Opening) -> list[str]:
    """The command that begins a conversation."""
    if cli.interactive is not None:
        return arguments.filled(shlex.split(cli.interactive), opening.words, opening.file)
    return list(driver.conversation(opening)) if isinstance(driver, Converses) else [driver.executable()]


def is_told(command: Sequence[str], opening: Opening) -> bool:
    """Whether a CLI that is opened in this way finds out what it shall know."""
    told = (opening.words, opening.text, str(opening.file))
    return any(part in word for word in command for part in told)
