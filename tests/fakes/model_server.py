"""A model's service on this machine: it answers a CLI's requests from a script, in the vendor's own protocol.

It speaks the streaming Messages protocol, with a tool's use first and a closing sentence after the tool's result, and
those of ``model_answers``. A request without a key is refused as the vendor refuses it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes import model_answers

MODEL = "claude-test"


@dataclass
class ModelServer:
    """What the requests were, and what is answered."""

    key: str
    #: The command that the agent is told to run.
    command: str
    #: What it says at the end.
    closing: str
    port: int = 0
    #: Bodies of the conversations' requests.
    requests: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    #: HTTP status of every answer, as of an account at its limit; ``None`` answers from the script.
    status: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The events of one answer."""
        tools = [tool["name"] for tool in body.get("tools", [])]
        said = body["messages"][-1]["content"]
        answered = isinstance(said, list) and any(part.get("type") == "tool_result" for part in said)
        if "Bash" in tools and not answered:
            block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
            words = json.dumps({"command": self.command, "description": "write the file"})
            delta = {"type": "input_json_delta", "partial_json": words}
            reason = "tool_use"
        else:
            block, delta, reason = (
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": self.closing},
                "end_turn",
            )
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", MODEL),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 1},
        }
        return [
            ("message_start", {"type": "message_start", "message": message}),
            ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}),
            ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}),
            ("content_block_stop", {"type": "content_block_stop", "index": 0}),
            (
                "message_delta",
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": reason, "stop_sequence": None},
                    "usage": {"output_tokens": 20},
                },
            ),
            ("message_stop", {"type": "message_stop"}),
        ]


@contextmanager
def model_server(*, key: str, command: str, closing: str, status: int | None = None) -> Iterator[ModelServer]:
    """A server for as long as the context lasts."""
    script = ModelServer(key=key, command=command, closing=closing, status=status)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            path = self.path.split("?")[0]
            given = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
            given = given or (self.headers.get("authorization") or "").removeprefix("Bearer ")
            if script.status is not None:
                script.refused += 1
                error = {"message": "Rate limit reached for requests", "type": "rate_limit_error"}
                self._send(script.status, json.dumps({"type": "error", "error": error}), "application/json")
            elif given != script.key:
                script.refused += 1
                error = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
                self._send(401, json.dumps(error), "application/json")
            elif path.endswith(("/chat/completions", "/responses", "enerateContent")):
                script.requests.append(body)
                says = {"command": script.command, "closing": script.closing}
                if path.endswith("/responses"):
                    kind, text = model_answers.responses(body, **says)
                elif path.endswith("/chat/completions"):
                    kind, text = model_answers.chat(body, **says)
                else:
                    kind, text = model_answers.gemini(body, **says, streaming=":stream" in path)
                self._send(200, text, kind)
            elif path.endswith("/messages"):
                script.requests.append(body)
                events = script.answer(body)
                text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
                self._send(200, text, "text/event-stream")
            else:
                self._send(200, json.dumps({"input_tokens": 100}), "application/json")

        def do_GET(self) -> None:
            self._send(404, "{}", "application/json")

        def _send(self, status: int, text: str, kind: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

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
