"""Which programs tinytown itself runs: git, the sandbox, the server. None comes from a folder that agents can fill.

What is merged lies in a repository, and a ``PATH`` may lead there: ``./bin``, an empty entry, ``node_modules/.bin`` of
a checkout. A ``git`` found there would run as the user. So tinytown's own programs are looked for by absolute path, in
the folders of the ``PATH`` that are outside every repository, and the programs that these start are too.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

#: Repositories of a town, and its work: nothing in them is ever run as a program of ours.
_closed: set[Path] = set()
#: The work alone: nothing in it is run as a program of the user's either.
_work: set[Path] = set()
#: What was found, by name, ``PATH`` and closed folders.
_found: dict[tuple[str, str, frozenset[Path]], Path] = {}
#: Where package managers keep everything, in a repository of their own that no agent works in.
_MANAGERS = ("/opt/homebrew", "/usr/local", "/usr/local/Homebrew", "/home/linuxbrew/.linuxbrew")


def keep_out(*repositories: Path, work: Path | None = None) -> None:
    """From now on no program of ours comes from these folders."""
    _work.update({work.resolve()} if work is not None else ())
    _closed.update(_work, (folder.resolve() for folder in repositories))


def find(name: str, path: str | None = None) -> Path | None:
    """A program, by its absolute path; one that only lies inside a repository is not found.

    ``path`` is another ``PATH`` than this process's. What was found once stays, as long as it is there.
    """
    key = (name, _given(path), frozenset(_closed))
    known = _found.get(key)
    if known is not None and os.access(known, os.X_OK):
        return known
    for folder in trusted_path(path).split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found is not None and not _refusal(Path(found).resolve()):
            _found[key] = Path(found)
            return _found[key]
    return None


def require(name: str, path: str | None = None) -> str:
    """The same for one that must be there.

    Raises:
        FileNotFoundError: it is not, or only inside a repository; it says where.
    """
    found = find(name, path)
    if found is not None:
        return str(found)
    elsewhere = shutil.which(name, path=_given(path))
    raise FileNotFoundError(0, "only inside a repository" if elsewhere else "not there", elsewhere or name)


def trusted_path(path: str | None = None) -> str:
    """The ``PATH`` of this process, or ``path``, without what may hold programs of agents."""
    return _sorted(_given(path), frozenset(_closed))[0]


def dropped(path: str | None = None) -> dict[str, str]:
    """The other entries, and for each what is wrong with it."""
    return dict(_sorted(_given(path), frozenset(_closed))[1])


def absolute_path(path: str) -> str:
    """``path`` without the entries that mean another folder wherever one stands, or lie in what agents work in.

    For programs that the user chose: those of a repository are theirs to choose.
    """
    return _absolute(path, frozenset(_work))


def agents_path(path: str) -> str:
    """Where an agent's CLI is looked for: in a repository only if it is nowhere else."""
    trusted, rest = trusted_path(path).split(os.pathsep), absolute_path(path).split(os.pathsep)
    return os.pathsep.join(dict.fromkeys((*trusted, *rest)))


def module_path(entries: str, *, ours: str) -> str:
    """``PYTHONPATH`` without what may hold modules of agents; ``ours``, where tinytown is, stays."""
    kept = []
    for place in entries.split(os.pathsep):
        own = Path(place).is_absolute() and os.path.normpath(place) == ours
        if own or _is_installation(place) or not why_not(place):
            kept.append(place)
    return os.pathsep.join(kept)


def forget_modules() -> None:
    """Import nothing more from where ``PYTHONPATH`` leads into a repository, e.g. from where one stands."""
    ours = str(Path(__file__).resolve().parents[1])
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    entries = [place for place in given if not _is_installation(place) and why_not(place)]
    wrong = {str(Path(place).absolute()) for place in entries} - {ours}
    sys.path[:] = [place for place in sys.path if str(Path(place).absolute()) not in wrong]


def why_not(place: str) -> str:
    """What is wrong with an entry of a ``PATH``; empty if nothing is."""
    if not Path(place).is_absolute():
        return "it means another folder wherever one stands"
    # By its name and by what that leads to.
    return _refusal(Path(os.path.normpath(place))) or _refusal(Path(place).resolve())


# -- inside --------------------------------------------------------------------------------------


def _given(path: str | None) -> str:
    return path if path is not None else os.environ.get("PATH") or os.defpath


@functools.lru_cache(maxsize=64)
def _sorted(path: str, _closed_now: frozenset[Path]) -> tuple[str, tuple[tuple[str, str], ...]]:
    faults = {place: why_not(place) for place in path.split(os.pathsep)}
    kept = [place for place, why in faults.items() if not why]
    return os.pathsep.join(kept) or os.defpath, tuple((place, why) for place, why in faults.items() if why)


@functools.lru_cache(maxsize=64)
def _absolute(path: str, _work_now: frozenset[Path]) -> str:
    kept = [place for place in path.split(os.pathsep) if Path(place).is_absolute()]
    return os.pathsep.join(place for place in kept if not _is_work(Path(place))) or os.defpath


def _is_installation(place: str) -> bool:
    """Whether it belongs to the Python that runs this, e.g. in a checkout of tinytown."""
    return Path(place).is_absolute() and Path(os.path.normpath(place)).is_relative_to(sys.prefix)


def _is_work(place: Path) -> bool:
    return any(each.is_relative_to(folder) for each in (place, place.resolve()) for folder in _work)


def _refusal(place: Path) -> str:
    for folder in _closed:
        if place.is_relative_to(folder):
            return f"it is inside {folder}, where agents' work goes"
    root = next(_repositories(place), None)
    return f"it is inside the repository {root}" if root is not None else ""


def _repositories(place: Path) -> Iterator[Path]:
    """Repositories around a place; a home that is one, or that of a package manager, is none that agents work in."""
    home = Path("~").expanduser().resolve()
    for folder in (place, *place.parents):
        if (
            folder in (home, home.parent)
            or str(folder) in _MANAGERS
            or (folder.parent == home and folder.name[0] == ".")
        ):
            continue
        if _has_git(folder):
            yield folder


def _has_git(folder: Path) -> bool:
    """A folder, or in a linked worktree a file."""
    try:
        mode = (folder / ".git").stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and (folder / ".git" / "HEAD").exists())
