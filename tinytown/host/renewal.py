"""A process whose code was replaced ends as soon as it is idle; the supervisor starts it again, from the new code.

Until then it takes no attempt, and an error of tinytown's own in an attempt that it has does not count against the
item. One that serves several agents leaves those that are idle to the next process at once.

The supervisor looks at the installation, and tells the others when that has changed; they look for themselves then.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tinytown import files, stamp
from tinytown.host import process_specs
from tinytown.town import Town

log = logging.getLogger(__name__)

#: Seconds between two checks. An update is over when two checks in a row find the same files.
PAUSE = 5.0
#: As many pauses after which one looks untold: its installation may be another one than the supervisor's.
UNTOLD = 12


class UpdateDetector:
    """Notices that the installation was updated."""

    def __init__(self) -> None:
        self._seen = stamp.STARTED

    def is_complete(self) -> bool:
        """Whether the code was replaced, and nothing has changed since the last call."""
        before, self._seen = self._seen, stamp.now()
        return self._seen == before != stamp.STARTED

    @property
    def changed(self) -> bool:
        """Whether the last look saw other code than this process runs."""
        return self._seen != stamp.STARTED


def tell(town: Town) -> None:
    """Have the town's processes look at their code."""
    files.write_atomically(_told(town), "")


def watch(
    town: Town,
    idle: Callable[[], bool] = lambda: True,
    going: Callable[[], None] = lambda: None,
    hand_over: Callable[[], None] | None = None,
) -> None:
    """End this process by a signal once its code was replaced and it is ``idle``; ``going`` is called before that.

    While it is not, ``hand_over`` is.
    """
    threading.Thread(target=_watch, args=(town, idle, going, hand_over), name="renewal", daemon=True).start()


def _watch(
    town: Town, idle: Callable[[], bool], going: Callable[[], None], hand_over: Callable[[], None] | None
) -> None:
    updates, told, pauses = UpdateDetector(), _told(town), 0
    supervised = process_specs.ENV_PROCESS in os.environ
    before = files.changed_at(told)
    while True:
        time.sleep(PAUSE)
        pauses += 1
        if supervised and files.changed_at(told) == before and pauses % UNTOLD and not updates.changed:
            continue
        if not updates.is_complete():
            continue
        if not idle():
            if hand_over is not None:
                hand_over()
        else:
            log.warning("tinytown was updated: this process ends, to start again from the new code")
            going()
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _told(town: Town) -> Path:
    return town.run / "updated"
