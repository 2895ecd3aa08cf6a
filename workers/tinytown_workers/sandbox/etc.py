"""A copy of the small files of ``/etc`` that programs need, so that one mount shows them all.

Each mount costs a fifth of a millisecond at every start, and these would be as many as all others together. A file is
copied only if everybody may read it. The copy is updated file by file, as ``/etc`` itself is, so running programs see
changes as they would there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Collection
from pathlib import Path

#: Largest file that is copied, in bytes.
SIZE_LIMIT = 1 << 20
#: Files that are written anew in their places while programs run: the network's.
_LIVE = ("hosts", "resolv.conf")


def copy(
    folder: Path, names: Collection[str], places: Collection[str] = (), *, source: Path = Path("/etc")
) -> frozenset[str]:
    """Bring the copy in ``folder`` up to date; gives those of ``names`` that are in it, none if it cannot be used.

    For every other name, and for each of ``places``, which are files, there is something to mount on.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o755)
        found = frozenset(name for name in names if _copy((source / name).resolve(), _within(folder, name)))
        for name in {*names, *places} - found:
            _make_place(_within(folder, name), is_folder=name in names and (source / name).is_dir())
        _forget(folder, {*names, *places})
    except OSError:
        return frozenset()
    return found


def _copy(source: Path, target: Path) -> bool:
    """Copy a file if it changed; gives whether it is one to be copied."""
    found = source.stat()
    if not stat.S_ISREG(found.st_mode) or not found.st_mode & stat.S_IROTH or found.st_size > SIZE_LIMIT:
        return False
    if source.name in _LIVE or target.name in _LIVE:
        return False
    there = target.lstat() if os.path.lexists(target) else None
    if there is None or (there.st_size, there.st_mtime_ns) != (found.st_size, found.st_mtime_ns):
        # Not forced to the disk: after a power cut its size or time differ, and it is copied again.
        new = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        new.write_bytes(source.read_bytes())
        new.chmod(0o644)
        os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
        new.replace(target)
    return True


def _within(folder: Path, name: str) -> Path:
    place = folder
    for part in Path(name).parts[:-1]:
        place /= part
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    return folder / name


def _make_place(place: Path, *, is_folder: bool) -> None:
    if is_folder:
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    elif not place.exists() or place.stat().st_size:
        # An old copy is removed; an empty file stays, since it may be mounted on.
        place.unlink(missing_ok=True)
        place.touch(mode=0o644)


def _forget(folder: Path, wanted: Collection[str]) -> None:
    """Remove files that are in ``/etc`` no more."""
    for inner, _, names in os.walk(folder):
        for name in names:
            path = Path(inner, name)
            # Names with a dot are files that another process is about to rename.
            if str(path.relative_to(folder)) not in wanted and not name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
