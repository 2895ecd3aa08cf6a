"""Whether the files that an agent left belong to its branch, or would silently undo what is on it.

An agent may end on a branch that began anew or goes back to an old commit, have checked out another commit, have
replaced its start, or have told git to check out only a part. git then compares with the wrong state; here the files
are compared with what others did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown.git.repository import Git, GitError
from tinytown.missions.fences import calm
from tinytown_workers.clone import clone
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect import content_policy, unfinished_operations

#: Most files that are named of those that a history has lost.
NAMED = 3
_REPLACE = "refs/replace/"


@dataclass(frozen=True)
class FinalHead:
    """Where an agent ended."""

    #: HEAD; empty where it holds no commit, or none that can be read.
    head: str
    #: HEAD as its agent would name it.
    name: str
    #: The files do not belong to the agent's branch, whatever they hold.
    apart: bool = False
    #: It only checked out ``head``: files as they are there, or on its branch, are not its work.
    looking: bool = False


def name_of_head(foreign: Foreign, head: str | None) -> str:
    """Where HEAD is, in words."""
    said = (foreign.text("HEAD") or "").strip()
    branch = said.removeprefix("ref: refs/heads/")
    return f"at commit {(head or '')[:10]}" if branch == said else f"on branch `{calm(content_policy.shown(branch))}`"


def replaced(foreign: Foreign, *commits: str) -> tuple[str, ...]:
    """What the agent's git shows instead of these commits (``git replace``)."""
    refs = foreign.refs() if foreign.exists(_REPLACE.rstrip("/")) or foreign.exists("packed-refs") else {}
    return tuple(refs[f"{_REPLACE}{sha}"] for sha in dict.fromkeys(commits) if f"{_REPLACE}{sha}" in refs)


def sentence(ledger: Path, end: FinalHead, *, given: str, branch: str, tree: str) -> str:
    """Why ``tree``, the files as they were left, does not belong to the change on ``branch``; empty if it does.

    A rewritten history is accepted, as its resulting files, if these hold what others had done: ``given``.
    """
    own = Git.own(ledger)
    if end.looking and tree in (own.tree(sha) for sha in (branch, end.head) if sha):
        return ""
    if end.apart:
        return f"it ended {end.name}, whose files are not those of its branch"
    lost = _left_out(own, given, _fork(own, given, end.head), tree)
    return f"it ended {end.name}, which lacks what was done to {_few(lost)} before it began" if lost else ""


def undone(ledger: Path, replacements: Sequence[str], *, given: str, tree: str) -> str:
    """The same if the agent's git showed other commits instead of those that it began with."""
    own = Git.own(ledger)
    for shown in replacements:
        if own.commit(shown) and (lost := _left_out(own, given, shown, tree)):
            return f"`git replace` hid what was done to {_few(lost)} before it began"
    return ""


def not_checked_out(folder: Path, ledger: Path) -> set[str]:
    """Files that are not there because the agent's git was told to leave them out (``git sparse-checkout``)."""
    copy = ledger / "left.index"
    with clone.Foreign(folder / ".git") as foreign:
        if not (foreign.present and foreign.copy("index", copy, unfinished_operations.INDEX_LIMIT)):
            return set()
    try:
        entries = Git.own(ledger, index=copy).names("ls-files", "-z", "-t")
    except GitError:
        return set()
    return {entry[2:] for entry in entries if entry.startswith("S ")}


def _fork(own: Git, given: str, head: str) -> str:
    """Where a history left that of ``given``: a commit, or the empty tree."""
    fork = own.run("merge-base", given, head, ok=(0, 1)).stdout.partition("\n")[0] if head else ""
    return fork or own.line("hash-object", "-t", "tree", "--stdin", input="")


def _left_out(own: Git, given: str, fork: str, tree: str) -> list[str]:
    """Files of ``given`` that are in ``tree`` as they were in ``fork``, so the changes in between are lost."""
    flags = ("-r", "-z", "--no-renames", "--name-only")
    kept = set(own.names("diff-tree", *flags, fork, tree))
    return [path for path in own.names("diff-tree", *flags, fork, given) if path not in kept]


def _few(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED} more files" if len(paths) > NAMED else ""
    return ", ".join(map(content_policy.shown, paths[:NAMED])) + more
