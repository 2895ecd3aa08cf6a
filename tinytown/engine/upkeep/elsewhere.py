"""What a host that is not the town's home need not keep: work that the hub has. Home has it from there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from tinytown import keys
from tinytown.engine.context import Context
from tinytown.engine.hubs import GREET_SECS
from tinytown.errors import TinytownError
from tinytown.forge import clearing
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub
from tinytown.git.repository import time_limit
from tinytown.git.transport import REFS_AT_ONCE

NOT_THERE = "no base holds its content, and the hub does not have it yet: it is brought there by itself"


def hub_of(context: Context, folder: Path) -> Hub | None:
    """The hub of the repository whose mirror this is; ``None`` for a mirror of no repository that the town has."""
    name, forge = folder.name.removesuffix(".git"), context.forge
    repo = f"{keys.LOCAL}/{name}" if forge.kind == keys.LOCAL else name.replace("+", "/")
    hub = context.hub(repo)
    return hub if hub is not None and hub.folder == folder else None


def bring_up_to_date(context: Context, mirrors: Iterable[Path]) -> None:
    """Have the bases of these mirrors as the hub has them now, where it answers."""
    for folder in mirrors:
        try:
            if (hub := hub_of(context, folder)) is not None:
                with time_limit(GREET_SECS):
                    hub.refresh()
        except TinytownError:
            continue  # An older base proves less, and nothing that is wrong.


def kept(context: Context, folder: Path, refs: Mapping[str, str]) -> tuple[set[str], str]:
    """Those of a mirror's refs that the hub has as they are, as it says now; and why the others stay."""
    if (hub := hub_of(context, folder)) is None:
        return set(), "no hub of this town has its repository"
    wanted = {name: ref for ref in refs if (name := names.in_hub(ref)) is not None}
    found, every = set[str](), sorted(wanted)
    try:
        for at in range(0, len(every), REFS_AT_ONCE):
            with time_limit(GREET_SECS):
                there = hub.look(every[at : at + REFS_AT_ONCE])
            found |= {wanted[name] for name, sha in there.items() if refs[wanted[name]] == sha}
    except TinytownError as error:
        return set(), f"whether the hub has it is not known: {error.message}"
    return found, NOT_THERE


def forget(context: Context, folder: Path, missions: Collection[str]) -> None:
    """Let go of what a mirror notes of the hub's refs of these missions, by the beginnings of their ids."""
    if (hub := hub_of(context, folder)) is None:
        return
    own = hub.own.refs(*clearing.PLACES)
    hub.forget([name for name in hub.known("work/*", "heads/*") if _is_of(names.here(name) or "", missions, own)])


def _is_of(ref: str, missions: Collection[str], own: Mapping[str, str]) -> bool:
    place = next((one for one in clearing.PLACES if ref.startswith(one)), None)
    return place is not None and ref not in own and ref.removeprefix(place).partition("/")[0] in missions
