"""``tt review run``: a reviewer has a command of the project run in a clean clone of the commit, outside its own run.

It is run as a check is: in a sandbox of its own, with the checks' limits, and without access to the reviewer's socket,
token or output. What the command prints is handed back; like the text of the commit, it proves nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinytown.errors import StateError
from tinytown_workers.attempt.execution import CUT_SHORT, Execution
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.prepare.setup import CutShortError, SetupFailedError
from tinytown_workers.run.run_spec import Ended

#: Runs of one review.
RUNS = 20
#: Characters that are handed back from the end of each output.
OUTPUT_CHARS = 20_000


class ReviewCommands:
    """The runs of one review, one after the other."""

    def __init__(self, execution: Execution, mirror: Path, repo: str, base: str, sha: str) -> None:
        self._execution = execution
        self._where = (mirror, repo, base)
        self._sha = sha
        self._over = _Either(execution.stop)
        self._turn = threading.Lock()
        self._count = 0
        #: Seconds that are left for all of them.
        self._left = execution.town.settings.forge.local.check_timeout

    def run(self, argv: Sequence[str]) -> Mapping[str, Any]:
        """Run a command; gives its exit ``code``, what it printed, and ``why`` it was ended, if it was.

        Raises:
            StateError: it may not be run any more.
        """
        with self._turn:
            if self._over.is_set():
                raise StateError("the review has ended")
            if self._count >= RUNS or self._left <= 0:
                raise StateError("this review has run as much as it may", remedy="judge by what you have seen")
            self._count += 1
            began = time.monotonic()
            beside = replace(self._execution, beside=f"run{self._count}", stop=self._over)
            try:
                ended = CheckRunner(beside, *self._where).run_command(self._sha, argv, timeout=self._left)
            except SetupFailedError as error:
                raise StateError(error.message, remedy="it could not be run: judge by what you have seen") from None
            except CutShortError as cut:
                raise StateError(f"the setup of its clone {cut.summary}") from None
            finally:
                self._left -= time.monotonic() - began
        return _told(ended)

    def end(self) -> None:
        """Accept no further command, and wait for the one that runs."""
        self._over.set()
        with self._turn:
            pass


class _Either(threading.Event):
    """An event that is also set once another one is."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or self._other.is_set()


def _told(ended: Ended) -> Mapping[str, Any]:
    why = CUT_SHORT[ended.reason][1] if ended.reason in CUT_SHORT else ""
    code = ended.exit_code
    return {
        # As shells report a signal.
        "code": 1 if code is None or (why and not code) else 128 - code if code < 0 else code,
        "stdout": ended.stdout[-OUTPUT_CHARS:],
        "stderr": ended.stderr[-OUTPUT_CHARS:],
        "why": f"it {why}" if why else "",
    }
