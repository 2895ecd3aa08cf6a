"""The built-in forges pass the suite that every forge must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance.forges import ForgeConformance
from tests.fakes.github.descriptions.rest import violations
from tests.fakes.github.hub import GitHub
from tests.fakes.repositories import Repository, a_github_town, a_town, new_repository, work_in_mirror
from tinytown.forge.contract import Forge
from tinytown.forge.github.issues import GitHubForge
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.workspace import workspace


class LocalWorld:
    """A local forge; its user has the base checked out."""

    base = "main"

    def __init__(self, root: Path) -> None:
        self.repository: Repository = new_repository(root / "project")
        self.town = a_town(self.repository.root)
        self.forge: Forge = LocalForge(self.town)
        self.clones = root / "clones"

    def another(self) -> Forge:
        return LocalForge(self.town)

    def put_issue(self, number: int, *, title: str, body: str = "", state: str = "open") -> None:
        self.repository.write({f"issues/{number}.md": f'+++\nstate = "{state}"\n+++\n# {title}\n\n{body}\n'})

    def work(self, files: Mapping[str, str], *, branch: str, on: str | None = None) -> str:
        mirror = self.forge.mirror(self.forge.repo)
        tip = self.forge.base_tip(self.forge.repo, self.base)
        folder = self.clones / "m" / "i" / str(len(workspace.folders(self.clones)))
        prepared = workspace.prepare(mirror, folder, base_sha=tip, branch=branch, resume=on)
        Repository(folder).write(files)
        collected = workspace.collect(prepared, mirror=mirror, ref=f"refs/heads/{branch}", message="Work")
        assert collected.head
        return collected.head

    def base_moves(self, files: Mapping[str, str]) -> str:
        return self.repository.commit("Somebody's", files)

    def base_goes(self) -> None:
        self.repository.git("switch", "-q", "-c", "elsewhere")
        self.repository.git("branch", "-q", "-D", self.base)

    def squashed(self, branch: str) -> str:
        self.repository.git("merge", "-q", "--squash", branch)
        return self.repository.commit("Squashed")

    def branch_goes(self, branch: str) -> None:
        self.repository.git("branch", "-q", "-D", branch)

    def contents(self, revision: str) -> dict[str, str]:
        return {
            name: self.repository.git("show", f"{revision}:{name}") + "\n" for name in self.repository.files(revision)
        }


class GitHubWorld:
    """GitHub, played by a server on this machine over real git; nobody is logged in but tinytown."""

    base = "main"

    def __init__(self, root: Path, github: GitHub) -> None:
        self.github = github
        self.root = root
        self.town = a_github_town(root / "town", github)
        self.forge: Forge = GitHubForge(self.town)

    def another(self) -> Forge:
        return GitHubForge(self.town)

    def put_issue(self, number: int, *, title: str, body: str = "", state: str = "open") -> None:
        reason = None if state == "open" else state
        closed = "closed" if reason else "open"
        self.github.issue(number, title, body, state=closed, reason=reason)

    def work(self, files: Mapping[str, str], *, branch: str, on: str | None = None) -> str:
        return work_in_mirror(self.forge.mirror(self.forge.repo), files, branch=branch, on=on or self.github.tip())

    def base_moves(self, files: Mapping[str, str]) -> str:
        return self.github.push_by("ann", self.base, files)

    def base_goes(self) -> None:
        self.github.delete_branch(self.base)

    def squashed(self, branch: str) -> str:
        bare = self.github.repo.bare
        tip = self.github.tip()
        files = {name: bare.show(branch, name) for name in bare.git("diff", "--name-only", f"{tip}...{branch}").split()}
        return self.github.push_by("ann", self.base, files, "Squashed")

    def branch_goes(self, branch: str) -> None:
        self.github.delete_branch(branch)

    def contents(self, revision: str) -> dict[str, str]:
        bare = self.github.repo.bare
        return {
            name: bare.show(revision, name) or "" for name in bare.git("ls-tree", "-r", "--name-only", revision).split()
        }


class TestGitHub(ForgeConformance):
    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubWorld]:
        github = GitHub(tmp_path / "github")
        github.person("tinytown", "write")
        monkeypatch.setenv("GH_TOKEN", github.token("tinytown"))
        with github.running():
            yield GitHubWorld(tmp_path, github)
            assert violations(github.seen) == []


class TestLocal(ForgeConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> LocalWorld:
        return LocalWorld(tmp_path)
