"""Code in every place where a program might find it, merged into the user's checkout: none of it ever runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.plants import PLANTS, Plant
from tests.acceptance.project import Project

AGENT = Path(__file__).parents[1] / "fakes" / "planting_agent.py"


def text_of(plant: Plant, number: int, sprung: Path) -> str:
    """What makes the file ``sprung/NUMBER`` when it is run, and behaves otherwise as far as that is easy."""
    mark = f"{sprung}/{number}"
    match plant.language:
        case "shell":
            return f"#!/bin/sh\n: > {mark}\nexit 1\n"
        case "python":
            return f'open("{mark}", "w").close()\n'
        case "pth":
            return f'import os; open("{mark}", "w").close()\n'
        case "git":
            programs = ("fsmonitor", "editor", "pager", "sshCommand", "hooksPath", "alternateRefsCommand")
            lines = "".join(f'\t{name} = ": > {mark};"\n' for name in programs)
            return f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = {sprung.parent}\n{lines}"


@pytest.fixture(params=["none", "container"])
def kind(request: pytest.FixtureRequest) -> str:
    """What contains the agent; bubblewrap shows the same as a container, and takes the same way."""
    if request.param == "container":
        request.getfixturevalue("thorough")
    return str(request.param)


def test_planted_code_never_runs(
    kind: str, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the town's processes, nor in the commands that its user types in the checkout.

    Without a sandbox: what it would hold back is held back by itself.
    """
    sprung = project.root.parent / "sprung"
    sprung.mkdir()
    git = shutil.which("git")
    assert git is not None
    files = [(plant.path, text_of(plant, number, sprung)) for number, plant in enumerate(PLANTS)]
    # As careless users have it: relative entries, an empty one, and one inside the repository.
    careless = f"./bin:bin::.:{project.root / 'bin'}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", careless)
    # With a variable of Python's own the town's processes are executed, not forked.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TINYTOWN_POLICY__PROTECTED", "[]")
    project.found(
        {1: f"# Plant\n\nplant: {json.dumps(files)}\n", 2: "# Work\n\nDepends on #1.\n", 3: "# More\n"},
        checks=["test -d issues"],
        clis=(),
        sandbox=kind,
        extra=f'\n[agent_clis.gardener]\ncommand = "{sys.executable} -S {AGENT}"\ntimeout = 60\n',
    )
    subprocess.run([git, "config", "core.hooksPath", ".hooks"], cwd=project.root, check=True)
    project.spawn("worker", "reviewer", cli="gardener")
    mission = project.start(1, 2, base_check=True)
    # The hooks that this user's git runs are looked at by a person, whatever the settings say.
    waiting = project.wait_waiting(mission, 1, "approval")
    assert ".hooks/post-merge" in waiting.remedy
    assert ran_in(sprung) == []
    project.tt("mission", "approve", mission, "1")
    _completed(project, mission, sprung)
    listed = subprocess.run([git, "ls-files"], cwd=project.root, check=True, capture_output=True, text=True).stdout
    merged = set(listed.splitlines())
    assert {plant.path for plant in PLANTS} - merged <= {plant.path for plant in PLANTS if plant.language == "git"}

    # Everything is in the checkout by now; the town begins anew in it.
    project.tt("stop")
    project.tt("start")
    for words in (["doctor"], ["mission", "status"], ["work", "show", "1"]):
        project.tt(*words, code=None)
    mission = project.start(3, base_check=True)
    _completed(project, mission, sprung)
    for folder in (
        project.root,
        *(path for path in project.root.rglob("*") if path.is_dir() and ".git" not in path.parts),
    ):
        for command in ("status", "log -1", "diff HEAD~1 --stat"):
            subprocess.run([git, *command.split()], cwd=folder, check=False, capture_output=True)
    ran = ran_in(sprung)
    with capsys.disabled():
        sys.stdout.write(f"\n{len(ran)} of {len(PLANTS)} planted files were run\n")
    assert ran == []


def ran_in(sprung: Path) -> list[str]:
    """The files that were run."""
    return sorted(PLANTS[int(mark.name)].path for mark in sprung.iterdir())


def _completed(project: Project, mission: str, sprung: Path) -> None:
    """Wait until the mission is, or something was run."""
    store = project.context().store
    project.wait(
        mission,
        lambda: store.mission(mission).record.state.value in ("completed", "blocked") or any(sprung.iterdir()),
        timeout=90,
        description="the mission has ended",
    )
    assert ran_in(sprung) == []
    assert store.mission(mission).record.state.value == "completed", project.account(mission)
