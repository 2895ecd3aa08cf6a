"""Offers the town in numbers to Prometheus, and tells a container's keeper whether this process lives and is of use.

``/metrics`` has the numbers, ``/live`` answers as long as the process does, ``/ready`` if the database answers and the
clock of the town ticks. There is no password: whoever reaches the address may read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from socket import AF_INET6
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.engine.running import require_same
from tinytown.engine.views import metrics
from tinytown.errors import TinytownError
from tinytown.state import duties

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

_TEXT: Final = "text/plain; charset=utf-8"
#: What Prometheus asks for.
_NUMBERS: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds that whoever asks may take to do it.
_PATIENCE: Final = 10
#: Ticks that may be missed before the town counts as one that stands still.
_LATE: Final = 4


def offer(context: Context) -> None:
    """Answer at ``[metrics] listen`` for as long as this process lives; nowhere, if that is empty."""
    listen = context.town.settings.metrics.listen
    if not listen:
        return
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        server = make_server(host, int(port), _Answers(context), _Server6 if ":" in host else _Server, _Quiet)
    except OSError as error:
        log.warning(
            "no metrics are offered at %s: %s; change `metrics.listen`, then `tt stop` and `tt start`", listen, error
        )
        return
    log.info("metrics are offered at http://%s:%d/metrics", host, server.server_port)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        log.debug(format, *args)


class _Answers:
    """The three answers, as a WSGI application."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._history = metrics.Counted()
        #: One look at a time: the history is counted once.
        self._turn = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        paths: dict[str, Callable[[], str]] = {"/metrics": self._numbers, "/live": self._live, "/ready": self._ready}
        path = str(environ.get("PATH_INFO", ""))
        found = paths.get(path)
        status, kind = "200 OK", _NUMBERS if path == "/metrics" else _TEXT
        if found is None:
            status, text = "404 Not Found", "look at /metrics, /live or /ready\n"
        else:
            try:
                text = found()
            except TinytownError as error:
                status, kind, text = "503 Service Unavailable", _TEXT, f"{error}\n"
        start(status, [("Content-Type", kind), ("Cache-Control", "no-store")])
        return [text.encode(errors="replace")]

    def _numbers(self) -> str:
        require_same(self._context)
        with self._turn:
            return metrics.text(list(metrics.families(self._context, self._history)))

    def _live(self) -> str:
        return "alive\n"

    def _ready(self) -> str:
        require_same(self._context)
        store, name = self._context.store, contract.TASK_DISPATCH.rpartition(".")[2]
        limit = _LATE * self._context.town.settings.timing.tick_secs
        last = duties.ticks(store).get(name)
        if last is None or store.now() - last > limit:
            raise TinytownError("the town's clock does not tick", remedy="run `tt doctor`")
        return "ready\n"
