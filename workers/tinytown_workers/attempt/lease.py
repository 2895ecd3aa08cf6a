"""The lease of an attempt, renewed from its claim to its report."""

from __future__ import annotations

import contextvars
import logging
import threading
from types import TracebackType
from typing import Self

from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts as engine
from tinytown.errors import TinytownError

log = logging.getLogger(__name__)


class Heart:
    """Renews the lease of an attempt from its claim to its report."""

    def __init__(self, context: Context, claimed: engine.Claim, stop: threading.Event) -> None:
        self._context = context
        self._claimed = claimed
        self._stop = stop
        self._over = threading.Event()
        # With the context variables of this thread, by which log lines name the agent.
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._beat,), name="lease", daemon=True
        )
        self.refused = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def renew(self) -> bool:
        """One renewal; raises ``UnreachableError`` where the database does not answer."""
        if not engine.renew(self._context, self._claimed):
            self.refused = True
            self._stop.set()
        return not self.refused

    def _beat(self) -> None:
        heartbeat = self._context.town.settings.timing.heartbeat_secs
        while not self._over.wait(heartbeat) and not self.refused:
            try:
                self.renew()
            except TinytownError as error:
                log.warning("lease of %s not renewed: %s", self._claimed.attempt.id, error)
