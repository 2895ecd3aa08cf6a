"""Git LFS without running it: pointers, and the stores that hold their contents.

A pointer is a small text that names its content by SHA-256 and size; the content is a file in a store, named by the
same hash. Contents go from store to store by copying, and whatever is copied is hashed on the way.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tinytown import files

#: The name that attributes call it by.
FILTER = "lfs"
#: Every pointer has fewer bytes than this.
POINTER_LIMIT = 1024
#: Folder of a store's contents.
OBJECTS = "objects"

_VERSIONS = ("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1", "http://git-media.io/v/2")
_POINTER = re.compile(
    rb"version (?P<version>\S+)\n"
    rb"(?P<ext>(?:ext-\d-\S+ \S+\n)*)"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\n"
    rb"size (?P<size>\d{1,18})\n?"
)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Pointer:
    """What a pointer says of its content."""

    #: Its SHA-256.
    oid: str
    #: Its size in bytes.
    size: int

    def text(self) -> bytes:
        """As git-lfs writes it."""
        return f"version {_VERSIONS[0]}\noid sha256:{self.oid}\nsize {self.size}\n".encode()


def parse(data: bytes) -> Pointer | None:
    """The pointer in a file; ``None`` if it is no pointer, or one whose content only a program could restore."""
    found = _POINTER.fullmatch(data) if len(data) < POINTER_LIMIT else None
    if found is None or found["version"].decode(errors="replace") not in _VERSIONS or found["ext"]:
        return None
    return Pointer(found["oid"].decode(), int(found["size"]))


def place(oid: str) -> str:
    """Where in a store a content lies."""
    return f"{OBJECTS}/{oid[:2]}/{oid[2:4]}/{oid}"


def find(stores: Sequence[Path], pointer: Pointer) -> Path | None:
    """The file with a pointer's content, if one of the stores has it."""
    for store in stores:
        path = store / place(pointer.oid)
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_size == pointer.size:
                return path
    return None


def keep(reader: BinaryIO, store: Path, *, limit: int) -> Pointer | None:
    """Put any content into a store; ``None`` if it has more bytes than ``limit``.

    Raises:
        DiskFullError: no room.
        StateError: the store may not be written.
    """
    digest, size = hashlib.sha256(), 0
    temporary = store / f".{secrets.token_hex(8)}"
    try:
        store.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as writer:
            while chunk := reader.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    return None
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        pointer = Pointer(digest.hexdigest(), size)
        target = store / place(pointer.oid)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        return pointer
    except OSError as error:
        raise files.write_error(store, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def hand_over(pointer: Pointer, source: Path, store: Path) -> bool:
    """Copy a content from a file into a store that lacks it; ``False`` if it is not what the pointer says."""
    if find([store], pointer) is not None:
        return True
    with source.open("rb") as reader:
        return keep(reader, store, limit=pointer.size) == pointer
