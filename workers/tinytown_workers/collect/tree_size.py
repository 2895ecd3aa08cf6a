"""How large a commit becomes once its files are listed or written, computed without listing or writing them.

An object is stored once however often it is in a tree, so ten trees of a few bytes can hold ten billion files. Whatever
compares or checks out such a commit takes all of the memory or of the disk; so its size is computed first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tinytown.git.repository import Git

#: Most files and folders of a commit, and most times as many as in the commit that it continues.
ENTRIES_LIMIT = 1_000_000
TIMES_START = 20
#: Mode of a tree within a tree, as git writes it.
_TREE = b"40000 "


def too_many(own: Git, start: str, heads: Sequence[str]) -> bool:
    """Whether one of the commits from ``start`` to ``heads`` has far more files than anybody would want.

    Raises:
        GitError: an object is missing or broken, or there is too much to read.
    """
    objects = own.line("rev-list", "--objects", "--no-object-names", *heads, f"^{start}").splitlines()
    types = own.line("cat-file", "--batch-check=%(objectname) %(objecttype)", input=_lines(objects)).splitlines()
    new = [sha for sha, _, kind in (line.partition(" ") for line in types) if kind == "tree"]
    if not new:
        return False
    known, whole = _weights_of(own, start)
    limit = ENTRIES_LIMIT + TIMES_START * whole
    trees = {sha: list(_entries(content, len(start) // 2)) for sha, content in contents(own, new)}
    weights: dict[str, int] = {}
    for root in trees:
        _weigh(root, trees, known, whole, weights)
        if weights[root] > limit:
            return True
    return False


def contents(own: Git, shas: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Objects with their contents, all asked for at once: an agent can make very many."""
    return own.contents(shas)


def _lines(shas: Iterable[str]) -> str:
    return "".join(f"{sha}\n" for sha in shas)


def _entries(tree: bytes, length: int) -> Iterator[str | None]:
    """The trees within a tree; ``None`` for everything else in it."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at) + 1
        yield tree[end : end + length].hex() if tree.startswith(_TREE, at) else None
        at = end + length


def _weights_of(own: Git, start: str) -> tuple[dict[str, int], int]:
    """Entries below every tree of a commit, and below all of it."""
    inside: dict[str, int] = {"": 0}
    shas: dict[str, str] = {}
    for line in own.names("ls-tree", "-r", "-t", "-z", "--full-tree", start):
        header, _, path = line.partition("\t")
        _, kind, sha = header.split(" ")
        if kind == "tree":
            shas[path] = sha
            inside.setdefault(path, 0)
        while path:
            path = path.rpartition("/")[0]
            inside[path] += 1
    return {sha: inside[path] for path, sha in shas.items()}, inside[""]


def _weigh(
    root: str, trees: dict[str, list[str | None]], known: dict[str, int], whole: int, weights: dict[str, int]
) -> None:
    """Weigh a tree and those below it; without recursion, since they may be nested without end."""
    pending = [root]
    while pending:
        tree = pending[-1]
        below = [inner for inner in trees[tree] if inner is not None and inner in trees and inner not in weights]
        if below and tree not in weights:
            pending += below
            continue
        pending.pop()
        # A tree of an older commit has about as many entries as the repository has now, at most.
        weights[tree] = len(trees[tree]) + sum(
            weights[inner] if inner in trees else known.get(inner, whole) for inner in trees[tree] if inner is not None
        )
