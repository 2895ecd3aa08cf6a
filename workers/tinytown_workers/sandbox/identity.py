"""The user that agents, setups and checks run as if the worker is root: used by nobody else, the same in a whole town.

Root inside a sandbox would be root outside as soon as there is any way out. A worker that is not root runs them as
itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tinytown.errors import ConfigurationError

#: The range of user ids (first, how many) that neither systemd nor container managers hand out.
HIGH = (1_879_048_192, 134_217_728)
#: Such a range within the ids that most containers have.
LOW = (60_578, 605)
#: Folders of system programs; none of them can be written by an agent.
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin"
#: Capabilities that a process needs until it has become another user; the last one to enter that user's folder.
CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH")


@dataclass(frozen=True)
class Identity:
    """A user without a name, and its group."""

    uid: int
    gid: int

    def become(self) -> list[str]:
        """The beginning of a command that runs as this user, without any capability and without a way to get one."""
        return [
            program("setpriv"), "--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups",
            "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--",
        ]  # fmt: skip

    def passwd(self, home: str) -> bytes:
        """The file of users that programs find inside."""
        return (
            "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
            f"agent:x:{self.uid}:{self.gid}::{home}:/bin/sh\n"
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        ).encode(errors="surrogateescape")

    def group(self) -> bytes:
        """The file of groups that programs find inside."""
        return f"root:x:0:\nagent:x:{self.gid}:\nnogroup:x:65534:\n".encode()


def of_town(town: str, *, uid: int | None = None) -> Identity | None:
    """The user that the programs of a town run as; ``None`` if they run as the worker does.

    Args:
        town: what no other town is called.
        uid: what `[sandbox] uid` says.

    Raises:
        ConfigurationError: this machine, or this container, has no such user.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    if uid is not None:
        if not _exists(uid):
            raise ConfigurationError(
                f"`[sandbox] uid = {uid}` is no user that this machine or container has",
                remedy="leave `uid` out, or name one that /proc/self/uid_map covers",
            )
        return Identity(uid, uid)
    digest = int.from_bytes(hashlib.sha256(town.encode()).digest()[:8])
    for first, count in (HIGH, LOW):
        number = first + digest % count
        if _exists(number):
            return Identity(number, number)
    return None


def may_become() -> bool:
    """Whether there is the program for it."""
    return bool(program("setpriv"))


@functools.cache
def program(name: str) -> str:
    """A program of the system by its whole path; empty if it is not there."""
    return shutil.which(name, path=SYSTEM_PATH) or ""


def _exists(number: int) -> bool:
    return all(_covers(Path(f"/proc/self/{kind}_map"), number) for kind in ("uid", "gid"))


def _covers(table: Path, number: int) -> bool:
    try:
        rows = [[int(word) for word in line.split()] for line in table.read_text().splitlines()]
    except (OSError, ValueError):
        return True
    return any(first <= number < first + count for first, _, count in rows)


#: Flags to open a folder that another user may have written in: only a folder, and no link to one.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_folder(parent: int, name: str, identity: Identity) -> int:
    """A descriptor of a folder in another, which is made for ``identity`` where it is missing; no link is followed."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
        os.chown(name, identity.uid, identity.gid, dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        pass
    return os.open(name, FOLDER, dir_fd=parent)
