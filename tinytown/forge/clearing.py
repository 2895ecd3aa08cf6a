"""What of tinytown's refs in a mirror may go: those whose content a base proves to hold. All else stays.

A ref is removed only if it still names the commit that was proven. Objects go later, and by themselves: those that no
ref reaches and that have been in no use for as long as the settings say.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import files
from tinytown.errors import TinytownError
from tinytown.forge import landed, mirror
from tinytown.git.repository import Git, GitError

log = logging.getLogger(__name__)

#: Where our refs are, each followed by the first characters of a mission's id.
PLACES = (mirror.OURS, "refs/tinytown/attempts/", "refs/tinytown/salvage/", "refs/tinytown/elsewhere/")
#: Refs that one transaction removes.
PAGE = 500
#: Remembers what was not in a base yet when that was looked at.
_LOOKED = "tinytown-unproven.json"
#: Commits beside the first line of one change that are proven one by one; a change with more stays.
_SIDES = 50
#: Seconds that packing a large mirror may take.
_PATIENCE = 3600.0


def of_missions(folder: Path) -> dict[str, dict[str, str]]:
    """Our refs with the commits that they name, by the first characters of their missions' ids."""
    found: dict[str, dict[str, str]] = {}
    for ref, sha in Git.own(folder).refs(*PLACES).items():
        place = next(one for one in PLACES if ref.startswith(one))
        found.setdefault(ref.removeprefix(place).partition("/")[0], {})[ref] = sha
    return found


def bases(folder: Path) -> dict[str, str]:
    """The user's branches, as the mirror has them, with their tips."""
    refs = Git.own(folder).refs("refs/heads")
    return {name: sha for name, sha in refs.items() if not name.startswith(mirror.OURS)}


@dataclass
class Prover:
    """Says of commits whether a base holds their content; what it learns holds for one run."""

    folder: Path
    #: Tips of the bases.
    tips: Sequence[str]

    def __post_init__(self) -> None:
        self._own = Git.own(self.folder)
        self._known: dict[str, bool] = {}
        self._looked: dict[str, list[str]] = {}
        for sha, seen in (files.read_json(self.folder / _LOOKED) or {}).items():
            if isinstance(seen, list):
                self._looked[sha] = [str(one) for one in seen]

    def ancestors(self, refs: Mapping[str, str]) -> set[str]:
        """Those of ``refs`` that a base reaches as they are; told for all of them at once."""
        found: set[str] = set()
        for tip in dict.fromkeys(self.tips):
            said = self._own.line("for-each-ref", "--format=%(refname)", f"--merged={tip}", *PLACES)
            found.update(said.splitlines())
        return found & refs.keys()

    def holds(self, sha: str) -> bool:
        """Whether a base holds the content of this commit, and of all that was merged into it on its way."""
        if sha not in self._known:
            self._known[sha] = False  # Whatever leads back to it proves nothing.
            try:
                self._known[sha] = any(self._landed(sha, tip) for tip in dict.fromkeys(self.tips))
            except (GitError, ValueError) as error:
                log.debug("%s stays: %s", sha, error)  # It is no commit, say.
        return self._known[sha]

    def _landed(self, sha: str, tip: str) -> bool:
        own = self._own
        if own.is_ancestor(sha, tip):
            return True
        if tip in self._looked.get(sha, ()):
            return False
        # What was merged into it need not be in its last state: a stash has its index there.
        lines = own.line("rev-list", "--merges", "--parents", f"--max-count={_SIDES + 1}", sha, f"^{tip}").splitlines()
        sides = [side for line in lines for side in line.split()[2:]]
        proven = len(lines) <= _SIDES and landed.find(self.folder, sha, tip) is not None
        if not (proven and all(self.holds(side) for side in sides)):
            self._looked[sha] = [*self._looked.get(sha, [])[-8:], tip]
            return False
        return True

    def remember(self, shas: Collection[str]) -> None:
        """Keep, for the next run, what was not proven of these commits by these tips."""
        kept = {sha: [one for one in seen if one in self.tips] for sha, seen in self._looked.items() if sha in shas}
        text = json.dumps({sha: seen for sha, seen in kept.items() if seen})
        files.write_atomically(self.folder / _LOOKED, text, lasting=False)


def remove(folder: Path, refs: Mapping[str, str]) -> int:
    """Remove refs that still name these commits, a page at a time; gives how many went."""
    own, gone = Git.own(folder), 0
    names = sorted(refs)
    for first in range(0, len(names), PAGE):
        page = names[first : first + PAGE]
        try:
            own.run("update-ref", "--stdin", input="".join(f"delete {name} {refs[name]}\n" for name in page))
            gone += len(page)
        except TinytownError as error:
            log.warning("refs of %s stay: %s", folder.name, error)  # One moved, or is locked; the next run tries again.
    return gone


def pack(folder: Path, *, days: int) -> tuple[int, int]:
    """Drop objects that no ref reaches and that are older than this; gives how many, and the bytes that it freed.

    Only for whoever uses the mirrors alone.
    """
    count, size = _counted(folder)
    with files.locked(mirror.lock_of(folder), timeout=mirror.WAIT, what=f"updating {folder.name}"):
        own = Git.own(folder)
        own.run("pack-refs", "--all", timeout=_PATIENCE)
        own.run(
            "repack", "--quiet", "--cruft", f"--cruft-expiration={days}.days.ago", "-d", "--no-write-bitmap-index",
            timeout=_PATIENCE,
        )  # fmt: skip
        # Old ones that were in no pack are not put into one.
        own.run("prune", f"--expire={days}.days.ago", timeout=_PATIENCE)
    left, taken = _counted(folder)
    return max(0, count - left), max(0, size - taken)


def unreached(folder: Path) -> tuple[int, int]:
    """How many objects no ref reaches, whatever their age, and their bytes on the disk."""
    own = Git.own(folder)
    reached = {line[:64].split(" ")[0] for line in own.line("rev-list", "--objects", "--all").splitlines()}
    wanted = "--batch-check=%(objectname) %(objectsize:disk)"
    count = size = 0
    for line in own.line("cat-file", "--batch-all-objects", "--unordered", wanted).splitlines():
        name, _, length = line.partition(" ")
        if name not in reached:
            count, size = count + 1, size + int(length)
    return count, size


def _counted(folder: Path) -> tuple[int, int]:
    """How many objects a mirror has, and their bytes on the disk."""
    lines = Git.own(folder).line("count-objects", "-v").splitlines()
    said = {name: int(number) for name, _, number in (line.partition(": ") for line in lines) if number.isdecimal()}
    count = said["count"] - said["prune-packable"] + said["in-pack"]
    return count, (said["size"] + said["size-pack"]) * 1024


def ends_at(refs: Iterable[str]) -> str:
    """What a person reads of some refs: the first, and how many more."""
    names = sorted(refs)
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
