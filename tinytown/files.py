"""Files that several processes share: written whole or not at all, locked, private."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinytown.errors import DiskFullError, StateError, TinytownError


def write_atomically(path: Path, text: str, *, mode: int = 0o600, lasting: bool = True) -> None:
    """Write a file so that a reader, or a crash, finds the old content or the new, never a half.

    Unless it is ``lasting``, that does not hold for a crash of the whole machine; it takes a fraction of the time.

    Raises:
        DiskFullError: no room; the old content stands.
        StateError: it may not be written here.
    """
    content = text.encode()
    # A name that nobody else uses; if somebody did, that is an error.
    temporary = path.with_name(f".{path.name}.{secrets.token_urlsafe(6)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise write_error(path, error) from None
    replaced = False
    try:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fchmod(descriptor, mode)
            if lasting:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        replaced = True
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        if not replaced:
            temporary.unlink(missing_ok=True)


def write_error(path: Path, error: OSError) -> TinytownError:
    """The error to raise when ``path`` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"no space left on the disk for {path}", remedy="free some space, then retry")
    if error.errno in (errno.EACCES, errno.EPERM):
        place = next((folder for folder in (path, *path.parents) if os.path.lexists(folder)), path)
        return StateError(f"{path} cannot be written: {error.strerror}{_whose(place)}", remedy=_way_in(place))
    return StateError(
        f"{path} cannot be written: {error.strerror or error}", remedy="check the permissions of its folder"
    )


def read_error(path: Path, error: OSError) -> TinytownError:
    """The error to raise when ``path`` is there and could not be read."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return StateError(f"{path} cannot be read: {error.strerror}{_whose(path)}", remedy=_way_in(path))
    return StateError(f"{path} cannot be read: {error.strerror or error}", remedy="make it a readable file")


def _owner(path: Path) -> tuple[str, str] | None:
    """Owner of ``path``, or of the nearest folder above that can be looked at, and this user, by name."""
    for place in (path, *path.parents):
        try:
            owner = place.lstat().st_uid
        except OSError:
            continue
        return _user(owner), _user(os.geteuid())
    return None


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _whose(path: Path) -> str:
    found = _owner(path)
    return f" (it belongs to {found[0]}, and you are {found[1]})" if found is not None and found[0] != found[1] else ""


def _way_in(path: Path) -> str:
    found = _owner(path)
    if found is not None and found[0] != found[1]:
        return f"run it as {found[0]}, or have {found[0]} give you access"
    return f"give yourself access: see `ls -ld {path} {path.parent}`"


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file that a process left for others; ``None`` if it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Take the lock of this file, alone or ``shared``; gives the descriptor that holds it while open, or ``None``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock of this file now; where there is no file, nobody does."""
    descriptor = try_lock(path) if path.exists() else None
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None and path.exists()


@contextlib.contextmanager
def locked(path: Path, *, timeout: float, what: str) -> Iterator[None]:
    """Hold the lock of this file, waiting up to ``timeout`` seconds for it.

    Raises:
        StateError: another process held it all the time; ``what`` says what that one is doing.
    """
    deadline = time.monotonic() + timeout
    try:
        while (descriptor := try_lock(path)) is None:
            if time.monotonic() >= deadline:
                raise StateError(f"another process is {what}", remedy="wait a moment, then retry")
            time.sleep(0.02)
    except OSError as error:
        raise write_error(path, error) from None
    try:
        yield
    finally:
        os.close(descriptor)


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can enter, or prove that it is one.

    In a shared folder like ``/tmp`` somebody else may have made it first.

    Raises:
        StateError: it belongs to another user, or cannot be made.
    """
    try:
        try:
            found = path.lstat()
        except FileNotFoundError:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise StateError(f"{path} belongs to another user", remedy="remove it, or set XDG_RUNTIME_DIR")
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise write_error(path, error) from None
    return path


def private_folders(root: Path, folder: Path) -> Path:
    """Make ``folder``, which is below ``root``, and all in between such folders (see ``private_folder``)."""
    path = private_folder(root)
    for name in folder.relative_to(root).parts:
        path = private_folder(path / name)
    return folder


def changed_at(folder: Path | str) -> int | None:
    """When something came into a folder, or left it, in nanoseconds since 1970; ``None`` if it is not there."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return None


def is_open_as(path: Path, descriptor: int) -> bool:
    """Whether what lies at ``path`` is what ``descriptor`` has open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
