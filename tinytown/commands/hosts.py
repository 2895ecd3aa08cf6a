"""Commands on the hosts of a town."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinytown.commands.table import ACTS, LOOKS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.operate.hosts import HostView, Left


@dataclass(frozen=True)
class Everywhere:
    """All hosts."""


@dataclass(frozen=True)
class Leave:
    """The host that is to leave; empty: this one."""

    name: str = ""
    #: End what runs there at once.
    now: bool = False
    #: It will not come back.
    gone: bool = False
    #: Told what is waited for, if somebody wants to know.
    tell: Callable[[str], object] | None = None


@command("hosts", Everywhere, by=LOOKS)
def list_all(caller: Caller, _everywhere: Everywhere) -> Sequence[HostView]:
    """The hosts of the town, and how they stand."""
    from tinytown.engine.operate import hosts

    return hosts.host_views(caller.context)


@command("leave", Leave, by=ACTS)
def leave(caller: Caller, wanted: Leave) -> Left:
    """Take a host out of the town, once what runs there has ended."""
    from tinytown.engine.operate import hosts

    name = wanted.name or caller.context.town.machine
    return hosts.leave(caller.context, name, now=wanted.now, gone=wanted.gone, tell=wanted.tell or _nothing)


def _nothing(_: str) -> None:
    """Tell nobody."""
