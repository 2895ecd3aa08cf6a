"""A town between `tt stop` and `tt start`: what can be read of it, what comes back, and what is said meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import typist
from tests.acceptance.project import TT, Project
from tests.waiting import patience, wait_until
from tinytown.host import lifecycle as life
from tinytown.host import unattended, visit
from tinytown.host.server import server_process
from tinytown.state import glimpse

#: Everything that only reads.
READING = [
    ["status"],
    ["status", "--json"],
    ["list"],
    ["mission", "status"],
    ["mission", "list", "--all"],
    ["work", "show", "1"],
    ["work", "list"],
    ["inbox"],
    ["inbox", "--all"],
    ["logs", "1"],
]


def test_reading_stopping_and_starting_without_agents(project: Project) -> None:
    """A stopped town can be read and starts nothing for it; `--no-agents` holds its agents until they are asked for."""
    project.found({1: "# One\n\ndo: wait go\ndo: write one.txt 1\n"})
    project.spawn("ann", "bob")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_runs(mission, 1)
    # Completion knows what there is, quickly, and without a town nothing.
    began = time.monotonic()
    assert [name for name, _ in glimpse.agents(project.root)] == ["ann", "bob"]
    assert glimpse.missions(project.root / "issues") == [(mission[:8], "running")]
    assert glimpse.items(project.root) == [("1", "One")]
    assert time.monotonic() - began < 3 * glimpse.PATIENCE
    assert glimpse.items(project.root.parent) == []
    shell = {**os.environ, "COMP_WORDS": "tt kill ", "COMP_CWORD": "2", "_TT_COMPLETE": "bash_complete"}
    said = subprocess.run([TT], cwd=project.root, env=shell, capture_output=True, text=True, check=False)
    assert said.stdout == "plain,ann\nplain,bob\n"

    # What ends is said as it ends: an agent's work is saved before the server goes.
    with subprocess.Popen([TT, "stop"], cwd=project.root, stderr=subprocess.PIPE, text=True) as stop:
        assert stop.stderr is not None
        lines = [line.strip() for line in stop.stderr]
    assert stop.returncode == 0
    ended = [line.removeprefix("stopped ") for line in lines if line.startswith("stopped ")]
    assert sorted(ended) == ["agent-ann", "agent-bob", "beat", "checks", "control", "server", "supervisor"]
    assert ended.index("agent-ann") < ended.index("beat") < ended.index("control")
    assert ended[-1] == "supervisor"

    town = project.town
    for words in READING:
        done = project.tt(*words)
        assert done.stderr.startswith(
            "note: project is stopped; its database runs only for this command; `tt start` starts it\n"
        ), words
        assert server_process(town) is None
        assert not town.runtime.exists()
    assert "is not running\n  run `tt start`" in project.tt("mission", "retry", mission[:8], code=5).stderr

    # Two that look at once: the server stays until the last has gone, and a town that was started meanwhile keeps it.
    with visit.visit(town):
        with ThreadPoolExecutor(4) as pool:
            for done in pool.map(lambda words: project.tt(*words), [["status"], ["list"], ["mission", "status"]]):
                assert done.stderr == ""
        assert server_process(town) is not None
        unattended.switch_on(town, cli_folder="")
        done = project.tt("start", "--no-agents")
        without = "its 2 agents and the unattended conductor"
        assert done.stdout == f"project is running, without {without}: `tt start` starts them\n"
    assert server_process(town) is not None
    assert {status.kind for status in life.processes(town)} == {"server", "supervisor", "control", "checks", "beat"}

    # Nor do they come with anything else that starts what is lacking; one that is asked for does.
    project.tt("mission", "dispatch", "--once")
    assert "role-worker" not in {status.name for status in life.processes(town)}
    project.allow("go")
    project.spawn("ann")
    project.wait_state(mission, "completed")
    assert life.held_agents(town) == ["bob"]
    said = project.tt("start", "--no-agents").stdout
    assert said.startswith("project is running already, without its 1 agent and the unattended conductor:")
    said = project.tt("start").stderr
    assert "started agent-bob" in said
    assert "conductor" in said
    assert project.tt("start").stdout == "project is running already\n"


def test_a_town_is_named_with_every_command(project: Project, tmp_path: Path) -> None:
    """Before the command, in its group or after it; `-v` says what is done, and nothing of it on stdout."""
    project.found({1: "# One\n"})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def tt(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = typist.type_tt([str(TT), *words], cwd=elsewhere, env=os.environ, timeout=patience(60))
        assert done.returncode == code, done.stderr
        return done

    root = str(project.root)
    assert tt("status", code=4).stderr.endswith("is not in a town\n  run `tt init` in your repository first\n")
    for words in (
        ["-t", root, "mission", "list"],
        ["mission", "-t", root, "list"],
        ["mission", "list", "--town", root],
    ):
        assert tt(*words).stdout == "No active missions; use `--all` to see those that ended.\n"
    relative = os.path.relpath(root, elsewhere)
    quiet, loud = tt("list", "-t", relative), tt("list", "-v", "-t", relative)
    assert quiet.stdout == loud.stdout
    assert quiet.stderr == ""
    assert f"the town {project.town.id} at {root}" in loud.stderr
    made = tmp_path / "made"
    made.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=made, check=True)
    try:
        tt("init", "-t", str(made))
        assert (made / "tinytown.toml").is_file()
        assert list(elsewhere.iterdir()) == []
    finally:
        tt("stop", "-t", str(made))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(tmp_path: Path, shell: str) -> None:
    """For both names of the program; where the shell is here, it takes the script."""
    done = subprocess.run([TT, "completion", shell], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "_TT_COMPLETE" in done.stdout
    assert "tinytown" in done.stdout
    assert done.stderr == ""
    if shell == "bash":
        script = f'eval "$({TT} completion bash)"; complete -p tt; complete -p tinytown'
        taken = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert taken.stdout.count("complete -o nosort -F") == 2


def test_a_visitor_that_was_killed_leaves_the_server_to_the_next(project: Project) -> None:
    """Which ends it; or a start takes it over."""
    project.found({1: "# One\n"})
    project.tt("stop")
    town = project.town
    pid = os.fork()
    if pid == 0:
        with visit.visit(town):
            os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    wait_until(lambda: server_process(town), description="the server runs on")
    assert project.tt("list").stderr == ""
    assert server_process(town) is None
