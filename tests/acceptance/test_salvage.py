"""Work outlives whoever did it: what an attempt wrote is there for the next one, whatever ended it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.acceptance.project import Project, tree_of_run
from tests.waiting import wait_until
from tinytown import contract

RESUMED = "earlier, unfinished work on this task: continue from there"


def wait_written(project: Project, name: str) -> None:
    """Wait until an agent has written this file."""
    wait_until(
        lambda: [path for path in project.town.work.glob(f"*/*/*/{name}") if path.read_text()],
        timeout=30,
        description=f"an agent wrote {name}",
    )


def test_the_next_attempt_goes_on_from_what_a_killed_worker_left(project: Project) -> None:
    """kill -9 of a worker whose agent wrote files, in its work and again in a fix round."""
    issue = (
        "# One\n\ndo: show kept.txt\ndo: work first 1 write kept.txt by the first\ndo: work first 1 hang\n"
        "do: fix first 1 append kept.txt mended by half\ndo: fix first 1 hang\ndo: nothing\nverdict: reject-first 1\n"
    )
    project.found({1: issue})
    project.spawn("worker", "helper", "reviewer")
    mission = project.start(1)

    def kill_the_writer(purpose: str) -> None:
        run = project.runs(item=1, purpose=purpose)[0]
        project.kill("role-worker")
        again = project.wait_runs(mission, 2, item=1, purpose=purpose)[1]
        assert RESUMED not in project.brief(mission, 1, run["attempt"])
        assert RESUMED in project.brief(mission, 1, again["attempt"])
        assert not tree_of_run(f"{mission}/{run['item']}/{run['attempt']}"), "the tree of the first was gone before"

    wait_written(project, "kept.txt")
    kill_the_writer("work")
    project.wait_runs(mission, 1, item=1, purpose="fix")
    wait_until(
        lambda: any("half" in path.read_text() for path in project.town.work.glob("*/*/*/kept.txt")),
        description="the agent mended something",
    )
    kill_the_writer("fix")
    project.wait_state(mission, "completed")
    assert [row["text"] for row in project.runs("show", item=1)] == [
        None,
        "by the first\n",
        "by the first\n",
        "by the first\nmended by half\n",
    ]
    assert project.git("show", "main:kept.txt") == "by the first\nmended by half"
    item = project.item(mission, 1)
    assert set(item.authors) == {r["agent"] for r in project.runs() if r["purpose"] != "review"}
    assert item.approved_by == "reviewer"
    assert item.failures.get("work", 0) == item.failures.get("fix", 0) == 0, "a lost worker is nobody's fault"
    wait_until(lambda: not list(project.town.work.glob("*/*/*")), timeout=20, description="nothing is left in the way")


def test_a_failed_attempt_leaves_its_files_to_the_next(project: Project) -> None:
    """Each goes on from the one before, until one succeeds; the same after `cancel` and `retry` by a person."""
    one = "# One\n\ndo: show log.txt\ndo: append log.txt line\ndo: first 2 fail\n"
    two = "# Two\n\ndo: first 1 append two.txt half\ndo: first 1 hang\ndo: later 1 append two.txt rest\n"
    project.found({1: one, 2: two})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer",))
    wait_written(project, "two.txt")
    project.tt("mission", "note", mission[:8], "cancel 2 for now")
    run = project.runs(item=2)[0]
    wait_until(lambda: not tree_of_run(f"{mission}/{run['item']}/{run['attempt']}"), description="its agent is gone")
    assert project.item(mission, 2).state == "cancelled"
    project.wait_item(mission, 1, lambda i: i.state == "done", description="#1 is done")
    project.tt("mission", "retry", mission[:8], "2")
    project.wait_state(mission, "completed")
    assert [row["text"] for row in project.runs("show", item=1)] == [None, "line\n", "line\nline\n"]
    assert project.git("show", "main:log.txt") == "line\nline\nline"
    assert project.git("show", "main:two.txt") == "half\nrest"
    ended = [e.data["outcome"] for e in project.events(mission, "attempt_ended") if e.item.endswith("#1")]
    assert ended[:3] == ["failed", "failed", "succeeded"]
    assert RESUMED in project.brief(mission, 1, 2)


def held_git(folder: Path) -> tuple[Path, Path]:
    """A folder for the PATH whose git writes no commit while the second file is there; who waits says so in it."""
    git, hold = shutil.which("git"), folder / "hold"
    assert git is not None
    programs = folder / "bin"
    programs.mkdir()
    script = (
        f"#!/bin/sh\ncase \" $* \" in *' commit-tree '*) test ! -e {hold} || "
        f'{{ echo $PPID >> {hold}; while test -e {hold}; do sleep 0.05; done; }};; esac\nexec {git} "$@"\n'
    )
    (programs / "git").write_text(script, encoding="utf-8")
    (programs / "git").chmod(0o755)
    return programs, hold


def test_the_worker_outlives_the_process_that_reads_what_an_agent_left(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its files need more memory than there is: a neighbour's run goes on, and nothing is lost."""
    programs, hold = held_git(tmp_path)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    many = "do: first 1 sh mkdir many && cd many && seq 300 | xargs touch"
    project.found({1: f"# One\n\ndo: wait go\n{many}\ndo: later 1 nothing\n", 2: "# Two\n\ndo: wait on\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer",))
    project.wait_runs(mission, 2)
    worker = psutil.Process(project.pid("role-worker"))
    hold.touch()
    project.allow("go")
    reader = psutil.Process(int(wait_until(hold.read_text, timeout=30, description="what it left is read")))
    (server,) = [one for one in worker.children() if "tinytown_workers.limits.isolated_process" in one.cmdline()]
    assert reader.parent() == server
    reader.kill()
    hold.unlink()
    first = project.wait_item(mission, 1, lambda i: i.state == "done", description="#1 is done")
    ended = [report for a in project.context().store.finished_attempts(mission, first.key) if (report := a.report)]
    assert [report.outcome for report in ended][:2] == ["failed", "succeeded"]
    assert "was ended by SIGKILL; the worker tries again later" in ended[0].summary
    assert RESUMED in project.brief(mission, 1, 2)
    assert len(project.git("ls-tree", "main:many").splitlines()) == 300
    project.allow("on")
    project.wait_state(mission, "completed")
    assert worker.pid == project.pid("role-worker")
    assert len(project.runs(item=2, purpose="work")) == 1, "the other agent of that worker was not disturbed"


