"""One attempt after another at an item, each in a clone of its own, as workers make them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.repositories import Repository, a_town, new_repository
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.attempt import earlier_work
from tinytown_workers.collect import kept_refs
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Collected, Prepared

BRANCH = "tt/abcdef12/local-project-1"
WORK = "work of the agent\n"


@dataclass
class Bench:
    """A mirror, and the clone of one attempt after another."""

    mirror: Path
    base: str
    root: Path
    prepared: Prepared
    number: int = 1

    @property
    def copy(self) -> Repository:
        return Repository(self.prepared.folder)

    def collect(self) -> Collected:
        ref = earlier_work.attempt_ref(self.prepared.folder)
        return workspace.collect(self.prepared, mirror=self.mirror, ref=ref, message="Work\n")

    def next(self, *, head: str | None = None) -> earlier_work.EarlierWork:
        """The next attempt, in a clone of its own."""
        self.number += 1
        folder = self.root / str(self.number)
        start = earlier_work.find(self.mirror, folder, head=head, salvage=None)
        self.prepared = workspace.prepare(
            self.mirror, folder, base_sha=self.base, branch=BRANCH, resume=start.head, proven=head, kept=start.elsewhere
        )
        return start

    def told(self, start: earlier_work.EarlierWork) -> str:
        return "\n".join(kept_refs.told(start.elsewhere, BRANCH))

    def holds(self, text: str = WORK) -> bool:
        """Whether a ref of the mirror leads to this content."""
        bare = Repository(self.mirror)
        blob = subprocess.run(
            ["git", "hash-object", "--stdin"], input=text, text=True, capture_output=True, cwd=self.mirror, check=True
        ).stdout.strip()
        return blob in bare.git("rev-list", "--objects", "--all")


def a_bench(root: Path) -> Bench:
    """A repository of two commits, and the clone of a first attempt."""
    repository = new_repository(root / "project")
    base = repository.commit("More", {"f": "1\n", "g": "1\n"})
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    work = root / "w/m/i"
    prepared = workspace.prepare(mirror, work / "1", base_sha=base, branch=BRANCH, agent="ada")
    return Bench(mirror, base, work, prepared)
