"""Rules of a run: limits, lease and output, and that nobody of the tree survives its end. Real processes only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import patience, wait_until
from tinytown import contract
from tinytown.agents.driver import Sort
from tinytown_workers.run import orphans
from tinytown_workers.run import runners as runners_of_a_process
from tinytown_workers.run.hold import Hold
from tinytown_workers.run.run_spec import LOG_TAIL_BYTES, TEXT_BYTES, Ended, RunSpec
from tinytown_workers.run.runner import FILE_BYTES, Runner
from tinytown_workers.run.runners import Runners

#: Starts, in ways that a kill of the process group does not reach: a session of its own, a double fork with a
#: clean environment, and one that ignores SIGTERM. Says "ready" when all of them live.
NEST = """
import os, signal, subprocess, sys, time
def daemon(ignore, env):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if ignore:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for fd in (0, 1, 2):
                os.close(fd)
            os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", TAG], env)
        os._exit(0)
    os.wait()
TAG = sys.argv[1]
daemon(False, dict(os.environ))
daemon(True, dict(os.environ))
daemon(False, {})
subprocess.Popen(["sleep", "600"], start_new_session=True)
print("ready", flush=True)
if len(sys.argv) > 2:
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.close()


class Agent:
    """Runs one agent in a thread of its own, as a worker does."""

    hold: Hold | None = None

    def __init__(self, runner: Runner, spec: RunSpec, renew: Callable[[], bool] = lambda: True) -> None:
        self.stop = threading.Event()
        self.pid = 0
        self.ended: Ended | None = None
        self.spec = spec
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(runner, renew))
        self._thread.start()

    def _run(self, runner: Runner, renew: Callable[[], bool]) -> None:
        self.ended = runner.run(self.spec, on_started=self._on_started, renew=renew, stop=self.stop, hold=self.hold)

    def _on_started(self, pid: int) -> None:
        self.pid = pid
        self._started.set()

    def started(self) -> int:
        assert self._started.wait(10), "the agent never started"
        return self.pid

    def said(self, words: str) -> None:
        log = self.spec.logs / "stdout.log"
        wait_until(lambda: log.exists() and words in log.read_text("utf-8", "replace"), description=f"{words} in {log}")

    def end(self, timeout: float = 20) -> Ended:
        self._thread.join(timeout)
        assert self.ended is not None, "the run never ended"
        return self.ended


def spec(tmp_path: Path, *argv: str, **more: object) -> RunSpec:
    env = {"PATH": os.environ["PATH"], contract.ENV_TOWN: str(tmp_path)}
    values: dict[str, object] = {"argv": argv, "env": env, "cwd": tmp_path, "logs": tmp_path / "logs", "grace": 1.0}
    return RunSpec(id=f"m/{tmp_path.name}/1", **{**values, **more})  # type: ignore[arg-type]


def python(tmp_path: Path, code: str, *args: str, **more: object) -> RunSpec:
    return spec(tmp_path, sys.executable, "-c", code, *args, **more)


def run(runner: Runner, wanted: RunSpec) -> Ended:
    return Agent(runner, wanted).end()


def alive(tag: str) -> list[int]:
    """Processes that bear the tag in their arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            if tag in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def lives(process: psutil.Process) -> bool:
    """It runs; a zombie that its new parent has not looked at does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def guard_of(runner: Runner) -> psutil.Process:
    runner.start()
    guard = runner._guard
    assert guard is not None
    return psutil.Process(guard.process.pid)


# -- the plain way --------------------------------------------------------------------------------


