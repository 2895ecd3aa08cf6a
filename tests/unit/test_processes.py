"""The door to other programs, with real ones."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.waiting import patience, wait_until
from tinytown import processes
from tinytown.errors import DiskFullError, StateError

ENV = {"PATH": os.environ["PATH"]}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_run_gives_back_code_and_both_streams(tmp_path: Path) -> None:
    """Output and exit code come back separately, and input reaches the program."""
    done = processes.run(
        python("import sys; sys.stderr.write('err'); print(sys.stdin.read().upper()); sys.exit(3)"),
        cwd=tmp_path,
        env=ENV,
        timeout=20,
        input="words",
        check=False,
    )
    assert (done.code, done.stdout, done.stderr, done.truncated) == (3, "WORDS\n", "err", False)


def test_run_sees_only_the_environment_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is inherited that the caller didn't name."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    done = processes.run(["env"], cwd=tmp_path, env={**ENV, "GIVEN": "1"}, timeout=20)
    assert "GIVEN=1" in done.stdout
    assert "SECRET_TOKEN" not in done.stdout


def test_environment_keeps_the_safe_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefixes end in an underscore; what is not listed stays out."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("GH_TOKEN", "hunter2")
    monkeypatch.setenv("EXTRA", "1")
    env = processes.environment(add={"MORE": "2"}, allow=["EXTRA"])
    assert {"LC_ALL": "C", "EXTRA": "1", "MORE": "2"}.items() <= env.items()
    assert "GH_TOKEN" not in env


def test_large_input_and_output_do_not_block_each_other(tmp_path: Path) -> None:
    """A program may fill its output before it reads its input."""
    data = "x" * 1_000_000
    done = processes.run(["cat"], cwd=tmp_path, env=ENV, timeout=20, input=data)
    assert data == done.stdout


def test_output_beyond_the_limit_is_dropped_and_said_so(tmp_path: Path) -> None:
    """A babbling program costs no more memory than the limit."""
    done = processes.run(python("print('y' * 500000)"), cwd=tmp_path, env=ENV, timeout=20, limit=1000)
    assert (len(done.stdout), done.truncated) == (1000, True)


def test_a_program_of_which_only_the_whole_is_of_use_is_ended_when_it_says_too_much(tmp_path: Path) -> None:
    began = time.monotonic()
    done = processes.run(
        ["yes"], cwd=tmp_path, env=processes.environment(), timeout=30, check=False, limit=100_000, whole=True
    )
    assert (len(done.stdout), done.truncated) == (100_000, True)
    assert done.code == -signal.SIGTERM
    assert time.monotonic() - began < patience(15)


def test_output_that_is_not_text_is_decoded_leniently(tmp_path: Path) -> None:
    """A stray byte is no reason to fail."""
    code = "import sys; sys.stdout.buffer.write(b'a\\xffb')"
    assert processes.run(python(code), cwd=tmp_path, env=ENV, timeout=20).stdout == "a\ufffdb"


def test_a_deadline_ends_the_whole_process_group(tmp_path: Path) -> None:
    """A child that ignores SIGTERM goes as well."""
    pids = tmp_path / "pids"
    code = (
        "import os, signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(processes.ProgramTimeoutError, match=r"did not end within 1 s"):
        processes.run(python(code), cwd=tmp_path, env=ENV, timeout=1)
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    wait_until(lambda: not any(running(pid) for pid in started), description="the program and its child are gone")


def test_a_grandchild_that_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    """A program that leaves a daemon behind has ended when it has ended."""
    code = (
        "import subprocess, sys\n"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print(c.pid)\n"
    )
    started = time.monotonic()
    done = processes.run(python(code), cwd=tmp_path, env=ENV, timeout=30)
    os.kill(int(done.stdout), signal.SIGKILL)
    assert time.monotonic() - started < patience(10)


@pytest.mark.parametrize(
    ("argv", "error", "words"),
    [
        (["no-such-program-here"], processes.ProgramMissingError, "`no-such-program-here` is not installed"),
        (["/etc/passwd"], processes.ProgramMissingError, "is not allowed to run"),
        (["sh", "-c", "echo first >&2; echo last >&2; exit 4"], processes.ProgramFailedError, "failed: last"),
        (["sh", "-c", "echo 'write: No space left on device' >&2; exit 1"], DiskFullError, "ran out of disk space"),
    ],
)
def test_faults_become_errors_with_words(tmp_path: Path, argv: list[str], error: type[Exception], words: str) -> None:
    """Each way a program can fail has its error."""
    with pytest.raises(error, match=words):
        processes.run(argv, cwd=tmp_path, env=ENV, timeout=20)


def test_a_script_whose_interpreter_is_missing_is_not_called_missing_itself(tmp_path: Path) -> None:
    """The operating system reports both alike, too."""
    script = tmp_path / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(processes.ProgramMissingError, match="cannot be started: what runs it is not installed"):
        processes.run([str(script)], cwd=tmp_path, env=ENV, timeout=20)


def test_a_missing_folder_is_not_mistaken_for_a_missing_program(tmp_path: Path) -> None:
    """The operating system reports both alike."""
    with pytest.raises(StateError, match=r"folder .* does not exist"):
        processes.run(["true"], cwd=tmp_path / "none", env=ENV, timeout=20)


def test_a_detached_program_runs_in_a_session_of_its_own(tmp_path: Path) -> None:
    """It appends to its log, reads nothing, and is stopped by pid and start time."""
    log = tmp_path / "log"
    log.write_text("before\n")
    code = (
        "import os, sys, time; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '', flush=True); time.sleep(600)"
    )
    identity = processes.start_detached(python(code), cwd=tmp_path, env=ENV, log=log)
    wait_until(lambda: "True True" in log.read_text(), description="the program wrote to its log")
    assert log.read_text().startswith("before\n")
    assert processes.alive(*identity)
    assert processes.stop(*identity, grace=10)
    assert not processes.alive(*identity)
    assert processes.exit_code(identity.pid) == -signal.SIGTERM


def test_another_process_with_the_same_pid_is_left_alone() -> None:
    """A pid that was given out again is somebody else's."""
    me = os.getpid()
    created = processes.start_time(me)
    assert created is not None
    assert processes.alive(me, created)
    assert not processes.alive(me, created - 5)
    assert processes.stop(me, created - 5, grace=0)


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    """After the grace SIGKILL follows."""
    log = tmp_path / "log"
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    identity = processes.start_detached(python(code), cwd=tmp_path, env=ENV, log=log)
    wait_until(lambda: "deaf" in log.read_text(), description="the program ignores SIGTERM")
    assert processes.stop(*identity, grace=0.2)
    assert processes.exit_code(identity.pid) == -signal.SIGKILL


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
