"""What another user may use of ours: folders that are given to it, and copies of files that it may not read.

Only our own folders change their owner. A file of the person's stays theirs: if the other user may not read it, it sees
a copy, the same one in all runs of a town, and changes that a run makes in it are brought back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tinytown_workers.sandbox import logins, system, view
from tinytown_workers.sandbox.identity import FOLDER, Identity, open_folder
from tinytown_workers.sandbox.mounts import Mount

log = logging.getLogger(__name__)

#: Entries of a person's folder that are looked at to tell whether another user may read it.
ENTRIES = 500


def prepare(
    identity: Identity,
    mounts: Sequence[Mount],
    *,
    own: Sequence[Mount],
    copies: Path | None,
    closing: list[Callable[[], None]],
) -> list[Mount]:
    """The mounts as another user can use them.

    Args:
        identity: the user.
        mounts: what is to be shown, in order.
        own: those of them, or mounts before them, that are ours and given to that user.
        copies: where copies of the person's files are; without it there are none.
        closing: to this list is added what has to be called when the run has ended.
    """
    for mount in own:
        if mount.source is not None:
            lend(mount.source, identity)
    found = [
        mount if mount in own or mount.source is None else _as_copy(identity, mount, copies, closing)
        for mount in mounts
    ]
    made: list[Mount] = []
    for mount in found:
        made += _places(mount, own, identity)
    return [*dict.fromkeys(made), *found]


def in_part(
    mounts: Sequence[Mount], identity: Identity | None, *, copies: Path | None, closing: list[Callable[[], None]]
) -> list[Mount]:
    """The mounts, with copies of the files of which only a part is shown, whoever the user is.

    A file that cannot be copied is not shown. The other arguments are those of ``prepare``.
    """
    user = identity or Identity(os.geteuid(), os.getegid())
    found: list[Mount] = []
    for mount in mounts:
        if mount.part is None or mount.source is None:
            found.append(mount)
            continue
        copy = logins.Copy(mount.source, copies, user, mount.part) if copies is not None else None
        try:
            if copy is None or not copy.bring():
                raise ValueError("no copy of it can be made")
        except (ValueError, RecursionError, OSError) as error:
            log.warning("%s is not shown: %s", mount.source, type(error).__name__)
            continue
        closing.append(copy.give_back)
        found.append(replace(mount, source=copy.data, part=None))
    return found


def _as_copy(identity: Identity, mount: Mount, copies: Path | None, closing: list[Callable[[], None]]) -> Mount:
    source, writable = mount.source, mount.option == "--bind"
    if source is None or view.of_ours(source) or accessible(source, identity, write=writable):
        return mount
    copy = logins.Copy(source, copies, identity) if copies is not None else None
    if copy is None or not copy.bring():
        # Too large for a copy: then only what everybody may read of it is seen.
        log.warning("user %d, whom agents run as, may not use all of %s", identity.uid, source)
        return mount
    if writable:
        closing.append(copy.give_back)
    return replace(mount, source=copy.data)


def accessible(path: Path, identity: Identity, *, write: bool = False) -> bool:
    """Whether the user can read a file, or a folder and what is in it; of a large folder only some entries count."""
    for number, status in enumerate(_statuses(path)):
        if number > ENTRIES:
            break
        if stat.S_ISLNK(status.st_mode):
            continue
        shift = 6 if status.st_uid == identity.uid else 3 if status.st_gid == identity.gid else 0
        wanted = 0o4 | (0o2 if write else 0) | (0o1 if stat.S_ISDIR(status.st_mode) else 0)
        if (status.st_mode >> shift) & wanted != wanted:
            return False
    return True


def _statuses(path: Path) -> Iterator[os.stat_result]:
    yield path.stat()
    pending = [str(path)] if path.is_dir() else []
    while pending:
        try:
            with os.scandir(pending.pop(0)) as entries:
                for entry in entries:
                    yield entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue


def _places(mount: Mount, own: Iterable[Mount], identity: Identity) -> list[Mount]:
    """Make what it is mounted on, since one that root made would be closed to the user."""
    around = [one for one in own if one.source is not None and str(mount.place).startswith(f"{one.place}/")]
    if around:
        inner = max(around, key=lambda one: len(one.place.parts))
        if inner.source is not None:
            # A link needs a free name, in a folder that exists.
            place = mount.place.parent if mount.link else mount.place
            inside = place.relative_to(inner.place)
            make_place(inner.source, inside, identity, is_folder=mount.is_folder or bool(mount.link))
        return []
    if system.in_system(mount.place) or mount.place.is_relative_to("/etc"):
        return []
    return [Mount("--dir", None, path) for path in reversed(mount.place.parents) if path != Path("/")]


def lend(folder: Path, identity: Identity, *, again: bool = False) -> None:
    """Let a folder of ours and all in it belong to ``identity``, unless it does already.

    Links themselves are given away and never followed; what is on another device, and files with a second hard link,
    stay as they are. The folder comes last: as long as it is ours nobody else has been in it. ``again`` also goes
    through a folder that was given away before, once no process of that user is left in it.
    """
    found = folder.lstat()
    if found.st_uid == identity.uid and not again:
        return
    if not stat.S_ISDIR(found.st_mode):
        if found.st_nlink == 1:
            os.chown(folder, identity.uid, identity.gid, follow_symlinks=False)
        return
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    if status.st_dev != found.st_dev:
                        continue
                    pending.append(entry.path)
                elif status.st_nlink > 1:
                    continue
                if status.st_uid != identity.uid:
                    os.chown(entry.path, identity.uid, identity.gid, follow_symlinks=False)
    os.chown(folder, identity.uid, identity.gid, follow_symlinks=False)


def make_place(folder: Path, place: Path, identity: Identity, *, is_folder: bool) -> None:
    """Make in a lent ``folder`` what something is mounted on at ``place``, so that it belongs to the same user.

    If a link or a file of that user's is in the way, nothing is made.
    """
    with contextlib.suppress(OSError):  # It is there, or they have put something else there: the sandbox will tell.
        *folders, name = place.parts
        with _inner(folder, [*folders, name] if is_folder else folders, identity) as descriptor:
            if not is_folder:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                file = os.open(name, flags, 0o600, dir_fd=descriptor)
                os.fchown(file, identity.uid, identity.gid)
                os.close(file)


def make_link(folder: Path, place: Path, target: str, identity: Identity) -> None:
    """Make a link in a lent ``folder``, where there is nothing yet, so that it belongs to the same user."""
    with contextlib.suppress(OSError):  # As above.
        *folders, name = place.parts
        with _inner(folder, folders, identity) as descriptor:
            os.symlink(target, name, dir_fd=descriptor)
            os.chown(name, identity.uid, identity.gid, dir_fd=descriptor, follow_symlinks=False)


@contextlib.contextmanager
def _inner(folder: Path, parts: Sequence[str], identity: Identity) -> Iterator[int]:
    """A descriptor of a folder below another one, with those on the way made where they are missing."""
    descriptor = os.open(folder, FOLDER)
    try:
        for part in parts:
            inner = open_folder(descriptor, part, identity)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
