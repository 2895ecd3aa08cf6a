"""The index of a work tree, read and written as the file it is.

git takes a file for unchanged while its size, times and so on are those in the index. For a file that differs from its
entry, such as the content of a pointer, git itself can only write them by running the filter.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Container, Iterator
from pathlib import Path

_HEADER = struct.Struct(">4sII")
#: Times of the inode and of the content in seconds and nanoseconds, device, inode.
_TIMES = struct.Struct(">6I")
#: User, group, size: after the mode.
_OWNER = struct.Struct(">3I")
_MODE_BYTES = 4
_EXTENDED = 0x4000
_WORD = 0xFFFFFFFF


def remember(index: Path, folder: Path, paths: Container[str] | None = None) -> None:
    """Write size, times and so on of the files in ``folder`` into the entries of these paths, or of all.

    An index of an unknown format stays as it is; git then reads the files to see whether they changed.
    """
    data = bytearray(index.read_bytes())
    signature, version, count = _HEADER.unpack_from(data)
    hashed = _hash_of(data)
    if signature != b"DIRC" or version not in (2, 3) or hashed is None:
        return
    for at, path in _entries(data, count, hashed().digest_size):
        name = os.fsdecode(path)
        if paths is None or name in paths:
            try:
                found = (folder / name).lstat()
            except OSError:
                continue  # Not checked out.
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
                continue
            seconds, nanos = divmod(found.st_ctime_ns, 10**9)
            changed, fraction = divmod(found.st_mtime_ns, 10**9)
            times = (seconds, nanos, changed, fraction, found.st_dev, found.st_ino)
            _TIMES.pack_into(data, at, *(value & _WORD for value in times))
            owner = (found.st_uid, found.st_gid, found.st_size)
            _OWNER.pack_into(data, at + _TIMES.size + _MODE_BYTES, *(value & _WORD for value in owner))
    size = hashed().digest_size
    data[-size:] = hashed(bytes(data[:-size])).digest()
    temporary = index.with_name(f"{index.name}.new")
    temporary.write_bytes(data)
    temporary.replace(index)


def _hash_of(data: bytes | bytearray) -> type | None:
    """The kind of hash that ends an index."""
    for hashed in (hashlib.sha1, hashlib.sha256):
        size = hashed().digest_size
        if hashed(bytes(data[:-size])).digest() == bytes(data[-size:]):
            return hashed  # type: ignore[return-value]
    return None


def _entries(data: bytearray, count: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Where each entry begins, with its path; ``length`` is that of an object's name."""
    at = _HEADER.size
    fixed = _TIMES.size + _MODE_BYTES + _OWNER.size + length
    for _ in range(count):
        flags = int.from_bytes(data[at + fixed : at + fixed + 2], "big")
        begin = at + fixed + (4 if flags & _EXTENDED else 2)
        end = data.index(b"\0", begin)
        yield at, bytes(data[begin:end])
        # Filled up with one to eight zeros to a multiple of eight.
        at += (end - at + 8) // 8 * 8
