"""The HTTP server: reads a request, lets the faults of a test happen, and sends the answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.github.clock import Clock
from tests.fakes.github.requests import Answer, Fault, Faults, Request


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, which tests of deadlines do, is no error."""


class Listener:
    """Serves what ``answer`` says, and remembers every request."""

    def __init__(self, clock: Clock, answer: Callable[[Request], Answer]) -> None:
        self.seen: list[Request] = []
        self.faults = Faults()
        #: Called before a write is carried out, and when it was, before it is answered. One that gives ``False`` before
        #: it has it lost: the connection ends, and nothing was done.
        self.before: list[Callable[[Request], bool | None]] = []
        self.after: list[Callable[[Request], None]] = []
        #: Set when the server ends, so that no handler waits on.
        self.ended = threading.Event()
        #: Mistakes of this GitHub itself: they are answered with 500, and raised when it ends.
        self.broken: list[Exception] = []
        self.clock = clock
        self._answer = answer
        self._server = _Server(("127.0.0.1", 0), _handler(self))

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            self.ended.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()
        if self.broken:
            raise ExceptionGroup("the fake GitHub failed", self.broken)

    def serve(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        self.seen.append(request)
        fault = self.faults.meet(request)
        if fault is not None and fault.delay:
            self.ended.wait(fault.delay)
        if fault is not None and callable(fault.answer):
            fault.answer(handler)
            return
        request.scripted = fault is not None and fault.answer is not None
        answer = Answer() if fault and fault.drop and not fault.effect else self._effect(request, fault)
        if answer is None or (fault is not None and fault.drop):
            request.status = 0
            _hang_up(handler)
            return
        request.status = answer.status
        _send(handler, answer, cut=fault.truncate if fault else None)

    def _effect(self, request: Request, fault: Fault | None) -> Answer | None:
        said = fault.answer if fault else None
        if isinstance(said, Answer) and fault and not fault.effect:
            return said
        if request.writes and not all(hook(request) is not False for hook in list(self.before)):
            return None
        try:
            answer = self._answer(request)
        except Exception as error:  # noqa: BLE001 - the test that asked hears of it when the server ends
            self.broken.append(error)
            return Answer(500, {"message": f"Server Error: {error}"})
        request.answer = answer.body
        request.done = 200 <= answer.status < 300
        request.status = answer.status
        if request.writes:
            for hook in list(self.after):
                hook(request)
        return said if isinstance(said, Answer) else answer


def _send(handler: BaseHTTPRequestHandler, answer: Answer, *, cut: int | None) -> None:
    data = answer.data
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(data)), **answer.headers}
    handler.send_response(answer.status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data if cut is None else data[:cut])
    if cut is not None:
        _hang_up(handler)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    with suppress(OSError):
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        # A small answer must not wait for the acknowledgement of its headers.
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def _serve(self) -> None:
            request = Request(
                self.command, self.path, self.headers.get("Authorization") or "", dict(self.headers), self._read(),
                listener.clock.now(),
            )  # fmt: skip
            listener.serve(self, request)
            with suppress(OSError, ValueError):
                self.wfile.flush()

        def _read(self) -> bytes:
            if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    return Handler
