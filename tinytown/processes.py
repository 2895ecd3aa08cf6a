"""The library's one door to other programs.

Always an argv list (never a shell), an environment that the caller states, and a deadline. A process
is known by its pid *and* its start time, because the kernel gives pids out again.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from tinytown import programs
from tinytown.capture import Captured, pump, wait_until
from tinytown.errors import DiskFullError, StateError, TinytownError

log = logging.getLogger(__name__)

#: Bytes kept of each captured stream; what comes after is read and dropped.
CAPTURE_LIMIT = 4 * 1024 * 1024
#: Variables that any program may see; a name that ends in ``_`` stands for all that begin with it.
SAFE_VARIABLES = ("HOME", "LANG", "LC_", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "XDG_")
#: Seconds from SIGTERM to SIGKILL for a program that ran into its deadline.
DEADLINE_GRACE = 1.0
#: Seconds that a killed process may take to disappear.
KILL_WAIT = 5.0
#: Ended detached children whose exit code is still known.
CHILDREN_KEPT = 64
#: How lines begin by which git repeats what another machine said.
_REPEATED = ("remote: ", "error: remote unpack failed")
_HAS_PROC = Path("/proc/self/stat").exists()


def is_relative(program: str) -> bool:
    """Whether it is looked for from the working folder, and neither on the PATH nor at a fixed place."""
    return "/" in program and not program.startswith("/")


class ProgramMissingError(StateError):
    """A program isn't installed, or may not be run."""


class ProgramTimeoutError(TinytownError):
    """A program ran into its deadline and was killed with its whole process group."""


class ProgramFailedError(TinytownError):
    """A program that had to succeed ended with another exit code than 0."""

    def __init__(self, completed: Completed) -> None:
        self.completed = completed
        words = completed.stderr.strip() or completed.stdout.strip()
        last = words.splitlines()[-1].strip() if words else f"exit code {completed.code}"
        super().__init__(f"`{_shown(completed.argv)}` failed: {last}", remedy="try it by hand")


@dataclass(frozen=True)
class Completed:
    """A program that has ended. Output is decoded leniently; ``truncated`` says that some was dropped."""

    argv: tuple[str, ...]
    #: Exit code; the negative number of the signal that ended it.
    code: int
    stdout: str
    stderr: str
    truncated: bool = False

    @property
    def ok(self) -> bool:
        """It ended with exit code 0."""
        return self.code == 0


class Identity(NamedTuple):
    """A process: its pid, and its start time by the kernel's own clock (see ``start_time``)."""

    pid: int
    created: float


def environment(*, add: Mapping[str, str] | None = None, allow: Sequence[str] = ()) -> dict[str, str]:
    """This process's environment cut down to ``SAFE_VARIABLES`` and ``allow``, plus ``add``.

    Its ``PATH`` leads into no repository (see ``programs``).
    """
    names = frozenset((*SAFE_VARIABLES, *allow))
    beginnings = tuple(safe for safe in names if safe.endswith("_"))
    kept = {name: value for name, value in os.environ.items() if name in names or name.startswith(beginnings)}
    return {**kept, "PATH": programs.trusted_path(), **(add or {})}


