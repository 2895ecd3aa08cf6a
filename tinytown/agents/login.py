"""Whether an agent CLI is logged in, told from files and variables alone: nothing is started, no service is asked.

No attempt begins after a no, so a no must be certain: the program is the vendor's own, it gets no variables that could
hold a key or name another service, and none of the places that it looks at holds a log-in or mentions another way in.
In doubt the answer is ``None``.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinytown.agents.driver import KnowsLogin, Place
from tinytown.settings import AgentCliSettings
from tinytown.town import Town

#: The beginning of the vendors' programs that are scripts. Any other program of that name may bring its own key.
NODE = re.compile(rb"#![^\n]*\b(?:node|bun|deno)\b")
#: Bytes of a script that are read, and the size of the largest file that is searched.
_HEAD, _LARGEST = 4096, 1 << 20
#: The contents of JSON files that say nothing.
_NOTHING = frozenset({b"", b"{}", b"[]", b"null"})
#: A line of a ``.env`` file that could be a key, or name another service.
_DOTENV = (
    r"(?i)^\s*(?:export\s+)?\w*"
    r"(?:key|token|auth|cred|secret|api|model|url|base|host|aws|google|azure|vertex|llm)\w*\s*="
)
_COMMENT = re.compile(r"^\s*(?:#|//)")


@dataclass(frozen=True)
class Ways:
    """Where a CLI looks for its log-in. Paths begin with ``~/`` or ``/``, or are relative to a repository."""

    #: Files that hold a log-in, and nothing else.
    kept: Sequence[str] = ()
    #: Settings, each with the pattern of what may be another way in; an empty pattern means any content.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: Names of ``.env`` files, in its folder and in all above; ``~/`` for those of the home.
    dotenv: Sequence[str] = ()
    #: On macOS it may keep its log-in in the keychain.
    keychain: bool = False
    #: The beginning of its program, if that is a script.
    script: re.Pattern[bytes] = NODE


def told(town: Town, name: str, driver: object, *, home: Path, path: str, folders: Sequence[Path]) -> bool | None:
    """Whether the CLI ``name`` is logged in; ``None`` in doubt, and for a CLI about which too little is known.

    ``path`` is the ``PATH`` by which its program is found, ``folders`` those of the repository that it would see.
    """
    cli = town.settings.agent_clis.get(name) or AgentCliSettings()
    if not isinstance(driver, KnowsLogin) or cli.readable or cli.writable:
        return None
    program = shutil.which(driver.executable(), path=path)
    if program is None:
        return None
    env = {**town.settings.workspace.env, **cli.env}
    try:
        return driver.logged_in(Place(home, Path(program), env, folders))
    except OSError:
        return None  # A file that cannot be read may hold anything.


def logged_in(ways: Ways, place: Place) -> bool | None:
    """Whether it is logged in, by the places that a CLI looks at.

    Raises:
        OSError: one of them cannot be read.
    """
    if place.env or (ways.keychain and sys.platform == "darwin") or not _is_own(place.program, ways.script):
        return None
    if any(_holds(path) for name in ways.kept for path in _paths(name, place)):
        return True
    doubts = (
        *((name, pattern) for name, pattern in ways.settings.items()),
        *((f"…/{name}" if not name.startswith("~") else name, _DOTENV) for name in ways.dotenv),
    )
    doubtful = any(says(path, pattern) for name, pattern in doubts for path in _paths(name, place))
    return None if doubtful else False


def says(path: Path, pattern: str) -> bool:
    """Whether a file has a matching line besides comments; for a folder, or without a pattern, any content counts.

    Raises:
        OSError: it cannot be read.
    """
    if not pattern or path.is_dir():
        return _holds(path)
    try:
        if path.stat().st_size > _LARGEST:
            return True
        text = path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return False
    find = re.compile(pattern).search
    return any(find(line) for line in text.splitlines() if not _COMMENT.match(line))


def _holds(path: Path) -> bool:
    try:
        if path.is_dir():
            return next(path.iterdir(), None) is not None
        return path.stat().st_size > _LARGEST or path.read_bytes().strip() not in _NOTHING
    except (FileNotFoundError, NotADirectoryError):
        return False


def _paths(name: str, place: Place) -> Iterator[Path]:
    """The paths at which ``name`` is looked for."""
    if name.startswith("~/"):
        yield place.home / name[2:]
    elif name.startswith("/"):
        yield Path(name)
    else:
        for folder in place.folders:
            yield folder / name.removeprefix("…/")
            if name.startswith("…/"):
                yield from (above / name[2:] for above in folder.parents)


def _is_own(program: Path, script: re.Pattern[bytes]) -> bool:
    with program.open("rb") as file:
        head = file.read(_HEAD)
    return not head.startswith(b"#!") or script.match(head) is not None


def python_script(package: str) -> re.Pattern[bytes]:
    """Matches the beginning of a script of a Python package as pip, pipx or uv write it."""
    return re.compile(rb"#!(?s:.)*^\s*from %s[.\w]* import " % package.encode(), re.MULTILINE)
