"""What comes in and what goes out, and what a test lets go wrong on the way."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

#: Where the API is, as at an Enterprise server.
PREFIX = "/api/v3"
GRAPHQL = "/api/graphql"


@dataclass(eq=False)
class Request:
    """A request that came in, and what became of it."""

    method: str
    #: With its query, as it was sent.
    path: str
    authorization: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    #: Whose token it was; empty for nobody's.
    login: str = ""
    #: What was answered; 0 while it was not, or where the connection was dropped.
    status: int = 0
    #: What was answered, or would have been if no fault had taken its place.
    answer: Any = None
    #: Whether it was carried out, whatever was answered.
    done: bool = False
    #: Whether something else was answered than this GitHub would have.
    scripted: bool = False

    @property
    def place(self) -> str:
        """The path after the API's prefix, without the query; percent signs as they were sent."""
        return self.path.partition("?")[0].removeprefix(PREFIX)

    @property
    def query(self) -> dict[str, str]:
        return {
            name: values[-1] for name, values in parse_qs(self.path.partition("?")[2], keep_blank_values=True).items()
        }

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None

    @property
    def writes(self) -> bool:
        """Whether it may change something: also a mutation, and a push."""
        if self.path == GRAPHQL:
            said = self.json
            return isinstance(said, dict) and bool(re.match(r"\s*mutation\b", str(said.get("query", ""))))
        return self.method not in {"GET", "HEAD"} and not self.place.endswith("/git-upload-pack")

    def is_for(self, method: str, pattern: str) -> bool:
        """Whether it is of this method (``*`` is any) and its place matches a shell pattern."""
        return method in {"*", self.method} and fnmatchcase(self.place, pattern)


@dataclass
class Answer:
    """A status, headers, and JSON or bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.status in {204, 304} or self.body is None else json.dumps(self.body).encode()


#: Writes to the connection by itself.
Raw = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Fault:
    """What happens to the next requests that match, instead of or beside what would."""

    method: str
    pattern: str
    #: How many requests; ``None`` is all.
    times: int | None = 1
    #: What is answered; nothing means the true answer.
    answer: Answer | Raw | None = None
    #: Whether the request still has its effect, although something else is answered.
    effect: bool = False
    #: The connection ends without an answer.
    drop: bool = False
    #: Bytes of the true answer that are sent before the connection ends.
    truncate: int | None = None
    #: Seconds before anything happens.
    delay: float = 0.0
    #: How many requests met it.
    met: int = 0


class Faults:
    """A queue: the oldest fault that matches is met, until it is used up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def meet(self, request: Request) -> Fault | None:
        with self._lock:
            found = next((one for one in self._waiting if request.is_for(one.method, one.pattern)), None)
            if found is None:
                return None
            found.met += 1
            if found.times is not None:
                found.times -= 1
                if found.times <= 0:
                    self._waiting.remove(found)
            return found


class RefusedError(Exception):
    """An answer that is no success, raised from wherever it is found out."""

    def __init__(
        self, status: int, message: str, *, errors: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        body: dict[str, Any] = {"message": message}
        if errors is not None:
            body["errors"] = errors
        body |= {"documentation_url": "https://docs.github.com/rest", "status": str(status)}
        self.answer = Answer(status, body, headers or {})


def missing() -> RefusedError:
    """Not there, or not to be seen: GitHub does not say which."""
    return RefusedError(404, "Not Found")


def invalid(resource: str, *, message: str = "", field_name: str = "", code: str = "custom") -> RefusedError:
    """A request that is understood and refused."""
    error = {"resource": resource, "code": code}
    if field_name:
        error["field"] = field_name
    if message:
        error["message"] = message
    return RefusedError(422, "Validation Failed", errors=[error])
