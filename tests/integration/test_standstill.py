"""Rules of a run that is suspended: nobody of its tree moves, no clock of it runs, and nothing of it is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.test_runner import NEST, Agent, alive, python, spec
from tests.integration.test_sandbox import Place, needs_bwrap
from tests.waiting import wait_until
from tinytown_workers import sandbox
from tinytown_workers.run import standstill
from tinytown_workers.run.hold import Hold
from tinytown_workers.run.run_spec import RunSpec
from tinytown_workers.run.runner import Runner

#: Starts another process every few milliseconds, each of which says so, for as long as it may.
RABBITS = """
import os, sys, time
print("ready", flush=True)
while True:
    if os.fork() == 0:
        os.setsid()
        os.write(1, b"x")
        time.sleep(0.05)
        os._exit(0)
    time.sleep(0.002)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError:
        pass
"""


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


class Held(Agent):
    """An agent whose run can be suspended."""

    def __init__(self, runner: Runner, wanted: RunSpec) -> None:
        self.hold = Hold()
        self.renewed = 0
        super().__init__(runner, wanted, self._renew)

    def _renew(self) -> bool:
        self.renewed += 1
        return True

    def suspend(self) -> None:
        self.hold.wanted = True
        wait_until(lambda: self.hold.obeyed, description="the run stands still")

    def go_on(self) -> None:
        self.hold.wanted = False
        wait_until(lambda: not self.hold.obeyed, description="the run goes on")


def states(tag: str) -> set[str]:
    return {standstill.state(pid) for pid in alive(tag)}


def test_nobody_of_the_tree_moves(runner: Runner, tmp_path: Path) -> None:
    """Wherever it hides: sessions of their own, double forks, those who hide whose they are."""
    tag = f"nest-{os.getpid()}"
    agent = Held(runner, python(tmp_path, NEST, tag, "600"))
    agent.said("ready")
    wait_until(lambda: len(alive(tag)) == 4, description="all of them live")
    agent.suspend()
    assert states(tag) == {"T"}
    assert len(alive(tag)) == 4
    agent.go_on()
    wait_until(lambda: "T" not in states(tag), description="all of them go on")
    agent.stop.set()
    assert agent.end().reason == "stopped"
    assert alive(tag) == []


def test_those_who_are_just_being_born_are_caught_too(runner: Runner, tmp_path: Path) -> None:
    agent = Held(runner, python(tmp_path, RABBITS))
    agent.said("xxxxxxxxxx")
    for _ in range(5):
        agent.suspend()
        tree = [p for p in psutil.Process(agent.pid).children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
        assert {p.status() for p in tree} <= {psutil.STATUS_STOPPED}
        log = tmp_path / "logs" / "stdout.log"
        # What they wrote before is on its way through the guard for a moment.
        size = _wait_rest(log)
        agent.go_on()
        _wait_growth(log, size)
    agent.stop.set()
    assert agent.end().reason == "stopped"


def _wait_growth(log: Path, size: int) -> None:
    wait_until(lambda: log.stat().st_size > size, description="they go on")


def _wait_rest(log: Path) -> int:
    return wait_until(lambda: _rests(log), description="nothing more is written")


def _rests(log: Path) -> int:
    before = log.stat().st_size
    time.sleep(0.2)
    return before if log.stat().st_size == before else 0


def test_no_limit_of_time_runs_meanwhile_but_the_lease_is_renewed(runner: Runner, tmp_path: Path) -> None:
    """Wall clock and silence count the time in which it could move; the lease is the worker's."""
    code = "import time; print('ready', flush=True); time.sleep(1.2); print('done', flush=True); time.sleep(1.2)"
    limits = {"timeout": 6.0, "no_output": 3.0, "lease": 2.0, "heartbeat": 0.2}
    agent = Held(runner, python(tmp_path, code, **limits))
    agent.said("ready")
    agent.suspend()
    since, renewed = time.monotonic(), agent.renewed
    wait_until(lambda: time.monotonic() - since > 7, description="longer than any of its limits")
    assert agent.renewed - renewed > 10
    assert agent.hold.obeyed
    agent.go_on()
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("exited", 0)
    assert "done" in ended.stdout
    assert ended.duration < 6, "the time of a run is that in which it ran"


def test_a_limit_counts_what_was_used_before(runner: Runner, tmp_path: Path) -> None:
    agent = Held(runner, python(tmp_path, "import time; print('ready', flush=True); time.sleep(600)", timeout=2.0))
    agent.said("ready")
    agent.suspend()
    agent.go_on()
    assert agent.end().reason == "timed_out"


@pytest.mark.parametrize("shell", ["sh -c", "bash -mc"])
def test_a_shell_goes_on_with_its_command(runner: Runner, tmp_path: Path, shell: str) -> None:
    """With and without job control, which looks for children that are stopped."""
    script = "echo ready; sleep 0.5 & sleep 0.6; wait; echo code $?"
    agent = Held(runner, spec(tmp_path, *shell.split(), script))
    agent.said("ready")
    agent.suspend()
    agent.go_on()
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("exited", 0)
    assert "code 0" in ended.stdout
    assert "Stopped" not in ended.stdout + ended.stderr


