"""What of the machine a program needs to start: its own files, and those of every interpreter that runs it.

A CLI is often a script whose interpreter is installed elsewhere: ``node`` by a version manager in the user's home, a
CLI in a prefix of its own. Both are found here, and never by running anything.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

#: Links in a row, and scripts that run scripts, after which nobody follows any further.
LINKS = 16
SCRIPTS = 8
#: How much of a script is looked at: the kernel reads less of its first line.
HEAD_BYTES = 4096

#: How a script says that its real interpreter could not stand in the first line: too long, or with a blank in it.
_REAL_INTERPRETER = re.compile(rb"^'''exec' (\"[^\"\n]+\"|\S+) ", re.MULTILINE)
#: How a package manager's launcher names what it launches.
_BESIDE = re.compile(rb"\"\$basedir/([^\"\n]+)\"")
#: Folders by which the root of a version manager is known: its launchers need all of it.
_MANAGERS = (("shims",), ("tools", "image"))


def needs(program: str, path: str) -> Iterator[Path]:
    """Files and folders that ``program`` needs, as it is found on ``path``; nothing if it is not found.

    They may name one twice, and may name folders that hold far more than a program: who shows them leaves those out.
    """
    found = shutil.which(program, path=path)
    for start in interpreters(Path(found), path) if found else ():
        yield from _installation(start)


def interpreters(program: Path, path: str) -> list[Path]:
    """``program`` and what runs it, and what runs that, the program first; one that is missing is in it too."""
    found = [program]
    for script in found:
        if len(found) > SCRIPTS:
            break
        found += [one for one in _run_by(script, path) if one not in found]
    return found


def _run_by(script: Path, path: str) -> list[Path]:
    """What a script names to run it, or to be run by it; nothing for a program of its own."""
    try:
        with script.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return []
    if not head.startswith(b"#!"):
        return []
    first, _, rest = head.partition(b"\n")
    found = [_interpreter(os.fsdecode(first[2:]), path)]
    if real := _REAL_INTERPRETER.search(rest):
        found.append(_located(os.fsdecode(real[1]).strip('"'), path))
    found += [Path(os.path.normpath(script.resolve().parent / os.fsdecode(name))) for name in _BESIDE.findall(rest)]
    return [one for one in found if one is not None]


def _interpreter(line: str, path: str) -> Path | None:
    """The program that a first line names, by itself or through ``env``."""
    program, _, argument = line.strip().partition(" ")
    if Path(program).name != "env":
        return _located(program, path)
    words = _words(argument.strip())
    while words and words[0].startswith("-"):
        option = words.pop(0)
        for split in ("-S", "--split-string="):
            if option.startswith(split) and option != split:
                words = [*_words(option.removeprefix(split)), *words]
        if option in ("-u", "-C", "--unset", "--chdir"):
            words = words[1:]
    named = next((word for word in words if "=" not in word), None)
    return _located(named, path) if named else None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _located(program: str, path: str) -> Path | None:
    if not program:
        return None
    if "/" in program:
        return Path(program)
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def _installation(program: Path) -> Iterator[Path]:
    """A program, the folders where it is called and where it really lies, and what is installed with it."""
    for place in _chain(program):
        folder = place.parent
        prefix = folder.parent
        yield place
        yield folder
        # ``node`` and ``python`` need what is installed with them; ``~/.local`` is more than an installation.
        if folder.name == "bin" and (prefix / "lib").is_dir() and prefix.name != ".local":
            yield prefix
        # A package installed into a folder needs those beside it.
        yield from (around for around in place.parents if around.name == "node_modules")
        yield from _managers(place)
        python = folder / "python"
        if (prefix / "pyvenv.cfg").is_file() and python.exists() and python.resolve() != place.resolve():
            yield from _installation(python)


def _managers(place: Path) -> Iterator[Path]:
    """Roots of version managers whose launcher ``place`` is."""
    for around in list(place.parents)[:3]:
        if any(around.joinpath(*marks).is_dir() for marks in _MANAGERS):
            yield around


def _chain(program: Path) -> Sequence[Path]:
    """``program``, every link that it is reached by, and what it really is."""
    chain = [program]
    with contextlib.suppress(OSError):
        while chain[-1].is_symlink() and len(chain) < LINKS:
            chain.append(Path(os.path.normpath(chain[-1].parent / chain[-1].readlink())))
        chain.append(program.resolve())
    return list(dict.fromkeys(chain))
