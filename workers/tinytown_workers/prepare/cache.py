"""Folders that later clones of a repository begin with, such as ``.venv``: `[workspace] cache`.

They were made by `[workspace] setup` on a commit of the base, before any agent's code ran there, so no run can poison
another one's. Each clone gets a copy of its own, found by a key of everything that went into it. Programs write the
path of their folder into what they make (the scripts of a virtual environment begin with it); copies get the new path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import shlex
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinytown import files
from tinytown.forge import copies
from tinytown.git.repository import Git
from tinytown.settings import WorkspaceSettings
from tinytown_workers.clone import copy_tree
from tinytown_workers.clone.remove_tree import remove_folder
from tinytown_workers.run import environment

log = logging.getLogger(__name__)

#: Bytes of all cached folders of one clone; more is not kept.
SIZE_LIMIT = 4 << 30
#: Largest file in which the path of its clone is looked for.
TEXT_LIMIT = 1 << 20
#: Caches of one repository that are kept, the newest ones.
KEPT = 3
#: Files by which a project says what it needs, in any folder.
MANIFESTS = frozenset({
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb",
    "deno.lock", "pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "pdm.lock", "pixi.lock",
    "Pipfile", "Pipfile.lock", ".python-version", ".nvmrc", ".node-version", ".tool-versions", "Cargo.toml",
    "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", "go.mod", "go.sum", "Gemfile", "Gemfile.lock",
    "composer.json", "composer.lock", "mix.exs", "mix.lock", "environment.yml",
})  # fmt: skip
_REQUIREMENTS = re.compile(r"(?:requirements|constraints)[^/]*\.(?:txt|in)")


def key_of(mirror: Path, sha: str, settings: WorkspaceSettings) -> str:
    """A key that is equal for commits whose setup makes the same: from commands, programs, named files and manifests.

    A virtual environment of one Python is of no use to another Python, whose setup would leave half of it as it is.
    """
    commands = [shlex.split(command) for command in settings.setup]
    named = {word.removeprefix("./") for words in commands for word in words}
    programs = [_program(words[0], settings) for words in commands if words]
    made_by = [json.dumps([settings.setup, settings.cache, settings.env, programs])]
    for entry in Git.own(mirror).names("ls-tree", "-r", "-z", "--full-tree", sha):
        what, _, path = entry.partition("\t")
        name = path.rpartition("/")[2]
        if name in MANIFESTS or path in named or _REQUIREMENTS.fullmatch(name):
            made_by.append(f"{what} {path}")
    return hashlib.sha256("\0".join(made_by).encode(errors="surrogateescape")).hexdigest()[:24]


def _program(name: str, settings: WorkspaceSettings) -> list[str | int] | None:
    """Which program of this machine is meant, and which version of it; empty for one that is in the clone."""
    if "/" in name and not name.startswith("/"):
        return None
    found = shutil.which(name, path=environment.path(os.environ, settings.env))
    if found is None:
        return None
    real = Path(found).resolve()
    about = real.stat()
    return [found, str(real), about.st_size, about.st_mtime_ns]


def bring(store: Path, key: str, folder: Path, names: Sequence[str]) -> list[Path]:
    """Copy what is kept under ``key`` into a clone; gives the folders that it made."""
    place = store / key
    about = files.read_json(place / "about.json")
    if about is None or about.get("names") != list(names) or not {"origin", "texts"} <= about.keys():
        return []
    made: list[Path] = []
    try:
        for number, name in enumerate(names):
            kept, target = place / str(number), folder / name
            if not kept.is_dir() or target.exists() or target.is_symlink() or not copies.real_parents(folder, name):
                continue
            made.append(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_tree.copy_folder(kept, target, old=str(about["origin"]), new=str(folder))
        for name in about["texts"]:
            _rewrite(folder / name, str(about["origin"]), str(folder))
        with contextlib.suppress(OSError):
            os.utime(place)  # The most recently used ones are the newest.
    except OSError as error:
        # Another process may just have removed it; the setup works without.
        log.warning("the cache %s is not used: %s", place, error)
        for target in made:
            remove_folder(target)
        return []
    return made


def forget(store: Path, key: str) -> None:
    """Delete what is kept under ``key``."""
    gone = store / f".gone.{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        (store / key).rename(gone)
        remove_folder(gone)


def keep(store: Path, key: str, folder: Path, names: Sequence[str]) -> bool:
    """Keep a clone's cached folders under ``key``, unless they are; only for what no agent's code has touched."""
    if (store / key).is_dir() or not any((folder / name).is_dir() for name in names):
        return False
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = store / f".{key}.{secrets.token_hex(4)}"
    try:
        fresh.mkdir(mode=0o700)
        texts: list[str] = []
        room = SIZE_LIMIT
        for number, name in enumerate(names):
            if copies.real_parents(folder, name) and stat.S_ISDIR(_mode(folder / name)):
                room -= _weigh(folder / name, room)
                if room <= 0:
                    log.warning("%s is too large to be kept for the next clone", folder / name)
                    return False
                copy_tree.copy_folder(folder / name, fresh / str(number))
                texts += [path.relative_to(folder).as_posix() for path in _texts_with(folder / name, str(folder))]
        about = {"names": list(names), "origin": str(folder), "texts": texts}
        (fresh / "about.json").write_text(json.dumps(about), encoding="utf-8", errors="surrogateescape")
        fresh.rename(store / key)
    except OSError as error:
        log.warning("nothing is kept for the next clone: %s", error)
        return False
    finally:
        remove_folder(fresh)
    _prune(store)
    return True


def _prune(store: Path) -> None:
    found = sorted((p for p in store.iterdir() if p.name[0] != "."), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in found[KEPT:]:
        gone = store / f".gone.{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):
            old.rename(gone)
            remove_folder(gone)


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _weigh(folder: Path, room: int) -> int:
    """Bytes below a folder; stops counting beyond ``room``."""
    size, pending = 0, [folder]
    while pending and size <= room:
        for entry in copy_tree.entries(pending.pop()):
            size += 4096 + entry.stat(follow_symlinks=False).st_size
            if entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
    return size


def _texts_with(folder: Path, origin: str) -> Iterator[Path]:
    """Text files that name the clone they lie in."""
    pattern = _place(origin)
    for entry in copy_tree.entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _texts_with(Path(entry.path), origin)
        elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_size <= TEXT_LIMIT:
            with open(entry.path, "rb", opener=copy_tree.no_follow) as file:
                data = file.read()
            if b"\0" not in data and pattern.search(data):
                yield Path(entry.path)


def _rewrite(path: Path, old: str, new: str) -> None:
    if not stat.S_ISREG(_mode(path)):
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(_place(old).sub(lambda _: os.fsencode(new), data))
    path.chmod(mode)


def _place(folder: str) -> re.Pattern[bytes]:
    # `…/1` is not `…/12`.
    return re.compile(re.escape(os.fsencode(folder)) + rb"(?![\w.-])")
