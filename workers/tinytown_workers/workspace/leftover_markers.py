"""Conflict markers that somebody left in a commit, told from those that a document quotes on purpose.

Only the commit counts, whoever made it and whatever they were told: a conflict that is, word for word, neither in the
base nor in the commit where it left the base, was left over from a merge. If files show markers on purpose, the
``.gitattributes`` of the base give their path another ``conflict-marker-size``: git's markers there then have that
length, and shorter ones are text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tinytown.git import filters
from tinytown.git.filters import Attributes
from tinytown.git.repository import Git
from tinytown_workers.workspace import conflict_markers
from tinytown_workers.workspace.conflict_markers import SIZE, SMALLEST, Line, Quote

#: Lines of one file that begin like markers and are looked at: a long table or mail must not hide a conflict behind it.
LINES_LIMIT = 100_000
#: Largest file, in bytes, whose conflicts are compared with those of the base, and that is read if it is no plain text.
READ_LIMIT = 8 * 1024 * 1024

#: Objects, and paths, named on one command line.
_BATCH, _PATHS = 500, 100
_HIT = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?)\0([0-9]+)\0([^\n]*)\n")
_ATTRIBUTE = "conflict-marker-size"
_LINK, _GITLINK = "120000", "160000"


def unresolved(own: Git, head: str, base: str) -> dict[str, tuple[int, ...]]:
    """Files of ``head`` with the lines of conflicts that ``base``, and the commit where it left that, do not hold.

    Only files that differ from the base are read.
    """
    changed, binary = _changed(own, base, head)
    found = _candidates(own, changed.values(), binary)
    if not found:
        return {}
    sizes = _Sizes(own, base, head, [path for path, blob in changed.items() if blob in found])
    marked = {
        path: conflict_markers.marks(found[blob], sizes.of(path)) for path, blob in changed.items() if blob in found
    }
    marked = {path: marks for path, marks in marked.items() if marks}
    if not marked:
        return {}
    known = [base, *own.run("merge-base", base, head, ok=(0, 1)).stdout.split()]
    quoted = _quoted(own, known, sizes.all)
    left = {path: _unquoted(own, changed[path], marks, quoted) for path, marks in marked.items()}
    return {path: tuple(number for number, _ in marks) for path, marks in left.items() if marks}


def holding(own: Git, tree: str, paths: Sequence[str]) -> set[str]:
    """Which of these files of a commit or tree hold conflict markers at all."""
    blobs = _blobs_at(own, tree, paths)
    found = _candidates(own, blobs.values(), ())
    sizes = _Sizes(own, tree, tree, list(blobs) if found else [])
    return {
        path for path, blob in blobs.items() if blob in found and conflict_markers.marks(found[blob], sizes.of(path))
    }


class _Sizes:
    """The lengths that markers have by the attributes of two commits."""

    def __init__(self, own: Git, base: str, head: str, paths: Sequence[str]) -> None:
        trees = _saying_sizes(own, {base, head}) if paths else []
        self._told: list[Mapping[str, str]] = []
        git_dir = Path(own.line("rev-parse", "--absolute-git-dir")) if trees else Path()
        for tree in trees:
            with Attributes(git_dir, tree, filters.Rules()) as attributes:
                self._told.append(attributes.values(_ATTRIBUTE, paths))
        # In a commit without such attributes all have the usual length.
        self._usual = {SIZE} if len(trees) < len({base, head}) else set()

    @property
    def all(self) -> set[int]:
        """Of any path."""
        return {SIZE, *(_size(value) for told in self._told for value in told.values())}

    def of(self, path: str) -> set[int]:
        """Of one path."""
        return self._usual | {_size(told.get(path, "")) for told in self._told}


def _saying_sizes(own: Git, trees: Collection[str]) -> list[str]:
    said = own.run("grep", "-z", "-l", "-e", _ATTRIBUTE, *trees, "--", f":(glob)**/{filters.FILE}", ok=(0, 1)).stdout
    return [tree for tree in trees if any(name.startswith(f"{tree}:") for name in said.split("\0"))]


def _size(value: str) -> int:
    size = int(value) if re.fullmatch("[0-9]{1,3}", value) else 0
    return size if size >= SMALLEST else SIZE


# -- in a commit ---------------------------------------------------------------------------------------


def _changed(own: Git, old: str, new: str) -> tuple[dict[str, str], list[str]]:
    """Files that are new or different, with their blobs; and those blobs that git takes for binary."""
    said = own.names(
        "diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv",
        "--diff-filter=AMT", old, new,
    )  # fmt: skip
    changed: dict[str, str] = {}
    at = 0
    # All entries with a path come before all without.
    while at < len(said) and said[at].startswith(":"):
        fields = said[at].split(" ")
        if fields[1] not in (_LINK, _GITLINK):
            changed[said[at + 1]] = fields[3]
        at += 2
    numbers = (part.split("\t", 2) for part in said[at:])
    return changed, [changed[path] for added, _, path in numbers if added == "-" and path in changed]


def _blobs_at(own: Git, tree: str, paths: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at in range(0, len(paths), _PATHS):
        for entry in own.names("ls-tree", "-r", "-z", "--full-tree", tree, "--", *paths[at : at + _PATHS]):
            header, _, path = entry.partition("\t")
            mode, _, blob = header.split(" ")
            if mode not in (_LINK, _GITLINK):
                found[path] = blob
    return found


def _candidates(own: Git, blobs: Iterable[str], binary: Sequence[str]) -> dict[str, list[Line]]:
    """Those of the blobs that hold lines which could be markers. Binary ones hold none, but some texts look binary."""
    wanted = list(dict.fromkeys(blobs))
    found: dict[str, list[Line]] = {}
    for at in range(0, len(wanted), _BATCH):
        some = wanted[at : at + _BATCH]
        said = own.run(
            "grep", "--no-color", "-I", "-z", "-n", "-o", "-E", f"--max-count={LINES_LIMIT}", "-e",
            conflict_markers.pattern({SMALLEST}), *some, ok=(0, 1),
        ).stdout  # fmt: skip
        for blob, number, line in _HIT.findall(said):
            found.setdefault(blob, []).append((int(number), line))
    for blob, data in _read(own, binary):
        text = conflict_markers.decoded(data)
        if text is not None and (lines := conflict_markers.candidates(text, {SMALLEST})):
            found[blob] = lines
    return found


def _read(own: Git, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The contents of those that are not too large, some at a time: output has a limit."""
    if not blobs:
        return
    said = own.line("cat-file", "--batch-check=%(objectname) %(objectsize)", input="".join(f"{b}\n" for b in blobs))
    pending: list[str] = []
    room = READ_LIMIT
    for sha, size in ((sha, int(size)) for sha, _, size in (line.partition(" ") for line in said.splitlines())):
        if size > READ_LIMIT:
            continue
        if size > room:
            yield from own.contents(pending)
            pending, room = [], READ_LIMIT
        pending.append(sha)
        room -= size
    yield from own.contents(pending)


