"""Commands on the town as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import LOOKS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.views.towns import TownView


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


@dataclass(frozen=True)
class Everything:
    """All towns of the user on this machine."""


@command("towns", Everything, by=LOOKS)
def list_all(_caller: Caller, _everything: Everything) -> Sequence[TownView]:
    """The user's towns on this machine, and how they stand."""
    from tinytown.engine.views.towns import towns

    return towns()


@dataclass(frozen=True)
class Numbers:
    """All of them."""


@command("metrics", Numbers, by=LOOKS)
def metrics(caller: Caller, _numbers: Numbers) -> Mapping[str, Any]:
    """The town in numbers: as ``text`` in the format of Prometheus, and as ``metrics`` for scripts."""
    from tinytown.engine.views import metrics as view

    found = list(view.families(caller.context, view.Counted()))
    return {"text": view.text(found), "metrics": view.numbers_json(found)}
