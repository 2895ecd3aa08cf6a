"""Conflicts of a merge that tinytown made for an agent to resolve, and how they are remembered.

A conflict that leaves markers is seen in the files themselves (see ``leftover_markers``). One that leaves none, of
binary files, of a name, or of a file that one side removed, is noted in the message of the merge: it lasts as long as
the commit, and ends with the first attempt that was told of it and ended well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from tinytown.git import merge as merging
from tinytown.git.repository import Git
from tinytown_workers.collect import content_policy
from tinytown_workers.workspace import leftover_markers

#: Conflicts without markers that one merge notes.
NOTED_LIMIT = 200
#: Lines named of one file.
LINES_NAMED = 6
#: The trailer that names one of them.
_TRAILER = "Unresolved"


@dataclass(frozen=True)
class Left:
    """Files of a commit that are in conflict still, as text for people."""

    marked: tuple[str, ...]
    unmarked: tuple[str, ...]


def merge(mirror: Path, start: str, head: str, *, rules: str) -> str:
    """Merge ``head`` into ``start`` by the attributes of ``rules``, conflicts and all; gives the commit."""
    own = Git.own(mirror)
    merged = merging.merge(mirror, start, head, rules=rules)
    message = f"Merge {head[:12]}, on which this work depends\n"
    if merged.conflicts:
        marked = leftover_markers.holding(own, merged.tree, merged.conflicts)
        unmarked = [name for name in merged.conflicts if name not in marked][:NOTED_LIMIT]
        if unmarked:
            message += "\n" + "".join(f"{_TRAILER}: {_spelt(name)}\n" for name in unmarked)
    return own.commit_tree(merged.tree, [start, head], message)


def left(own: Git, start: str, *, base: str, proven: str | None) -> Left:
    """What is still unresolved at ``start`` of earlier merges; notes in ``base`` and ``proven`` are settled."""
    if start == base:
        return Left((), ())
    settled = [f"^{commit}" for commit in (base, proven) if commit and own.commit(commit)]
    said = own.line("log", f"--format=%(trailers:key={_TRAILER},valueonly)", "--merges", start, *settled)
    noted = [unquote(line, errors="surrogateescape") for line in said.splitlines() if line.strip()]
    return Left(marked(own, start, base=base), tuple(map(content_policy.shown, dict.fromkeys(noted))))


def marked(own: Git, head: str, *, base: str) -> tuple[str, ...]:
    """Files of ``head`` that hold markers which the base does not hold."""
    return tuple(places(own, head, base=base))


def places(own: Git, head: str, *, base: str) -> dict[str, str]:
    """The same, with their lines in words."""
    found = leftover_markers.unresolved(own, head, base) if head != base else {}
    return {content_policy.shown(path): _lines(numbers) for path, numbers in found.items()}


def _lines(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:LINES_NAMED]))
    more = f" and {len(numbers) - LINES_NAMED} more" if len(numbers) > LINES_NAMED else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"


def _spelt(name: str) -> str:
    """A file's name on one line."""
    return quote(name, safe="/ ~+@", errors="surrogateescape")
