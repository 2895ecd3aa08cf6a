"""What happened in a town."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import SEES, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.views.history import Line


@dataclass(frozen=True)
class Newest:
    """How many events, and which."""

    limit: int = 30
    #: Only those in which this agent has a part.
    agent: str = ""
    #: Only those of this mission.
    mission: str = ""


def _lines(found: Sequence[Line]) -> list[dict[str, Any]]:
    from tinytown.engine.views.history import lines_json

    return lines_json(found)


@command("history", Newest, by=SEES, shape=_lines)
def newest(caller: Caller, wanted: Newest) -> Sequence[Line]:
    """The newest events, the oldest of them first."""
    from tinytown.engine.views import history

    return history.newest(caller.context, wanted.limit, agent=wanted.agent, mission=wanted.mission)
