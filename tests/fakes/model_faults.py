"""What a model's service gives instead of an answer, in the vendors' own shapes of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Literal

#: ``refused``: an HTTP status with an error. ``error``: half an answer and then an error, in the stream. ``cut``: half
#: an answer, and the connection is gone. ``empty``: an answer without a word. ``garbage``: no answer of its protocol.
Kind = Literal["refused", "error", "cut", "empty", "garbage"]


@dataclass(frozen=True)
class Fault:
    """One of them."""

    kind: Kind
    status: int = 500
    message: str = "The server had an error while processing your request"
    headers: dict[str, str] = field(default_factory=dict)
    #: A usage limit ends so many seconds after it was met; codex says it of a refusal of this type alone.
    ends: float | None = None
    #: Not before the agent has worked: what asks for the command is answered as ever.
    behind_work: bool = False

    def body(self, path: str) -> str:
        """The body of a refusal, in the shape that the vendor of this path gives it."""
        if "enerateContent" in path:
            word = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}.get(self.status, "INTERNAL")
            return json.dumps({"error": {"code": self.status, "message": self.message, "status": word}})
        if path.endswith("/responses") and self.ends is not None:
            limit = {"type": "usage_limit_reached", "plan_type": "plus", "resets_at": int(time.time() + self.ends)}
            return json.dumps({"error": {**limit, "message": self.message}})
        kind = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}.get(
            self.status, "api_error"
        )
        return json.dumps({"type": "error", "error": {"type": kind, "message": self.message}})

    def spoil(self, path: str, answer: str, closing: str) -> str:
        """An answer of status 200 as this fault makes it; ``answer`` is the good one, which says ``closing``."""
        if self.kind == "empty":
            return answer.replace(json.dumps(closing), '""')
        if self.kind == "garbage":
            return "<html><body>maintenance</body></html>"
        if not answer.startswith(("data: ", "event: ")):
            return answer[: len(answer) // 2]
        events = answer.split("\n\n")
        half = "\n\n".join(events[: max(1, (len(events) - 1) // 2)]) + "\n\n"
        if self.kind == "cut":
            return half
        if "enerateContent" in path:
            # No event: its client looks for a document.
            return f"{half}{self.body(path)}"
        name = "event: error\n" if path.endswith("/messages") else ""
        if path.endswith("/responses"):
            error = {"code": "server_error", "message": self.message}
            failed = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": error}}
            return f"{half}data: {json.dumps(failed)}\n\n"
        return f"{half}{name}data: {self.body(path)}\n\n"
