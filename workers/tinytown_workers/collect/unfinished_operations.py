"""What git was in the middle of when an agent ended, by the files that git keeps meanwhile.

The files of such a clone are not a result. The branch as it was before the operation is taken, and the state of the
operation is kept beside it (see ``elsewhere``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinytown.git.repository import Git, GitError, is_sha
from tinytown.missions.fences import calm
from tinytown_workers.clone import clone
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect import content_policy

#: Bytes of an index that is looked into: several million files.
INDEX_LIMIT = 512 * 1024 * 1024
#: Linked work trees of a clone that are looked at.
WORKTREES_LIMIT = 20
#: Files named of all that are unmerged.
_NAMED = 8


@dataclass(frozen=True)
class Operation:
    """Something that was begun and neither finished nor given up."""

    #: One word of git's: ``rebase``, ``merge``, ``cherry-pick``, ``revert``, ``bisect``, ``am``; ``conflict`` where
    #: only files are left unmerged.
    kind: str
    #: The commit of its branch before it; ``None`` if HEAD is still there.
    before: str | None = None
    #: Files that are unmerged, as text for people.
    unmerged: tuple[str, ...] = ()
    #: The linked work tree it goes on in.
    worktree: str = ""

    def __str__(self) -> str:
        what = "unmerged files" if self.kind == "conflict" else f"a {self.kind} half done"
        if self.kind == "am":
            what = f"an {self.kind} half done"
        where = f" in its worktree `{calm(self.worktree)}`" if self.worktree else ""
        more = f" and {len(self.unmerged) - _NAMED} more" if len(self.unmerged) > _NAMED else ""
        files = f": {', '.join(self.unmerged[:_NAMED])}{more}" if self.unmerged else ""
        return f"{what}{where}{files}"


def under_way(git_dir: Path, ledger: Path) -> Operation | None:
    """The operation that is under way in a clone, or in a linked work tree of it, if there is one."""
    with clone.Foreign(git_dir) as foreign:
        if not foreign.present:
            return None
        places = ["", *(f"worktrees/{name}/" for name in foreign.names("worktrees")[:WORKTREES_LIMIT])]
        for place in places:
            if found := _operation(foreign, place, unmerged(foreign, place, ledger)):
                return found
    return None


def unmerged(foreign: Foreign, place: str, ledger: Path) -> tuple[str, ...]:
    """Files that an index holds more than one version of."""
    copy = ledger / "left.index"
    if foreign.same(f"{place}index", ledger / "index") or not foreign.copy(f"{place}index", copy, INDEX_LIMIT):
        return ()
    try:
        entries = Git.own(ledger, index=copy).names("ls-files", "-u", "-z")
    except GitError:
        return ()
    return tuple(map(content_policy.shown, dict.fromkeys(entry.partition("\t")[2] for entry in entries)))


def _operation(foreign: Foreign, place: str, files: tuple[str, ...]) -> Operation | None:
    def read(name: str) -> str:
        return (foreign.text(f"{place}{name}") or "").strip()

    def commit(name: str) -> str | None:
        said = read(name)
        return said if is_sha(said) else None

    def there(name: str) -> bool:
        return foreign.exists(f"{place}{name}")

    kind, before = "", None
    if there("rebase-merge"):
        kind, before = "rebase", commit("rebase-merge/orig-head")
    elif there("rebase-apply"):
        mail = there("rebase-apply/applying")
        kind, before = ("am", commit("ORIG_HEAD")) if mail else ("rebase", commit("rebase-apply/orig-head"))
    elif there("CHERRY_PICK_HEAD") or there("REVERT_HEAD") or there("sequencer"):
        reverts = there("REVERT_HEAD") or (foreign.text(f"{place}sequencer/todo", 1 << 20) or "").startswith("revert")
        kind, before = "revert" if reverts else "cherry-pick", commit("sequencer/head")
    elif there("MERGE_HEAD"):
        kind = "merge"
    elif there("BISECT_LOG") or there("BISECT_START"):
        begun = read("BISECT_START")
        kind, before = "bisect", begun if is_sha(begun) else foreign.commit(f"refs/heads/{begun}")
    elif files:
        kind = "conflict"
    if not kind:
        return None
    return Operation(kind, before, files, place.removeprefix("worktrees/").rstrip("/"))
