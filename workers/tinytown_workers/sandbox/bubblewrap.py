"""The command that starts a program inside bubblewrap."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from tinytown import programs
from tinytown.errors import TinytownError
from tinytown.host.confinement import Weakness, rights
from tinytown_workers.limits import cgroups
from tinytown_workers.limits.quota import Limits
from tinytown_workers.sandbox import landlock, lending, reading, rlimits, seccomp, system
from tinytown_workers.sandbox.identity import CAPABILITIES, Identity, may_become
from tinytown_workers.sandbox.view import Files, Wanted, view

#: For everybody: no terminal to write into, death with the guard, and no capability.
ALONE = ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
#: New namespaces for everything, that of users included, without which others than root could not have them.
NAMESPACES = ("--unshare-all",)
#: Root needs no namespace of users: nobody inside has a capability in that of the machine.
NAMESPACES_OF_ROOT = ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
#: To share the machine's network, abstract sockets included; and for root to have an empty one.
SHARED_NETWORK, OWN_NETWORK_OF_ROOT = ("--share-net",), ("--unshare-net",)
#: Bytes of shared memory inside: a file system of its own, which belongs to no disk.
SHM_BYTES = 1 << 30
#: Placeholders in the command for the numbers of open files.
FILTER, PASSWD, GROUP = "&filter", "&passwd", "&group"


@dataclass(frozen=True)
class Command:
    """How to start a program: ``argv``, in the environment that was given, and nothing else. A context manager."""

    argv: list[str]
    #: By placeholder in ``argv``: the content of the open file whose number takes its place.
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: To be called when it has ended.
    closing: Sequence[Callable[[], None]] = ()
    #: To be called now and then while it runs.
    meanwhile: Sequence[Callable[[], None]] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for close in self.closing:
            close()

    def tend(self) -> None:
        """Call what is to be called while it runs, so that a renewed log-in can be used outside at once."""
        for one in self.meanwhile:
            with contextlib.suppress(OSError, TinytownError):
                one()

    def run(self, env: Mapping[str, str], *, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run it without a guard, for a look; raises ``OSError`` and ``subprocess.TimeoutExpired``."""
        with self, contextlib.ExitStack() as stack:
            given = {name: stack.enter_context(_read_from(data)) for name, data in self.files.items()}
            return subprocess.run(
                [str(given.get(word, word)) for word in self.argv],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                pass_fds=list(given.values()),
            )


