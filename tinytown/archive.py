"""The file of a saved town: a zip archive that is written whole or not at all, and proven before anything is taken.

=========================  =====================================================================================
``manifest.json``          what it is: form, release, when, of which town
``settings/tinytown.toml``  the town's settings, without secrets
``records.jsonl``          its records, a part of a key on each line; see ``state.snapshot``
``mirrors/NAME.bundle``    tinytown's refs in the mirror of a repository, with their whole history, as a git bundle
``lfs/NAME/HASH``          contents of git-lfs files that agents made
``contents.json``          size and SHA-256 of all the others; the last
=========================  =====================================================================================

Nothing in it is ever unpacked by its name: each is read by whoever knows what it is.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Final, Self

from tinytown import contract, files
from tinytown.errors import ConfigurationError, NotFoundError, StateError, TinytownError

#: Form of the archive; a newer one is refused.
FORM: Final = 1
MANIFEST: Final = "manifest.json"
SETTINGS: Final = "settings/tinytown.toml"
RECORDS: Final = "records.jsonl"
CONTENTS: Final = "contents.json"
#: Bytes of one line of records, and of a small member, that are read into memory.
LINE_LIMIT = 256 << 20
_SMALL_LIMIT = 64 << 20
_CHUNK = 1 << 20

_NAME = r"(?!\.)[A-Za-z0-9._-]{1,120}"
_BUNDLE = re.compile(rf"mirrors/({_NAME})\.bundle")
_CONTENT = re.compile(rf"lfs/({_NAME})/([0-9a-f]{{64}})")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)


def bundle_name(mirror: str) -> str:
    """The member with the refs of a mirror."""
    return f"mirrors/{mirror}.bundle"


def content_name(mirror: str, oid: str) -> str:
    """The member with a content of git-lfs."""
    return f"lfs/{mirror}/{oid}"


class _Hashed:
    """A file that knows what went through it."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner = inner
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._inner.write(data)

    def about(self) -> dict[str, Any]:
        return {"sha256": self._digest.hexdigest(), "size": self.size}