def test_what_the_agent_stopped_itself_stays_stopped(runner: Runner, tmp_path: Path) -> None:
    code = """
import os, signal, subprocess, time
child = subprocess.Popen(["sleep", "600"])
child.send_signal(signal.SIGSTOP)
print("child", child.pid, "ready", flush=True)
time.sleep(600)
"""
    agent = Held(runner, python(tmp_path, code))
    agent.said("ready")
    child = int((tmp_path / "logs" / "stdout.log").read_text().split()[1])
    wait_until(lambda: standstill.state(child) == "T", description="its child is stopped")
    agent.suspend()
    agent.go_on()
    wait_until(lambda: standstill.state(agent.pid) != "T", description="it goes on")
    assert standstill.state(child) == "T"
    agent.stop.set()
    agent.end()


def test_one_that_is_to_end_gets_its_grace(runner: Runner, tmp_path: Path) -> None:
    """It is woken for it: a word of farewell is what costs are told by."""
    code = """
import signal, sys, time
def end(*_):
    print("farewell", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
    agent = Held(runner, python(tmp_path, code, grace=20.0))
    agent.said("ready")
    agent.suspend()
    agent.stop.set()
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("stopped", 7)
    assert "farewell" in ended.stdout


def test_one_that_is_killed_meanwhile_has_ended(runner: Runner, tmp_path: Path) -> None:
    """By whoever: memory that ran out, a person."""
    agent = Held(runner, python(tmp_path, "import time; print('ready', flush=True); time.sleep(600)"))
    agent.said("ready")
    agent.suspend()
    os.kill(agent.started(), signal.SIGKILL)
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("exited", -signal.SIGKILL)


def test_one_whose_worker_dies_meanwhile_is_gone(tmp_path: Path) -> None:
    """With its whole tree, though all of that stands still."""
    tag = f"orphan-{os.getpid()}"
    code = f"""
import os, signal, sys, threading, time
from pathlib import Path
from tests.integration.test_standstill import Held
from tests.integration.test_runner import NEST, python
from tinytown_workers.run.runner import Runner
folder = Path({str(tmp_path)!r})
agent = Held(Runner(), python(folder, NEST, {tag!r}, "600"))
agent.said("ready")
agent.suspend()
print("suspended", flush=True)
time.sleep(600)
"""
    root = Path(__file__).parents[2]
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "suspended\n"
    assert states(tag) == {"T"}
    worker.kill()
    worker.wait()
    worker.stdout.close()
    wait_until(lambda: alive(tag) == [], description="nobody is left")


@needs_bwrap
@pytest.mark.parametrize("ends", ["by itself", "on demand"])
def test_a_sandbox_stands_still_with_all_that_is_in_it(tmp_path: Path, runner: Runner, ends: str) -> None:
    """Its own process, too, which must be woken before it can see that the agent ended."""
    place = Place(tmp_path, runner)
    script = "trap 'echo farewell; exit 7' TERM; echo ready; sleep 600 & while [ ! -e go ]; do sleep 0.05; done; exit 5"
    env = place.env()
    command = sandbox.detect("bwrap").wrap(
        ["sh", "-c", script], env=env, clone=place.clone, home=place.stand_in, tmp=place.tmp,
        hidden=[place.root / "town", place.root / "state"], logins=place.root / "logins", etc=place.root / "etc",
    )  # fmt: skip
    with command:
        wanted = RunSpec(
            id="m/box/1", argv=command.argv, files=command.files, env=env, cwd=place.clone, logs=tmp_path / "logs",
            wrapped=True, grace=20.0,
        )  # fmt: skip
        agent = Held(runner, wanted)
        agent.said("ready")
        agent.suspend()
        tree = [agent.pid, *(child.pid for child in psutil.Process(agent.pid).children(recursive=True))]
        assert len(tree) > 2
        assert {standstill.state(pid) for pid in tree} == {"T"}
        (place.clone / "go").touch()
        if ends == "by itself":
            agent.go_on()
        else:
            agent.stop.set()
        ended = agent.end()
    assert ended.exit_code == (5 if ends == "by itself" else 7)
    assert ended.reason == ("exited" if ends == "by itself" else "stopped")


def test_what_has_not_begun_waits(runner: Runner, tmp_path: Path) -> None:
    """A run that would begin meanwhile begins afterwards; one that is to end meanwhile ends."""
    hold = Hold(wanted=True)

    class Late(Held):
        def __init__(self) -> None:
            self.renewed = 0
            self.hold = hold
            Agent.__init__(self, runner, python(tmp_path, "print('ready')", timeout=1.0), self._renew)

    late = Late()
    wait_until(lambda: hold.obeyed, description="it waits")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 1.2, description="longer than its limit")
    assert late.pid == 0
    hold.wanted = False
    assert late.end().exit_code == 0
    hold.wanted = True
    late = Late()
    wait_until(lambda: hold.obeyed, description="it waits")
    late.stop.set()
    assert late.end().reason in ("stopped", "exited")
