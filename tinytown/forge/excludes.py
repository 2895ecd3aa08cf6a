"""What a person told git to ignore: in their own ignore file, and in that of their repository.

It is copied beside the mirror whenever that is brought up to date, so that every clone made from it ignores the same
files. The ``.gitignore`` files of a repository are part of its commits and not dealt with here.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from tinytown.git.repository import Git

#: In a mirror: the patterns, in the form of an ignore file.
FILE = "tinytown-excludes"
#: Most bytes that are read of one file; nobody writes longer lists.
SIZE_LIMIT = 256 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def copy(users: Git, root: Path, mirror: Path) -> None:
    """Write the patterns of the person whose repository is at ``root`` beside ``mirror``, if they changed."""
    # In git's order: the repository's own file wins.
    patterns = "".join(_read(path) for path in (_of_person(users, root), users.common / "info/exclude"))
    if patterns != of_mirror(mirror):
        put(patterns, mirror)


def put(patterns: str, mirror: Path) -> None:
    """Write patterns beside a mirror."""
    # As bytes, because a file's name need not be UTF-8.
    with tempfile.NamedTemporaryFile(prefix=f".{FILE}.", dir=mirror, delete=False) as file:
        file.write(patterns.encode(errors="surrogateescape"))
    Path(file.name).replace(mirror / FILE)


def of_mirror(mirror: Path) -> str:
    """The patterns that go with a mirror; empty if nobody wrote any."""
    return _read(mirror / FILE)


def _of_person(users: Git, root: Path) -> Path:
    named = users.paths.get("core.excludesfile")
    if named is not None:
        return root / named if named else Path(os.devnull)
    # As git does, which takes an empty variable for none.
    home = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME') or '/'}/.config"
    return Path(home) / "git/ignore"


def _read(path: Path) -> str:
    """The lines that are patterns; none if the file is missing or cannot be read, as with git."""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                data = file.read(SIZE_LIMIT).removeprefix(_BYTE_ORDER_MARK)
            lines = data.decode(errors="surrogateescape").split("\n")
            said = [line.removesuffix("\r") for line in lines if line.strip() and not line.startswith("#")]
            return "".join(f"{line}\n" for line in said)
    return ""
