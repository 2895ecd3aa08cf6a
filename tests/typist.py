"""Types ``tt`` in processes of their own, without waiting for Python's imports each time.

A command of ``tt`` is quick, but loading Python, click, pydantic and redis takes most of a second of processor time,
and the tests type some hundreds of them. So one process loads the program once, and each command is a fork of it: with
its own working folder, environment, streams and exit code, as if a shell had started it; and so are the town's own
processes that it starts (``tests/forks.py``). What must be shown of the installed program itself is typed for real: by
``test_planted_programs`` and ``tests/packaging``.

Run as a program (``python typist.py SOCKET``) this file is that process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":  # with a safe path, which this folder is not on
    sys.path.append(str(Path(__file__).parent))
    import forks
else:
    from tests import forks
from tinytown import contract, processes, stamp

if TYPE_CHECKING:
    import pytest

#: What most commands need.
_LOADED = (
    "tinytown.cli.main", "tinytown.cli.session", "tinytown.cli.town", "tinytown.cli.status", "tinytown.cli.agents",
    "tinytown.cli.mission", "tinytown.cli.work", "tinytown.cli.mail", "tinytown.cli.mission_preview",
    "tinytown.cli.base_steps", "tinytown.cli.config", "tinytown.cli.lives", "tinytown.cli.mission_view",
    "tinytown.cli.recovery", "tinytown.plugins", "tinytown.agents.drivers.custom", "tinytown.canvases.message",
    "tinytown.canvases.release", "tinytown.engine.doctor.examination", "tinytown.engine.operate.agents",
    "tinytown.engine.start.open_issues", "tinytown.engine.views.items", "tinytown.engine.views.mailbox",
    "celery.app.control", "celery.app.events", "celery.fixups.django", "encodings.utf_8_sig",
    "importlib.resources.readers",
)  # fmt: skip
#: Bytes of room for the command line, and for the environment, that a fork shows of itself.
ROOM = 32768
#: Seconds between two looks whether the tests' own process is still there.
PARENT_SECS = 5.0
#: Variables that Python reads as it starts: with other ones a fork would be another program.
_AT_START = ("PYTHON", "LC_", "LANG", "TINYTOWN_SOCKET")


class Typist:
    """The process that types."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tt-typist-", dir="/tmp"))
        self._socket = self._folder / "s"
        self._environ = dict(_environ or os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__)), str(self._socket), "-" * ROOM],
            cwd="/",
            env={**self._environ, "TYPIST_ROOM": "-" * ROOM},
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """End it, by its pid."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._socket.unlink(missing_ok=True)
        self._folder.rmdir()

    def can_type(self, env: Mapping[str, str]) -> bool:
        """Whether a fork would be what a fresh start in this environment is."""
        names = {name for name in (*env, *self._environ) if name.startswith(_AT_START)}
        return all(env.get(name) == self._environ.get(name) for name in names)

    def type(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` with captured output and no input; raises its ``TimeoutExpired``."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self._socket))
            request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
            socket.send_fds(peer, [len(request).to_bytes(4, "big")], [out.fileno(), err.fileno()])
            peer.sendall(request)
            answers = peer.makefile()
            pid = int(answers.readline())
            peer.settimeout(timeout)
            try:
                code = int(answers.readline())
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    while True:  # until it is gone, as ``subprocess.run`` does
                        os.kill(pid, signal.SIGKILL)
                        time.sleep(0.002)
                raise subprocess.TimeoutExpired(list(argv), timeout) from None
            return subprocess.CompletedProcess(list(argv), code, _text(out), _text(err))

    def can_start(self, env: Mapping[str, str]) -> bool:
        """Whether a fork would be what a program of a town is that is started in this environment."""
        own = contract.for_processes(self._environ)
        names = {name for name in (*env, *own) if name.startswith(forks.AT_START)} - {"PYTHONSAFEPATH"}
        size = len(json.dumps(dict(env)))
        return size < ROOM and all(env.get(name) == own.get(name) for name in names)

    def start(self, argv: Sequence[str], *, cwd: Path | str, env: Mapping[str, str], output: int) -> int:
        """Start a program of a town as a fork that nobody waits for; gives its pid."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self._socket))
            request = json.dumps({"program": argv[2], "argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
            socket.send_fds(peer, [len(request).to_bytes(4, "big")], [output])
            peer.sendall(request)
            with peer.makefile() as answers:
                return int(answers.readline())

    def shim(self, folder: Path, program: Path) -> Path:
        """Write a ``tt`` into a folder that has this process type, with a shell's own streams and signals.

        Inside an agent's run, and wherever else a fork would not be the same, it executes ``program``.
        """
        file = folder / "tt"
        own = sorted((name, value) for name, value in self._environ.items() if name.startswith(_AT_START))
        names = {"AT_START": _AT_START, "OWN": own, "SOCKET": str(self._socket), "PROGRAM": str(program)}
        heads = [f"#!{sys.executable} -ISE", *(f"{name} = {value!r}" for name, value in names.items())]
        file.write_text("\n".join([*heads, _SHIM]), encoding="utf-8")
        file.chmod(0o755)
        return file


#: What the shim does: hand over the command and the streams, pass signals on, and end as the command does.
_SHIM = """
import json, os, signal, socket, sys

if sorted((name, value) for name, value in os.environ.items() if name.startswith(AT_START)) != OWN:
    os.execv(PROGRAM, [PROGRAM, *sys.argv[1:]])
peer = socket.socket(socket.AF_UNIX)
peer.connect(SOCKET)
request = {"argv": [PROGRAM, *sys.argv[1:]], "cwd": os.getcwd(), "env": dict(os.environ)}
request = json.dumps(request).encode()
socket.send_fds(peer, [len(request).to_bytes(4, "big")], [1, 2, 0])
peer.sendall(request)
answers = peer.makefile()
pid = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int(answers.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""

_typist: Typist | None = None
#: What the typist is started in, whatever a test has changed for itself by then: else all that follow type for real.
_environ: dict[str, str] = {}


def begin() -> None:
    """Remember the environment of this session."""
    _environ.update(os.environ)


def the_typist() -> Typist:
    """This session's."""
    global _typist  # noqa: PLW0603
    if _typist is None:
        _typist = Typist()
    return _typist


def start_by_forks(patch: pytest.MonkeyPatch) -> None:
    """Have the programs of towns that are started from here be forks of the typist."""
    execute = processes._spawn

    def spawn(argv: Sequence[str], *, cwd: Path | str, env: Mapping[str, str], stdout: Any, **rest: Any) -> Any:
        ours = list(argv[:2]) == [sys.executable, "-m"] and argv[2] in forks.PROGRAMS
        alike = ours and rest.get("kind") is processes._Detached and Path(cwd).is_dir() and not stamp.replaced()
        if alike and the_typist().can_start(env):
            return forks.Child(the_typist().start(argv, cwd=cwd, env=env, output=stdout))
        return execute(argv, cwd=cwd, env=env, stdout=stdout, **rest)

    patch.setattr(processes, "_spawn", spawn)


def type_tt(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Type ``tt`` in an environment: by this session's typist, or, where that would not be the same, for real."""
    if the_typist().can_type(env):
        return the_typist().type(argv, cwd=cwd, env=env, timeout=timeout)
    return subprocess.run(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
    )


def end() -> None:
    """Send the session's typist home."""
    global _typist  # noqa: PLW0603
    if _typist is not None:
        _typist.close()
        _typist = None


def _text(file: io.BufferedRandom | tempfile._TemporaryFileWrapper[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _serve(path: str) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    forks.begin()
    # Nobody waits for those that wait for the commands.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        listener.settimeout(PARENT_SECS)
        session = os.getppid()
        os.write(1, b"ready\n")
        # A session that was killed ends nothing itself.
        while os.getppid() == session:
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                _wait_for_one(peer)
            peer.close()


def _wait_for_one(peer: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, descriptors, _, _ = socket.recv_fds(peer, 4, 3)
    request = bytearray()
    while len(request) < int.from_bytes(size, "big"):
        request += peer.recv(1 << 16)
    asked = json.loads(request)
    pid = os.fork()
    if pid == 0:
        peer.close()
        if "program" in asked:
            forks.be(forks.PROGRAMS[asked["program"]], asked["argv"], asked["cwd"], asked["env"], descriptors[0])
        _obey(asked, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    peer.sendall(f"{pid}\n".encode())
    if "program" in asked:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        peer.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _obey(asked: dict[str, object], descriptors: Sequence[int]) -> None:
    code = 70
    try:
        os.setsid()
        for number, descriptor in zip((1, 2, 0), [*descriptors, os.open(os.devnull, os.O_RDONLY)], strict=False):
            os.dup2(descriptor, number)
        os.closerange(3, max(descriptors) + 2)
        os.environ.clear()
        os.environ.update(asked["env"])  # type: ignore[call-overload]
        os.chdir(str(asked["cwd"]))
        sys.argv = list(asked["argv"])  # type: ignore[call-overload]
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace")  # noqa: SIM115
        from tinytown.cli.main import run

        code = run(sys.argv[1:])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