@contextlib.contextmanager
def _read_from(data: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        yield file.fileno()


@functools.cache
def takes(option: str) -> bool:
    """Whether this release of bwrap knows an option."""
    try:
        argv = [str(programs.find("bwrap") or "bwrap"), "--help"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return f"{option} " in done.stdout + done.stderr


@dataclass(frozen=True)
class Sandbox:
    """The sandbox for the agents of this worker; ``reason`` says why there is none."""

    kind: Literal["bwrap", "none"]
    reason: str = ""
    #: Whom programs run as; ``None`` for the worker's own user.
    identity: Identity | None = None
    #: The filter of system calls; empty for none.
    filter: bytes = b""
    #: What a run may use.
    limits: Limits = field(default_factory=Limits)
    #: Why it does less than it should; else empty.
    less: str = ""
    #: Programs may trace each other.
    ptrace: bool = False
    #: Why agents share the machine's network; empty if they have one of their own.
    shares_network: str = ""

    def untraced(self) -> Sandbox:
        """The same, but no program may trace another one, whatever the town allows."""
        return replace(self, ptrace=False, filter=seccomp.program()) if self.ptrace and self.filter else self

    def weaknesses(self) -> list[Weakness]:
        """What it does not do, each with what to do about it."""
        if self.kind == "none":
            return [
                Weakness(
                    f"there is no sandbox ({self.reason}): agents run {rights()}",
                    "install bubblewrap and allow user namespaces",
                )
            ]
        found = []
        if self.identity is None and os.geteuid() == 0:
            why = f" ({self.less})" if self.less else ""
            said = f"agents run as root, which is root outside too{why}"
            can = "give the container the capability SYS_ADMIN" if may_become() else "install util-linux (`setpriv`)"
            found.append(Weakness(said, f"{can}, or run the town as another user"))
        if not self.filter:
            why = self.less or "libseccomp was not found"
            found.append(Weakness(f"no system call is filtered: {why}", "install libseccomp (`libseccomp2`)"))
        if self.ptrace:
            found.append(Weakness("programs may trace each other (`[sandbox] ptrace`)", "leave `ptrace` out"))
        if landlock.memory_is_open():
            found.append(
                Weakness(
                    "what a reviewer's CLI starts can write into its memory: the kernel has neither Landlock nor Yama",
                    "use Linux 5.19 or newer with Landlock, or set `kernel.yama.ptrace_scope = 1`",
                )
            )
        if self.limits.memory and cgroups.MEMORY not in cgroups.parents():
            found.append(
                Weakness(
                    "no control group keeps a run's memory within its limit: it is looked at every half second",
                    "start the town by `systemd-run --user --scope -p Delegate=yes tt start`, or as root",
                )
            )
        if self.shares_network:
            said = f"agents share this machine's network ({self.shares_network})"
            found.append(Weakness(said, "see that what listens here asks for a password"))
        return found

    def wrap(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        clone: Path,
        home: Path,
        tmp: Path,
        files: Files | None = None,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        stand_ins: Mapping[Path, Path] | None = None,
        socket: Path | None = None,
        hidden: Sequence[Path] = (),
        shared_network: bool = True,
        logins: Path | None = None,
        etc: Path | None = None,
        review: bool = False,
        tools: Sequence[str] | None = None,
    ) -> Command:
        """What runs ``argv`` in here; to be started with ``env`` and nothing else.

        ``bwrap`` itself must get the agent's environment and not the worker's: its own is readable inside.

        Args:
            env: the agent's environment; ``HOME`` says where ``home`` appears.
            clone, home, tmp, files, stand_ins, socket, review, hidden: see ``Wanted``.
            readable, writable: more files, see ``Files``.
            tools: names of the programs that it finds of the system's, besides what only reads and what runs it; all if
                there is no such list.
            shared_network: it is the machine's; else there is none but the ports that a guard opens inside.
            logins: a folder of ours for copies of what another user may not read, or nobody all of.
            etc: a folder of ours for a copy of what is shown of ``/etc``: fewer mounts are made sooner.
        """
        if self.kind == "none":
            return Command(list(argv))
        user_home = Path(env.get("HOME") or "/")
        found = files or Files()
        wanted = Wanted(
            program=argv[0],
            env=env,
            clone=clone,
            home=home,
            tmp=tmp,
            files=replace(found, readable=(*found.readable, *readable), writable=(*found.writable, *writable)),
            stand_ins=stand_ins or {},
            socket=socket,
            review=review,
            hidden=hidden,
        )
        made = view(wanted)
        closing: list[Callable[[], None]] = []
        mounts = lending.in_part(made.mounts, self.identity, copies=logins, closing=closing)
        meanwhile = tuple(closing)
        if self.identity is not None:
            mounts = lending.prepare(self.identity, mounts, own=made.own, copies=logins, closing=closing)
        steps = self._last_steps()
        options = [
            *self.isolation(shared_network=shared_network),
            *self._system(copies=None if any(mount.place.is_relative_to("/etc") for mount in mounts) else etc),
            *(reading.options(argv[0], env["PATH"], [*tools, *steps]) if tools is not None else ()),
            *(word for mount in mounts for word in mount.words()),
            *(word for mount in mounts for word in mount.last_words()),
        ]
        options += ["--symlink", "/tmp", "/var/tmp"]  # noqa: S108
        if user_home != Path("/"):
            options += ["--remount-ro", "/"]
        return Command(
            [str(programs.find("bwrap") or "bwrap"), *options, "--chdir", str(clone), "--", *steps, *argv],
            self._files(user_home) | made.texts,
            closing,
            meanwhile,
        )

    def trial(self, *, shared_network: bool = True) -> Command:
        """A command that does nothing, to see whether all of this works here."""
        options = [*self.isolation(shared_network=shared_network), *self._system(), "--remount-ro", "/"]
        argv = [str(programs.find("bwrap") or "bwrap"), *options, "--", *self._last_steps(), "true"]
        return Command(argv, self._files(Path("/")))

    def isolation(self, *, shared_network: bool) -> list[str]:
        """bwrap's options that separate what runs inside from the rest."""
        if self.identity is None:
            options = [*NAMESPACES, *(SHARED_NETWORK if shared_network else ()), *ALONE]
        else:
            options = [*NAMESPACES_OF_ROOT, *(() if shared_network else OWN_NETWORK_OF_ROOT), *ALONE]
            options += [word for capability in CAPABILITIES for word in ("--cap-add", capability)]
        return [*options, *(["--seccomp", FILTER] if self.filter else [])]

    def _system(self, *, copies: Path | None = None) -> list[str]:
        options = system.system(but=("passwd", "group") if self.identity is not None else (), copies=copies)
        if self.identity is not None:
            for name, path in ((PASSWD, "/etc/passwd"), (GROUP, "/etc/group")):
                options += ["--perms", "0644", "--ro-bind-data", name, path]
        # Everything that is writable in memory has a limit, as nobody is charged for it.
        options += ["--size", str(SHM_BYTES)] if takes("--size") else []
        options += ["--perms", "1777", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
        return options

    def _last_steps(self) -> list[str]:
        """The programs inside through which the command is started."""
        become = self.identity.become() if self.identity is not None else []
        return [*become, *rlimits.command(self.limits, self.identity)]

    def _files(self, user_home: Path) -> dict[str, bytes]:
        files = {FILTER: self.filter} if self.filter else {}
        if self.identity is not None:
            files |= {PASSWD: self.identity.passwd(str(user_home)), GROUP: self.identity.group()}
        return files
