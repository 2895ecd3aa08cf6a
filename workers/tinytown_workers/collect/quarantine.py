"""An agent's objects, taken over without trusting what its files say about them.

In a clone the name of a file, or an index beside a pack, says which object is where, and the agent can write both. So a
loose object is unpacked and hashed on its way, and a pack is indexed anew by a git that sees nothing else. Nothing else
is taken: no index of any kind, no graphs and no alternates. Whether objects are well formed is checked when the mirror
takes them in: it refuses what ``git fsck`` complains of, but checks only new objects, since old histories have their
irregularities.

All of it has limits: a few bytes can unpack to any size.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tinytown.git.repository import Git, GitError
from tinytown.processes import ProgramTimeoutError
from tinytown_workers.clone import clone
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.clone.remove_tree import remove_folder

#: Bytes of objects in one clone, besides as many as the mirror has, since an agent may have packed all of them anew.
STORED_LIMIT = 1024 * 1024 * 1024
#: Bytes that loose objects may unpack to: all of them, and one that is no file's content.
UNPACKED_LIMIT = 4 * 1024 * 1024 * 1024
STRUCTURE_LIMIT = 64 * 1024 * 1024
#: New loose objects, and new objects in packs besides as many as the mirror has.
LOOSE_LIMIT = 200_000
PACKED_LIMIT = 1_000_000
#: Packs of one clone.
PACKS_LIMIT = 200
#: Seconds to index a pack: at least, and for each MB of it.
INDEX_SECS = 60.0
INDEX_SECS_PER_MB = 0.5

_HEADER = re.compile(rb"(commit|tree|blob|tag) (0|[1-9][0-9]{0,18})\0")
_CHUNK = 64 * 1024
#: In a pack: its first bytes, and the offset of its number of objects.
_SIGNATURE, _COUNT_AT = b"PACK", 8
#: In its index: the offsets of 256 sums, the last of which is the number of names, and of these names.
_SUMS_AT, _NAMES_AT = 8, 8 + 1024
#: In the ledger: the packs that a clone began with.
_GIVEN = "given-packs"


@dataclass
class Taken:
    """What was taken over from one clone."""

    #: Names of all objects in its files, except files that the mirror has by the same name.
    shas: list[str] = field(default_factory=list)
    #: How many files are not what their names say, or too large.
    unread: int = 0
    #: Why none are taken; empty otherwise.
    refused: str = ""


def take(foreign: Foreign, mirror: Path, ledger: Path, *, length: int) -> Taken:
    """Take the objects that the mirror does not have into those of the ledger; names have ``length`` digits.

    Raises:
        OSError: no room.
    """
    known = set(clone.loose(mirror / "objects"))
    loose = [file for file in _loose(foreign, length) if file not in known]
    whole = {*clone.packs(mirror / "objects"), *given(ledger)}
    packs = [name for name in _packs(foreign) if name not in whole]
    if len(loose) > LOOSE_LIMIT:
        return Taken(refused=f"it has more than {LOOSE_LIMIT} new objects")
    if len(packs) > PACKS_LIMIT:
        return Taken(refused=f"it has more than {PACKS_LIMIT} new packs")
    taken = Taken()
    if loose or packs:
        taking = _Taking(foreign, mirror, ledger, length, taken)
        try:
            for folder, name in loose:
                taking.loose(f"{folder}{name}")
            for name in packs:
                taking.pack(name)
        except _FullError:
            return Taken(refused="its new objects are too large")
    return taken


def give(ledger: Path, git_dir: Path) -> None:
    """Note which packs a clone has before its agent begins, whatever becomes of the mirror's meanwhile."""
    (ledger / _GIVEN).write_text("".join(f"{name}\n" for name in clone.packs(git_dir / "objects")), encoding="ascii")


def given(ledger: Path) -> list[str]:
    """Those packs: nothing new can be in them, whatever lies there now."""
    try:
        return (ledger / _GIVEN).read_text(encoding="ascii").splitlines()
    except OSError:
        return []


def _loose(foreign: Foreign, length: int) -> list[tuple[str, str]]:
    folders = [name for name in foreign.names("objects") if clone.FAN.fullmatch(name)]
    found = ((folder, name) for folder in folders for name in foreign.names(f"objects/{folder}"))
    return [(folder, name) for folder, name in found if clone.LOOSE.fullmatch(name) and len(name) == length - 2]


def _packs(foreign: Foreign) -> list[str]:
    names = foreign.names("objects/pack")
    return [name for name in names if name.endswith(".pack") and clone.PACK.fullmatch(name)]


class _FullError(Exception):
    """There is more than is taken."""


