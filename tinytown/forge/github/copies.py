"""Where this machine's mirrors of repositories on GitHub are: they are named by number, which only GitHub can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tinytown import files

_NAMES: Final = "github-names"


def note(mirrors: Path, repo: str, folder: Path) -> None:
    """Note under which name a repository was asked for that this mirror is of."""
    path = _path(mirrors, repo)
    if _read(path) != folder.name:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, f"{folder.name}\n")


def noted(mirrors: Path, repo: str) -> Path:
    """The mirror of a repository as it was last noted; a folder that is not there, if it never was."""
    return mirrors / (_read(_path(mirrors, repo)) or "github-unknown.git")


def _path(mirrors: Path, repo: str) -> Path:
    # A slash is in no name of an owner or of a repository.
    return mirrors / _NAMES / repo.lower().replace("/", "+")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
