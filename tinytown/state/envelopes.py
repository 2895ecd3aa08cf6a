"""What a message must look like for a worker to survive it.

Celery trusts what it finds in a queue. An envelope of another shape ends the worker that takes it, or leaves it unable
to receive, and some are delivered again to the next worker. Only the shape that our own processes write passes here.
"""

from __future__ import annotations

import base64
import json
from typing import Any

_TEXT: tuple[type, ...] = (str,)
_MAYBE_TEXT: tuple[type, ...] = (str, type(None))

#: Headers that a worker reads before anything catches its errors, with what they may be.
_HEADERS: dict[str, tuple[type, ...]] = {
    "task": _TEXT,
    "id": _TEXT,
    "eta": _MAYBE_TEXT,
    "expires": _MAYBE_TEXT,
    "retries": (int, type(None)),
    "timelimit": (list, type(None)),
    "root_id": _MAYBE_TEXT,
    "parent_id": _MAYBE_TEXT,
}


def flaw(message: bytes) -> str:
    """Why a worker cannot take this message; empty if it can."""
    try:
        envelope = json.loads(message)
    except ValueError:
        return "it is not JSON"
    if not isinstance(envelope, dict):
        return "it is not an object"
    return _properties(envelope) or _headers(envelope) or _body(envelope)


def flaw_of_taken(entry: bytes) -> str:
    """The same for what a worker took and has not acknowledged: the message with where it came from."""
    try:
        taken = json.loads(entry)
    except ValueError:
        return "it is not JSON"
    if not isinstance(taken, list) or len(taken) != 3 or not all(isinstance(part, str) for part in taken[1:]):
        return "it is not a message with its position"
    return flaw(json.dumps(taken[0]).encode())


def _properties(envelope: dict[str, Any]) -> str:
    properties = envelope.get("properties")
    if not isinstance(properties, dict):
        return "it has no properties"
    if not isinstance(properties.get("delivery_tag"), str):
        return "it has no delivery tag"
    place = properties.get("delivery_info")
    if not isinstance(place, dict) or not all(isinstance(place.get(key), str) for key in ("exchange", "routing_key")):
        return "it does not say where it belongs"
    return ""


def _headers(envelope: dict[str, Any]) -> str:
    headers = envelope.get("headers")
    if not isinstance(headers, dict):
        return "it has no headers"
    for name in ("task", "id"):
        if name not in headers:
            return f"its header `{name}` is missing"
    for name, kinds in _HEADERS.items():
        if not isinstance(headers.get(name), kinds) and name in headers:
            return f"its header `{name}` is not valid"
    return ""


def _body(envelope: dict[str, Any]) -> str:
    if envelope.get("content-type") != "application/json" or envelope.get("content-encoding") != "utf-8":
        return "its body is not in JSON"
    try:
        body = base64.b64decode(envelope["body"], validate=True)
        args, kwargs, embed = json.loads(body)
    except (KeyError, TypeError, ValueError):
        return "its body cannot be read"
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not isinstance(embed, dict):
        return "its body is not valid"
    return "" if envelope["properties"].get("body_encoding") == "base64" else "its body is in no known encoding"
