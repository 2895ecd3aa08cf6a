"""Clones made and read as files: no git command ever runs inside what an agent can write.

A private clone is a folder with a git directory of its own, its objects copied from the mirror. Beside it, out of
the agent's reach in a sandbox, lies the **ledger**: a second git directory for the same files, which only tinytown
uses. It borrows the mirror's objects and holds the index as it was before the agent began.

What an agent leaves is read back as data: through descriptors that follow no link, and only what has the shape
of an object or of a ref.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from tinytown.errors import StateError
from tinytown.git.repository import is_ref_name, is_sha
from tinytown_workers.clone import mounts

#: Refs of one clone that are looked at.
REFS_LIMIT = 2000
#: Names in one folder of a git directory that are looked at: far more than git itself ever leaves in one.
NAMES_LIMIT = 300_000
#: Files that agents' CLIs leave in their folder and that nobody wants in a change.
EXCLUDED = (".aider*", ".claude/settings.local.json")

#: A folder of loose objects, and one of them in it; a file of a pack.
FAN = re.compile(r"[0-9a-f]{2}")
LOOSE = re.compile(r"[0-9a-f]{38}(?:[0-9a-f]{24})?")
PACK = re.compile(r"pack-[0-9a-f]{40}(?:[0-9a-f]{24})?\.(?:pack|idx)")
#: Bytes copied at a time; most files are far smaller, and a buffer for each costs more than it saves.
_CHUNK = 64 * 1024
#: Bytes that the kernel is asked to copy at a time.
_RANGE = 1 << 30
#: Rounds of copying while other processes move the mirror's objects about.
_ROUNDS = 20


def make_git_dir(
    git_dir: Path, *, head: str, sha: str, extra: str = "", excludes: str = "", borrow_from: Path | None = None
) -> None:
    """Write an empty repository's files; ``head`` is a ref or a commit, ``sha`` any object name of its format.

    ``excludes`` are further patterns of files to ignore, one a line.
    """
    for name in ("objects/info", "objects/pack", "refs/heads", "info"):
        (git_dir / name).mkdir(parents=True, exist_ok=True)
    sha256 = len(sha) == 64
    config = f"[core]\n\trepositoryformatversion = {int(sha256)}\n\tfilemode = true\n\tbare = false\n"
    config += "\tlogallrefupdates = true\n"
    if sys.platform == "darwin":
        config += "\tignorecase = true\n\tprecomposeunicode = true\n"
    if sha256:
        config += "[extensions]\n\tobjectformat = sha256\n"
    (git_dir / "config").write_text(config + extra, encoding="utf-8")
    (git_dir / "HEAD").write_text(f"ref: {head}\n" if head.startswith("refs/") else f"{head}\n", encoding="utf-8")
    patterns = "".join(f"{name}\n" for name in EXCLUDED) + excludes
    (git_dir / "info" / "exclude").write_bytes(patterns.encode(errors="surrogateescape"))
    if borrow_from:
        (git_dir / "objects/info/alternates").write_text(f"{borrow_from / 'objects'}\n", encoding="utf-8")
        copy_shallow(borrow_from, git_dir)


def write_ref(git_dir: Path, ref: str, sha: str) -> None:
    """Set a ref in a git directory that nobody else uses at this time."""
    path = git_dir / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{sha}\n", encoding="utf-8")


def copy_shallow(source: Path, git_dir: Path) -> None:
    """Copy the record of where a shallow history ends, if it is one."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(source / "shallow", git_dir / "shallow")


def copy_objects(mirror: Path, git_dir: Path) -> None:
    """Copy all objects of the mirror: plain files, so that the clone shares nothing with anybody.

    Another process may be packing loose objects or combining packs meanwhile; then it goes round again.

    Raises:
        StateError: the mirror never held still.
    """
    source, target = mirror / "objects", git_dir / "objects"
    for _ in range(_ROUNDS):
        # Loose ones first: if one is gone by now, it is in a pack that is listed afterwards.
        with contextlib.suppress(FileNotFoundError):
            _copy_files(loose(source), source, target)
            listed = packs(source)
            _copy_files([("pack", name) for name in listed], source, target)
            if listed == packs(source):
                copy_shallow(mirror, git_dir)
                return
    raise StateError(f"{mirror} is being repacked all the time", remedy="try again")