class Writer:
    """Writes an archive beside ``file``; ``finish`` proves it and puts it in its place. Without that nothing is left.

    Raises:
        StateError: ``file`` exists, and ``force`` is not given; or it cannot be written there.
        DiskFullError: no room.
    """

    def __init__(self, file: Path, *, force: bool = False) -> None:
        self.file = file
        self._force = force
        self._contents: dict[str, Any] = {}
        if file.is_dir():
            raise StateError(f"{file} is a folder", remedy="name a file in it")
        if not force:
            self._require_free()
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        except FileNotFoundError:
            raise NotFoundError(f"there is no folder {file.parent}", remedy="make it first") from None
        except OSError as error:
            raise files.write_error(file, error) from None
        self._temporary = Path(name)
        self._out = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, compresslevel=5)

    def _require_free(self) -> None:
        if os.path.lexists(self.file):
            raise StateError(f"{self.file} exists already", remedy="name another file, or give --force to replace it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is not finished is of no use to anybody.
        with contextlib.suppress(OSError, ValueError):
            self._zip.close()
        with contextlib.suppress(OSError):
            self._out.close()
        self._temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def member(self, name: str, *, packed: bool = False) -> Iterator[_Hashed]:
        """A part of the archive, to be written piece by piece; ``packed``: it is compressed already."""
        about = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        about.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        about.external_attr = (stat.S_IFREG | 0o600) << 16
        with self._room(), self._zip.open(about, "w", force_zip64=True) as inner:
            hashed = _Hashed(inner)
            yield hashed
            self._contents[name] = hashed.about()

    def put(self, name: str, text: str) -> None:
        """A small part."""
        with self.member(name) as out:
            out.write(text.encode(errors="surrogateescape"))

    def put_file(self, name: str, source: Path) -> None:
        """A file, as it is."""
        with source.open("rb") as reader, self.member(name, packed=True) as out:
            while chunk := reader.read(_CHUNK):
                out.write(chunk)

    def finish(self) -> int:
        """Prove what was written and put it in its place; gives its size in bytes."""
        contents = json.dumps({"members": self._contents})
        with self._room():
            self._zip.writestr(CONTENTS, contents)
            self._zip.close()
            self._out.flush()
            os.fsync(self._out.fileno())
            Reader(self._temporary, shown=self.file).close()
            size = self._out.tell()
            self._place()
        return size

    def _place(self) -> None:
        if self._force:
            self._temporary.replace(self.file)
            return
        try:
            # Unlike a renaming it never replaces what came meanwhile.
            os.link(self._temporary, self.file)
        except FileExistsError:
            self._require_free()
        except OSError:  # A file system without links.
            self._require_free()
            self._temporary.replace(self.file)

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise files.write_error(self.file, error) from None


class Reader:
    """An archive that is proven whole: every part is there, is allowed to be, and is what its hash says.

    Raises:
        NotFoundError: there is no such file.
        ConfigurationError: it is no saved town, is damaged, or holds what no town saves.
        TinytownError: a newer tinytown wrote it.
    """

    def __init__(self, file: Path, *, shown: Path | None = None) -> None:
        self._shown = shown or file
        try:
            self._in: BinaryIO = file.open("rb")
        except FileNotFoundError:
            raise NotFoundError(f"there is no file {file}", remedy="name a file that `tt save` wrote") from None
        except OSError as error:
            raise files.read_error(file, error) from None
        try:
            with self._sound():
                self._zip = zipfile.ZipFile(self._in)
                self._members = self._prove()
            self.manifest = self.json(MANIFEST)
            self._require_known()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Read no more."""
        self._in.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    @property
    def bundles(self) -> dict[str, str]:
        """By mirror: the member with its refs."""
        return {found[1]: name for name in self._members if (found := _BUNDLE.fullmatch(name))}

    @property
    def lfs(self) -> list[tuple[str, str, str]]:
        """Mirror, hash and member of each content of git-lfs."""
        return [(found[1], found[2], name) for name in self._members if (found := _CONTENT.fullmatch(name))]

    def size(self, name: str) -> int:
        """Bytes of a part."""
        return self._members[name].file_size

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A part, to be read piece by piece."""
        with self._sound(), self._zip.open(name) as inner:
            yield inner

    def text(self, name: str) -> str:
        """A small part; empty if it is not there."""
        if name not in self._members:
            return ""
        with self.open(name) as inner:
            data = inner.read(_SMALL_LIMIT + 1)
        if len(data) > _SMALL_LIMIT:
            raise self.damaged(f"{name} is too large")
        return data.decode(errors="surrogateescape")

    def json(self, name: str) -> dict[str, Any]:
        """A small part that is an object."""
        with self._sound():
            value = json.loads(self.text(name))
        if not isinstance(value, dict):
            raise self.damaged(f"{name} is no object")
        return value

    def lines(self) -> Iterator[Any]:
        """The records, one after the other."""
        with self.open(RECORDS) as inner:
            while raw := inner.readline(LINE_LIMIT + 1):
                if len(raw) > LINE_LIMIT:
                    raise self.damaged("one of its records is too large")
                yield json.loads(raw)

    def unpack(self, name: str, target: Path) -> None:
        """Write a part into a new file; see ``files.write_error`` for the errors."""
        with self.open(name) as inner:
            try:
                with target.open("xb") as out:
                    while chunk := inner.read(_CHUNK):
                        out.write(chunk)
            except OSError as error:
                raise files.write_error(target, error) from None

    def damaged(self, why: str) -> ConfigurationError:
        """The error for a file that cannot be used."""
        return ConfigurationError(
            f"{self._shown} is no intact saved town: {why}", remedy="use another copy of it; nothing was changed"
        )

    @contextlib.contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            raise self.damaged(_words(error)) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise files.read_error(self._shown, error) from None

    def _prove(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        for about in self._zip.infolist():
            if about.filename in found:
                raise self.damaged(f"it has {about.filename[:80]!r} twice")
            found[about.filename] = about
        if not {MANIFEST, RECORDS, CONTENTS} <= found.keys():
            raise self.damaged("it was not written by `tt save`")
        for name, about in found.items():
            if not _is_allowed(name, about):
                raise self.damaged(f"it holds {name[:80]!r}, which no town saves")
        self._members = found
        said = self.json(CONTENTS).get("members")
        if not isinstance(said, dict) or said.keys() != found.keys() - {CONTENTS}:
            raise self.damaged("its list of contents does not fit")
        for name in said:
            if self._measure(name) != said[name]:
                raise self.damaged(f"{name} is not what was saved")
        return found

    def _measure(self, name: str) -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        with self._zip.open(name) as inner:
            while chunk := inner.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return {"sha256": digest.hexdigest(), "size": size}

    def _require_known(self) -> None:
        form, schema = self.manifest.get("form"), self.manifest.get("schema")
        if not isinstance(form, int) or not isinstance(schema, int):
            raise self.damaged("it does not say which release wrote it")
        if form > FORM or schema > contract.SCHEMA:
            raise TinytownError(
                f"{self._shown} was saved by a newer tinytown ({str(self.manifest.get('tinytown'))[:40]})",
                remedy="update tinytown on this machine",
            )


def _is_allowed(name: str, about: zipfile.ZipInfo) -> bool:
    """Whether this is a plain part of a saved town."""
    kind = about.external_attr >> 16
    plain = not stat.S_IFMT(kind) or stat.S_ISREG(kind)
    packed = about.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    known = name in (MANIFEST, SETTINGS, RECORDS, CONTENTS) or _BUNDLE.fullmatch(name) or _CONTENT.fullmatch(name)
    return bool(known) and plain and packed and not about.flag_bits & 1


def _words(error: Exception) -> str:
    if isinstance(error, zipfile.BadZipFile):
        return str(error)[:1].lower() + str(error)[1:120]
    return "it ends too early" if isinstance(error, EOFError) else "it cannot be read"
