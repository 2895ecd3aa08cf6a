"""The command that starts a program inside bubblewrap."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tinytown import programs
from tinytown.host.confinement import Weakness, rights
from tinytown_workers.container.engine import Engine
from tinytown_workers.limits import cgroups
from tinytown_workers.limits.quota import Limits
from tinytown_workers.sandbox import contained, landlock, lending, reading, rlimits, seccomp, system
from tinytown_workers.sandbox.command import Command
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

    kind: Literal["bwrap", "container", "none"]
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
    #: What starts its containers.
    engine: Engine | None = None
    #: Containers keep the limits of memory and processes.
    keeps_limits: bool = True

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
            why = self.less if self.less and self.kind == "bwrap" else "libseccomp was not found"
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
        if self.kind == "container" and not self.keeps_limits:
            found.append(
                Weakness(
                    f"containers have no limits of memory and processes of their own: {self.less}",
                    "let this user make control groups, or run the town as root",
                )
            )
        if self.kind == "bwrap" and self.limits.memory and cgroups.MEMORY not in cgroups.parents():
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
            return Command(list(argv), program=tuple(argv))
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
        steps = self._last_steps() if self.kind == "bwrap" else []
        inner_etc = self.kind == "container" or any(mount.place.is_relative_to("/etc") for mount in mounts)
        options = [
            *self._system(copies=None if inner_etc else etc),
            *(reading.options(argv[0], env["PATH"], [*tools, *steps]) if tools is not None else ()),
            *(word for mount in mounts for word in mount.words()),
            *(word for mount in mounts for word in mount.last_words()),
            *("--symlink", "/tmp", "/var/tmp"),  # noqa: S108
        ]
        if self.engine is not None:
            return contained.command(
                self.engine,
                argv,
                options,
                self._files(user_home) | made.texts,
                env=env,
                cwd=clone,
                beside=home,
                own=[mount.source for mount in made.own if mount.source is not None],
                identity=self.identity,
                rules=self.filter,
                limits=self.limits,
                keeps_limits=self.keeps_limits,
                shared_network=shared_network,
                closing=closing,
            )
        options = [*self.isolation(shared_network=shared_network), *options]
        if user_home != Path("/"):
            options += ["--remount-ro", "/"]
        return Command(
            [str(programs.find("bwrap") or "bwrap"), *options, "--chdir", str(clone), "--", *steps, *argv],
            self._files(user_home) | made.texts,
            closing,
            meanwhile,
            tuple(argv),
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