def _copy_files(names: Iterable[tuple[str, str]], source: Path, target: Path) -> None:
    made = {"pack"}
    # Names, not paths: a mirror may have thousands of files.
    for folder, name in names:
        if folder not in made:
            made.add(folder)
            (target / folder).mkdir(exist_ok=True)
        # The source first, so that nothing is created if it is gone.
        with open(f"{source}/{folder}/{name}", "rb") as reader:  # noqa: PTH123
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(f"{target}/{folder}/{name}", flags, 0o444)
            except FileExistsError:
                continue
            with open(descriptor, "wb") as writer:  # noqa: PTH123
                copy_all(reader, writer)


def copy_all(reader: BinaryIO, writer: BinaryIO) -> None:
    """Copy a file of ours; if the file system can, the two share their blocks until one of them is written."""
    if sys.platform == "linux":
        # If this stops, the rest is copied by reading and writing, which raises the cause if there is one.
        with contextlib.suppress(OSError):
            while os.copy_file_range(reader.fileno(), writer.fileno(), _RANGE):
                pass
    shutil.copyfileobj(reader, writer, _CHUNK)


def packs(objects: Path) -> list[str]:
    """Files of complete packs: git writes a pack's index last."""
    names = {name for name in os.listdir(objects / "pack") if PACK.fullmatch(name)}  # noqa: PTH208
    whole = sorted(name[: -len(".idx")] for name in names if name.endswith(".idx"))
    return [f"{name}{end}" for name in whole for end in (".pack", ".idx") if f"{name}.pack" in names]


def loose(objects: Path) -> Iterator[tuple[str, str]]:
    """Loose objects, as folder and name."""
    for folder in os.listdir(objects):  # noqa: PTH208
        if FAN.fullmatch(folder):
            yield from ((folder, name) for name in os.listdir(objects / folder) if LOOSE.fullmatch(name))  # noqa: PTH208


# -- reading what an agent left ------------------------------------------------------------------