def test_a_run_gives_exit_code_output_and_input(runner: Runner, tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('warning', file=sys.stderr); sys.exit(3)"
    ended = run(runner, python(tmp_path, code, stdin="héllo"))
    assert (ended.reason, ended.exit_code) == ("exited", 3)
    assert ended.stdout == "HÉLLO\n"
    assert ended.stderr == "warning\n"
    assert ended.output_bytes == len("HÉLLO\nwarning\n".encode())
    assert 0 < ended.duration < 10


REWRITE = """
import os
kept = os.read(0, 100)
for how in ("/proc/self/fd/0", "/dev/fd/0", "/dev/stdin"):
    try:
        with open(how, "r+b") as again:
            again.write(b"forged")
    except OSError as error:
        print(type(error).__name__)
try:
    os.ftruncate(0, 0)
except OSError as error:
    print(type(error).__name__)
print(kept.decode())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux seals a file")
def test_what_an_agent_reads_is_a_copy_that_nobody_can_change(runner: Runner, tmp_path: Path) -> None:
    """Neither the file that it was given, nor a text's record, nor what others of its processes read."""
    record = tmp_path / "brief.md"
    record.write_text("the brief")
    for given in (record, "the brief"):
        ended = run(runner, python(tmp_path / str(type(given).__name__), REWRITE, stdin=given))
        assert ended.stdout.split("\n")[:5] == ["PermissionError"] * 4 + ["the brief"], ended
    text = tmp_path / "str" / "logs" / "stdin"
    assert [record.read_text(), text.read_text()] == ["the brief", "the brief"]
    assert text.stat().st_mode & 0o777 == 0o600


def test_stdin_is_empty_and_the_environment_is_only_what_was_given(runner: Runner, tmp_path: Path) -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), sorted(os.environ))"
    ended = run(runner, python(tmp_path, code))
    assert ended.stdout.startswith("''")
    # Python itself adds LC_CTYPE in the C locale.
    seen = set(eval(ended.stdout.split(maxsplit=1)[1])) - {"LC_CTYPE"}
    assert seen == {"PATH", contract.ENV_TOWN, contract.ENV_RUN}


def test_the_agent_has_its_own_session_no_core_files_and_default_signals(runner: Runner, tmp_path: Path) -> None:
    code = """
import os, resource, signal
print(os.getsid(0) == os.getpid(), resource.getrlimit(resource.RLIMIT_CORE),
      [signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGHUP)], open('/proc/self/fd/0').read())
print(sorted(os.listdir('/proc/self/fd'))[:4])
print(resource.getrlimit(resource.RLIMIT_FSIZE)[0], open('/proc/self/oom_score_adj').read().strip())
"""
    lines = run(runner, python(tmp_path, code)).stdout.splitlines()
    assert lines[0].strip() == "True (0, 0) [True, True]"
    assert lines[1] == "['0', '1', '2', '3']"  # 3 is the listing itself: nothing else is inherited
    assert lines[2] == f"{FILE_BYTES} 500"


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc/passwd", 126), ("/etc/passwd/x", 127)])
def test_a_program_that_cannot_start_is_told_apart_by_the_shells_codes(
    runner: Runner, tmp_path: Path, program: str, code: int
) -> None:
    ended = run(runner, spec(tmp_path, program))
    assert (ended.reason, ended.exit_code) == ("exited", code)
    assert ended.stderr.startswith(f"cannot start {program}: ")
    assert run(runner, spec(tmp_path, "true")).exit_code == 0


def test_an_argument_no_system_takes_is_an_error_and_not_the_guards_end(runner: Runner, tmp_path: Path) -> None:
    before = guard_of(runner).pid
    assert run(runner, spec(tmp_path, "echo", "x" * (1 << 20))).exit_code == 126
    assert run(runner, spec(tmp_path, "echo", "a\0b")).exit_code == 126
    assert guard_of(runner).pid == before


def test_a_signal_is_a_negative_code(runner: Runner, tmp_path: Path) -> None:
    ended = run(runner, spec(tmp_path, "sh", "-c", "kill -SEGV $$"))
    assert (ended.reason, ended.exit_code) == ("exited", -signal.SIGSEGV)