def test_the_sweeper_ends_strays_and_clears_what_nobody_owns(project: Project) -> None:
    """Processes with the marker of a dead attempt, and clones that no live attempt owns; their work is kept."""
    project.found({1: "# One\n\ndo: write one.txt 1\ndo: children\ndo: wait go\n"})
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    wait_written(project, "one.txt")
    run = project.runs(item=1)[0]
    live = f"{mission}/{run['item']}/{run['attempt']}"
    mine = tree_of_run(live)
    marks = {contract.ENV_TOWN: str(project.root), contract.ENV_RUN: f"{mission}/{run['item']}/99"}
    others = {contract.ENV_TOWN: f"{project.root}-other", contract.ENV_RUN: "another/local/other#1/1"}
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    stray = subprocess.Popen(sleep, env={**os.environ, **marks}, start_new_session=True)
    foreign = subprocess.Popen(sleep, env={**os.environ, **others}, start_new_session=True)
    try:
        wait_until(lambda: stray.poll() is not None, timeout=20, description="the sweeper ended the stray")
        assert foreign.poll() is None, "another town's process is none of its business"
        assert set(mine) <= set(tree_of_run(live)), "nor is a live attempt's"
    finally:
        for process in (stray, foreign):
            process.kill()
            process.wait()

    # The worker dies, and nobody is there to try again: still its clone goes, and its work stays.
    project.tt("mission", "stop", mission[:8])
    project.kill("role-worker")
    project.tt("kill", "worker")
    wait_until(lambda: not list(project.town.work.glob("*/*/*")), timeout=40, description="the clone was swept")
    assert not tree_of_run(live)
    mirror = next(project.town.mirrors.glob("*.git"))
    kept = project.git("--git-dir", str(mirror), "for-each-ref", "--format=%(refname)", "refs/tinytown/salvage")
    assert project.git("--git-dir", str(mirror), "show", f"{kept}:one.txt") == "1"
    project.allow("go")
    project.spawn("worker")
    project.tt("mission", "resume", mission[:8])
    project.wait_state(mission, "completed")
    assert project.git("show", "main:one.txt") == "1"


def test_the_sweeper_leaves_what_is_at_work_alone(project: Project, tmp_path: Path) -> None:
    """The clone in which a check runs, and an agent's: through two sweeps at least."""
    script = tmp_path / "check.sh"
    script.write_text(f"while ! test -e {tmp_path}/checked; do sleep 0.05; done; test -s one.txt\n")
    project.found({1: "# One\n\ndo: write one.txt 1\ndo: wait go\n"}, checks=[f"sh {script}"])
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    wait_written(project, "one.txt")
    project.wait_duty("sweep", 2)
    project.allow("go")
    project.wait_item(
        mission,
        1,
        lambda i: i.attempt is not None and i.attempt.claimed and i.attempt.purpose == "check",
        description="the check runs",
    )
    project.wait_duty("sweep", 2)
    project.allow("checked")
    project.wait_state(mission, "completed")
    item = project.item(mission, 1)
    assert (item.attempts, item.fix_rounds) == (1, 0)
