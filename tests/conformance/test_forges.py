"""The built-in forges pass the suite that every forge must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance.forges import ForgeConformance, IssueConformance
from tests.fakes.github_server import GitHubServer
from tests.fakes.repositories import Repository, a_town, new_repository
from tinytown import settings
from tinytown.forge.contract import Forge
from tinytown.forge.github.issues import GitHubForge
from tinytown.forge.local.forge import LocalForge
from tinytown.town import Town
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

    def contents(self, revision: str) -> dict[str, str]:
        return {
            name: self.repository.git("show", f"{revision}:{name}") + "\n" for name in self.repository.files(revision)
        }


class GitHubWorld:
    """GitHub, which only reads so far: a server on this machine plays it."""

    base = "main"

    def __init__(self, root: Path, server: GitHubServer) -> None:
        self.server = server
        server.branch("octo/site", self.base, "1" * 40)
        values = {"forge": {"kind": "github", "repo": "octo/site", "base_url": server.base_url}}
        self.forge: Forge = GitHubForge(Town(root, "abc", settings.parse(values, source="test")))

    def put_issue(self, number: int, *, title: str, body: str = "", state: str = "open") -> None:
        reason = None if state == "open" else state
        closed = "closed" if reason else "open"
        self.server.issue(f"octo/site#{number}", title=title, body=body, state=closed, reason=reason)


class TestGitHub(IssueConformance):
    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubWorld]:
        monkeypatch.setenv("GH_TOKEN", "x")
        with GitHubServer().running() as server:
            yield GitHubWorld(tmp_path, server)


class TestLocal(ForgeConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> LocalWorld:
        return LocalWorld(tmp_path)
