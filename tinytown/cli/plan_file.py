"""The file of a plan: find it, read it, and print all that is wrong with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click

from tinytown import contract, files, settings
from tinytown.cli.render import plural, safe
from tinytown.errors import ConfigurationError, NotATownError, NotFoundError, StateError
from tinytown.plans import reader
from tinytown.plans.model import FILE_NAME
from tinytown.plans.reader import Reading


def place() -> Path:
    """Where the plan is: in the town's folder, else in the one that was named, else in the working folder."""
    folder = Path(os.environ.get(contract.ENV_TOWN) or ".").resolve()
    try:
        return settings.find_root(folder) / FILE_NAME
    except NotATownError:
        return folder / FILE_NAME


def name(path: Path) -> str:
    """What the file is called in messages: its short name if it is in the working folder."""
    return FILE_NAME if path.parent == Path.cwd() else str(path)


def read(path: Path, *, lines: bool = True) -> Reading:
    """The plan as it was read, with all mistakes in it; the errors are those of ``read_with_content``."""
    return read_with_content(path, lines=lines)[0]


def read_with_content(path: Path, *, lines: bool = True) -> tuple[Reading, bytes]:
    """The plan as it was read, with all mistakes in it, and what its file holds; ``lines`` as for ``reader.read``.

    Raises:
        NotFoundError: there is none.
        StateError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"there is no {FILE_NAME} in {path.parent}", remedy="run `tt plan --init` to begin one"
        ) from None
    except OSError as error:
        raise files.read_error(path, error) from None
    return reader.read(content, source=name(path), lines=lines), content


def write(path: Path, content: bytes, *, instead_of: bytes) -> None:
    """Put new content in place of what was read; a link stays one, and what it leads to is changed.

    Raises:
        StateError: the file is read-only, or somebody else has changed it since it was read.
        DiskFullError: no room; the old content stands.
    """
    file = path.resolve()
    try:
        mode, now = stat.S_IMODE(file.stat().st_mode), file.read_bytes()
    except OSError as error:
        raise files.read_error(path, error) from None
    if not mode & 0o222:
        raise StateError(f"{path} is read-only", remedy=f"run `chmod u+w {file}`, then retry")
    if now != instead_of:
        raise StateError(f"{path} was changed by somebody else just now", remedy="run the same command again")
    files.write_atomically(file, content.decode(), mode=mode)


def require(reading: Reading, path: Path) -> None:
    """Print all that is wrong, a line each.

    Raises:
        ConfigurationError: something is.
    """
    for problem in reading.problems:
        click.echo(safe(problem.told(reading.source)), err=True)
    if count := len(reading.problems):
        them = "it" if count == 1 else "them"
        raise ConfigurationError(f"{plural(count, 'mistake')} in {path}", remedy=f"correct {them}, then run `tt plan`")
