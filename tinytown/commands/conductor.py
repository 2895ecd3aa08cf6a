"""Commands of the AI conductor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinytown.commands.table import ACTS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.operate.conductor import Opened


@dataclass(frozen=True)
class Nothing:
    """No arguments."""


@dataclass(frozen=True)
class Prepare:
    """What the conductor is told besides how the town stands."""

    #: The commands that it may use, with examples.
    commands: str
    #: What became of the plan as the conductor was opened.
    news: str = ""


@command("conductor.cli", Nothing, by=ACTS)
def cli(caller: Caller, _nothing: Nothing) -> str:
    """The name of the CLI that is the conductor; it is installed. The town need not run."""
    from tinytown.engine.operate import conductor

    return conductor.cli_of(caller.town)


@dataclass(frozen=True)
class Unattended:
    """Whether open questions are given to a conductor that nobody watches."""

    on: bool = True


@command("conductor.unattended", Unattended, by=ACTS)
def unattended(caller: Caller, wanted: Unattended) -> bool:
    """Switch the unattended conductor on or off; ``False`` if it was so already. The town need not run."""
    from tinytown.engine.operate import conductor

    return conductor.switch(caller.town, on=wanted.on)


@command("conductor.prepare", Prepare, by=ACTS)
def prepare(caller: Caller, wanted: Prepare) -> Opened:
    """Write down how the town stands, for the conductor; gives how to open it."""
    from tinytown.engine.operate import conductor
    from tinytown.engine.views import conducting

    return conductor.prepare(caller.town, conducting.text(caller.context, wanted.commands, news=wanted.news))