def test_several_agents_at_once_keep_their_own(runner: Runner, tmp_path: Path) -> None:
    agents = []
    for name in "abcd":
        (tmp_path / name).mkdir()
        agents.append(Agent(runner, python(tmp_path / name, NEST, f"many-{tmp_path}-{name}", "600")))
    for agent in agents:
        agent.said("ready")
    agents[0].stop.set()
    agents[0].end()
    # Three of the four that the nest starts bear the marker or hang below the first process.
    assert all(len(alive(f"many-{tmp_path}-{name}")) == 4 for name in "bcd")
    for agent in agents[1:]:
        agent.stop.set()
    assert [agent.end().reason for agent in agents] == ["stopped"] * 4
    assert not [pid for name in "abcd" for pid in alive(f"many-{tmp_path}-{name}")]


# -- nobody survives ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["exits", "stopped", "timed out", "refused", "killed"])
def test_the_whole_tree_is_gone_however_the_run_ends(runner: Runner, tmp_path: Path, how: str) -> None:
    tag = f"nest-{tmp_path}"
    more = {"timed out": {"timeout": 1.5}, "refused": {"heartbeat": 0.5}}.get(how, {})
    wanted = python(tmp_path, NEST, tag, *([] if how == "exits" else ["600"]), **more)
    agent = Agent(runner, wanted, renew=lambda: how != "refused")
    agent.said("ready")
    if how == "stopped":
        agent.stop.set()
    elif how == "killed":
        os.kill(agent.started(), signal.SIGKILL)
    ended = agent.end()
    assert not alive(tag)
    assert not orphans.marked(tmp_path)
    assert ended.reason == {"exits": "exited", "killed": "exited"}.get(how, how.replace(" ", "_"))
    assert not guard_of(runner).children(recursive=True)


def test_processes_that_hop_from_fork_to_fork_are_caught(runner: Runner, tmp_path: Path) -> None:
    # Bounded: should a test be cut short in the middle, nothing hops on for ever.
    code = """
import os, sys, time
print("ready", flush=True)
os.close(1), os.close(2)
until = time.monotonic() + 20
while time.monotonic() < until:
    if os.fork():
        os._exit(0)
    os.setsid()
"""
    agent = Agent(runner, python(tmp_path, code, f"hop-{tmp_path}", grace=0.2))
    ended = agent.end()
    assert ended.exit_code == 0
    assert not alive(f"hop-{tmp_path}")


def test_an_agent_may_tidy_up_within_its_grace(runner: Runner, tmp_path: Path) -> None:
    code = "trap 'echo tidied; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    agent = Agent(runner, spec(tmp_path, "sh", "-c", code, grace=10.0))
    agent.said("ready")
    agent.stop.set()
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("stopped", 7)
    assert ended.stdout == "ready\ntidied\n"
    assert ended.duration < 9


def test_one_that_ignores_sigterm_is_killed_after_its_grace(runner: Runner, tmp_path: Path) -> None:
    code = "trap '' TERM; echo ready; sleep 600"
    agent = Agent(runner, spec(tmp_path, "sh", "-c", code, grace=0.5))
    agent.said("ready")
    asked = time.monotonic()
    agent.stop.set()
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("stopped", -signal.SIGKILL)
    assert 0.5 <= time.monotonic() - asked < patience(5)


def test_a_stopped_process_is_killed_too(runner: Runner, tmp_path: Path) -> None:
    agent = Agent(runner, spec(tmp_path, "sh", "-c", "echo ready; sleep 600", grace=5.0))
    agent.said("ready")
    os.kill(agent.started(), signal.SIGSTOP)
    agent.stop.set()
    assert agent.end().exit_code == -signal.SIGTERM


