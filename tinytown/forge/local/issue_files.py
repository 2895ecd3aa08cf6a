"""Issues as files: ``issues/<N>.md`` in a repository's work tree.

The first heading is the title, everything else the body. Front matter may come first, see ``front_matter``. Files may
come from anybody, so they are read as data: regular, inside the repository, of bounded size, UTF-8.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.forge.local import front_matter

#: Folder of the issues in a work tree.
FOLDER: Final = "issues"
#: Largest issue file, in bytes.
SIZE_LIMIT = 256 * 1024
#: Most characters of a title.
TITLE_LIMIT = 256
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_CODE_FENCE = re.compile(r" {0,3}(```|~~~)")


@dataclass(frozen=True)
class IssueFile:
    """What an issue file says. ``blocked_by`` holds numbers of the same repository, or keys."""

    title: str
    body: str
    labels: tuple[str, ...] = ()
    state: Literal["open", "completed", "not_planned"] = "open"
    blocked_by: tuple[int | str, ...] = ()
    #: How to find a line of the body in the file: from this line of the body on, add so many.
    shifts: tuple[tuple[int, int], ...] = ()


def read(root: Path, number: int) -> IssueFile:
    """Read an issue of the repository at ``root``.

    Raises:
        NotFoundError: there is no such file.
        ConfigurationError: it is no issue file; the error names the file and what is wrong with it.
    """
    name = f"{FOLDER}/{number}.md"
    return parse(_text(root, name), name=name)


def numbers(root: Path) -> list[int]:
    """The issues that have a file, in order."""
    try:
        names = [path.stem for path in (root / FOLDER).iterdir() if path.suffix == ".md"]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(name) for name in names if re.fullmatch(r"[1-9][0-9]{0,8}", name))


def parse(text: str, *, name: str) -> IssueFile:
    """Read the text of the issue file ``name``."""
    lines = text.splitlines()
    front, rest = front_matter.read(lines, name)
    index, title = _heading(rest, name, title=front.title)
    kept = [*rest[:index], *rest[index + 1 :]]
    body = "\n".join(kept).strip("\n")
    blank = next((number for number, line in enumerate(kept) if line), 0)
    return IssueFile(
        title=title,
        body=body,
        labels=front.labels,
        state=front.state,
        blocked_by=front.blocked_by,
        shifts=_shifts(len(lines) - len(rest), blank, index),
    )


def _shifts(front: int, blank: int, index: int) -> tuple[tuple[int, int], ...]:
    """See ``IssueFile.shifts``: the front matter, blank lines before the body and the title are not in it."""
    before, after = front + blank, front + blank + 1
    return ((1, after),) if index <= blank else ((1, before), (index - blank + 1, after))


def _text(root: Path, name: str) -> str:
    """The file's text. A link is followed only inside the repository."""
    root = root.resolve()
    try:
        path = (root / name).resolve(strict=True)
    except FileNotFoundError:
        raise NotFoundError(f"there is no {name}", remedy=f"write it, or correct the number: `ls {FOLDER}`") from None
    except (OSError, RuntimeError):
        raise _wrong(name, "it cannot be read", "make it a regular file") from None
    if not path.is_relative_to(root):
        raise _wrong(name, "it is a link to a place outside the repository", "make it a regular file")
    try:
        # NONBLOCK: opening must not hang on a pipe in its place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _wrong(name, "it is not a regular file", "make it a regular file")
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _wrong(name, f"it cannot be read: {error.strerror}", "make it a readable file") from None
    if len(data) > SIZE_LIMIT:
        raise _wrong(name, f"it is larger than {SIZE_LIMIT // 1024} KB", "shorten it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(name, "it is not UTF-8", "save it as UTF-8") from None
    if "\0" in text:
        raise _wrong(name, "it contains a NUL character", "save it as text")
    return text


def _heading(lines: Sequence[str], name: str, *, title: str | None) -> tuple[int, str]:
    """The line of the title, which does not belong to the body, and the title.

    A title of the front matter wins; then a first heading that says the same is left out, and any other one stays.
    """
    found = _first_heading(lines)
    if title is not None:
        same = found is not None and found[1].casefold() == title.casefold()
        return (found[0] if found is not None and same else len(lines)), title[:TITLE_LIMIT]
    if found is None:
        raise _wrong(name, "it has no heading", "begin it with `# Title`")
    return found


def _first_heading(lines: Sequence[str]) -> tuple[int, str] | None:
    fence = ""
    for index, line in enumerate(lines):
        mark = _CODE_FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence and (heading := _HEADING.fullmatch(line)) and heading[1].strip():
            return index, " ".join(heading[1].split())[:TITLE_LIMIT]
    return None


def _wrong(name: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{name}: {what}", remedy=remedy)
