"""Clear away what a town needs no more: ``tt gc``, and once a day by itself. A host that joined clears up its own disk.

Nothing goes that is not proven to be elsewhere: a mission's records once they are in a file; branches and kept work
once a base holds their content. What stays is said, and why. Each step may be interrupted at any moment, and doing all
of it again finishes it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tinytown import files, keys, set_aside
from tinytown.engine.context import Context, event
from tinytown.engine.upkeep import elsewhere
from tinytown.errors import ConflictError, StateError, TinytownError, UnreachableError
from tinytown.forge import clearing, use
from tinytown.missions.records.mission import Mission
from tinytown.state import archive
from tinytown.state.records import Versioned

log = logging.getLogger(__name__)

#: Below ``.tt``: the records of missions that ended long ago, a file each.
ARCHIVE = "archive"
#: Begins the names of folders of logs that are being removed.
_GOING = ".gone-"
#: Days that what runs used on a day is known.
_DAYS_KNOWN = 400
_DAY = 86_400.0
#: Why something of a mission stays of which a bill is open.
_UNPAID = "what one of its runs cost is not counted yet"


@dataclass(frozen=True)
class Stays:
    """Something that stays though it is old."""

    what: str
    why: str


@dataclass
class Part:
    """What of one kind goes, or went."""

    kind: str
    #: What is counted, for people.
    noun: str
    gone: int = 0
    #: Bytes that this frees, as far as that can be told.
    size: int = 0
    stays: list[Stays] = field(default_factory=list)


@dataclass(frozen=True)
class Cleared:
    """All of it."""

    #: It is done, and not only looked at.
    done: bool
    parts: list[Part]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(part.size for part in self.parts)


def clear(context: Context, *, dry_run: bool = False) -> Cleared:
    """Clear away what is old, or say what that would be.

    Raises:
        StateError: another process is at it.
        UnreachableError: the database does not answer.
        DiskFullError: no room for an archive.
    """
    home = context.town.home
    with _alone(context):
        run = _Run(context, dry_run)
        parts = [run.logs(), run.refs(), run.objects()]
        # The records are the town's, whatever host asks.
        parts += [run.records(), run.history(), run.left()] if home else [run.left()]
        done = Cleared(not dry_run, parts)
        if not dry_run and any(part.gone for part in parts):
            change = context.store.change()
            went = {part.kind: part.gone for part in parts if part.gone}
            where = {} if home else {"host": context.town.machine}
            change.event(event("cleared", at=run.now, went=went, bytes=done.size, **where))
            change.commit()
        return done


@contextlib.contextmanager
def _alone(context: Context) -> Iterator[None]:
    descriptor = files.try_lock(files.private_folder(context.town.folder / ARCHIVE) / ".lock")
    if descriptor is None:
        raise StateError("another `tt gc` is at work", remedy="wait until it has ended")
    try:
        # What one wrote that died before its file was whole: nobody else writes here.
        for half in (context.town.folder / ARCHIVE).glob(".*.gz.*"):
            half.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


class _Run:
    """One run; each kind is a method."""

    def __init__(self, context: Context, dry_run: bool) -> None:
        self._context = context
        self._town = context.town
        self._dry = dry_run
        self._keeps = context.town.settings.retention
        self.now = context.store.now()

    def _before(self, days: int) -> float | None:
        return self.now - days * _DAY if days else None

    @cached_property
    def _ended(self) -> dict[str, tuple[str, float]]:
        """By the first characters of its id: each mission that has ended, and when; 0 for one that is archived."""
        store = self._context.store
        found = {one.record.short: (one.record.id, one.record.finished_at or self.now) for one in self._every()}
        found |= {one[:8]: (one, 0.0) for one in archive.archived(store)}
        # Two missions whose ids begin alike share folders and refs: the one that lives keeps both.
        return {short: told for short, told in found.items() if short not in self._live}

    def _every(self) -> Iterator[Versioned[Mission]]:
        return archive.ended(self._context.store, before=self.now)

    @cached_property
    def _live(self) -> set[str]:
        return {one[:8] for one in archive.held(self._context.store)}

    # -- logs ----------------------------------------------------------------------------------------

    def logs(self) -> Part:
        """Briefs and logs of missions that ended long ago, or that this town does not know any more."""
        part = Part("logs", "mission")
        root, before = self._town.attempts, self._before(self._keeps.logs_days)
        for folder in sorted(root.glob(f"{_GOING}*")) if not self._dry else ():
            shutil.rmtree(folder, ignore_errors=True)  # Somebody was interrupted.
        unpaid = self._unpaid()
        for folder in sorted(root.glob("*/")) if before is not None and root.is_dir() else ():
            name = folder.name
            if name.startswith(".") or name in self._live or not self._is_old(folder, before):
                continue
            if any(name in bill for bill in unpaid):
                part.stays.append(Stays(str(folder), _UNPAID))
                continue
            size = _size(folder)
            if not self._dry:
                going = folder.with_name(f"{_GOING}{secrets.token_hex(4)}")
                try:
                    folder.rename(going)
                    shutil.rmtree(going)
                except OSError as error:
                    part.stays.append(Stays(str(going if going.exists() else folder), f"{error.strerror or error}"))
                    continue
            part.gone, part.size = part.gone + 1, part.size + size
        return part

    def _is_old(self, folder: Path, before: float | None) -> bool:
        if before is None:
            return False
        known = self._ended.get(folder.name)
        if known is not None and known[1]:
            return known[1] < before
        try:
            # Of what nobody knows any more the folder itself says when somebody worked there last.
            return max(one.stat().st_mtime for one in (folder, *folder.glob("*"), *folder.glob("*/*"))) < before
        except OSError:
            return False

    def _unpaid(self) -> list[str]:
        return [path.name for path in (self._town.state / "bills").glob("*.json")]

    # -- the mirrors ---------------------------------------------------------------------------------

    def refs(self) -> Part:
        """Branches and kept work of missions that ended long ago, where a base holds the content."""
        part = Part("refs", "ref")
        before = self._before(self._keeps.refs_days)
        self._bring_up_to_date()
        for mirror in self._mirrors() if before is not None else ():
            try:
                self._clear_refs(mirror, before, part)
                if not self._town.home and not self._dry and before is not None:
                    elsewhere.forget(self._context, mirror, {one for one, at in self._ended.items() if at[1] < before})
            except UnreachableError:
                raise
            except (TinytownError, OSError) as error:
                part.stays.append(Stays(mirror.name, str(error)))
        return part

    def _bring_up_to_date(self) -> None:
        """What a mirror says of the user's branches may be old; a remote forge is asked by nobody but its process."""
        forge = self._context.forge
        if not self._town.home:
            elsewhere.bring_up_to_date(self._context, self._mirrors())
            return
        if forge.kind == keys.LOCAL and self._mirrors():
            further = [f"{keys.LOCAL}/{name}" for name in self._town.settings.forge.local.repos]
            for repo in (forge.repo, *further):
                with contextlib.suppress(TinytownError):
                    forge.mirror(repo)

    def _clear_refs(self, mirror: Path, before: float | None, part: Part) -> None:
        old = {}
        for short, refs in clearing.of_missions(mirror).items():
            known = self._ended.get(short)
            if known is None and short not in self._live:
                why = "this town does not know its mission"
                part.stays.append(Stays(f"{mirror.name}: {clearing.ends_at(refs)}", why))
            elif known is not None and before is not None and known[1] < before:
                old.update(refs)
        if not old:
            return
        prover = clearing.Prover(mirror, list(clearing.bases(mirror).values()))
        proven = prover.ancestors(old)
        rest = {ref: sha for ref, sha in old.items() if ref not in proven}
        proven |= {ref for ref, sha in rest.items() if prover.holds(sha)}
        why = "no base holds its content: merge it, or remove it with `git update-ref -d` in the mirror"
        if not self._town.home:
            there, why = elsewhere.kept(
                self._context, mirror, {ref: sha for ref, sha in old.items() if ref not in proven}
            )
            proven |= there
        part.gone += len(proven) if self._dry else clearing.remove(mirror, {ref: old[ref] for ref in proven})
        if not self._dry:
            prover.remember(set(rest.values()))
        part.stays += [Stays(f"{mirror.name}: {ref}", why) for ref in sorted(rest.keys() - proven)]

    def objects(self) -> Part:
        """Objects of the mirrors that nothing reaches, once nobody uses the mirrors."""
        part = Part("objects", "object")
        days = self._keeps.objects_days
        if not days or not self._mirrors():
            return part
        if self._dry:
            for mirror in self._mirrors():
                count, size = clearing.unreached(mirror)
                part.gone, part.size = part.gone + count, part.size + size
            return part
        if borrowed := next(iter(self._town.work.glob("*/*/.*.git")), None) or next(
            iter(self._town.work.glob(f"{set_aside.FOLDER}/*/ledger")), None
        ):
            part.stays.append(Stays("objects of the mirrors", f"a clone of a run borrows them: {borrowed}"))
            return part
        with use.alone(self._town.mirrors) as ours:
            if not ours:
                part.stays.append(Stays("objects of the mirrors", "a run uses them; they go when none is under way"))
                return part
            for mirror in self._mirrors():
                try:
                    count, freed = clearing.pack(mirror, days=days)
                    part.gone, part.size = part.gone + count, part.size + (freed if count else 0)
                except UnreachableError:
                    continue  # Somebody updates it.
                except TinytownError as error:
                    part.stays.append(Stays(mirror.name, str(error)))
        return part

    def _mirrors(self) -> list[Path]:
        return sorted(self._town.mirrors.glob("*.git"))

    # -- records -------------------------------------------------------------------------------------

    def records(self) -> Part:
        """Records of missions that ended long ago: into a file each, which is read back, then out of the database."""
        part = Part("records", "mission")
        before = self._before(self._keeps.records_days)
        if before is None:
            return part
        held, unpaid = archive.held(self._context.store), self._unpaid()
        with archive.reading(self._context.url) as client:
            for head in archive.ended(self._context.store, before=before):
                if head.record.id in held:
                    why = "the plan, tasks by hand or a message name it"
                    part.stays.append(Stays(f"mission {head.record.short}", why))
                    continue
                if any(head.record.short in bill for bill in unpaid):
                    part.stays.append(Stays(f"mission {head.record.short}", _UNPAID))
                    continue
                try:
                    part.size += self._archive(client, head)
                    part.gone += 1
                except ConflictError:
                    continue  # It has changed: the next run looks again.
        return part

    def _archive(self, client: Any, head: Versioned[Mission]) -> int:
        lines = archive.lines(self._context.store, client, head.record.id)
        text = "".join(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n" for line in lines)
        if not self._dry:
            write_archive(archive_of(self._town.folder, head.record.id), text)
            archive.remove(self._context.store, head)
        return len(text)

    def history(self) -> Part:
        """Lines of the town's history, and what runs used on days long ago."""
        part = Part("history", "line")
        before = self._before(self._keeps.history_days)
        if before is not None and self._dry:
            part.gone = archive.old_lines(self._context.store, before=before)
        elif before is not None:
            part.gone = archive.trim_history(self._context.store, before=before)
        if not self._dry:
            archive.forget_days(self._context.store, before=self.now - _DAYS_KNOWN * _DAY)
        return part

    def left(self) -> Part:
        """Folders that were set aside: their work is nowhere else, so all of them stay."""
        part = Part("left", "folder")
        part.stays += [Stays(str(one.place), one.why) for one in set_aside.entries(self._town.work)]
        return part


def archive_of(folder: Path, mission: str) -> Path:
    """The file that holds the records of a mission; ``folder`` is the town's."""
    return folder / ARCHIVE / f"{mission}.jsonl.gz"


def write_archive(path: Path, text: str) -> None:
    """Write the records of a mission, for good, and prove it.

    Raises:
        DiskFullError: no room.
        StateError: it may not be written, or is not what was written.
    """
    data = gzip.compress(text.encode(), mtime=0)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as out:  # noqa: PTH123
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
        _sync(path.parent)
        if gzip.decompress(path.read_bytes()).decode() != text:
            raise StateError(f"{path} is not what was written", remedy="check the disk")
    except OSError as error:
        raise files.write_error(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{path}/{name}").st_size
    return total


def archives(context: Context) -> Mapping[str, object]:
    """How many missions are archived, and where."""
    return {"missions": archive.count(context.store), "folder": str(context.town.folder / ARCHIVE)}


def clear_quietly(context: Context) -> None:
    """``clear`` once a day: what goes wrong is in the log, and is tried again the next day."""
    began = time.monotonic()
    try:
        done = clear(context)
    except (TinytownError, OSError) as error:
        log.warning("not cleared up: %s", error)
        return
    went = ", ".join(f"{part.gone} {part.kind}" for part in done.parts if part.gone)
    log.info("cleared up in %.1f s: %s", time.monotonic() - began, went or "nothing was old")