class Foreign:
    """The git directory of an agent's clone, read as data. Use as a context manager.

    Anything that is not a plain folder or a plain file where git would have one counts as missing.
    """

    def __init__(self, git_dir: Path) -> None:
        self._path = git_dir
        self._root: int | None = None
        self._refs: dict[str, str] | None = None

    def __enter__(self) -> Self:
        try:
            parent = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return self
        try:
            self._root = mounts.enter(self._path.name, parent)
        except OSError:
            self._root = None
        finally:
            os.close(parent)
        return self

    def __exit__(self, *_: object) -> None:
        if self._root is not None:
            os.close(self._root)
            self._root = None

    @property
    def present(self) -> bool:
        """Whether it is a git directory with objects of its own, and not a link to another one."""
        return self._root is not None and not any(self.exists(name) for name in ("commondir", "gitdir"))

    def commit(self, ref: str) -> str | None:
        """The object name that a ref holds, following a few symbolic refs."""
        for _ in range(5):
            if is_sha(ref):
                return ref
            text = self._text(ref) if ref == "HEAD" or _is_ref(ref) else None
            if text is None:
                return self._packed(ref)
            ref = text.strip().removeprefix("ref:").strip()
        return None

    def refs(self) -> dict[str, str]:
        """All refs with the objects that they lead to, as far as there is a limit to them."""
        names = [name for name in self._packed_refs() if _is_ref(name)]
        pending = ["refs"]
        while pending and len(names) < REFS_LIMIT:
            folder = pending.pop()
            for name in self._names(folder):
                path = f"{folder}/{name}"
                if self.folder(path):
                    pending.append(path)
                elif _is_ref(path):
                    names.append(path)
        found = {name: self.commit(name) for name in sorted(set(names))[:REFS_LIMIT]}
        return {name: sha for name, sha in found.items() if sha is not None}

    def folder(self, path: str) -> bool:
        """Whether there is a plain folder at this path."""
        try:
            with self._folder(path):
                return True
        except OSError:
            return False

    def names(self, path: str) -> list[str]:
        """What is in a folder; nothing if there is none."""
        return self._names(path)

    def text(self, path: str, limit: int = 4096) -> str | None:
        """The text of a plain file; ``None`` if there is none, or it is longer than ``limit`` bytes."""
        return self._text(path, limit)

    def copy(self, path: str, target: Path, limit: int) -> bool:
        """Copy a plain file; whether there was one of no more than ``limit`` bytes."""
        target.unlink(missing_ok=True)
        try:
            source = self._open(path)
        except OSError:
            return False
        with source, target.open("wb") as writer:
            if os.fstat(source.fileno()).st_size > limit:
                return False
            shutil.copyfileobj(source, writer, _CHUNK)
        return True

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[BinaryIO]:
        """A plain file, to be read; raises ``OSError`` where there is none."""
        with self._open(path) as file:
            yield file

    # -- through descriptors that follow no link ---------------------------------------------------

    @contextlib.contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """A descriptor of a folder inside; raises ``OSError`` where a part is no plain folder."""
        if self._root is None:
            raise FileNotFoundError(errno.ENOENT, path)
        descriptor = os.dup(self._root)
        try:
            for part in path.split("/"):
                inner = mounts.enter(part, descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _file(self, path: str) -> Iterator[int]:
        folder, _, name = f"./{path}".rpartition("/")
        with self._folder(folder) as inside:
            descriptor = mounts.enter(name, inside, _FILE)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise FileNotFoundError(errno.ENOENT, path)
                yield descriptor
            finally:
                os.close(descriptor)

    def _open(self, path: str) -> BinaryIO:
        with self._file(path) as descriptor:
            return os.fdopen(os.dup(descriptor), "rb")

    def exists(self, path: str) -> bool:
        """Whether there is anything at this path."""
        folder, _, name = f"./{path}".rpartition("/")
        try:
            with self._folder(folder) as inside:
                os.stat(name, dir_fd=inside, follow_symlinks=False)
        except OSError:
            return False
        return True

    def link(self, path: str) -> str | None:
        """The target of the link at this path; ``None`` if there is no link."""
        folder, _, name = f"./{path}".rpartition("/")
        try:
            with self._folder(folder) as inside:
                return os.readlink(name, dir_fd=inside)
        except OSError:
            return None

    def same(self, path: str, other: Path) -> bool:
        """Whether a plain file has the content of one of ours."""
        try:
            with self._file(path) as descriptor, other.open("rb") as ours:
                if os.fstat(descriptor).st_size != os.fstat(ours.fileno()).st_size:
                    return False
                with os.fdopen(os.dup(descriptor), "rb") as theirs:
                    return all(
                        one == two for one, two in iter(lambda: (theirs.read(_CHUNK), ours.read(_CHUNK)), (b"", b""))
                    )
        except OSError:
            return False

    def _text(self, path: str, limit: int = 4096) -> str | None:
        try:
            with self._open(path) as file:
                data = file.read(limit + 1)
        except OSError:
            return None
        return data.decode(errors="replace") if len(data) <= limit else None

    def _packed(self, ref: str) -> str | None:
        return self._packed_refs().get(ref)

    def _packed_refs(self) -> dict[str, str]:
        if self._refs is None:
            lines = (self._text("packed-refs", limit=16 * 1024 * 1024) or "").splitlines()
            pairs = (line.partition(" ") for line in reversed(lines))
            # If a name is there twice, the first one counts, as for git.
            self._refs = {name: sha for sha, _, name in pairs if is_sha(sha)}
        return self._refs

    def _names(self, path: str) -> list[str]:
        try:
            with self._folder(path) as descriptor, os.scandir(descriptor) as entries:
                return sorted(entry.name for entry in itertools.islice(entries, NAMES_LIMIT))
        except OSError:
            return []


_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _is_ref(name: str) -> bool:
    """Whether it is the name of a ref that git accepts, in any alphabet, and valid UTF-8."""
    return name.startswith("refs/") and is_ref_name(name) and name.isprintable()