class _Taking:
    """Takes one file after the other, as long as there is room."""

    def __init__(self, foreign: Foreign, mirror: Path, ledger: Path, length: int, taken: Taken) -> None:
        self._foreign, self._ledger, self._length, self._taken = foreign, ledger, length, taken
        packs = [mirror / "objects/pack" / name for name in clone.packs(mirror / "objects")]
        self._indexes = [path for path in packs if path.suffix == ".idx"]
        self._stored = STORED_LIMIT + sum(path.stat().st_size for path in packs if path.exists())
        self._unpacked = UNPACKED_LIMIT

    @contextlib.contextmanager
    def _opened(self, path: str) -> Iterator[tuple[BinaryIO, int] | None]:
        """A file of the clone with its size; ``None`` if there is no plain file."""
        with contextlib.ExitStack() as stack:
            try:
                reader = stack.enter_context(self._foreign.reading(path))
                size = os.fstat(reader.fileno()).st_size
            except OSError:
                yield None
                return
            if size > self._stored:
                raise _FullError
            yield reader, size

    # -- loose ones -----------------------------------------------------------------------------------

    def loose(self, sha: str) -> None:
        """Take one object."""
        target = self._ledger / "objects" / sha[:2]
        place = target / sha[2:]
        if place.exists():
            # It was taken, and checked, at an earlier time.
            self._taken.shas.append(sha)
            return
        with self._opened(f"objects/{sha[:2]}/{sha[2:]}") as opened:
            if opened is None:
                return
            reader, size = opened
            self._stored -= size
            target.mkdir(exist_ok=True)
            temporary = target / f"tmp_{secrets.token_hex(8)}"
            try:
                with temporary.open("xb") as writer:
                    good = self._copy(reader, writer, sha)
                if good:
                    temporary.replace(place)
                    self._taken.shas.append(sha)
                else:
                    self._taken.unread += 1
            finally:
                temporary.unlink(missing_ok=True)

    def _copy(self, reader: BinaryIO, writer: BinaryIO, sha: str) -> bool:
        """Copy a loose object; whether it is one, of this name, and of a size that is taken."""
        inflater = zlib.decompressobj()
        digest = hashlib.sha1() if len(sha) == 40 else hashlib.sha256()  # noqa: S324 - git's own
        begun, left = b"", -1
        try:
            while chunk := reader.read(_CHUNK):
                if inflater.eof:
                    return False
                writer.write(chunk)
                while chunk:
                    data = inflater.decompress(chunk, _CHUNK)
                    chunk = inflater.unconsumed_tail
                    digest.update(data)
                    self._unpacked -= len(data)
                    if self._unpacked < 0:
                        raise _FullError
                    if left < 0:
                        begun += data
                        left, data = _size_of(begun)
                        if left < 0:
                            return False
                    left -= len(data)
                    if left < 0:
                        return False
        except zlib.error:
            return False
        return inflater.eof and not inflater.unused_data and left == 0 and digest.hexdigest() == sha

    # -- packs ------------------------------------------------------------------------------------------

    def pack(self, name: str) -> None:
        """Take all objects of one pack."""
        with self._opened(f"objects/pack/{name}") as opened:
            if opened is None:
                return
            index = self._indexed(*opened)
        if index is None:
            self._taken.unread += 1
            return
        names = _Index(index, self._length).names()
        self._taken.shas += [name.hex() for name in names if not any(name in other for other in self._known)]

    @functools.cached_property
    def _known(self) -> list[_Index]:
        # Opened once for all packs: those of the mirror are large, and a clone may have very many.
        return [_Index(path, self._length) for path in self._indexes if path.exists()]

    def _indexed(self, reader: BinaryIO, size: int) -> Path | None:
        """Copy a pack and have git index it; its index, ``None`` if it cannot be read."""
        head = reader.read(_COUNT_AT + 4)
        if not head.startswith(_SIGNATURE) or size < _COUNT_AT + 4 + self._length // 2:
            return None
        if int.from_bytes(head[_COUNT_AT:], "big") > PACKED_LIMIT + sum(index.count for index in self._known):
            raise _FullError
        reader.seek(-(self._length // 2), os.SEEK_END)
        # The checksum of everything before it, which git verifies when it reads.
        place = self._ledger / f"objects/pack/pack-{reader.read().hex()}.pack"
        index = place.with_suffix(".idx")
        if place.exists() and index.exists():
            return index
        self._stored -= size
        incoming = self._ledger / "incoming"
        remove_folder(incoming)
        incoming.mkdir()
        try:
            copy, made = incoming / "its.pack", incoming / "its.idx"
            reader.seek(0)
            with copy.open("wb") as writer:
                shutil.copyfileobj(reader, writer, _CHUNK)
            # With no other objects in reach, neither the clone's nor the mirror's: a pack must be complete in itself.
            own = Git.own(self._ledger, objects=incoming)
            timeout = INDEX_SECS + INDEX_SECS_PER_MB * (size >> 20)
            own.run("index-pack", "-o", str(made), str(copy), timeout=timeout)
            copy.replace(place)
            made.replace(index)
        except (GitError, ProgramTimeoutError):
            return None
        finally:
            remove_folder(incoming)
        return index


def _size_of(begun: bytes) -> tuple[int, bytes]:
    """The size that an object claims, and the bytes that are there of it; negative for one that is not taken."""
    header = _HEADER.match(begun)
    if header is None:
        return -1, b""
    size = int(header[2])
    # The size that it claims: it is not unpacked to find out whether that is true.
    large = size > STRUCTURE_LIMIT and header[1] != b"blob"
    return -1 if large else size, begun[header.end() :]


class _Index:
    """An index of a pack, made by us: 256 sums of how many names begin with each byte, then the sorted names."""

    def __init__(self, path: Path, length: int) -> None:
        self._data = path.read_bytes()
        self._size = length // 2
        self.count = self._sum(255)

    def names(self) -> Iterator[bytes]:
        """All names."""
        return map(self._name, range(self.count))

    def __contains__(self, name: bytes) -> bool:
        low, high = self._sum(name[0] - 1), self._sum(name[0])
        at = bisect.bisect_left(range(high), name, lo=low, key=self._name)
        return at < high and self._name(at) == name

    def _name(self, number: int) -> bytes:
        at = _NAMES_AT + number * self._size
        return self._data[at : at + self._size]

    def _sum(self, byte: int) -> int:
        at = _SUMS_AT + 4 * byte
        return int.from_bytes(self._data[at : at + 4], "big") if byte >= 0 else 0