def run(
    argv: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str],
    timeout: float,
    input: str | bytes | None = None,  # noqa: A002
    check: bool = True,
    limit: int = CAPTURE_LIMIT,
    whole: bool = False,
    errors: str = "replace",
    limits: Mapping[int, int] | None = None,
    inherited: bool = False,
) -> Completed:
    """Run a program to its end and give back what it said.

    Args:
        argv: The program and its arguments. It is looked up on the PATH of ``env``, but in no repository.
        env: Its whole environment; see ``environment``.
        timeout: Seconds after which its process group is ended, first by SIGTERM, then by SIGKILL.
        input: Written to its stdin, which is closed then; ``None`` means an empty stdin.
        check: Raise when it fails.
        limit: Bytes kept of each stream.
        whole: Part of its output is of no use: a program that says more than ``limit`` is ended at once.
        errors: What becomes of bytes that aren't UTF-8; ``surrogateescape`` keeps the names of files exact.
        limits: What the kernel lets it use, by the constants of ``resource``.
        inherited: It may start programs at once, which are to have these limits too.

    Raises:
        ProgramMissingError: it isn't installed or may not be run.
        ProgramTimeoutError: it ran into its deadline.
        ProgramFailedError: ``check``, and its exit code isn't 0.
        DiskFullError: ``check``, and it failed because the disk is full.
    """
    deadline = time.monotonic() + timeout
    process = _spawn(
        argv if limits is None or not _needs_shell(inherited=inherited) else _in_shell(argv, limits),
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if limits is not None and not _needs_shell(inherited=inherited):
        _limit(process.pid, limits)
    data = input.encode() if isinstance(input, str) else input or b""
    captured = Captured(limit)
    try:
        ended = pump(process, data, captured, deadline, whole=whole)
        if captured.truncated and whole:
            _end_group(process)
            ended = True
    except BaseException:
        _end_group(process)
        raise
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
    if not ended:
        _end_group(process)
        raise ProgramTimeoutError(f"`{_shown(argv)}` did not end within {timeout:g} s", remedy="try it by hand")
    done = Completed(
        argv=tuple(argv),
        code=process.wait(),
        stdout=captured.stdout.decode(errors=errors),
        stderr=captured.stderr.decode(errors=errors),
        truncated=captured.truncated,
    )
    if check and not done.ok:
        if says_disk_full(done.stderr):
            raise DiskFullError(f"`{_shown(argv)}` ran out of disk space", remedy="free some space, then retry")
        raise ProgramFailedError(done)
    return done


def says_disk_full(text: str) -> bool:
    """Whether a program's words say that the disk, or the user's share of it, is full; not those that git repeats."""
    lower = "\n".join(line for line in text.lower().splitlines() if not line.startswith(_REPEATED))
    return any(os.strerror(code).lower() in lower for code in (errno.ENOSPC, errno.EDQUOT)) or (
        "no space left on device" in lower or "disk quota exceeded" in lower
    )


def start_detached(argv: Sequence[str], *, cwd: Path | str, env: Mapping[str, str], log: Path) -> Identity:
    """Start a program that outlives this process: own session, empty stdin, output appended to ``log``.

    Raises:
        ProgramMissingError: it isn't installed or may not be run.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        process = _spawn(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, kind=_Detached
        )
    finally:
        os.close(descriptor)
    ended = [pid for pid, child in _children.items() if child.returncode is not None]
    for pid in ended[:-CHILDREN_KEPT]:
        del _children[pid]
    _children[process.pid] = process
    # The process cannot vanish before it is reaped, and only we reap it.
    return Identity(process.pid, start_time(process.pid) or 0.0)


def start_attached(argv: Sequence[str], *, cwd: Path | str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program with this process's own streams, in its group: what is typed to interrupt reaches both.

    Raises:
        ProgramMissingError: it isn't installed or may not be run.
    """
    return _spawn(argv, cwd=cwd, env=env, stdin=None, stdout=None, stderr=None, apart=False)


def exit_code(pid: int) -> int | None:
    """Exit code of a process that this process started detached; ``None`` while it lives or isn't ours."""
    process = _children.get(pid)
    return process.poll() if process is not None else None


def child_ended() -> bool:
    """Whether a child of this process has ended whose end was not looked at yet; ``True`` where nobody can tell."""
    if not hasattr(os, "waitid"):
        return True
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def start_time(pid: int) -> float | None:
    """When a process started, in seconds on a clock that no one sets; ``None`` if there is no such process.

    On Linux that is the time since boot: psutil's absolute time moves whenever the wall clock is set.
    """
    seen = _stat(pid)
    return seen and seen[0]


def alive(pid: int, created: float) -> bool:
    """Whether exactly this process still runs; a zombie does not."""
    exit_code(pid)  # reaps it if it is ours
    seen = _stat(pid)
    # The clock ticks every 10 ms.
    return seen is not None and abs(seen[0] - created) < 0.015 and not seen[1]


def send_signal(pid: int, created: float, number: signal.Signals) -> bool:
    """Signal exactly this process; says whether it was there."""
    if not alive(pid, created):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def stop(pid: int, created: float, grace: float) -> bool:
    """End exactly this process: SIGTERM, up to ``grace`` seconds, SIGKILL. Says whether it is gone."""
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, KILL_WAIT)):
        send_signal(pid, created, number)
        if wait_until(lambda: not alive(pid, created), wait):
            return True
    return False


# -- inside --------------------------------------------------------------------------------------

#: Detached children by pid: held, so that they can be reaped and never warn of being forgotten.
_children: dict[int, subprocess.Popen[bytes]] = {}


