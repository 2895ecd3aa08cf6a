"""Commands on the town as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinytown.commands.table import LOOKS, Caller, command


@dataclass(frozen=True)
class Detail:
    """How much to show of the town."""

    #: All that its missions say, and not only how many of their items are in which state.
    whole: bool = False


@command("status", Detail, by=LOOKS)
def status(caller: Caller, wanted: Detail) -> Mapping[str, Any]:
    """The town at a glance: its processes, agents, missions and open questions."""
    from tinytown.engine.views.town import town_json

    return town_json(caller.context, whole=wanted.whole)
