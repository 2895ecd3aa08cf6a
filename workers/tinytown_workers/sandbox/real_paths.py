"""Where a path really is, and at which other paths the same can be seen: through links and through mounts."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Text by which a private key is recognised; certificates do not have it.
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
#: Largest file that is searched for one.
_KEY_BYTES = 1 << 20
#: Names of files and folders that hold settings, keys or a history, and no program.
_ANYTHING = re.compile(
    r"\.env(?:rc|\..*)?|.+\.env|\.(?:git|hg|svn|ssh|gnupg|aws|azure|kube|docker|password-store)", re.IGNORECASE
)
#: The same for files alone.
_FILE = re.compile(
    r"\.(?:netrc|npmrc|yarnrc.*|pypirc|pgpass|my\.cnf|htpasswd|dockercfg|git-credentials|boto|s3cfg|vault-token)"
    r"|.+\.(?:key|p12|pfx|jks|keystore|kdbx|ovpn|tfstate|tfvars)"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:\..*)?"
    r"|(?:.*[._-])?(?:secrets?|credentials?|passwords?|tokens?|api[_-]?keys?|service[_-]account)(?:[_-][^.]*)?"
    r"(?:\.(?:json|ya?ml|toml|ini|txt|env|cfg|conf|properties|xml|csv))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Mount:
    """A line of ``/proc/self/mountinfo``: of which device, which part of it, and where."""

    device: str
    root: PurePosixPath
    point: Path


def _table() -> Sequence[_Mount]:
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ()
    return parse(text)


@functools.lru_cache(maxsize=2)
def parse(text: str) -> Sequence[_Mount]:
    """The table of mounts of a process, as the kernel writes it: mostly the same as the last time."""
    rows = (line.split(" ") for line in text.splitlines())
    return tuple(_Mount(row[2], PurePosixPath(_plain(row[3])), Path(_plain(row[4]))) for row in rows if len(row) > 4)


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def appearances(paths: Iterable[Path]) -> set[Path]:
    """Every place at which one of these, or a part of one, can be seen; links on the way are followed.

    The root of the machine is left out, or nothing could be shown.
    """
    table = _table()
    found: set[Path] = set()
    for path in paths:
        real = path.resolve()
        if real != Path("/"):
            found |= {real, *_elsewhere(real, table)}
    return found


def _elsewhere(real: Path, table: Sequence[_Mount]) -> Iterator[Path]:
    around = [mount for mount in table if real.is_relative_to(mount.point)]
    if not around:
        return
    # If several are mounted at one place, the last one counts.
    holder = max(enumerate(around), key=lambda entry: (len(entry[1].point.parts), entry[0]))[1]
    inner = holder.root / real.relative_to(holder.point)
    for mount in table:
        if mount.device != holder.device or mount.point == holder.point:
            continue
        if inner.is_relative_to(mount.root):
            yield mount.point / inner.relative_to(mount.root)
        elif mount.root.is_relative_to(inner):
            yield mount.point


def overlaps(path: Path, secrets: Iterable[Path]) -> bool:
    """Whether a real ``path`` is one of these, or within one, or around one."""
    return any(path.is_relative_to(one) or one.is_relative_to(path) for one in secrets)


def around(path: Path, secrets: Iterable[Path]) -> bool:
    """Whether a real ``path`` is one of these, or holds one."""
    return any(one.is_relative_to(path) for one in secrets)


_KEY_SUFFIXES = (".pem", ".crt", ".cer", ".key")


def looks_secret(path: Path) -> bool:
    """Whether by its name, or as a private key, it is nothing that a program needs to run."""
    if _ANYTHING.fullmatch(path.name):
        return True
    named = bool(_FILE.fullmatch(path.name))
    # Only then is the file read, as most files are neither.
    return (named or path.suffix.lower() in _KEY_SUFFIXES) and not path.is_dir() and (named or holds_key(path))


def holds_key(path: Path) -> bool:
    """Whether it is a certificate's file that holds a private key as well; one that cannot be read does."""
    if path.suffix.lower() not in _KEY_SUFFIXES:
        return False
    try:
        return path.stat().st_size > _KEY_BYTES or _KEY.search(path.read_bytes()) is not None
    except OSError:
        return path.exists()
