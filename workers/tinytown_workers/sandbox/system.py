"""The parts of the machine's system that are seen inside: read-only, and without what its owner keeps there."""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinytown_workers.sandbox import etc, program_files, real_paths
from tinytown_workers.sandbox.mounts import Mount, hide
from tinytown_workers.sandbox.program_files import Part

#: Seconds for which a look at the system counts, as it takes as long as the rest of a start.
FRESH_SECS = 20.0
#: Folders of the system that are shown read-only; a symlink (``/bin``) is shown as one.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
#: What programs need of ``/etc``: names, certificates, the linker, the clock. No keys, no secrets.
ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version", "group",
    "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs", "mime.types",
    "nsswitch.conf", "os-release", "passwd", "pki/ca-trust/extracted", "pki/java/cacerts", "pki/tls/cert.pem",
    "pki/tls/certs", "pki/tls/ct_log_list.cnf", "pki/tls/fips_local.cnf", "pki/tls/openssl.cnf", "pki/tls/openssl.d",
    "protocols", "resolv.conf", "services", "ssl/ca-bundle.pem", "ssl/cert.pem", "ssl/certs", "ssl/ct_log_list.cnf",
    "ssl/openssl.cnf", "terminfo", "timezone",
)  # fmt: skip
#: Those that hold certificates, among which somebody may have put a key.
_CERTIFICATES = ("pki/ca-trust/extracted", "pki/tls/certs", "ssl/certs", "ca-certificates")
#: Folders that only hold what is shown in them.
PARENTS = ("/etc", "/var", *(["/nix"] if Path("/nix/store").is_dir() else []))
#: The parts of ``/proc`` by which the machine can be changed; bwrap itself makes the rest read-only.
KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi")
#: Folders of ``/usr`` in which the machine's owner keeps settings, sources and data.
_OWNERS = ("/usr/etc", "/usr/local/etc", "/usr/local/src", "/usr/local/var", "/usr/src")
#: Entries of them that belong to the system: headers of the kernel.
_HEADERS = re.compile(r"linux\b.*|kernels")
#: Folders of ``/usr/local`` that are as those of ``/usr``.
_STANDARD = frozenset({"bin", "games", "include", "lib", "lib64", "libexec", "man", "sbin", "share"})
#: Where packages put third-party applications, and the folders whose links lead to them.
_APPLICATIONS, _LINKS = Path("/opt"), ("/usr/bin", "/usr/local/bin")
#: Names in an application's folder that are its settings and data.
_SETTINGS = re.compile(
    r"(?:config|conf|etc|data|var|logs?)|.*\.(?:ini|conf|cfg|ya?ml|toml|properties|sql|db|sqlite3?|log|bak)",
    re.IGNORECASE,
)


def system(*, but: Sequence[str] = (), copies: Path | None = None) -> list[str]:
    """bwrap's options that show the system, without these names of ``/etc``; looked at anew after ``FRESH_SECS``.

    ``copies`` is a folder of ours for a copy of the small files of ``/etc``; only those names can be mounted on then.
    """
    if copies is not None and not copies.is_dir():
        _system.cache_clear()
    return list(_system(tuple(but), SYSTEM, moment(), copies))


