"""The machine's programs that are left in a review: those that only read, those that run the CLI, and ``tt``.

Without a ``make``, a compiler or an interpreter of its own a reviewer does not run what it judges, not even by mistake.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinytown_workers.sandbox import program_files

#: Folders of the system in which programs are found.
FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/games", "/sbin", "/bin")
#: Programs that only look at files, in a clone that is read-only and has no executable file.
READERS = (
    "[", "awk", "base64", "basename", "cat", "cmp", "comm", "cut", "date", "diff", "dirname", "du", "echo", "egrep",
    "env", "expr", "false", "fgrep", "file", "find", "fold", "git", "grep", "head", "hexdump", "id", "jq", "less", "ls",
    "nl", "od", "paste", "printf", "pwd", "readlink", "realpath", "rg", "sed", "seq", "sha256sum", "sleep", "sort",
    "stat", "strings", "tac", "tail", "tee", "test", "tr", "tree", "true", "uname", "uniq", "wc", "which", "xxd",
)  # fmt: skip
#: Most links in a row that are followed.
_LINKS = 16


def options(program: str, path: str, more: Sequence[str]) -> list[str]:
    """bwrap's options that leave of the system's programs only these, what runs ``program``, and ``more``.

    Those are names, or paths; what else stands among them is nothing.
    """
    folders = [Path(name) for name in FOLDERS if Path(name).is_dir() and not Path(name).is_symlink()]
    found: list[str] = []
    for folder in folders:
        found += ["--tmpfs", str(folder)]
    shown: set[Path] = set()
    for start in _wanted(program, path, more, folders):
        for place in _chain(start):
            if place in shown or place.parent not in folders:
                continue
            shown.add(place)
            link = place.is_symlink()
            found += ["--symlink", str(place.readlink()), str(place)] if link else ["--ro-bind", *[str(place)] * 2]
    for folder in folders:
        found += ["--remount-ro", str(folder)]
    return found


def narrowed(program: str, path: str) -> str:
    """``path`` with the folders of the system and those of what runs ``program`` only; the first one is ``tt``'s."""
    first, *others = path.split(os.pathsep)
    found = shutil.which(program, path=path)
    own = {one.parent for one in program_files.interpreters(Path(found), path)} if found else set()
    kept = [folder for folder in others if folder in FOLDERS or Path(folder) in own]
    return os.pathsep.join([first, *kept])


def _wanted(program: str, path: str, more: Sequence[str], folders: Sequence[Path]) -> Iterator[Path]:
    found = shutil.which(program, path=path)
    if found:
        yield from program_files.interpreters(Path(found), path)
    yield Path(sys.executable)
    yield from (Path(one) for one in more if one.startswith("/"))
    for name in (*READERS, *(one for one in more if "/" not in one)):
        yield from (folder / name for folder in folders if (folder / name).exists())


def _chain(program: Path) -> Iterator[Path]:
    """``program`` and every link on the way to it, as paths without links in their folders."""
    for _ in range(_LINKS):
        place = program.parent.resolve() / program.name
        yield place
        if not place.is_symlink():
            return
        program = place.parent / place.readlink()