# -- on purpose ----------------------------------------------------------------------------------------


def _quoted(own: Git, commits: Sequence[str], sizes: Collection[int]) -> set[Quote]:
    """All conflicts anywhere in these commits, as documents may have been moved or copied since."""
    blobs: set[str] = set()
    for commit in dict.fromkeys(commits):
        pattern = conflict_markers.pattern(sizes, middle=False)
        said = own.run("grep", "--no-color", "-I", "-z", "-l", "-E", "-e", pattern, commit, ok=(0, 1)).stdout
        paths = [name.partition(":")[2] for name in said.split("\0") if name]
        blobs.update(_blobs_at(own, commit, paths).values())
    found: set[Quote] = set()
    for _, data in _read(own, sorted(blobs)):
        text = data.decode(errors="surrogateescape")
        for _, quotes in conflict_markers.quotes(
            text, conflict_markers.marks(conflict_markers.candidates(text, sizes), sizes)
        ):
            found |= quotes
    return found


def _unquoted(own: Git, blob: str, marks: Sequence[Line], quoted: set[Quote]) -> list[Line]:
    """The markers of a file that are nowhere else; all of them if there is nothing to compare them with."""
    if not quoted:
        return list(marks)
    for _, data in _read(own, [blob]):
        text = conflict_markers.decoded(data) or data.decode(errors="surrogateescape")
        return [line for line, known in conflict_markers.quotes(text, marks) if not known & quoted]
    return list(marks)
