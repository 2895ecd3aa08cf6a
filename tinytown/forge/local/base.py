"""The base branch in the user's own repository: whether it is clean, and how it advances without touching their work.

The user may have the branch checked out and files open in it. It advances there only as ``git merge --ff-only``
would do by hand, hooks off; a change of theirs to a file that the merge touches makes it wait.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from tinytown.git import filters, lfs
from tinytown.git.repository import Git, GitError, branch_ref
from tinytown.settings import FILE_NAME

#: Most names in a sentence about what is in the way.
SHOWN = 3
#: Files by which an unfinished operation owns a branch, relative to a work tree's git folder.
_OPERATIONS = {"rebase-merge/head-name": "a rebase", "rebase-apply/head-name": "a rebase", "BISECT_START": "a bisect"}
#: Said by git when a file that it does not track would be lost.
_UNTRACKED = re.compile(r"untracked working tree files would be (?:overwritten|removed).*?:\n((?:\t.*\n)+)")
_CHANGED = re.compile(r"local changes to the following files would be overwritten.*?:\n((?:\t.*\n)+)")


@dataclass(frozen=True)
class Advance:
    """What became of the base: ``done``, ``moved`` (by somebody else) or ``blocked`` by what ``why`` names."""

    status: str
    why: str = ""


def tip(users: Git, base: str) -> str | None:
    """Newest commit of the base, ``None`` if it is gone."""
    return users.commit(branch_ref(base))


def operation(users: Git, base: str) -> str | None:
    """An unfinished operation of the user's that uses the base (a rebase, say), if there is one."""
    return _operation(users, branch_ref(base))


def dirt(users: Git, base: str, *, touched: Container[str] | None = None) -> str | None:
    """Uncommitted changes where the base is checked out; with ``touched`` only those of files in it."""
    found = (_dirt(folder, touched) for folder in _checkouts(users, branch_ref(base)))
    return next(filter(None, found), None)


def obstacle(users: Git, base: str, *, touched: Container[str]) -> str | None:
    """What stands in the way of an advance that changes the files ``touched``, if anything does."""
    return operation(users, base) or dirt(users, base, touched=touched)


def touched(git: Git, old: str, new: str) -> Container[str]:
    """Names of the files that differ between two commits."""
    return frozenset(git.names("diff-tree", "-r", "-z", "--no-renames", "--name-only", old, new))


def advance(users: Git, base: str, *, old: str, new: str, reason: str) -> Advance:
    """Move the base from exactly ``old`` to ``new``, which contains it; the objects must be there already."""
    ref = branch_ref(base)
    if users.commit(ref) != old:
        return Advance("moved")
    if why := obstacle(users, base, touched=touched(users, old, new)):
        return Advance("blocked", why)
    checkouts = _checkouts(users, ref)
    if checkouts:
        return _fast_forward(checkouts[0], base, old=old, new=new)
    try:
        users.run("update-ref", "--create-reflog", "-m", reason, ref, new, old)
    except GitError:
        if users.commit(ref) != old:
            return Advance("moved")
        raise
    return Advance("done")


def _fast_forward(folder: Path, base: str, *, old: str, new: str) -> Advance:
    checkout = _checkout(folder)
    try:
        # Each flag overrides `branch.<name>.mergeOptions` or a setting `merge.*`.
        checkout.run(
            "merge", "--ff-only", "--commit", "--no-squash", "--no-edit", "--no-stat", "--no-autostash",
            "--no-verify-signatures", "--no-overwrite-ignore", "--no-rerere-autoupdate", "--quiet", new,
        )  # fmt: skip
    except GitError as error:
        now = checkout.commit(branch_ref(base))
        if now == new:
            return Advance("done")
        if now != old:
            return Advance("moved")
        return Advance("blocked", _reason(error, folder))
    return Advance("done")


def _checkout(folder: Path) -> Git:
    """Git in a work tree of the user's; it runs no filter but git-lfs."""
    return Git.users(folder, settings=filters.for_checkout(Git.users(folder), folder))


def _reason(error: GitError, folder: Path) -> str:
    if found := _UNTRACKED.search(error.stderr):
        return f"untracked files stand in the way in {folder}: {_few(found[1].split(chr(10)))}"
    if found := _CHANGED.search(error.stderr):
        return f"changed files in {folder}: {_few(found[1].split(chr(10)))}"
    if "index.lock" in error.stderr:
        return f"another git command is running in {folder} (index.lock)"
    return f"{folder}: {error.message}"


def _checkouts(users: Git, ref: str) -> list[Path]:
    """The work trees that have the branch checked out."""
    found: list[Path] = []
    folder = ""
    for line in users.names("worktree", "list", "--porcelain", "-z"):
        word, _, value = line.partition(" ")
        if word == "worktree":
            folder = value
        elif word == "branch" and value == ref and Path(folder).is_dir():
            found.append(Path(folder))
    return found


def _dirt(folder: Path, touched: Container[str] | None) -> str | None:
    # Untracked files don't count, nor does the town's own file, which the user may be editing.
    checkout = _checkout(folder)
    entries = checkout.names(
        "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=all"
    )
    dirty = [entry[3:] for entry in entries if entry[3:] != FILE_NAME]
    # It cannot be told whether a file was changed whose filter is not run; no merge of ours writes into it.
    changed = [name for name in dirty if name in touched] if touched is not None else _judged(checkout, folder, dirty)
    return f"uncommitted changes in {folder}: {_few(changed)}" if changed else None


def _judged(checkout: Git, folder: Path, names: list[str]) -> list[str]:
    handled = {lfs.FILTER} if filters.program(Git.users(folder), folder).usable else set()
    said = checkout.names("check-attr", "-z", "--stdin", "filter", input="".join(f"{name}\0" for name in names))
    named = dict(zip(said[::3], said[2::3], strict=True))
    return [name for name in names if named.get(name) in {"unspecified", "unset", "set", *handled}]


def _operation(users: Git, ref: str) -> str | None:
    """A rebase or bisect that has detached the head but will come back to this branch."""
    linked = users.common / "worktrees"
    for git_dir in (users.common, *(linked.iterdir() if linked.is_dir() else ())):
        for name, what in _OPERATIONS.items():
            try:
                owner = (git_dir / name).read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                continue
            if owner in (ref, ref.removeprefix("refs/heads/")):
                return f"{what} of {ref.removeprefix('refs/heads/')} is in progress"
    return None


def _few(names: list[str]) -> str:
    shown = [name.strip() for name in names if name.strip()]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
