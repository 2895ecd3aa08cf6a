"""The command that starts a program inside bubblewrap."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tinytown_workers.sandbox import view

#: New namespaces for everything, no capabilities, no terminal to write into, death with the guard.
ISOLATION = ("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
#: With the machine's network: all of it, abstract sockets included.
SHARED_NETWORK = ("--share-net",)


@dataclass(frozen=True)
class Command:
    """How to start a program: ``argv``, in the environment that was given, and nothing else."""

    argv: list[str]
    #: Options of ``argv[0]`` that want the number of an open file, and what is to be read from it.
    files: Mapping[str, bytes] = field(default_factory=dict)

    def run(self, env: Mapping[str, str], *, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run it without a guard, for a look; raises ``OSError`` and ``subprocess.TimeoutExpired``."""
        with contextlib.ExitStack() as stack:
            given = [(option, stack.enter_context(_read_from(data))) for option, data in self.files.items()]
            options = [word for option, descriptor in given for word in (option, str(descriptor))]
            return subprocess.run(
                [self.argv[0], *options, *self.argv[1:]],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                pass_fds=[descriptor for _, descriptor in given],
            )


@contextlib.contextmanager
def _read_from(data: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        yield file.fileno()


@dataclass(frozen=True)
class Sandbox:
    """What surrounds the agents of this worker; ``reason`` says why there is none."""

    kind: Literal["bwrap", "none"]
    reason: str = ""

    def wrap(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        clone: Path,
        home: Path,
        tmp: Path,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        stand_ins: Mapping[Path, Path] | None = None,
        socket: Path | None = None,
        hidden: Sequence[Path] = (),
        shared_network: bool = True,
    ) -> Command:
        """What runs ``argv`` in here; to be started with ``env`` and nothing else.

        ``bwrap`` itself must get the agent's environment and not the worker's: its own is readable inside.

        Args:
            env: the agent's environment; ``HOME`` says where ``home`` appears.
            clone: the working folder, writable, at its own path.
            home, tmp: existing empty folders of this attempt that stand in for the user's home and for ``/tmp``.
            readable, writable: the CLI's own files; those that do not exist are left out.
            stand_ins: existing folders outside that appear, writable, in the place of the CLI's own.
            socket: the desk's.
            hidden: the town, its state and the like: no folder that contains one of them is ever shown.
            shared_network: it is the machine's; else there is none but the ports that a guard opens inside.
        """
        if self.kind == "none":
            return Command(list(argv))
        user_home = Path(env.get("HOME") or "/")
        secret = [user_home, *hidden]
        shown = dict.fromkeys(view.programs(argv[0], env), "--ro-bind")
        shown |= dict.fromkeys(readable, "--ro-bind")
        shown |= dict.fromkeys(writable, "--bind")
        shown = {path: how for path, how in shown.items() if path.exists() and view.harmless(path, secret)}
        shown[clone] = "--bind"
        if socket is not None:
            shown[socket] = "--bind"
        network = SHARED_NETWORK if shared_network else ()
        options = [*ISOLATION, *network, *view.system(), "--bind", str(tmp), "/tmp"]  # noqa: S108
        options += ["--symlink", "/tmp", "/var/tmp"]  # noqa: S108
        if user_home != Path("/"):
            options += ["--bind", str(home), str(user_home)]
        for place, folder in (stand_ins or {}).items():
            if view.harmless(folder, []) and not view.in_system(place):
                options += ["--bind", str(folder), str(place)]
        for path in hidden:
            # A town in ``/opt`` would be shown with it.
            options += ["--tmpfs", str(path)] if path.exists() and view.in_system(path) else []
        # Outer folders first: a later mount hides what lies below it. What its folder shows already is left out.
        for path, how in sorted(shown.items(), key=lambda entry: len(entry[0].parts)):
            around = next((shown[folder] for folder in path.parents if folder in shown), None)
            if around != how and not (how == "--ro-bind" and view.in_system(path)):
                options += [how, str(path), str(path)]
        return Command([shutil.which("bwrap") or "bwrap", *options, "--chdir", str(clone), "--", *argv])
