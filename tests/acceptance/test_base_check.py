"""Checks that cannot pass are the base's fault: told before anything starts, and never charged to an item."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.acceptance.project import TT, Project
from tests.waiting import wait_until
from tinytown.missions.states import ItemState

#: A check that says what the repository's file `state` says, and counts its runs outside.
SCRIPT = """echo run >> {log}
echo "the state is $(cat state 2>/dev/null)"
test "$(cat state 2>/dev/null)" != bad
"""
QUICK = "\n[policy]\nwatch_interval_secs = 1\n"


def a_check(project: Project, tmp_path: Path) -> list[str]:
    script = tmp_path / "check.sh"
    script.write_text(SCRIPT.format(log=tmp_path / "runs"))
    return [f"sh {script}"]


def set_state(project: Project, state: str) -> None:
    (project.root / "state").write_text(f"{state}\n")
    project.git("add", "state")
    project.git("commit", "-q", "-m", f"State {state}")


def quick(project: Project) -> None:
    file = project.root / "tinytown.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[policy]\n", "[policy]\nwatch_interval_secs = 2\n"), encoding="utf-8")


def runs_of_checks(tmp_path: Path) -> int:
    file = tmp_path / "runs"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_start_sees_first_that_the_checks_pass_on_the_base(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused with the log's tail and the remedies; what passed is known from then on; a plan runs nothing."""
    project.found({1: "# One\n\ndo: write one.txt 1\n"}, checks=a_check(project, tmp_path))
    quick(project)
    set_state(project, "bad")
    assert "have not run on the current main yet" in project.tt("mission", "plan", "-i", "1").stdout
    assert runs_of_checks(tmp_path) == 0

    refused = project.tt("mission", "start", "-i", "1", code=4).stderr
    assert "running the checks on main of local/" in refused
    assert "the state is bad" in refused
    assert "error: the checks fail on main itself (commit " in refused
    assert "`[workspace] setup`" in refused
    assert "`--no-base-check`" in refused
    assert project.json("mission", "list", "--all") == []
    assert runs_of_checks(tmp_path) == 1
    plan = project.json("mission", "plan", "-i", "1")
    assert plan["base_checks"][0]["known"]["passed"] is False
    assert "failed on main" in project.tt("mission", "plan", "-i", "1").stdout
    # A failure is never believed: what was missing may be there by now.
    project.tt("mission", "start", "-i", "1", code=4)
    assert runs_of_checks(tmp_path) == 2

    # A setup that fails is said as that: without the check of the base no attempt could begin either.
    with monkeypatch.context() as broken:
        broken.setenv("TINYTOWN_WORKSPACE__SETUP", '["false"]')
        refused = project.tt("mission", "start", "-i", "1", code=4).stderr
    assert "error: the setup fails on main itself (commit " in refused
    assert "`--no-base-check`" not in refused
    assert runs_of_checks(tmp_path) == 2

    set_state(project, "good")
    project.spawn("worker", "reviewer")
    said = project.tt("mission", "start", "-i", "1").stderr
    assert "the checks pass on main (" in said
    mission = project.json("mission", "status")["id"]
    # What the checks took is no time of the mission, nor of an item's wait.
    began = project.context().store.mission(mission).record.created_at
    assert began > (tmp_path / "runs").stat().st_mtime
    project.wait_state(mission, "completed")
    assert list(project.town.work.glob("*/*/*")) == []

    # Another start on the same tree asks nobody, and a skipped check is skipped.
    known = runs_of_checks(tmp_path)
    project.git("commit", "-q", "--amend", "--allow-empty", "-m", "The same tree")
    (project.root / "issues/2.md").write_text("# Two\n\ndo: write two.txt 2\n")
    said = project.tt("mission", "start", "-i", "2").stderr
    assert "running the checks" in said, "the merge made another tree"
    assert runs_of_checks(tmp_path) >= known + 1


def test_a_base_that_fails_later_costs_no_item_anything(project: Project, tmp_path: Path) -> None:
    """It waits with the reason, asks once, and takes the mended base in by itself; no fix round, no attempt."""
    project.found({1: "# One\n\ndo: write one.txt 1\ndo: wait go\n"}, checks=a_check(project, tmp_path))
    quick(project)
    set_state(project, "good")
    project.spawn("worker", "reviewer")
    set_state(project, "bad")
    # The same as a pass that was seen before somebody broke it.
    mission = project.start(1, base_check=False)
    store = project.context().store
    head = store.mission(mission)
    change = store.change()
    change.put_mission(head, head.record.evolve(policy=head.record.policy.evolve(base_check=True)))
    change.commit()
    project.wait_runs(mission, 1)
    project.allow("go")
    waiting = project.wait_waiting(mission, 1, "base_failing")
    assert "the checks fail on main itself (commit " in waiting.remedy
    wait_until(lambda: "waits (base failing)" in project.help(), description="the conductor is asked")
    set_state(project, "good")
    project.wait_state(mission, "completed")
    item = project.item(mission, 1)
    assert (item.attempts, item.fix_rounds, item.state) == (1, 0, ItemState.DONE)
    assert project.git("show", "main:one.txt") == "1"
    assert project.git("show", "main:state") == "good"


def test_who_mends_the_base_gets_through_and_an_interrupted_start_leaves_nothing(
    project: Project, tmp_path: Path
) -> None:
    """A change with which the checks pass is fine; with `--no-base-check` a failing one gets its fix rounds."""
    project.found(
        {1: "# Repair\n\ndo: work write other.txt 1\ndo: fix write state good\n"}, checks=a_check(project, tmp_path)
    )
    set_state(project, "bad")
    project.spawn("worker", "reviewer")
    mission = project.start(1)
    project.wait_state(mission, "completed")
    assert project.item(mission, 1).fix_rounds == 1

    slow = tmp_path / "slow.sh"
    slow.write_text(f"touch {tmp_path}/begun\nexec sleep 300\n")
    file = project.root / "tinytown.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("checks = [", f"checks = [{json.dumps(f'sh {slow}')}, "), encoding="utf-8")
    (project.root / "issues/2.md").write_text("# Two\n\ndo: write two.txt 2\n")
    start = subprocess.Popen([str(TT), "mission", "start", "-i", "2"], cwd=project.root, stderr=subprocess.PIPE)
    wait_until((tmp_path / "begun").exists, description="the check runs")
    os.kill(start.pid, signal.SIGINT)
    assert start.wait(30) == 130
    assert start.stderr is not None
    start.stderr.close()

    def gone() -> bool:
        return not any(
            "sleep" in p.info["cmdline"][:1] and "300" in p.info["cmdline"]
            for p in psutil.process_iter(["cmdline"])
            if p.info["cmdline"]
        )

    wait_until(gone, description="nothing of the check is left")
    assert [m["state"] for m in project.json("mission", "list", "--all")] == ["completed"]
