"""Put a saved town in the place of one that has nothing yet, or of one whose own records are saved first.

Everything in the file is proven before anything is changed. Then the work comes into the mirrors, which lose nothing
by it; then the records take their place in one step; and last what ran when they were saved is given back.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from tinytown import archive, files, settings
from tinytown.archive import Reader
from tinytown.engine.context import Context, event
from tinytown.engine.upkeep import give_back, quiet, scratch
from tinytown.engine.upkeep.save import count
from tinytown.errors import NotATownError, StateError, TinytownError
from tinytown.forge import bundles
from tinytown.git import lfs
from tinytown.host import init, place
from tinytown.host import lifecycle as towns
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.mission import Mission
from tinytown.state import snapshot
from tinytown.state.damaged import aside
from tinytown.state.records import DamagedRecordError, decode, require_known
from tinytown.state.snapshot import Line, Snapshots
from tinytown.town import Town, open_town, read_identity, state_folder

log = logging.getLogger(__name__)

#: Below ``.tt``: the settings of a saved town, where the town has its own.
OTHER_SETTINGS = "restored.toml"
#: In the user's state folder; held while a town is restored, and for how many seconds another one waits.
_LOCK, _PATIENCE = "restore.lock", 600.0


@dataclass(frozen=True)
class Restored:
    """A town that was restored."""

    name: str
    root: str
    #: When it was saved, by its server's clock.
    saved_at: float
    missions: int
    items: int
    agents: int
    #: Runs that were under way then and are to be done again.
    given_back: int
    #: Where what was there before is saved; empty if there was nothing.
    before: str = ""
    #: What whoever did it should know, a sentence each.
    remarks: tuple[str, ...] = ()


def restore(start: Path, file: Path, *, replace: bool = False) -> Restored:
    """Restore the town in ``file`` in the repository that ``start`` is in; it does not run afterwards.

    Without a town there, it is made one, with the settings in the file. Records that are there are saved first, and
    only replaced with ``replace``.

    Raises:
        ConfigurationError: the file is no intact saved town.
        StateError: there is no repository, or the town runs, or it has records and ``replace`` is not given.
        UnreachableError: the server does not answer.
        TinytownError: a newer tinytown wrote something in it. Nothing is changed in any of these cases.
        DiskFullError: no room; the records are as they were.
    """
    with Reader(file) as source:
        log.debug("every part of the file is what was saved; reading its records")
        seen = _look(source)
        with _town(start, source) as (town, wrote), quiet.alone(town) as context:
            before = _make_room(context, replace=replace)
            _bring_work(context, source)
            # Proven already, so whatever is read again is what was proven.
            Snapshots(context.url, town.prefix).replace(_lines(source))
            again, remarks = give_back.give_back(context, host=str(source.manifest.get("host", "")))
            remarks += _settings(town, source, wrote=wrote)
            _tell(context, source)
        return Restored(
            name=town.name,
            root=str(town.root),
            saved_at=float(source.manifest.get("saved_at", 0.0)),
            missions=seen["missions"],
            items=seen["items"],
            agents=seen["agents"],
            given_back=again,
            before=before,
            remarks=tuple(remarks),
        )


# -- the file ------------------------------------------------------------------------------------


def _look(source: Reader) -> Counter[str]:
    """Read all records once; gives how many there are of each kind."""
    counts: Counter[str] = Counter()
    for line in _lines(source):
        key = line["key"]
        if key.startswith("mission:") and key.count(":") == 1:
            for field, text in line["values"]:
                if field == "head":
                    _require_known(Mission, key, text)
        elif key == "agents":
            for name, text in line["values"]:
                _require_known(Agent, name, text)
        count(line, counts)
    return counts


def _lines(source: Reader) -> Iterator[Line]:
    for line in source.lines():
        if why := snapshot.flaw(line):
            raise source.damaged(why)
        yield cast(Line, line)


def _require_known(kind: type[Mission | Agent], key: str, text: str) -> None:
    """Raise ``TinytownError`` for a record of a newer release; `tt doctor` tells of one that cannot be read."""
    with contextlib.suppress(DamagedRecordError):
        require_known(decode(kind, key, "head", text).record)


# -- the town ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _town(start: Path, source: Reader) -> Iterator[tuple[Town, bool]]:
    """The town to restore into, and whether its settings are the saved ones; if that fails, what was made goes.

    One restore at a time: of two, the second must not take for its own what the first one made.
    """
    root = init.repository_root(start)
    with files.locked(files.private_folder(state_folder()) / _LOCK, timeout=_PATIENCE, what="restoring a town"):
        yield from _alone(root, source)


def _alone(root: Path, source: Reader) -> Iterator[tuple[Town, bool]]:
    try:
        read_identity(root)
    except NotATownError:
        pass
    else:
        town = open_town(root)
        place.settle(town)
        yield town, False
        return
    file = root / settings.FILE_NAME
    wrote, had_folder = not file.exists(), (root / ".tt").exists()
    if wrote:
        files.write_atomically(file, source.text(archive.SETTINGS), mode=0o644)
    made = False
    try:
        founded = init.init(root)
        # Somebody may have run `tt init` at the same moment.
        made = not founded.existed
        yield founded.town, wrote
    except BaseException:
        # Whoever has started it meanwhile keeps it.
        undo = made and not quiet.runs(founded.town)
        if undo:
            _unmake(founded.town, whole=not had_folder)
        if wrote and (undo or not (root / ".tt" / "town.json").exists()):
            file.unlink(missing_ok=True)
        raise


def _unmake(town: Town, *, whole: bool) -> None:
    with contextlib.suppress(TinytownError):
        towns.stop(town)
    shutil.rmtree(town.state, ignore_errors=True)
    if whole:
        shutil.rmtree(town.folder, ignore_errors=True)


def _make_room(context: Context, *, replace: bool) -> str:
    """Save what the town has; gives the file, or nothing where there is nothing to save."""
    if not replace and quiet.has_records(context):
        missions = len(context.store.mission_ids(live=False)) + len(aside(context.store))
        agents = sum(agent.role not in TOWN_ROLES for agent in context.crew.agents().values())
        raise StateError(
            f"{context.town.name} has records of its own (missions: {missions}, agents: {agents})",
            remedy=f"give --replace to put the file in their place; they are saved in .tt/{quiet.BEFORE} first",
        )
    return quiet.set_aside(context, "restore")


def _bring_work(context: Context, source: Reader) -> None:
    town = context.town
    with scratch.folder(town) as folder:
        for name, member in source.bundles.items():
            bundle = folder / "bundle"
            source.unpack(member, bundle)
            _take_in(context, name, bundle)
            bundle.unlink()
    for name, oid, member in source.lfs:
        with source.open(member) as reader:
            size = source.size(member)
            kept = lfs.keep(cast(BinaryIO, reader), bundles.lfs_store(town.mirrors / f"{name}.git"), limit=size)
        if kept is None or kept.oid != oid:
            raise source.damaged(f"{member} has another content than its name says")


def _take_in(context: Context, name: str, bundle: Path) -> None:
    mirror = context.town.mirrors / f"{name}.git"
    try:
        bundles.take_in(bundle, mirror)
    except StateError:
        # What it goes on from may be in the repository itself: a shallow one has no more.
        context.forge.mirror(f"local/{name}")
        bundles.take_in(bundle, mirror)


def _settings(town: Town, source: Reader, *, wrote: bool) -> list[str]:
    remarks = []
    text = source.text(archive.SETTINGS)
    if wrote:
        remarks.append("tinytown.toml is the saved one: read it before you start, for it names programs that will run")
    elif text and text != (town.root / settings.FILE_NAME).read_text(encoding="utf-8"):
        files.write_atomically(town.folder / OTHER_SETTINGS, text)
        remarks.append(f"tinytown.toml stays as it is; the saved settings are in .tt/{OTHER_SETTINGS}")
    left_out = [str(name) for name in source.manifest.get("left_out", ())]
    if left_out and wrote:
        remarks.append(
            f"set again what is left out because it may be secret (`tt config KEY VALUE`): {', '.join(left_out)}"
        )
    return remarks


def _tell(context: Context, source: Reader) -> None:
    change = context.store.change()
    saved_at: Any = source.manifest.get("saved_at", 0.0)
    change.event(event("town_restored", at=context.store.now(), saved_at=saved_at))
    change.commit()