WORKER = """
import sys, threading
from pathlib import Path
from tinytown_workers.run.run_spec import RunSpec
from tinytown_workers.run.runner import Runner
root, tag, nest = Path(sys.argv[1]), sys.argv[2].removeprefix("tag:"), sys.argv[3]
spec = RunSpec(id="m/dead/1", argv=[sys.executable, "-c", nest, tag, "600"], env={"TINYTOWN_TOWN": str(root)}, cwd=root,
               logs=root / "logs", grace=10)
Runner().run(spec, on_started=lambda pid: None, renew=lambda: True, stop=threading.Event())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_worker_dies_its_agents_tree_is_gone_within_two_seconds(tmp_path: Path, number: int) -> None:
    tag = f"orphan-{tmp_path}"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", WORKER, str(tmp_path), f"tag:{tag}", NEST]
    worker = subprocess.Popen(argv, env=env, start_new_session=True)
    log = tmp_path / "logs" / "stdout.log"
    wait_until(lambda: log.exists() and "ready" in log.read_text(), description="the agent's tree")
    family = [*psutil.Process(worker.pid).children(recursive=True), *map(psutil.Process, alive(tag))]
    assert len(alive(tag)) == 4
    assert len({p.pid for p in family}) == 6  # with the guard and the sleep in its own session
    os.killpg(worker.pid, number)
    worker.wait(10)
    wait_until(lambda: not any(map(lives, family)), timeout=2, description="nobody of the tree, the guard included")


def test_when_the_guard_dies_the_run_is_lost_and_the_next_one_has_a_new_guard(runner: Runner, tmp_path: Path) -> None:
    tag = f"unguarded-{tmp_path}"
    first = guard_of(runner)
    agent = Agent(runner, python(tmp_path, NEST, tag, "600"))
    agent.said("ready")
    nameless = [p for p in map(psutil.Process, alive(tag)) if contract.ENV_RUN not in p.environ()]
    first.kill()
    ended = agent.end()
    assert (ended.reason, ended.exit_code) == ("lost_guard", None)
    assert ended.stdout == "ready\n"
    # The one that hid its environment can be told by nobody any more; all others are gone.
    assert alive(tag) == [p.pid for p in nameless]
    for process in nameless:
        process.kill()
    assert run(runner, spec(tmp_path, "true")).reason == "exited"
    assert guard_of(runner).pid != first.pid


def test_closing_ends_the_agents_and_the_guard(tmp_path: Path) -> None:
    runner = Runner()
    guard = guard_of(runner)
    agent = Agent(runner, spec(tmp_path, "sh", "-c", "echo ready; exec sleep 600"))
    agent.said("ready")
    runner.close()
    assert agent.end().exit_code == -signal.SIGTERM
    assert not guard.is_running()
    runner.close()


# -- limits and lease -----------------------------------------------------------------------------


def test_silence_ends_an_agent_that_streams_but_not_one_that_speaks(runner: Runner, tmp_path: Path) -> None:
    talks = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done"
    assert run(runner, spec(tmp_path, "sh", "-c", talks, no_output=0.8)).reason == "exited"
    ended = run(runner, spec(tmp_path, "sh", "-c", "echo hello; sleep 600", no_output=0.8))
    assert ended.reason == "stalled"
    assert 0.8 <= ended.duration < 5
    ended = run(runner, spec(tmp_path, "sh", "-c", "sleep 600", timeout=0.8))
    assert ended.reason == "timed_out"


def test_a_database_that_does_not_answer_is_tolerated_while_the_lease_lasts(runner: Runner, tmp_path: Path) -> None:
    asked: list[float] = []

    def renew() -> bool:
        asked.append(time.monotonic())
        if 2 < len(asked) < 6:
            raise ConnectionError("no answer")
        return True

    ended = Agent(runner, spec(tmp_path, "sleep", "2", heartbeat=0.2, lease=1.2), renew=renew).end()
    assert (ended.reason, ended.exit_code) == ("exited", 0)
    assert len(asked) > 6


@pytest.mark.parametrize("answer", ["raises", "hangs"])
def test_a_lease_that_runs_out_ends_the_tree(runner: Runner, tmp_path: Path, answer: str) -> None:
    over = threading.Event()

    def renew() -> bool:
        if answer == "hangs":
            over.wait(30)
        raise ConnectionError("no answer")

    ended = Agent(runner, spec(tmp_path, "sleep", "600", heartbeat=0.2, lease=1.0), renew=renew).end()
    over.set()
    assert (ended.reason, ended.exit_code) == ("refused", -signal.SIGTERM)
    assert 1.0 <= ended.duration < 4


@pytest.mark.parametrize("how", ["refused", "runs out"])
def test_an_agent_whose_lease_is_gone_may_say_its_last_words(runner: Runner, tmp_path: Path, how: str) -> None:
    """What it cost, say: money that is spent is counted, whoever took the work from it."""
    code = "trap 'echo paid; exit 3' TERM; echo ready; while :; do sleep 0.05; done"

    def renew() -> bool:
        if how == "refused":
            return False
        raise ConnectionError("no answer")

    ended = Agent(runner, spec(tmp_path, "sh", "-c", code, heartbeat=0.3, lease=1.0, grace=5.0), renew=renew).end()
    assert (ended.reason, ended.exit_code, ended.stdout) == ("refused", 3, "ready\npaid\n")


def test_a_frozen_worker_cannot_keep_its_agent_beyond_the_lease(tmp_path: Path) -> None:
    tag = f"frozen-{tmp_path}"
    code = WORKER.replace("grace=10", "grace=10, heartbeat=0.3, lease=1.5")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    worker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"tag:{tag}", NEST], env=env)
    try:
        log = tmp_path / "logs" / "stdout.log"
        wait_until(lambda: log.exists() and "ready" in log.read_text(), description="the agent's tree")
        worker.send_signal(signal.SIGSTOP)
        wait_until(lambda: not alive(tag), timeout=4, description="no process of the agent")
        worker.send_signal(signal.SIGCONT)
        assert worker.wait(10) == 0
    finally:
        worker.kill()
        worker.wait()


# -- output ---------------------------------------------------------------------------------------


def test_a_flood_is_capped_and_costs_us_little(runner: Runner, tmp_path: Path) -> None:
    guard = guard_of(runner)
    agent = Agent(runner, spec(tmp_path, "sh", "-c", "yes; true", log_bytes=1 << 20, timeout=3.0))
    agent.started()
    before = guard.cpu_times()
    memory = []
    while agent.ended is None:
        memory.append(guard.memory_info().rss)
        threading.Event().wait(0.1)
    used = guard.cpu_times()
    ended = agent.end()
    assert ended.output_bytes > 10 << 20
    # A read of a mebibyte and a rest in turn: no faster, however idle the machine is.
    assert ended.output_bytes < (2 + (ended.duration + 0.5) / 0.02) * (1 << 20)
    assert (used.user + used.system) - (before.user + before.system) < 0.3 * 3
    assert max(memory) < 40 << 20
    size = (tmp_path / "logs" / "stdout.log").stat().st_size
    assert size < (1 << 20) + LOG_TAIL_BYTES + 100
    assert f"[{ended.output_bytes - (1 << 20) - LOG_TAIL_BYTES} bytes left out]" in ended.stdout.replace("\n", "") or (
        "bytes left out" in (tmp_path / "logs" / "stdout.log").read_text()
    )
    assert len(ended.stdout) < TEXT_BYTES + 100


def test_the_last_words_after_a_flood_are_kept(runner: Runner, tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('first\\n' + 'x' * 5_000_000 + '\\nlast words\\n')"
    ended = run(runner, python(tmp_path, code, log_bytes=1 << 20))
    assert ended.output_bytes == 5_000_000 + 18
    assert ended.stdout.startswith("first\n")
    assert ended.stdout.endswith("x\nlast words\n")
    cut = 5_000_018 - (1 << 20) - LOG_TAIL_BYTES
    assert f"\n[{cut} bytes left out]\n".encode() in (tmp_path / "logs" / "stdout.log").read_bytes()


def test_any_bytes_are_text_in_the_end(runner: Runner, tmp_path: Path) -> None:
    code = "import os; os.write(1, bytes(range(256)) * 10); os.write(2, b'\\xff\\xfe\\xc3')"
    ended = run(runner, python(tmp_path, code))
    assert ended.output_bytes == 2563
    assert "�" in ended.stdout
    assert ended.stderr == "���"


def test_a_file_has_a_largest_size_from_the_first_instruction_on(tmp_path: Path) -> None:
    runner = Runner(file_bytes=100_000)
    try:
        for _ in range(10):
            ended = run(runner, spec(tmp_path, "sh", "-c", "ulimit -H -f; truncate -s 150000 big"))
            assert ended.stdout == f"{100_000 // 512}\n"
            assert ended.exit_code != 0
        assert (tmp_path / "big").stat().st_size <= 100_000
    finally:
        runner.close()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", ["pipe", "link", "folder"])
def test_what_stands_in_the_place_of_a_log_holds_nobody_and_is_not_written(
    runner: Runner, tmp_path: Path, what: str
) -> None:
    """Without a sandbox an agent can reach the folder of the next attempt's logs, and those of its own."""
    other = tmp_path / "other"
    other.write_text("mine\n")
    wanted = spec(tmp_path, "sh", "-c", f"echo hello; rm {tmp_path}/logs/stderr.log; mkfifo {tmp_path}/logs/stderr.log")
    log = wanted.logs / "stdout.log"
    wanted.logs.mkdir(exist_ok=True)
    match what:
        case "pipe":
            os.mkfifo(log)
        case "link":
            log.symlink_to(other)
        case "folder":
            log.mkdir()
    ended = run(runner, wanted)
    assert (ended.stdout, ended.stderr) == ("hello\n", "") if what != "folder" else ended.exit_code == 126
    assert other.read_text() == "mine\n"


