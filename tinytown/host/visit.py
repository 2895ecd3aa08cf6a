"""Read from a stopped town: its server alone is started, and stopped again by the last command that reads.

No supervisor and no agent is started. Each command that reads holds a shared lock; the last one to end takes it
exclusively, so a server is never stopped while another command still reads.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator

from tinytown import files
from tinytown.host import lifecycle as towns
from tinytown.host import process_specs
from tinytown.host.server import ensure_server, stop_server
from tinytown.town import Town

#: File below ``.tt/run`` on which every command that reads holds a shared lock.
LOCK = "visitors.lock"


def is_stopped(town: Town) -> bool:
    """Whether nothing keeps the town running, and it has a server of its own that could be started to read from."""
    return town.settings.redis.url is None and not process_specs.wanted(town) and process_specs.supervisor(town) is None


@contextlib.contextmanager
def visit(town: Town) -> Iterator[None]:
    """Keep the server of a stopped town running inside the ``with`` block.

    Raises:
        UnreachableError: it does not start, or its data are lost.
    """
    path = files.private_folder(town.run) / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        ensure_server(town)
        yield
    finally:
        try:
            _leave(town, descriptor)
        finally:
            os.close(descriptor)


def _leave(town: Town, descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # Another command still reads, and will stop it.
    with towns.turn(town):
        if is_stopped(town):  # It may have been started meanwhile.
            stop_server(town)
            shutil.rmtree(town.runtime, ignore_errors=True)
