"""A model's service on this machine: it answers a CLI's requests from a script, in the vendor's own protocol.

It speaks the protocols of ``model_answers``. A request without a key is refused as the vendor refuses it, and with a
``Fault`` it answers as a service does that is at its limit or in trouble.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes import model_answers
from tests.fakes.model_faults import Fault


@dataclass
class ModelServer:
    """What the requests were, and what is answered."""

    key: str
    #: The command that the agent is told to run.
    command: str
    #: What it says at the end; ``{count}`` is the number of requests so far.
    closing: str
    port: int = 0
    #: Bodies of the conversations' requests.
    requests: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    #: What is given instead of answers; ``None`` answers from the script.
    fault: Fault | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """What it says now."""
        return self.closing.replace("{count}", str(len(self.requests)))

    def answer(self, path: str, body: dict[str, Any]) -> model_answers.Answer | None:
        """Type and text of the answer to a request; ``None`` for one that asks no model."""
        says = {"command": self.command, "closing": self.said}
        if path.endswith("/responses"):
            return model_answers.responses(body, **says)
        if path.endswith("/chat/completions"):
            return model_answers.chat(body, **says)
        if path.endswith("enerateContent"):
            return model_answers.gemini(body, **says, streaming=":stream" in path)
        return model_answers.messages(body, **says) if path.endswith("/messages") else None

    def fault_of(self, body: dict[str, Any], answer: str) -> Fault | None:
        """What a request with this good answer gets instead of it, if anything."""
        # A title, say, is asked for without tools; codex has them elsewhere.
        aside = not body.get("tools") and "input" not in body
        early = self.fault is not None and self.fault.behind_work and (aside or self.command in answer)
        return None if early else self.fault


@contextmanager
def model_server(*, key: str, command: str, closing: str, fault: Fault | None = None) -> Iterator[ModelServer]:
    """A server for as long as the context lasts."""
    script = ModelServer(key=key, command=command, closing=closing, fault=fault)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            path = self.path.split("?")[0]
            kind, text = script.answer(path, body) or ("", "")
            fault = script.fault_of(body, text)
            if fault is not None and fault.kind == "refused":
                self._refuse(fault, path)
            elif self._key() != script.key:
                self._refuse(Fault("refused", 401, "invalid x-api-key"), path)
            elif not text:
                self._send(200, json.dumps({"input_tokens": 100}), "application/json")
            elif fault is None:
                script.requests.append(body)
                self._send(200, text, kind)
            else:
                script.refused += 1
                # A connection that closes before all came that was announced.
                self._send(200, fault.spoil(path, text, script.said), kind, missing=100 * (fault.kind == "cut"))

        def do_GET(self) -> None:
            self._send(404, "{}", "application/json")

        def _key(self) -> str:
            given = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
            return given or (self.headers.get("authorization") or "").removeprefix("Bearer ")

        def _refuse(self, fault: Fault, path: str) -> None:
            script.refused += 1
            self._send(fault.status, fault.body(path), "application/json", headers=fault.headers)

        def _send(
            self, status: int, text: str, kind: str, *, headers: Mapping[str, str] | None = None, missing: int = 0
        ) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data) + missing))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = self.close_connection or missing > 0

        def log_message(self, *words: object) -> None:
            """Nothing: the tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
