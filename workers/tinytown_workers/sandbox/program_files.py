"""What of the machine a program needs to start: its own files, and those of every interpreter that runs it.

A CLI is often a script whose interpreter is installed elsewhere: ``node`` by a version manager in the user's home, a
CLI in a prefix of its own. Both are found here, and never by running anything. Files that merely lie beside a program
(settings, keys, a repository's history) are not part of it. If a program reads such a file, that has to be named.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown_workers.sandbox import real_paths

#: Most links in a row, and most scripts that run one another, that are followed.
LINKS = 16
SCRIPTS = 8
#: Bytes of a script that are read; the kernel reads fewer for its first line.
HEAD_BYTES = 4096
#: Most entries beside a script, and most folders within folders there, that are looked at.
BESIDE_ENTRIES, BESIDE_DEPTH = 1000, 4

#: How a script names its real interpreter if the first line cannot, because it is too long or has a blank in it.
_REAL_INTERPRETER = re.compile(rb"^'''exec' (\"[^\"\n]+\"|\S+) ", re.MULTILINE)
#: How a package manager's launcher names what it launches.
_BESIDE = re.compile(rb"\"\$basedir/([^\"\n]+)\"")
#: Folders by which the root of a version manager is known, and what of it its launchers need.
_MANAGERS = (("shims",), ("tools", "image"))
_OF_MANAGER = re.compile(r"bin|lib|libexec|shims|versions|installs|plugins|tools|version|layout\..*|asdf\.sh")
#: Names of what is installed into a prefix, and of what a virtual environment has besides.
_OF_PREFIX = re.compile(r"s?bin|lib.*|share|include|ssl|jre|Frameworks|pyvenv\.cfg")
#: Further folders of a Java installation, and the file by which it is recognised.
_OF_JAVA, _JAVA = ("conf", "jmods"), "release"
#: Files that are programs, or parts of one.
_CODE = re.compile(
    r".*\.(?:py[cdwz]?|pyi|so(?:\.\d+)*|dll|dylib|[cm]?jsx?|[cm]?tsx?|wasm|node|rb|pl|pm|lua|sh|bash|zsh|fish|php|jar"
    r"|class|exs?|erl|beam|tcl|r|jl|ps1|awk|sed|AppImage)|package\.json|activate\w*(?:\.csh)?|\.gitignore",
    re.IGNORECASE,
)
#: Files that are not programs, even if every file is executable.
_DATA = frozenset(
    ".json .jsonc .json5 .yaml .yml .toml .ini .cfg .conf .properties .env .txt .md .rst .csv .tsv .xml .html .log .db "
    ".sqlite .sqlite3 .pem .crt .bak .old .orig .swp .zip .tar .gz".split()
)
#: Prefixes of the system, which is shown anyway.
_OF_SYSTEM = frozenset({"/", "/usr", "/usr/local"})
#: Folders of programs, in which neighbours have nothing to do with each other.
_OF_PROGRAMS = frozenset({"bin", "sbin", "shims"})


@dataclass(frozen=True)
class Part:
    """A file or a folder that a program needs."""

    path: Path
    #: The folder that it was found in, which may be more than an installation: the home, a repository. ``None`` for
    #: what is a program or a folder of packages, whatever it lies in.
    of: Path | None = None
    #: What in it is not needed.
    without: Sequence[Path] = ()


def needs(program: str, path: str) -> Iterator[Part]:
    """What ``program`` needs, as it is found on ``path``; nothing if it is not found. A part may be named twice."""
    found = shutil.which(program, path=path)
    for start in interpreters(Path(found), path) if found else ():
        yield from _installation(start, path)


def of_script(script: Path, path: str) -> Iterator[Part]:
    """What a script needs that is given to an interpreter; it need not be executable."""
    for start in interpreters(script, path):
        yield from _installation(start, path)


def is_code(path: Path) -> bool:
    """Whether a file is a program or a part of one, by its name and mode."""
    if not path.is_file() or real_paths.looks_secret(path):
        return False
    if _CODE.fullmatch(path.name):
        return True
    return os.access(path, os.X_OK) and not path.name.startswith(".") and path.suffix.lower() not in _DATA


def interpreters(program: Path, path: str) -> list[Path]:
    """``program``, what runs it, what runs that, and so on; also a name that is not found."""
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


def _installation(program: Path, path: str) -> Iterator[Part]:
    """A program by every path through which it is reached, and what is installed with it."""
    for place in _chain(program):
        folder, prefix = place.parent, place.parent.parent
        yield Part(place)
        if str(prefix) in _OF_SYSTEM:
            continue
        # A package installed into a folder needs those beside it.
        packages = [around for around in place.parents if around.name == "node_modules"]
        yield from (Part(around, without=_odd(around)) for around in packages)
        if (prefix / "pyvenv.cfg").is_file():
            yield from _prefix(prefix, None)
        # ``node`` and ``python`` need what is installed with them; ``~/.local`` is more than an installation.
        elif folder.name in _OF_PROGRAMS and (prefix / "lib").is_dir() and prefix.name != ".local":
            yield from _prefix(prefix, prefix)
        elif not packages and folder.name not in _OF_PROGRAMS and str(folder) not in path.split(os.pathsep):
            yield from (Part(one, of=folder) for one in beside(folder))
        yield from _managers(place)
        python = folder / "python"
        if (prefix / "pyvenv.cfg").is_file() and python.exists() and python.resolve() != place.resolve():
            yield from _installation(python, path)


def of_prefix(prefix: Path) -> Iterator[Part]:
    """What is installed in a folder that is the root of an installation."""
    return _prefix(prefix, None)


def _prefix(prefix: Path, of: Path | None) -> Iterator[Part]:
    java = (prefix / _JAVA).is_file()
    for entry in _entries(prefix):
        if entry.name in _OF_PROGRAMS:
            yield Part(entry, of, tuple(one for one in _plain(entry) if not is_code(one) and one.name != "__pycache__"))
        elif _OF_PREFIX.fullmatch(entry.name) or (java and entry.name in _OF_JAVA):
            yield Part(entry, of, _odd(entry))


def _managers(place: Path) -> Iterator[Part]:
    """What a version manager needs whose launcher ``place`` is."""
    for around in list(place.parents)[:3]:
        if any(around.joinpath(*marks).is_dir() for marks in _MANAGERS):
            for entry in _entries(around):
                if _OF_MANAGER.fullmatch(entry.name):
                    below = _entries(entry) if entry.name == "plugins" else []
                    yield Part(entry, around, (*_odd(entry), *(odd for plugin in below for odd in _odd(plugin))))


def _odd(folder: Path) -> tuple[Path, ...]:
    """Entries that do not belong in a folder of programs or packages."""
    return tuple(entry for entry in _plain(folder) if real_paths.looks_secret(entry))


def _plain(folder: Path) -> list[Path]:
    """Its entries except links, whose targets are seen only at their own places, if at all."""
    return [entry for entry in _entries(folder) if not entry.is_symlink()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return []


def beside(folder: Path) -> list[Path]:
    """What a script may need that lies in its folder: all of it, or the code alone.

    If there is nothing but code and texts in the folder, it is the whole folder. If there is anything else (settings,
    data, whatever begins with a dot or looks like a key), it is only the files of code.
    """
    found, purity = _code_in(folder, folder.resolve(), 0, [BESIDE_ENTRIES])
    return [folder] if purity else found


def _code_in(folder: Path, root: Path, depth: int, left: list[int]) -> tuple[list[Path], int]:
    """The code in a folder, and how much else is there: 2 for nothing, 1 for texts, 0 for other things."""
    found: list[Path] = []
    purity = 2
    for entry in _entries(folder):
        left[0] -= 1
        if left[0] < 0:
            return found, 0
        if entry.is_symlink():
            # In a folder that is shown as it is, one that leads out of it leads nowhere.
            if entry.resolve().is_relative_to(root) and is_code(entry) and is_code(entry.resolve()):
                found.append(entry)
        elif not entry.is_dir():
            code = is_code(entry)
            found += [entry] if code else []
            purity = min(purity, 2 if code else 1 if _is_text(entry) else 0)
        elif entry.name.startswith(".") or real_paths.looks_secret(entry) or depth == BESIDE_DEPTH:
            purity = 0
        elif entry.name == "node_modules":
            found.append(entry)
        else:
            inner, inner_purity = _code_in(entry, root, depth + 1, left)
            found += [entry] if inner_purity == 2 else inner
            purity = min(purity, inner_purity)
    return found, purity


def _is_text(path: Path) -> bool:
    """Whether its name is that of a text for people, or of no kind at all."""
    ordinary = path.is_file() and not path.name.startswith(".") and not real_paths.looks_secret(path)
    return ordinary and path.suffix.lower() in ("", ".md", ".txt", ".rst")


def _chain(program: Path) -> Sequence[Path]:
    """``program``, every link that it is reached by, and what it really is."""
    chain = [program]
    with contextlib.suppress(OSError):
        while chain[-1].is_symlink() and len(chain) < LINKS:
            chain.append(Path(os.path.normpath(chain[-1].parent / chain[-1].readlink())))
        chain.append(program.resolve())
    return list(dict.fromkeys(chain))
