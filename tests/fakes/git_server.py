"""A git server over HTTP: git's own program behind a token, which can be cut off, lose its replies, or refuse."""

from __future__ import annotations

import base64
import contextlib
import gzip
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "down", "lost reply", "cut", "busy", "denied"]


@dataclass
class GitServer:
    """Serves the bare repositories below ``root``, as ``http://127.0.0.1:PORT/NAME.git``."""

    root: Path
    #: Whoever pushes or fetches must send this password, where it is not empty.
    token: str = ""
    #: What befalls requests from now on.
    fault: Fault = ""
    #: After so many requests it is over.
    faults_left: int = 0
    port: int = 0
    #: Each request with its service, in order.
    asked: list[str] = field(default_factory=list)

    @property
    def password(self) -> str:
        """What a request that is let in says."""
        return "Basic " + base64.b64encode(f"x-access-token:{self.token}".encode()).decode()

    def url(self, name: str, *, user: str = "") -> str:
        return f"http://{user and user + '@'}127.0.0.1:{self.port}/{name}.git"

    def befall(self, fault: Fault, times: int = 10**6) -> None:
        self.fault, self.faults_left = fault, times

    def now(self, *, service: bool) -> Fault:
        """What befalls this request; some faults wait for one that transfers something."""
        if not self.fault or (self.fault in ("lost reply", "cut") and not service):
            return ""
        if self.faults_left <= 0:
            self.fault = ""
            return ""
        self.faults_left -= 1
        return self.fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: GitServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        body = self._body()
        self._answer(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().strip(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        served, place = self.served, urlsplit(self.path)
        served.asked.append(f"{self.command} {place.path}{'?' if place.query else ''}{place.query}")
        fault = served.now(service=self.command == "POST")
        if fault == "down":
            self.close_connection = True
        elif fault in ("busy", "denied"):
            self._send(503 if fault == "busy" else 403, b"not now\n", {})
        elif served.token and self.headers.get("Authorization") != served.password:
            self._send(401, b"who are you?\n", {"WWW-Authenticate": 'Basic realm="hub"'})
        else:
            status, headers, data = _backend(served.root, self, place.path, place.query, body)
            if fault == "lost reply":
                self.close_connection = True
                return
            self._send(status, data, headers, cut=fault == "cut")

    def _send(self, status: int, data: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut


@contextlib.contextmanager
def serving(root: Path, *, token: str = "") -> Iterator[GitServer]:
    """A server in a thread of this process."""
    served = GitServer(root, token)
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="git server")
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def _backend(
    root: Path, request: BaseHTTPRequestHandler, path: str, query: str, body: bytes
) -> tuple[int, dict[str, str], bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "somebody",
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, capture_output=True, check=False, env=environment, cwd="/", timeout=60
    )
    head, _, data = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    return int(headers.pop("Status", "200").split(" ")[0]), headers, data
