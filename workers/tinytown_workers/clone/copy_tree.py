"""Copies of folders that somebody else filled: plain files, folders and links, which are never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tinytown_workers.clone import clone


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What a folder holds, by name."""
    with os.scandir(folder) as found:
        yield from sorted(found, key=lambda entry: entry.name)


def copy_folder(source: Path, target: Path, *, old: str = "", new: str = "") -> None:
    """Copy plain files, folders and links; a link to a place below ``old`` leads to the same below ``new``."""
    target.mkdir(mode=0o700)
    for entry in entries(source):
        place = target / entry.name
        if entry.is_symlink():
            to = os.readlink(entry.path)  # noqa: PTH115
            place.symlink_to(f"{new}{to[len(old) :]}" if old and (to == old or to.startswith(f"{old}/")) else to)
            _same_owner(place, entry.stat(follow_symlinks=False))
        elif entry.is_dir(follow_symlinks=False):
            copy_folder(Path(entry.path), place, old=old, new=new)
        elif entry.is_file(follow_symlinks=False):
            _copy_file(entry, place)
    found = source.lstat()
    _same_owner(target, found)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    target.chmod(stat.S_IMODE(found.st_mode) | 0o700)


def _copy_file(entry: os.DirEntry[str], place: Path) -> None:
    found = entry.stat(follow_symlinks=False)
    with open(entry.path, "rb", opener=no_follow) as reader, place.open("xb") as writer:
        clone.copy_all(reader, writer)
    _same_owner(place, found)
    place.chmod(stat.S_IMODE(found.st_mode) & 0o777)
    # Compiled files, such as Python's, are valid only for the exact time of their source.
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def _same_owner(place: Path, found: os.stat_result) -> None:
    """Keep the owner, if we are root: runs may belong to another user."""
    if found.st_uid != os.geteuid() and os.geteuid() == 0:
        os.chown(place, found.st_uid, found.st_gid, follow_symlinks=False)


def no_follow(path: str, flags: int) -> int:
    """Open a file, unless it is a link."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