def test_a_background_process_that_keeps_the_pipe_does_not_keep_the_run(runner: Runner, tmp_path: Path) -> None:
    ended = run(runner, spec(tmp_path, "sh", "-c", "sleep 600 & echo done", grace=30.0))
    assert (ended.reason, ended.exit_code, ended.stdout) == ("exited", 0, "done\n")
    assert ended.duration < 3


# -- orphans --------------------------------------------------------------------------------------


def test_strays_are_found_by_town_and_killed_by_town_and_run(tmp_path: Path) -> None:
    def stray(town: str, run: str) -> subprocess.Popen[bytes]:
        env = {contract.ENV_TOWN: town, contract.ENV_RUN: run, "PATH": os.environ["PATH"]}
        return subprocess.Popen(["sleep", "600"], env=env, start_new_session=True)

    here, elsewhere = str(tmp_path / "here"), str(tmp_path / "elsewhere")
    # Another town's run may be called the same.
    ours, other, theirs = stray(here, "m/a/1"), stray(here, "m/b/1"), stray(elsewhere, "m/a/1")
    try:
        assert orphans.marked(Path(here)) == {"m/a/1": [ours.pid], "m/b/1": [other.pid]}
        assert orphans.kill_marked("m/a/1", here) == 1
        assert ours.wait(5) == -signal.SIGKILL
        assert orphans.kill_marked("m/a/1", here) == 0
        assert orphans.marked(Path(here)) == {"m/b/1": [other.pid]}
        assert theirs.poll() is None
    finally:
        for process in (ours, other, theirs):
            process.kill()
            process.wait()


