"""The lease of an attempt, renewed from its claim to its report."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts as engine
from tinytown.engine.dispatch.claiming import Claim
from tinytown.errors import TinytownError
from tinytown_workers.run.pulse import PULSE, Beat

log = logging.getLogger(__name__)


class Heart:
    """Renews the lease of an attempt from its claim to its report."""

    def __init__(self, context: Context, claimed: Claim, stop: threading.Event) -> None:
        self._context = context
        self._claimed = claimed
        self._stop = stop
        self._heartbeat = context.town.settings.timing.heartbeat_secs
        self._renewed_at = time.monotonic()
        self._beat: Beat | None = None
        self.refused = False

    def __enter__(self) -> Self:
        self._beat = PULSE.every(self._heartbeat, self._keep)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beat is not None:
            self._beat.finish()

    def renew(self) -> bool:
        """One renewal; raises ``UnreachableError`` where the database does not answer."""
        if not engine.renew(self._context, self._claimed):
            self.refused = True
            self._stop.set()
        self._renewed_at = time.monotonic()
        return not self.refused

    def _keep(self) -> bool:
        """Renew it, unless a run that goes on has just done that; gives whether to go on."""
        if time.monotonic() - self._renewed_at < self._heartbeat / 2:
            return True
        try:
            self.renew()
        except TinytownError as error:
            log.warning("lease of %s not renewed: %s", self._claimed.attempt.id, error)
        return not self.refused
