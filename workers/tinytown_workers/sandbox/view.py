"""What of the machine is to be seen inside: the system read-only, and the programs that an agent needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tinytown
import tinytown_workers
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


#: Folders that only hold what is shown in them.
PARENTS = ("/etc", "/var", *(["/nix"] if Path("/nix/store").is_dir() else []))
#: Of ``/proc``, what changes the machine; bwrap itself shows the rest of it so that nobody can write.
KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi")


def system(*, but: Sequence[str] = ()) -> list[str]:
    """bwrap's options that show the system, without these names of ``/etc``."""
    options = ["--proc", "/proc", "--dev", "/dev"]
    for parent in PARENTS:
        # bwrap itself would make them for root alone.
        options += ["--perms", "0755", "--dir", parent]
    for name in KERNEL:
        if Path(name).exists():
            options += ["--ro-bind", name, name]
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            options += ["--ro-bind", name, name]
    for name in ETC:
        path = Path("/etc", name)
        if name not in but and path.exists():
            # Through symlinks: what ``/etc/resolv.conf`` points to is not shown itself.
            options += ["--ro-bind", str(path.resolve()), str(path)]
    return options


def programs(program: str, env: Mapping[str, str]) -> Iterator[Path]:
    """What must be visible for the agent's program and for ``tt`` to start; the caller leaves out what may not be."""
    yield Path(env["PATH"].partition(":")[0])
    yield from (Path(prefix) for prefix in (sys.prefix, sys.base_prefix))
    # Of an editable installation only the packages lie elsewhere.
    yield from (Path(folder) for package in (tinytown, tinytown_workers) for folder in package.__path__)
    yield from installation.needs(program, env["PATH"])


def harmless(path: Path, secret: Sequence[Path]) -> bool:
    """Whether it is one file, or a folder that contains nothing secret."""
    if path.is_file():
        return True
    folder = path.resolve()
    return folder != Path("/") and not any(other.resolve().is_relative_to(folder) for other in secret)


def in_system(path: Path) -> bool:
    """Whether it is shown with the system."""
    return any(path.is_relative_to(name) for name in SYSTEM)


def of_ours(path: Path) -> bool:
    """Whether it is a part of tinytown, or of the Python that runs it: never a file of the person's."""
    folders = (
        Path(sys.prefix),
        Path(sys.base_prefix),
        *(Path(p) for o in (tinytown, tinytown_workers) for p in o.__path__),
    )
    return any(path.is_relative_to(folder) for folder in folders)
