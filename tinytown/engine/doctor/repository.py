"""The repository, its mirror, the forge, and locks that git left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tinytown import files, keys, plugins
from tinytown.engine.doctor.findings import Finding, ago
from tinytown.errors import StateError, TinytownError
from tinytown.forge.contract import Access, AccessCheck, Forge
from tinytown.git.repository import Git
from tinytown.town import Town

#: Seconds after which a lock file of git's belongs to nobody any more.
STALE = 600.0
#: Requests left at a forge below which there may soon be none.
FEW_REQUESTS = 200
#: Folder of a local repository's issues.
_ISSUES = "issues"


def forge(town: Town) -> Iterator[Finding]:
    """Issues can be read, changes can go in, and a mission could begin now."""
    made: Forge = plugins.forge(town)
    base = town.settings.forge.base
    if not base:
        yield Finding("forge", "fail", "`forge.base` is not set", 'add `base = "main"` under [forge] in tinytown.toml')
        return
    if isinstance(made, AccessCheck):
        yield from _access(made.access())
    else:
        yield Finding("forge", "ok", f"{made.kind}, repository {made.repo}")
    if made.kind == keys.LOCAL:
        yield from _issues(town)
        yield _mirror(town, made.repo)
    try:
        remarks = made.preflight(base)
    except StateError as error:
        yield Finding("repository", "fail", error.message, error.remedy)
    else:
        yield Finding("repository", "ok", f"fit for a mission on {base}")
        for remark in remarks:
            yield Finding("repository", "warn", remark, "nothing, if you know: a mission starts all the same")
    if made.kind == keys.LOCAL and (questions := made.start_warnings()):
        yield Finding("checks", "warn", "; ".join(questions), 'e.g. checks = ["make test"] in tinytown.toml')


def _access(access: Access) -> Iterator[Finding]:
    if access.token is None:
        remedy = "set GH_TOKEN, or run `gh auth login`"
        yield Finding(
            "token", "warn", "none found: only public repositories can be read, and only a few times an hour", remedy
        )
    else:
        yield Finding("token", "ok", f"found in {access.token}")
    if access.may_push is False:
        remedy = "give the token write access to contents, issues and pull requests"
        yield Finding("forge", "fail", f"{access.repo} can be read, but not written to", remedy)
    else:
        rights = "" if access.may_push is None else ", and written to"
        yield Finding("forge", "ok", f"{access.repo} can be read{rights}")
    if access.requests_left is not None:
        detail = f"{access.requests_left} requests left"
        few = access.requests_left < FEW_REQUESTS
        yield Finding("rate limit", "warn" if few else "ok", detail, "wait: it resets every hour" if few else "")


def _issues(town: Town) -> Iterator[Finding]:
    further = town.settings.forge.local.repos.values()
    folders = {town.root, *(town.root / Path(repo.path).expanduser() for repo in further)}
    for root in sorted(folders):
        folder = root / _ISSUES
        if not folder.is_dir():
            yield Finding(
                "issues", "warn", f"there is no folder {folder}", f"write {folder / '1.md'} and start with it"
            )
            continue
        count = sum(1 for path in folder.glob("*.md") if path.stem.isdigit())
        yield Finding("issues", "ok", f"{count} in {folder}")


def _mirror(town: Town, repo: str) -> Finding:
    folder = town.mirrors / f"{repo.removeprefix(f'{keys.LOCAL}/')}.git"
    if not folder.exists():
        return Finding("mirror", "ok", "none yet: the first mission creates it")
    try:
        count = len(Git.own(folder).refs("refs/heads"))
    except TinytownError as error:
        remedy = f"copy {folder}, which holds the agents' work, then repair it with git"
        return Finding("mirror", "fail", f"{folder} cannot be read: {error.message}", remedy)
    return Finding("mirror", "ok", f"branches: {count}, in {folder}")


def locks(town: Town) -> Iterator[Finding]:
    """Locks of git whose makers are gone, and the town's own lock if another command holds it."""
    stale = [path for folder in _git_folders(town) for path in _lock_files(folder) if _age(path) > STALE]
    for path in stale:
        remedy = f"if no git command is running there, remove it: `rm {path}`"
        yield Finding("locks", "fail", f"{path} was left {ago(_age(path))} ago, and blocks git", remedy)
    for name, what in (("town.lock", "starting or stopping this town"), ("server.lock", "at the town's server")):
        if (town.folder / name).exists() and not _is_free(town.folder / name):
            yield Finding("locks", "warn", f"another process is {what}", "wait a moment, then run `tt doctor` again")
            return
    if not stale:
        yield Finding("locks", "ok", "none left behind")


def _git_folders(town: Town) -> Iterator[Path]:
    with contextlib.suppress(TinytownError):  # The check of the forge says what is wrong with it.
        yield Path(Git.users(town.root).line("rev-parse", "--absolute-git-dir"))
    if town.mirrors.is_dir():
        yield from sorted(town.mirrors.glob("*.git"))


def _lock_files(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.lock")
    yield from (folder / "refs").rglob("*.lock")


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _is_free(path: Path) -> bool:
    try:
        with files.locked(path, timeout=0.0, what=""):
            return True
    except TinytownError:
        return False