def moment() -> int:
    """A number that stays the same as long as a look at the system counts."""
    return int(time.monotonic() // FRESH_SECS)


@functools.lru_cache(maxsize=4)
def _system(but: Sequence[str], folders: Sequence[str], _moment: int, copies: Path | None) -> list[str]:
    options = ["--proc", "/proc", "--dev", "/dev"]
    names = [name for name in ETC if name not in but and Path("/etc", name).exists()]
    inner = [str(parent) for name in names for parent in reversed(Path("/etc", name).parents) if len(parent.parts) > 2]
    copied = etc.copy(copies, names, but) if copies is not None else frozenset()
    for parent in dict.fromkeys((*PARENTS, *inner)):
        # bwrap itself would make them accessible to root only.
        options += ["--perms", "0755", "--dir", parent] if not copied or not f"{parent}/".startswith("/etc/") else []
    options += ["--ro-bind", str(copies), "/etc"] if copied else []
    for name in KERNEL:
        if Path(name).exists():
            options += ["--ro-bind", name, name]
    for name in folders:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            options += ["--ro-bind", name, name]
    for name in names:
        # Through symlinks: what ``/etc/resolv.conf`` points to is not shown itself.
        if name not in copied:
            options += ["--ro-bind", str(Path("/etc", name).resolve()), str(Path("/etc", name))]
    masks = [*_of_owner(), *_keys(names)]
    return [*options, *(word for mask in masks for word in (*mask.words(), *mask.last_words()))]


def in_system(path: Path) -> bool:
    """Whether a path is shown as part of the system; what the machine's owner keeps there is not."""
    text = f"{path}/"
    within, but = (tuple(f"{name}/" for name in names) for names in (SYSTEM, _OWNERS))
    return text.startswith(within) and not text.startswith(but)


def _of_owner() -> Iterator[Mount]:
    for name in _OWNERS:
        folder = Path(name)
        if not folder.is_dir() or folder.is_symlink():
            continue
        kept = [entry for entry in folder.iterdir() if name == "/usr/src" and _HEADERS.fullmatch(entry.name)]
        if not kept:
            yield hide(folder)
        else:
            yield from (hide(entry) for entry in folder.iterdir() if entry not in kept and not entry.is_symlink())
    local = Path("/usr/local")
    for entry in _plain(local):
        if str(entry) in _OWNERS:
            continue
        if real_paths.looks_secret(entry) or not entry.is_dir():
            yield hide(entry)
        elif entry.name in _STANDARD:
            yield from (hide(one) for one in _plain(entry) if real_paths.looks_secret(one))
        else:
            yield from (hide(one) for one in _odd(entry))


def _keys(names: Sequence[str]) -> Iterator[Mount]:
    for name in names:
        if name in _CERTIFICATES:
            place = Path("/etc", name)
            real = place.resolve()
            for folder, _, files in os.walk(real):
                for file in files:
                    # Most are links to one another.
                    if os.path.islink(f"{folder}/{file}"):  # noqa: PTH114 - a path for each would take longer
                        continue
                    path = Path(folder, file)
                    if real_paths.looks_secret(path):
                        yield hide(place / path.relative_to(real))


def applications(path: str) -> Sequence[Part]:
    """The applications in ``/opt`` whose programs are found on ``path``, or by a link in the system's folders."""
    # The first folder usually belongs to the run.
    first, _, rest = path.partition(os.pathsep)
    return _applications(path if Path(first).resolve().is_relative_to(_APPLICATIONS) else rest, moment())


@functools.lru_cache(maxsize=8)
def _applications(path: str, _moment: int) -> Sequence[Part]:
    return tuple(_found_applications(path))


def _found_applications(path: str) -> Iterator[Part]:
    if not _APPLICATIONS.is_dir():
        return
    for entry in dict.fromkeys(Path(name) for name in path.split(os.pathsep)):
        if entry.is_absolute() and entry.resolve().is_relative_to(_APPLICATIONS):
            yield from _application(entry)
            yield from _application(entry.resolve())
    for folder in _LINKS:
        for link in _links_out(folder):
            yield from _application(link.parent)


def _application(folder: Path) -> Iterator[Part]:
    """The parts to show of the application in ``/opt`` to which a folder of programs belongs."""
    if folder.name in ("bin", "sbin"):
        yield from program_files.of_prefix(folder.parent)
    elif folder != _APPLICATIONS and folder.is_relative_to(_APPLICATIONS):
        yield Part(folder, without=tuple(_odd(folder)))


def _odd(folder: Path) -> Iterator[Path]:
    """Entries in an application's folder that are not part of it."""
    for entry in _plain(folder):
        if _SETTINGS.fullmatch(entry.name) or real_paths.looks_secret(entry):
            yield entry
        elif entry.is_dir():
            yield from (one for one in _plain(entry) if real_paths.looks_secret(one))


def _links_out(folder: str) -> frozenset[Path]:
    """The applications that links in a folder of the system really lead to."""
    try:
        return _links_at(folder, Path(folder).stat().st_mtime_ns)
    except OSError:
        return frozenset()


@functools.lru_cache(maxsize=8)
def _links_at(folder: str, changed: int) -> frozenset[Path]:  # noqa: ARG001 - looked at again only when it changed
    with os.scandir(folder) as entries:
        real = {Path(entry.path).resolve() for entry in entries if entry.is_symlink()}
    return frozenset(path for path in real if path.is_relative_to(_APPLICATIONS) and path.is_file())


def _plain(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(path) for path in sorted(entry.path for entry in entries if not entry.is_symlink())]
    except OSError:
        return []
