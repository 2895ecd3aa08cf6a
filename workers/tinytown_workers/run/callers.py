"""One thread of the process waits for the first caller of many sockets that listen.

Most runs of agents never ask for anything, so a run begins without a thread of its own: who is called for the first
time gets one then.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class FirstCallers:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._called: dict[socket.socket, Callable[[], None]] = {}
        self._selector: selectors.BaseSelector | None = None

    def wait_for(self, listener: socket.socket, called: Callable[[], None]) -> None:
        """Have ``called`` run once, briefly, when somebody connects to ``listener``."""
        with self._lock:
            if self._selector is None:
                selector = selectors.DefaultSelector()
                threading.Thread(target=self._follow, args=(selector,), name="callers", daemon=True).start()
                self._selector = selector
            # The thread that waits takes notice of it at once, on Linux and macOS.
            self._selector.register(listener, selectors.EVENT_READ)
            self._called[listener] = called

    def forget(self, listener: socket.socket) -> bool:
        """Wait for it no more; ``False`` if somebody has called it already, or nobody waited for it."""
        with self._lock:
            return self._forget(listener) is not None

    def _forget(self, listener: socket.socket) -> Callable[[], None] | None:
        called = self._called.pop(listener, None)
        if called is not None and self._selector is not None:
            self._selector.unregister(listener)
        return called

    def _follow(self, selector: selectors.BaseSelector) -> None:
        while True:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                with self._lock:
                    # Not any more, if its run has just ended.
                    if (called := self._forget(key.fileobj)) is None:
                        continue
                    # Within the lock: whoever forgets it next finds its thread begun.
                    try:
                        called()
                    except RuntimeError:
                        log.exception("an agent's request cannot be answered")


#: The one of this process.
CALLERS = FirstCallers()
