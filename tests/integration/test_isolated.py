"""Calls that run in a process of their own: what they give, and that no end of theirs is the worker's."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.waiting import patience, wait_until
from tinytown.errors import DiskFullError, NotATownError, TinytownError
from tinytown.git.repository import GitError, GitLimitError
from tinytown.processes import ProgramTimeoutError
from tinytown_workers.limits import isolated
from tinytown_workers.limits.isolated import DiedError, LimitReachedError

# What runs apart has to be importable there, so these calls are words for `eval`.
SECONDS = 30.0


@pytest.fixture(autouse=True, scope="module")
def nothing_left() -> Iterator[None]:
    yield
    isolated.close()
    assert not servers()


def servers() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children():
        # Another test's child may have ended, and be waited for by nobody yet.
        with contextlib.suppress(psutil.Error):
            if "isolated_process" in " ".join(one.cmdline()):
                found.append(one)
    return found


def evaluate(words: str, *, seconds: float = SECONDS) -> object:
    return isolated.call(seconds, eval, f"[m := __import__, {words}][-1]")


def isolated_call() -> int:
    """The process of the one call that is under way."""
    (only,) = [c for s in servers() for c in s.children() if c.status() != psutil.STATUS_ZOMBIE]
    return only.pid


def test_it_gives_what_the_function_gives_and_costs_no_start_of_python() -> None:
    assert isolated.call(SECONDS, divmod, 17, 5) == (3, 2)
    (server,) = servers()
    assert evaluate("(m('os').getppid(), m('os').getcwd())") == (server.pid, "/")
    assert evaluate("m('os').getpid()") not in (server.pid, os.getpid())
    assert servers() == [server], "one for all"
    large = evaluate("'x' * (30 << 20)")
    assert isinstance(large, str)
    assert len(large) == 30 << 20


@pytest.mark.parametrize(
    "error",
    [
        GitError("fetch", 128, "fatal: no"),
        GitLimitError("fetch", 1, "fatal: more than 1 MB"),
        NotATownError("/here"),
        DiskFullError("no room", remedy="free some"),
        TinytownError("no", remedy="yes"),
        FileNotFoundError(2, "none", "/there"),
        ValueError("bad"),
    ],
)
def test_it_raises_what_the_function_raises(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        isolated.call(SECONDS, exec, f"raise __import__('pickle').loads({pickle.dumps(error)!r})")
    assert type(raised.value) is type(error)
    assert str(raised.value) == str(error)
    assert vars(raised.value) == vars(error)


def test_calls_of_many_threads_run_beside_each_other() -> None:
    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda n: evaluate(f"{n} * {n}"), range(100))) == [n * n for n in range(100)]
    assert len(servers()) == 1


def test_one_that_needs_too_much_memory_is_refused_it() -> None:
    with pytest.raises(LimitReachedError, match="2048 MB of memory"):
        evaluate("len(bytearray(3 << 30))")
    assert evaluate("len(bytearray(1 << 20))") == 1 << 20


def test_one_that_needs_too_much_processor_time_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(LimitReachedError, match="of a processor"):
        evaluate("m('resource').setrlimit(m('resource').RLIMIT_CPU, (1, 5)), sum(iter(int, 1))")
    assert time.monotonic() - begun < patience(20)


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate("1")  # From here on it costs no start of Python.
    monkeypatch.setattr(isolated, "GRACE", patience(1.0))
    with pytest.raises(ProgramTimeoutError, match="not read within"):
        evaluate("m('time').sleep(60)", seconds=0.1)
    (server,) = servers()
    wait_until(lambda: not server.children(), description="its process is gone")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_death_of_one_is_an_error_of_that_call_alone(number: signal.Signals, tmp_path: Path) -> None:
    """As when the machine runs out of memory; the program that it waits for ends with it."""
    run = "m('tinytown.processes').processes.run(['sleep', '3600.25'], cwd='/', env={}, timeout=60)"
    with ThreadPoolExecutor(2) as pool:
        gate = tmp_path / "go"
        waits = f"import pathlib, time\nwhile not pathlib.Path('{gate}').exists(): time.sleep(0.02)"
        other = pool.submit(isolated.call, SECONDS, exec, waits)
        wait_until(lambda: servers() and servers()[0].children(), description="the other one is under way")
        (calm,) = servers()[0].children()
        dying = pool.submit(evaluate, run)
        one = wait_until(
            lambda: [c for c in servers()[0].children() if c != calm and c.children()], description="it runs sleep"
        )[0]
        (sleeper,) = one.children()
        wait_until(lambda: sleeper.cmdline()[1:] == ["3600.25"], description="it is another program by now")
        one.send_signal(number)
        with pytest.raises(DiedError, match=f"ended by {number.name}"):
            dying.result()
        wait_until(lambda: not sleeper.is_running(), description="what it ran is gone too")
        assert not other.done(), "another call was not disturbed"
        gate.touch()
        other.result()


def test_what_one_that_was_killed_had_made_for_a_while_is_gone() -> None:
    """Its temporary files: nobody else knows of them."""
    told = "(m('tempfile').mkdtemp(), m('os').environ['TMPDIR'])"
    folder, scratch = evaluate(told)  # type: ignore[misc]
    assert Path(folder).parent == Path(scratch)
    wait_until(lambda: not Path(scratch).exists(), description="an ended one's folder is gone")
    made = Path(scratch).parent
    with pytest.raises(DiedError):
        evaluate("m('tempfile').mkdtemp(), m('os').kill(m('os').getpid(), 9)")
    assert made.is_dir()
    wait_until(lambda: not list(made.iterdir()), description="nothing of it is left")
    isolated.close()
    assert not made.exists()


def test_when_memory_runs_out_it_goes_first() -> None:
    path = Path("/proc/self/oom_score_adj")
    if not path.exists():
        pytest.skip("this system has no such order")
    assert int(str(evaluate(f"open('{path}').read()"))) == 800 > int(path.read_text())


def test_a_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    assert evaluate("1") == 1
    (server,) = servers()
    server.kill()
    assert evaluate("2") == 2
    with ThreadPoolExecutor(1) as pool:
        dying = pool.submit(evaluate, f"m('pathlib').Path('{tmp_path}/begun').touch(), m('time').sleep(60)")
        wait_until((tmp_path / "begun").exists, description="a call is under way")
        job = psutil.Process(isolated_call())
        servers()[0].kill()
        with pytest.raises(DiedError):
            dying.result()
        wait_until(lambda: not job.is_running(), description="nothing goes on alone")
    assert evaluate("3") == 3


def test_all_of_it_ends_with_the_worker() -> None:
    words = "from tinytown_workers.limits import isolated; isolated.call(60, eval, '__import__(\"time\").sleep(60)')"
    with subprocess.Popen([sys.executable, "-P", "-c", words]) as worker:
        me = psutil.Process(worker.pid)
        found = wait_until(
            lambda: [c for c in me.children(recursive=True) if len(me.children(recursive=True)) == 2],
            description="a worker, the server and a call",
        )
        worker.kill()
        wait_until(lambda: not any(one.is_running() for one in found), description="both are gone")


def test_a_server_that_has_nothing_to_do_ends(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    words = "from tinytown_workers.limits import isolated_process as p; p.LINGER = 0.2; p.main()"
    with ours, theirs:
        argv = [sys.executable, "-P", "-c", words, str(theirs.fileno()), str(tmp_path / "scratch")]
        with subprocess.Popen(argv, pass_fds=(theirs.fileno(),)) as server:
            assert server.wait(patience(20)) == 0


def test_one_that_ended_of_boredom_at_the_very_moment_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluate("1") == 1
    (server,) = servers()
    server.suspend()
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(evaluate, "2")
        wait_until(calling.running, description="it was told")
        server.kill()
        assert calling.result() == 2


def test_a_call_that_cannot_begin_is_told_and_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """E.g. because the code is just being replaced."""
    isolated.close()  # The log of an older server goes to where the test before looked.
    begun, go = tmp_path / "begun", tmp_path / "go"
    wait = f"while not __import__('os').path.exists({str(go)!r}): __import__('time').sleep(0.01)"
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(isolated.call, SECONDS, exec, f"__import__('pathlib').Path({str(begun)!r}).touch()\n{wait}")
        wait_until(begun.exists, description="another call is under way")
        before = servers()
        with monkeypatch.context() as patched:
            patched.setattr(isolated_call, "__module__", "tinytown_workers.none")
            patched.setattr(pickle, "dumps", lambda _: b"")
            with pytest.raises(DiedError, match="does not start"):
                isolated.call(SECONDS, isolated_call)
        go.touch()
        other.result()
        assert servers() == before
    assert "ModuleNotFoundError: No module named 'tinytown_workers.none'" in capfd.readouterr().err


def test_the_log_tells_of_an_answer_that_cannot_be_given(capfd: pytest.CaptureFixture[str]) -> None:
    isolated.close()  # As above.
    with pytest.raises(DiedError, match="exit code 1; see"):
        evaluate("lambda: 1")
    assert "PicklingError" in capfd.readouterr().err


def test_a_server_that_does_not_hear_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluate("1") == 1
    (server,) = servers()
    server.suspend()
    monkeypatch.setattr(isolated, "GRACE", 0.2)
    monkeypatch.setattr(isolated, "_CLOSE_SECS", 0.2)
    with pytest.raises(ProgramTimeoutError, match="not read within"):
        evaluate("2", seconds=0.1)
    monkeypatch.undo()
    assert evaluate("3") == 3
    assert not server.is_running()
