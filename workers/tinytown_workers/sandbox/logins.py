"""Copies of the person's files for a user who may not read them; changes that a run makes in one are brought back.

A town has one copy of each, which all its runs share: all of them use a log-in that one of them renewed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinytown import files, keys
from tinytown.agents.driver import LoginPart
from tinytown_workers.clone.remove_tree import remove_in
from tinytown_workers.sandbox.identity import FOLDER, Identity, open_folder

log = logging.getLogger(__name__)

#: Most files in a folder that is copied, and bytes of each: enough for log-ins and settings, not for installations.
FILES = 500
BYTES = 4 << 20
#: Seconds that another run may take to copy.
_PATIENCE = 10.0
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Copy:
    """The copy of one file or folder, below ``folder``, for ``identity``."""

    path: Path
    folder: Path
    identity: Identity
    #: Only this part of the file is copied, and brought back.
    part: LoginPart | None = None

    @property
    def data(self) -> Path:
        """The path that is shown instead of the person's file or folder."""
        return self._place / "data"

    @property
    def _place(self) -> Path:
        return self.folder / keys.marked_slug(
            f"{self.path} {self.part.name}" if self.part is not None else str(self.path)
        )

    def bring(self) -> bool:
        """Bring the copy up to date; ``False`` if the person's is too large to be copied."""
        with self._turn():
            names = _names(self.path)
            if names is None:
                return False
            known, now = self._known(), {}
            if self.path.is_dir():
                os.close(self._parent("in-it")[0])
            for name in names:
                now[name] = self._bring_file(name, known.get(name))
            self._remember(now)
        return True

    def give_back(self) -> None:
        """Bring back what a run changed, unless the person's file has changed meanwhile."""
        with self._turn(), contextlib.suppress(OSError):
            known = self._known()
            for name, content in _left(self.data):
                was, outside = known.get(name), _inside(self.path, name)
                if was is not None and _digest(content) == was[1]:
                    continue
                if name and not outside.resolve().is_relative_to(self.path.resolve()):
                    # If a link of the person's leads out of the folder, what the run made would be written there.
                    log.warning("%s lies elsewhere, where no run writes", outside)
                    continue
                if _stamp(outside) != (was[0] if was is not None else None):
                    log.warning("%s changed outside while a run changed its copy", outside)
                    continue
                # A folder that the person lacks must not make the rest fail.
                with contextlib.suppress(OSError):
                    after = self._after(outside, content)
                    if after is not None:
                        _replace(outside, after)
                        known[name] = (_stamp(outside), _digest(content))
            self._remember(known)

    def _bring_file(self, name: str, was: tuple[list[int] | None, str] | None) -> tuple[list[int] | None, str]:
        outside = _inside(self.path, name)
        stamp = _stamp(outside)
        # Another run may be writing in it: links in it are not followed.
        parent, last = self._parent(name)
        try:
            there = _mode(last, parent)
            if was is not None and was[0] == stamp and stat.S_ISREG(there) and self._is_whole(outside):
                return was
            if there and not stat.S_ISREG(there):
                remove_in(parent, last)
            content = outside.read_bytes()
            if self.part is not None:
                content = self.part.pick(content.decode("utf-8-sig")).encode()
            # Written in place, so that a run that has it mounted sees the new content.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(last, flags, 0o600, dir_fd=parent), "wb") as file:  # noqa: PTH123
                os.fchown(file.fileno(), self.identity.uid, self.identity.gid)
                os.fchmod(file.fileno(), 0o700 if outside.stat().st_mode & 0o111 else 0o600)
                file.write(content)
        finally:
            os.close(parent)
        return stamp, _digest(content)

    def _is_whole(self, outside: Path) -> bool:
        """Whether the copy of a part still has all of it: a run may have written anything there."""
        if self.part is None:
            return True
        content = _content(self.data)
        after = self._after(outside, content) if content is not None else None
        return after is not None and self.part.pick(after.decode()) == self.part.pick((content or b"").decode())

    def _after(self, outside: Path, content: bytes) -> bytes | None:
        """The person's file with what a run left in its copy; ``None`` if that cannot be understood."""
        if self.part is None:
            return content
        try:
            return self.part.merge(outside.read_bytes().decode("utf-8-sig"), content.decode()).encode()
        except (ValueError, RecursionError):
            return None

    def _parent(self, name: str) -> tuple[int, str]:
        """A descriptor of the folder that a copy is in, which is made where it is missing, and its name there."""
        *folders, last = Path("data", name).parts
        parent = os.open(self._place, FOLDER)
        for part in folders:
            try:
                if (mode := _mode(part, parent)) and not stat.S_ISDIR(mode):
                    # A run put something else there.
                    remove_in(parent, part)
                inner = open_folder(parent, part, self.identity)
            finally:
                os.close(parent)
            parent = inner
        return parent, last

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.locked(self._place / "lock", timeout=_PATIENCE, what=f"copying {self.path}"):
            yield

    def _known(self) -> dict[str, tuple[list[int] | None, str]]:
        found = files.read_json(self._place / "known.json") or {}
        return {name: (one[0], one[1]) for name, one in found.items()}

    def _remember(self, known: dict[str, tuple[list[int] | None, str]]) -> None:
        files.write_atomically(self._place / "known.json", json.dumps(known))


def _inside(path: Path, name: str) -> Path:
    return path / name if name else path


def _names(path: Path) -> list[str] | None:
    """The plain files of a folder by their paths in it (a single file: the empty path); ``None`` if too many."""
    found = path.stat()
    if stat.S_ISREG(found.st_mode):
        return [""] if found.st_size <= BYTES else None
    names: list[str] = []
    real = path.resolve()
    for folder, _, files_in_it in os.walk(path):
        for name in files_in_it:
            place = Path(folder, name)
            # A link out of the folder leads nowhere inside, so it is not copied.
            if place.is_file() and place.resolve().is_relative_to(real):
                if place.stat().st_size > BYTES or len(names) == FILES:
                    return None
                names.append(str(place.relative_to(path)))
    return names


def _left(path: Path) -> Iterator[tuple[str, bytes]]:
    """The plain files of an acceptable size that a run left in a copy, by their paths. No link is followed."""
    if not stat.S_ISDIR(_mode(path)):
        content = _content(path)
        if content is not None:
            yield "", content
        return
    count = 0
    for folder, _, names, at in os.fwalk(path, follow_symlinks=False):
        for name in names:
            content = _content(name, at)
            if content is not None and count < FILES:
                count += 1
                yield str(Path(folder, name).relative_to(path)), content


def _content(path: str | Path, at: int | None = None) -> bytes | None:
    try:
        with open(os.open(path, _READ, dir_fd=at), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= BYTES
            return file.read(BYTES) if plain else None
    except OSError:
        return None


def _replace(path: Path, content: bytes) -> None:
    """Replace a file of the person's atomically, keeping its owner; a link of theirs is followed."""
    real = path.resolve()
    found = real.stat() if real.exists() else real.parent.stat()
    descriptor, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode) & 0o666 & (0o777 if real.exists() else 0o600))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, real)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode(path: str | Path, at: int | None = None) -> int:
    try:
        return os.stat(path, dir_fd=at, follow_symlinks=False).st_mode
    except OSError:
        return 0


def _stamp(path: Path) -> list[int] | None:
    """A value that changes with the file; ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
