"""Home and another machine around one hub, without a town that runs: each has a mirror of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.fakes.repositories import Repository, a_town, new_repository
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub
from tinytown.forge.local.forge import LocalForge
from tinytown.git import transport

REF = "refs/tinytown/attempts/abcdef12/project-1/1"


def a_hub(folder: Path, *options: str) -> Repository:
    """An empty bare repository, which takes pushes."""
    folder.mkdir(parents=True)
    hub = Repository(folder)
    hub.git("init", "-q", "--bare", "-b", "main", *options)
    hub.git("config", "http.receivepack", "true")
    return hub


@dataclass
class Bench:
    """A person's repository, home's mirror of it, and the mirror of another machine."""

    repository: Repository
    forge: LocalForge
    home: Hub
    host: Hub
    hub: Repository

    def publish(self) -> str:
        """Bring the base to the hub; gives its commit."""
        self.forge.mirror(self.forge.repo)
        self.home.publish(["main"])
        return self.repository.rev("main")

    def work(self, hub: Hub, files: dict[str, str], *, on: str, ref: str = REF) -> str:
        """A commit in a machine's mirror, as a collected attempt leaves it there."""
        bare = Repository(hub.folder)
        text = "".join(f"100644 blob {self._blob(bare, words)}\t{name}\n" for name, words in files.items())
        tree = subprocess.run(
            ["git", "mktree"], cwd=hub.folder, input=text, text=True, capture_output=True, check=True
        ).stdout.strip()
        sha = bare.git("commit-tree", "-p", on, "-m", "Work", tree)
        bare.git("update-ref", ref, sha)
        return sha

    @staticmethod
    def _blob(bare: Repository, words: str) -> str:
        return subprocess.run(
            ["git", "hash-object", "-w", "--stdin"],
            cwd=bare.root,
            input=words,
            text=True,
            capture_output=True,
            check=True,
        ).stdout.strip()

    def in_hub(self) -> dict[str, str]:
        """The town's refs in the hub by their names below the root, without those of the machinery."""
        lines = self.hub.git("for-each-ref", "--format=%(objectname) %(refname)", self.home.root).splitlines()
        found = {ref.removeprefix(self.home.root): sha for sha, ref in (line.split(" ") for line in lines)}
        return {name: sha for name, sha in found.items() if name not in (names.TOWN, names.BESIDE)}


def a_bench(folder: Path, url: str = "", *, hub: Repository | None = None, **address: str) -> Bench:
    """``url`` is that of ``hub``; without them, a path."""
    hub = hub or a_hub(folder / "hub.git")
    repository = new_repository(folder / "project")
    town = a_town(repository.root, repo="project")
    forge = LocalForge(town)
    where = transport.address(url or str(hub.root), root=folder, environ=address)
    home = Hub(where, forge.mirror(forge.repo), names.root(town.id, forge.repo), epoch="one", home=True)
    host = replace(home, folder=folder / "host" / "project.git", home=False)
    return Bench(repository, forge, home, host, hub)
