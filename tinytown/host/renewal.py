"""A process whose code was replaced ends as soon as it is idle; the supervisor starts it again, from the new code.

Until then it takes no attempt, and a fault of tinytown's own in one that it has is not the item's.
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

#: Seconds between two looks. An update is over when two looks see the same.
PAUSE = 5.0


class Look:
    """One look after another at the installation."""

    def __init__(self) -> None:
        self._seen = stamp.STARTED

    def over(self) -> bool:
        """Whether the code was replaced, and nothing has changed since the look before."""
        before, self._seen = self._seen, stamp.now()
        return self._seen == before != stamp.STARTED


def watch(idle: Callable[[], bool] = lambda: True, going: Callable[[], None] = lambda: None) -> None:
    """End this process by a signal once its code was replaced and it is ``idle``; ``going`` is called before that."""
    threading.Thread(target=_watch, args=(idle, going), name="renewal", daemon=True).start()


def _watch(idle: Callable[[], bool], going: Callable[[], None]) -> None:
    look = Look()
    while True:
        time.sleep(PAUSE)
        if look.over() and idle():
            log.warning("tinytown was updated: this process ends, to start again from the new code")
            going()
            os.kill(os.getpid(), signal.SIGTERM)
            return
