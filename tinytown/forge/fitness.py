"""Whether a repository, and the folders of a town, can be worked with at all; checked before anything begins.

Nothing is fetched to find that out: a partial clone is looked at through a repository of tinytown's own that borrows
its objects and knows no remote that could send the rest.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinytown.errors import StateError
from tinytown.git.repository import Git, GitError
from tinytown.town import Town

_EXTENSIONS = re.compile(r"unknown repository extensions? found:\s*((?:\n?\s*[\w.-]+)+)")
#: Settings that say that objects are not all here.
_PROMISES = re.compile(r"extensions\.partialclone|remote\..*\.(?:promisor|partialclonefilter)", re.DOTALL)
_VERSION = re.compile(r"Expected git repo version <= \d+, found (\d+)")


def require_folders(town: Town) -> None:
    """Make sure that clones, mirrors and logs can be written.

    Raises:
        StateError: a file stands in the place of a folder, or it may not be written.
    """
    for folder in (town.state, town.mirrors, town.work, town.attempts):
        if why := unusable(folder):
            raise StateError(why, remedy=f"make it a folder that you can write to, or remove it: {_first(folder)}")


def unusable(folder: Path) -> str:
    """Why nothing could be written into a folder, which need not exist yet; empty if it could."""
    place = _first(folder)
    try:
        found = place.stat()
    except OSError as error:
        return f"{place} cannot be used: {error.strerror or error}"
    if not stat.S_ISDIR(found.st_mode):
        return f"{place} is a file, but must be a folder"
    if not os.access(place, os.W_OK | os.X_OK):
        whose = "" if found.st_uid == os.geteuid() else f": it belongs to the user {_name(found.st_uid)}"
        return f"{place} is not writable{whose}"
    return ""


def _first(folder: Path) -> Path:
    """The folder, or the nearest path above it, at which there is anything."""
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))


def _name(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def unreadable(stderr: str) -> StateError | None:
    """What git's refusal to read a repository means, if it is that its format is unknown."""
    if found := _EXTENSIONS.search(stderr):
        names = ", ".join(found[1].split())
        return StateError(
            f"this git does not know the repository's extension {names}",
            remedy="install one that does, or turn it off with the git that set it (see `extensions.*` in .git/config)",
        )
    if found := _VERSION.search(stderr):
        return StateError(
            f"this git does not know repositories of format {found[1]}",
            remedy="install a newer git, or correct `core.repositoryformatversion` in .git/config",
        )
    return None


def require_whole(users: Git, heads: Sequence[str]) -> None:
    """Make sure that a partial clone has all objects of these commits, and that no file of grafts hides a part.

    Costs next to nothing where the repository is no partial clone.

    Raises:
        StateError: objects are missing, or nobody could fetch them.
    """
    common = users.common
    grafts = common / "info/grafts"
    if grafts.is_file() and grafts.stat().st_size:
        raise StateError(
            f"{grafts} hides a part of the history, and no git can fetch from such a repository",
            remedy="turn it into replacements: `git replace --convert-graft-file`",
        )
    remotes = _promisors(users)
    if remotes is None:
        return
    object_format = users.line("rev-parse", "--show-object-format")
    with tempfile.TemporaryDirectory(prefix="tt-whole-") as temporary:
        folder = Path(temporary)
        Git.own(folder).run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(common / "shallow", folder / "shallow")
        own = Git.own(folder, objects=folder / "objects", borrow=common / "objects")
        lines = "".join(f"{sha}\n" for sha in dict.fromkeys(heads))
        try:
            own.run("rev-list", "--objects", "--quiet", "--stdin", input=lines)
        except GitError as error:
            if "missing" not in error.stderr and "bad object" not in error.stderr:
                raise
            where = f" {remotes[0]}" if remotes else ""
            raise StateError(
                "this is a partial clone, and files that agents need are not in it",
                remedy=f"fetch the rest: `git fetch --refetch --no-filter{where}`",
            ) from None


def _promisors(users: Git) -> list[str] | None:
    """Remotes that hold back objects; ``None`` if nothing says that there may be one."""
    said = [(name, value) for name, value in users.settings if _PROMISES.fullmatch(name)]
    if not said:
        return None
    found = [name[len("remote.") : name.rindex(".")] for name, _ in said if name.startswith("remote.")]
    found += [value for name, value in said if name.startswith("extensions.")]
    return list(dict.fromkeys(name for name in found if name))