def _stat(pid: int) -> tuple[float, bool] | None:
    """Start time of a process, and whether it is a zombie."""
    if _HAS_PROC:
        try:
            # Not by a file object: this is asked every second of each process, and that takes three times as long.
            file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
            try:
                stat = os.read(file, 4096)
            finally:
                os.close(file)
        except OSError:
            return None
        # The name, in brackets, may hold anything; then come the state and, as 20th, the start time in ticks.
        fields = stat[stat.rindex(b")") + 2 :].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK"), fields[0] in (b"Z", b"X")
    try:
        process = psutil.Process(pid)
        return process.create_time(), process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None


#: How a shell's `ulimit` calls them, and in units of how many bytes or seconds.
_ULIMIT = {resource.RLIMIT_DATA: ("d", 1024), resource.RLIMIT_CPU: ("t", 1)}


def _needs_shell(*, inherited: bool) -> bool:
    """Whether limits must be there before the program begins, or cannot be set from here at all."""
    return inherited or not hasattr(resource, "prlimit")


def _in_shell(argv: Sequence[str], limits: Mapping[int, int]) -> list[str]:
    """The same program, in whose place a shell begins that sets its limits: in a child of threads nothing else may."""
    lines = [f"ulimit -S -{_ULIMIT[kind][0]} {value // _ULIMIT[kind][1]} 2>/dev/null" for kind, value in limits.items()]
    return ["/bin/sh", "-c", "\n".join([*lines, 'exec "$@"']), "sh", *argv]


def _limit(pid: int, limits: Mapping[int, int]) -> None:
    """Limit a program that has only just begun; a lower limit of the machine's own stays."""
    for kind, value in limits.items():
        with contextlib.suppress(OSError, ValueError):
            soft, hard = resource.prlimit(pid, kind)
            if soft == resource.RLIM_INFINITY or soft > value:
                resource.prlimit(pid, kind, (value, hard))


class _Detached(subprocess.Popen[bytes]):
    """It outlives this process on purpose, so there is nothing to warn of at the end."""

    def __del__(self) -> None:
        pass


def _spawn(
    argv: Sequence[str],
    *,
    cwd: Path | str,
    env: Mapping[str, str],
    stdin: int | None,
    stdout: int | None,
    stderr: int | None,
    kind: type[subprocess.Popen[bytes]] = subprocess.Popen,
    apart: bool = True,
) -> subprocess.Popen[bytes]:
    log.debug("runs %s in %s", _shown(argv), cwd)
    words = [_program(argv[0], env), *argv[1:]]
    try:
        return kind(words, cwd=cwd, env=dict(env), stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=apart)
    except FileNotFoundError as error:
        if not Path(cwd).is_dir():
            raise StateError(f"the folder {cwd} does not exist", remedy="`cd` to one that exists") from None
        if Path(words[0]).is_file():
            raise ProgramMissingError(
                f"`{argv[0]}` cannot be started: what runs it is not installed", remedy="see its first line"
            ) from None
        raise ProgramMissingError(
            f"`{argv[0]}` is not installed", remedy=f"install it, or put it on the PATH: {error.filename}"
        ) from None
    except PermissionError:
        raise ProgramMissingError(f"`{argv[0]}` is not allowed to run here", remedy="check its permissions") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError("no space left on the disk", remedy="free some space, then retry") from None
        raise StateError(
            f"`{_shown(argv)}` cannot be started: {error.strerror}", remedy="check that program, then retry"
        ) from None


def _program(name: str, env: Mapping[str, str]) -> str:
    """Where a program is: left to the system, one beside ``cwd`` would be taken by a ``PATH`` that leads there."""
    if "/" in name:
        return name
    try:
        return programs.require(name, env.get("PATH"))
    except FileNotFoundError as error:
        if error.filename == name:
            raise ProgramMissingError(
                f"`{name}` is not installed", remedy="install it, or put it on the PATH"
            ) from None
        raise ProgramMissingError(
            f"`{name}` is only there as {error.filename}, inside a repository, and so it is not run",
            remedy="install it outside, or put where it is installed on the PATH",
        ) from None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and all of its process group; its pid is the group's, as it leads a session."""
    for number, wait in ((signal.SIGTERM, DEADLINE_GRACE), (signal.SIGKILL, KILL_WAIT)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        if wait_until(lambda: process.poll() is not None, wait) and number == signal.SIGKILL:
            return


def _shown(argv: Sequence[str]) -> str:
    """The beginning of a command line, for an error."""
    text = " ".join(argv[:4])
    return text if len(argv) <= 4 else f"{text} …"
