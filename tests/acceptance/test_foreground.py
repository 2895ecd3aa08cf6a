"""A town in the foreground of a service manager or a container: one process to start, to watch and to end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.project import TT, Project
from tests.waiting import patience, wait_until
from tinytown.host import elsewhere, process_specs
from tinytown.host import lifecycle as life
from tinytown.state import duties


class Shown:
    """A `tt` in the foreground, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Send the signal and give the exit code."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=patience(30))
        self._reader.join(timeout=patience(10))
        return code

    @property
    def text(self) -> str:
        return "".join(self.lines)


@contextmanager
def foreground(root: Path, *words: str) -> Iterator[Shown]:
    argv = [str(TT), "start", *words]
    with subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        shown = Shown(process)
        try:
            yield shown
        finally:
            if process.poll() is None:
                process.kill()


def running(project: Project) -> set[str]:
    return {one.name for one in life.processes(project.town) if one.state == "running"}


def test_one_process_stands_for_the_town(project: Project) -> None:
    """Its logs are printed, a killed supervisor comes back, SIGTERM ends all; what is left to others they can run."""
    project.found({1: "# One\n\ndo: write one.txt 1\n"})
    project.spawn("ann")
    project.tt("stop")
    with foreground(project.root, "--foreground", "--without", "beat") as home:
        own = {"server", "supervisor", "control", "checks", "role-worker"}
        wait_until(lambda: running(project) == own, timeout=60, description="all but the clock runs")
        assert "beat" not in {spec.name for spec in life.own_specs(project.town)}
        assert "process beat" not in project.tt("doctor", code=None).stdout
        before = duties.ticks(project.context().store)
        # Commands that start what is lacking leave it to the others, too.
        project.spawn("bob")
        assert "beat" not in running(project)
        with foreground(project.root, "--only", "beat") as beat:
            wait_until(
                lambda: duties.ticks(project.context().store) != before, timeout=60, description="the other clock ticks"
            )
            assert os.getpgid(beat.process.pid), "it is the process that was started, not a child of it"
            assert beat.end() == 0
            assert "Scheduler: Sending due task" in beat.text
        mission = project.start(1, options=("--no-reviewer",))
        project.wait_state(mission, "completed")
        supervisor = process_specs.supervisor(project.town)
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        wait_until(
            lambda: process_specs.supervisor(project.town) not in (None, supervisor), description="it is brought back"
        )
        assert home.end() == 0
    assert running(project) == set()
    assert "project is running" in home.text
    assert "control │ " in home.text, "what the processes log"
    assert "stopped supervisor" in home.text
    # From now on it has a clock of its own again.
    with foreground(project.root, "--foreground", "--no-agents") as home:
        wait_until(lambda: "beat" in running(project), timeout=60, description="the town has its clock")
        assert elsewhere.names(project.town) == frozenset()
        wait_until(lambda: "is running" in home.text, description="it has come up")
        # Somebody else stops it.
        project.tt("stop")
        assert home.end(None) == 0
        assert "the town was stopped" in home.text


def test_what_says_different_things_is_refused(project: Project) -> None:
    """Nothing is started then, and nothing is left to others."""
    project.found({1: "# One\n"})
    for words, said in (
        (["--without", "beat"], "--without needs --foreground"),
        (["--only", "beat", "--foreground"], "--only goes with no other option"),
        (["--foreground", "--json"], "--foreground prints logs"),
    ):
        assert said in project.tt("start", *words, code=2).stderr
    assert "the town has no process `forge`" in project.tt("start", "--only", "forge", code=3).stderr
    assert (
        "is not one of 'beat', 'checks', 'forge'"
        in project.tt("start", "--foreground", "--without", "control", code=2).stderr
    )
    assert elsewhere.names(project.town) == frozenset()
