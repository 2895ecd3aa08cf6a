"""A town in a repository with LFS files, a submodule and a filter: what agents and checks see, and what is merged."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.acceptance.project import Project
from tests.fakes.repositories import new_repository

#: Passes only where contents are, and the submodule.
CHECK = "sh -c '! grep -q git-lfs big.bin && grep -q one lib/one.txt'"


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_contents_pass_through_a_town(project: Project) -> None:
    issues = {
        1: "# By its files\n\ndo: show big.bin\ndo: append big.bin new\ndo: write a.secret plain\n",
        2: "# With git-lfs\n\ndo: show big.bin\ndo: append big.bin newer\ndo: sh git commit -qam Mine\n\nDepends on #1",
    }
    project.found(issues, checks=[CHECK])
    project.git("lfs", "install", "--local")
    project.git("config", "filter.rot.clean", "tr a-z n-za-m")
    (project.root / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n*.secret filter=rot\n")
    (project.root / "big.bin").write_text("old\n")
    (project.root / "a.secret").write_text("hello\n")
    one = new_repository(project.root.parent / "one")
    one.commit("One", {"one.txt": "one\n"})
    project.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(one.root), "lib")
    project.git("add", ".gitattributes", "big.bin", "a.secret")
    project.git("commit", "-q", "-m", "Contents")
    shutil.rmtree(one.root)

    project.spawn("worker")
    said = project.tt("mission", "start", "--issue", "1", "--issue", "2", "--no-reviewer")
    assert "cannot change `a.secret`" in said.stdout + said.stderr
    assert "cannot change `a.secret`" in project.tt("doctor", code=None).stdout
    mission = project.json("mission", "status")["id"]
    assert project.wait_state(mission, "completed", "blocked")["state"] == "completed", project.account(mission)
    assert (project.root / "big.bin").read_text() == "old\nnew\nnewer\n"
    assert (project.root / "a.secret").read_text() == "hello\n"
    assert project.git("show", "main:big.bin").startswith("version https://git-lfs")
    for name in project.git("ls-files").splitlines():
        os.utime(project.root / name)
    assert project.git("status", "--porcelain", "--untracked-files=no") == ""
    journal = [json.loads(line) for line in project.journal.read_text().splitlines()]
    shown = " ".join(json.dumps(line) for line in journal)
    assert "git-lfs" not in shown, "agents saw contents"
    ended = project.events(mission, "attempt_ended")
    assert any("a.secret" in str(event.data.get("summary")) for event in ended), "what was left out is named"
    assert all(
        item.failures == {} or not any(item.failures.values())
        for item in (project.item(mission, 1), project.item(mission, 2))
    )
