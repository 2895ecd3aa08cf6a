"""Linked work trees that an agent made with ``git worktree``, and the files in a folder as a commit."""

from __future__ import annotations

import posixpath
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinytown.git.repository import Git, GitError
from tinytown_workers.clone import mounts
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect import collect, content_policy, kept_refs, unfinished_operations

#: In a sandbox the agent sees folders of the attempt at these paths.
_SHOWN = {"/tmp": ".tmp"}  # noqa: S108 - the sandbox's own


@dataclass(frozen=True)
class Worktree:
    """One of them."""

    name: str
    #: Where git says it is.
    where: str
    #: The same as a folder of this attempt; ``None`` for any other place.
    folder: Path | None
    head: str | None


def of(foreign: Foreign, clone: Path) -> list[Worktree]:
    """The linked work trees of an agent's clone. What lies outside of the attempt's own folders is not looked into."""
    found = []
    for name in foreign.names("worktrees")[: unfinished_operations.WORKTREES_LIMIT]:
        said = (foreign.text(f"worktrees/{name}/gitdir") or "").strip()
        if not said.endswith("/.git"):
            continue
        head = (foreign.text(f"worktrees/{name}/HEAD") or "").strip()
        sha = foreign.commit(head.removeprefix("ref:").strip())
        where = said.removesuffix("/.git")
        if not where.startswith("/"):
            # Newer versions of git can write it from here on.
            where = posixpath.normpath(f"{clone}/.git/worktrees/{name}/{where}")
        found.append(Worktree(content_policy.shown(name), where, _inside(clone, where), sha))
    return found


def _inside(clone: Path, where: str) -> Path | None:
    path = PurePosixPath(where)
    scratch = clone.with_name(f"{clone.name}.tmp")
    for seen, real in (
        (str(clone), clone),
        (str(scratch), scratch),
        *((s, clone.with_name(f"{clone.name}{e}")) for s, e in _SHOWN.items()),
    ):
        if path.is_relative_to(seen) and ".." not in path.parts:
            parts = path.relative_to(seen).parts
            if parts and ".git" not in parts and mounts.is_folder(real, parts):
                return real.joinpath(*parts)
    return _beside(clone, path)


def _beside(clone: Path, path: PurePosixPath) -> Path | None:
    """A folder next to the clone, as in ``git worktree add ../name``, that is no other attempt's."""
    if path.parent != PurePosixPath(clone.parent) or re.match(r"[0-9]|\.", path.name):
        return None
    return clone.parent / path.name if mounts.is_folder(clone.parent, (path.name,)) else None


def files_commit(
    ledger: Path, folder: Path, parent: str, message: str, *, seed: Path | None = None
) -> tuple[str, list[content_policy.Refusal]]:
    """A commit, only in the ledger, of the files in ``folder`` on top of ``parent``; ``parent`` if nothing differs.

    ``seed`` is an index that knows many of the files already.
    """
    index = ledger / "files.index"
    index.unlink(missing_ok=True)
    if seed is not None and seed.exists():
        shutil.copy2(seed, index)
    own = Git.own(ledger, work_tree=folder, index=index)
    try:
        own.run("read-tree", "-m", "-i", parent)
        changes = content_policy.sort_files(folder, own)
        if not collect.stage(own, changes):
            return parent, changes.refused
        tree = own.line("write-tree")
        made = parent if tree == own.tree(parent) else kept_refs.commit(ledger, tree, [parent], message)
    except GitError as error:
        return parent, [content_policy.Refusal("its files", f"cannot be read: {error.message}")]
    return made, changes.refused