def test_runs_leave_nothing_open(runner: Runner, tmp_path: Path) -> None:
    guard = guard_of(runner)
    run(runner, spec(tmp_path, "true"))

    def opened() -> tuple[int, int, int]:
        return guard.num_fds(), psutil.Process().num_fds(), threading.active_count()

    before = opened()
    for _ in range(20):
        run(runner, spec(tmp_path, "true"))
        run(runner, spec(tmp_path, "no-such-program"))
    wait_until(
        # What a test before this one left may be closed meanwhile.
        lambda: all(now <= then for now, then in zip(opened(), before, strict=True)),
        description=f"no more files and threads than before: {before}",
    )


# -- trouble without end --------------------------------------------------------------------------


def complains(line: str) -> Sort:
    return "trouble" if line.startswith("model does not answer") else "work"


def test_an_agent_that_only_repeats_its_trouble_is_ended(runner: Runner, tmp_path: Path) -> None:
    """Its output grows all the time, so silence would never end it."""
    code = "import itertools, time\nfor n in itertools.count():\n print('model does not answer', n, flush=True)\n"
    code += " time.sleep(0.05)"
    wanted = python(tmp_path, code, sort=complains, patience=2.0, no_output=60.0, timeout=60.0)
    ended = run(runner, wanted)
    assert (ended.reason, ended.exit_code) == ("repeating", -signal.SIGTERM)
    assert "model does not answer 1\n" in ended.stdout


