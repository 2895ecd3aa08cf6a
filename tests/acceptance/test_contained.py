"""A town whose agents, checks and setups run in containers. Real podman."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests import podman
from tests.acceptance.project import AGENT, Project, run_of, tree_of_run
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("thorough")


@pytest.fixture
def contained(project: Project) -> Project:
    """A town with a scripted agent that notes in a folder of its own what it does."""
    engine = project.root.parent / "bin" / "podman"
    engine.parent.mkdir()
    broken = project.root.parent / "broken"
    engine.write_text(
        # Not in a trial, which has no run.
        f'#!/bin/sh\ncase "$*" in *tinytown.run=[0-9a-z]*)\n'
        f'[ ! -e {broken} ] || {{ echo "Error: no room" >&2; exit 125; }};;\nesac\n'
        f'exec {shutil.which("podman")} "$@"\n'
    )
    engine.chmod(0o755)
    notes = project.root.parent / "notes"
    notes.mkdir()
    notes.chmod(0o777)
    project.journal = notes / "journal.jsonl"
    first = "do: work first 1 write kept.txt by the first\ndo: work first 1 hang\n"
    issue = f"# One\n\ndo: show kept.txt\n{first}do: append kept.txt x\n"
    project.found(
        {1: issue, 2: "# Two\n\nDepends on #1.\n\ndo: show kept.txt\ndo: append kept.txt y\n"},
        checks=["test -s kept.txt", "test ! -w /usr", "test -d /.tinytown"],
        clis=(),
        sandbox=f'container"\nengine = "{engine}',
        extra=(
            f'\n[agent_clis.fake]\ncommand = "{sys.executable} -S {AGENT}"\nenv = {{ JOURNAL = "{project.journal}" }}\n'
            f'writable = ["{notes}"]\n'
        ),
    )
    project.spawn("worker", "reviewer")
    return project


def test_a_killed_worker_leaves_no_container_and_nothing_happens_twice(contained: Project) -> None:
    """Its lease is taken over, and the next attempt goes on from what the first one wrote."""
    mission = contained.start(1, 2)
    (first,) = contained.wait_runs(mission, 1, item=1, purpose="work")
    wait_until(
        lambda: [path for path in contained.town.work.glob("*/*/*/kept.txt") if path.read_text()],
        description="the agent wrote its file",
    )
    (name,) = podman.containers()
    assert "local-project-1-1" in name
    contained.kill("role-worker")
    wait_until(lambda: not tree_of_run(run_of(first)), description="nobody of the first run is left")
    contained.wait_state(mission, "completed", timeout=180)
    assert [row["attempt"] for row in contained.runs(item=1, purpose="work")] == [1, 2]
    assert [row["text"] for row in contained.runs("show", item=1)] == [None, "by the first\n"]
    assert len(contained.runs(item=2, purpose="work")) == 1
    assert contained.git("show", "main:kept.txt") == "by the first\nx\ny"
    assert len(contained.merges()) == 2
    wait_until(lambda: podman.containers() == [], timeout=30, description="no container is left")
    assert not list(Path(contained.town.work).glob("*/*/*.box-*"))


def test_an_engine_that_fails_for_a_while_uses_up_no_attempt(contained: Project) -> None:
    """What it says is shown, the item waits, and goes on by itself."""
    (contained.root.parent / "broken").touch()
    mission = contained.start(1)
    key = contained.item(mission, 1).key
    store = contained.context().store

    def reports() -> list[tuple[str, str]]:
        return [(one.report.outcome.value, one.report.summary) for one in store.finished_attempts(mission, key)]

    contained.wait(mission, reports, timeout=60, description="an attempt that could not begin")
    (contained.root.parent / "broken").unlink()
    contained.wait_runs(mission, 1, item=1, purpose="work")
    assert {(outcome, said.partition(";")[0]) for outcome, said in reports()} == {
        ("unreachable", "the container did not start: Error: no room")
    }
    assert contained.item(mission, 1).failures == {}
    contained.tt("mission", "stop", "--force", mission)
    wait_until(lambda: podman.containers() == [], timeout=30, description="no container is left")
