"""Whether a base holds a change already, however somebody brought it there: merged, squashed, rebased or picked.

What counts is content. A commit of the base holds a change if merging the change into it would alter nothing, or if
each of the change's commits has an equal patch in the base.
"""

from __future__ import annotations

from pathlib import Path

from tinytown import merging
from tinytown.git import Git

#: Commits of the base that are tried, the newest first.
LIMIT = 200


def holder(own: Git, head: str, tip: str) -> str:
    """The first commit on the base's own line that contains ``head``; ``tip`` contains it."""
    lines = own.line("rev-list", "--parents", "--ancestry-path", f"{head}..{tip}").splitlines()
    parents = {commit: before for commit, *before in (line.split() for line in lines)}
    found = tip
    while found in parents:
        before = parents[found]
        if before[0] != head and before[0] not in parents:
            return found
        found = before[0]
    return found


def find(mirror: Path, head: str, tip: str, *, looked_at: str | None = None) -> str | None:
    """The commit of the base up to ``tip`` that brought ``head``'s content, ``None`` if none did.

    ``looked_at`` is a tip at which it was not there yet; what that one held is not tried again.
    """
    own = Git.own(mirror)
    if own.is_ancestor(head, tip):
        return holder(own, head, tip)
    fork = own.run("merge-base", tip, head, ok=(0, 1)).stdout.partition("\n")[0]
    if not fork or own.tree(fork) == own.tree(head):
        return None  # What changes nothing would be held by every commit.
    return _by_content(mirror, fork, head, tip, looked_at) or _by_patches(own, head, tip)


def _by_content(mirror: Path, fork: str, head: str, tip: str, looked_at: str | None) -> str | None:
    own = Git.own(mirror)
    paths = own.names("diff-tree", "-r", "-z", "--no-renames", "--name-only", fork, head)
    known = [f"^{looked_at}"] if looked_at else []
    # On the base's own line only what touches the same files can have brought it.
    touching = own.run(
        "--literal-pathspecs", "rev-list", "--first-parent", f"--max-count={LIMIT}", "--stdin",
        input="".join(f"{word}\n" for word in (tip, f"^{fork}", *known, "--", *_sayable(paths))),
    ).stdout.split()  # fmt: skip
    found = None
    for commit in touching:
        holds = _holds(mirror, commit, head)
        if found and not holds:
            break
        found = commit if holds else found
    return found


def _sayable(paths: tuple[str, ...]) -> list[str]:
    """Paths as lines; where one cannot be written so, all commits are looked at."""
    return [] if any("\n" in path for path in paths) else list(paths)


def _holds(mirror: Path, commit: str, head: str) -> bool:
    merged = merging.merge(mirror, commit, head, rules=commit, keep=False)
    return not merged.conflicts and merged.tree == Git.own(mirror).tree(commit)


def _by_patches(own: Git, head: str, tip: str) -> str | None:
    """The newest of the base's commits that are equal to the change's, if every one of the change's has such a twin."""
    if own.line("rev-list", "--merges", "--max-count=1", f"{tip}..{head}"):
        return None  # How a merge was resolved is in no patch.
    if own.line("rev-list", "--cherry-pick", "--right-only", "--max-count=1", f"{tip}...{head}"):
        return None
    marked = own.line("rev-list", "--cherry-mark", "--left-only", "--no-merges", f"{tip}...{head}").splitlines()
    twin = next((line[1:] for line in marked if line.startswith("=")), None)
    return None if twin is None else holder(own, twin, tip)
