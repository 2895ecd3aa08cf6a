"""A process whose code was replaced ends as soon as it is idle; the supervisor starts it again, from the new code.

Until then it takes no attempt, and an error of tinytown's own in an attempt that it has does not count against the
item.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from tinytown import stamp

log = logging.getLogger(__name__)

#: Seconds between two checks. An update is over when two checks in a row find the same files.
PAUSE = 5.0


class UpdateDetector:
    """Notices that the installation was updated."""

    def __init__(self) -> None:
        self._seen = stamp.STARTED

    def is_complete(self) -> bool:
        """Whether the code was replaced, and nothing has changed since the last call."""
        before, self._seen = self._seen, stamp.now()
        return self._seen == before != stamp.STARTED


def watch(idle: Callable[[], bool] = lambda: True, going: Callable[[], None] = lambda: None) -> None:
    """End this process by a signal once its code was replaced and it is ``idle``; ``going`` is called first."""
    threading.Thread(target=_watch, args=(idle, going), name="renewal", daemon=True).start()


def _watch(idle: Callable[[], bool], going: Callable[[], None]) -> None:
    detector = UpdateDetector()
    while True:
        time.sleep(PAUSE)
        if detector.is_complete() and idle():
            log.warning("tinytown was updated: this process ends, to start again from the new code")
            going()
            os.kill(os.getpid(), signal.SIGTERM)
            return
