"""A sandbox around an agent: bubblewrap, where the machine has it and lets it work.

Inside, an agent sees the system read-only, its clone, an empty home with only its CLI's own files, an own
``/tmp``, and the socket of its desk. The town, its database's socket, other clones, the user's keys and every
process outside are not there. The network is: an agent needs its model.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tinytown
import tinytown_workers
from tinytown.errors import ConfigurationError
from tinytown_workers import installation

#: Folders of the system that are shown read-only; a symlink (``/bin``) is shown as one.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store")
#: What programs need of ``/etc``: names, certificates, the linker, the clock. No keys, no secrets.
ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version", "group",
    "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs", "mime.types",
    "nsswitch.conf", "os-release", "passwd", "pki", "protocols", "resolv.conf", "services", "ssl", "terminfo",
    "timezone",
)  # fmt: skip
#: New namespaces for everything but the network, no capabilities, no terminal to write into, death with the guard.
ISOLATION = ("--unshare-all", "--share-net", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
#: How long the trial may take.
TRIAL_SECS = 10.0


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
    ) -> list[str]:
        """The argv that runs ``argv`` in here; to be started with ``env`` and nothing else.

        ``bwrap`` itself must get the agent's environment and not the worker's: its own is readable inside.

        Args:
            env: the agent's environment; ``HOME`` says where ``home`` appears.
            clone: the working folder, writable, at its own path.
            home, tmp: existing empty folders of this attempt that stand in for the user's home and for ``/tmp``.
            readable, writable: the CLI's own files; those that do not exist are left out.
            stand_ins: existing folders outside that appear, writable, in the place of the CLI's own.
            socket: the desk's.
            hidden: the town, its state and the like: no folder that contains one of them is ever shown.
        """
        if self.kind == "none":
            return list(argv)
        user_home = Path(env.get("HOME") or "/")
        secret = [user_home, *hidden]
        shown = dict.fromkeys(_programs(argv[0], env), "--ro-bind")
        shown |= dict.fromkeys(readable, "--ro-bind")
        shown |= dict.fromkeys(writable, "--bind")
        shown = {path: how for path, how in shown.items() if path.exists() and _harmless(path, secret)}
        shown[clone] = "--bind"
        if socket is not None:
            shown[socket] = "--bind"
        options = [*ISOLATION, *_system(), "--bind", str(tmp), "/tmp", "--symlink", "/tmp", "/var/tmp"]  # noqa: S108
        if user_home != Path("/"):
            options += ["--bind", str(home), str(user_home)]
        for place, folder in (stand_ins or {}).items():
            if _harmless(folder, []) and not _in_system(place):
                options += ["--bind", str(folder), str(place)]
        for path in hidden:
            # A town in ``/opt`` would be shown with it.
            options += ["--tmpfs", str(path)] if path.exists() and _in_system(path) else []
        # Outer folders first: a later mount hides what lies below it. What its folder shows already is left out.
        for path, how in sorted(shown.items(), key=lambda entry: len(entry[0].parts)):
            around = next((shown[folder] for folder in path.parents if folder in shown), None)
            if around != how and not (how == "--ro-bind" and _in_system(path)):
                options += [how, str(path), str(path)]
        return [shutil.which("bwrap") or "bwrap", *options, "--chdir", str(clone), "--", *argv]


def detect(kind: str) -> Sandbox:
    """The sandbox for ``[sandbox] kind``: ``auto``, ``bwrap`` or ``none``. Tries it once a process.

    Raises:
        ConfigurationError: ``bwrap`` is demanded and does not work here.
    """
    if kind == "none":
        return Sandbox("none", "switched off by `[sandbox] kind`")
    failure = _try_bwrap()
    if not failure:
        return Sandbox("bwrap")
    if kind == "bwrap":
        raise ConfigurationError(
            f'`[sandbox] kind = "bwrap"`, but {failure}', remedy='install bubblewrap, or set `kind = "auto"`'
        )
    return Sandbox("none", failure)


@functools.cache
def _try_bwrap() -> str:
    """Why bubblewrap cannot be used; empty if it can."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap isn't installed"
    argv = [program, *ISOLATION, *_system(), "--", "true"]
    try:
        done = subprocess.run(
            argv,
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}"
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"bubblewrap does not work here: {said[-1] if said else f'exit code {done.returncode}'}"
    return ""


def _system() -> list[str]:
    options = ["--proc", "/proc", "--dev", "/dev"]
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            options += ["--ro-bind", name, name]
    for name in ETC:
        path = Path("/etc", name)
        if path.exists():
            # Through symlinks: what ``/etc/resolv.conf`` points to is not shown itself.
            options += ["--ro-bind", str(path.resolve()), str(path)]
    return options


def _programs(program: str, env: Mapping[str, str]) -> Iterator[Path]:
    """What must be visible for the agent's program and for ``tt`` to start; the caller leaves out what may not be."""
    yield Path(env["PATH"].partition(":")[0])
    yield from (Path(prefix) for prefix in (sys.prefix, sys.base_prefix))
    # Of an editable installation only the packages lie elsewhere.
    yield from (Path(folder) for package in (tinytown, tinytown_workers) for folder in package.__path__)
    yield from installation.needs(program, env["PATH"])


def _harmless(path: Path, secret: Sequence[Path]) -> bool:
    """Whether it is one file, or a folder that contains nothing secret."""
    if path.is_file():
        return True
    folder = path.resolve()
    return folder != Path("/") and not any(other.resolve().is_relative_to(folder) for other in secret)


def _in_system(path: Path) -> bool:
    return any(path.is_relative_to(name) for name in SYSTEM)