def test_an_agent_that_says_on_stderr_that_it_waits_for_long_is_ended(runner: Runner, tmp_path: Path) -> None:
    """At once, whatever else it prints; where it names no such pause, it goes on."""

    def waits(line: str) -> bool:
        return line == "next try in 7200 s"

    code = "import sys, time\nprint('next try in', sys.argv[1], 's', file=sys.stderr, flush=True)\n"
    code += (
        "for n in range(600 if sys.argv[1] == '7200' else 3):\n print(n, file=sys.stderr, flush=True)\n time.sleep(0.1)"
    )
    ended = run(runner, python(tmp_path / "long", code, "7200", waits=waits, timeout=60.0))
    assert (ended.reason, ended.exit_code) == ("repeating", -signal.SIGTERM)
    ended = run(runner, python(tmp_path / "short", code, "7", waits=waits, timeout=60.0))
    assert (ended.reason, ended.exit_code) == ("exited", 0)


def test_an_agent_that_works_between_its_trouble_or_prints_dots_goes_on(runner: Runner, tmp_path: Path) -> None:
    code = "import time\nfor n in range(100):\n print('model does not answer', n, flush=True)\n"
    code += " if n % 10 == 9: print('.' * n, 'FAILED test', n, flush=True)\n time.sleep(0.05)"
    ended = run(runner, python(tmp_path, code, sort=complains, patience=2.0))
    assert (ended.reason, ended.exit_code) == ("exited", 0)


def test_a_guard_that_nobody_needs_for_long_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners_of_a_process, "KEPT_SECS", 0.2)
    runners = Runners()
    with runners.lend() as lent:
        kept = guard_of(lent)
        with runners.lend() as given_back:
            gone = guard_of(given_back)
        wait_until(lambda: not gone.is_running(), timeout=60, description="the guard ends")
        assert kept.is_running(), "this one is somebody's"
    with runners.lend() as again:
        assert run(again, spec(tmp_path / "again", "true")).exit_code == 0
    runners.close()


def test_runs_at_the_same_time_have_guards_of_their_own(tmp_path: Path) -> None:
    """Without a sandbox an agent can end its guard; that must not be another one's."""
    runners = Runners()
    with runners.lend() as one, runners.lend() as other:
        lost = Agent(one, spec(tmp_path / "one", "sh", "-c", "echo ready; exec sleep 600"))
        kept = Agent(other, spec(tmp_path / "other", "sh", "-c", "echo ready; exec sleep 600"))
        lost.said("ready")
        kept.said("ready")
        guard_of(one).kill()
        assert lost.end().reason == "lost_guard"
        kept.stop.set()
        assert kept.end().reason == "stopped"
    with runners.lend() as again:
        assert again in (one, other)
    runners.close()
