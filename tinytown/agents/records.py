"""Reading what programs wrote, mostly as JSON, without trusting it: a value of the wrong type counts as missing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: The line that is written in place of the middle of a long log.
LEFT_OUT = re.compile(r"^\[\d+ bytes left out\]$", re.MULTILINE)
#: The value of everything that is missing.
_NOTHING: Mapping[str, Any] = {}


def parse(text: str) -> Any:
    """The JSON value of ``text``; ``None`` if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def lines(text: str) -> Iterator[Mapping[str, Any]]:
    """The objects that have a line of their own, in order."""
    # Not ``splitlines``: it also splits at characters that a text inside a record may hold.
    for line in text.split("\n"):
        if line.lstrip().startswith("{") and line.rstrip().endswith("}"):
            value = parse(line)
            if isinstance(value, dict):
                yield value


def document(text: str) -> Any:
    """The JSON value at the end of ``text``, whatever is on the lines before it; ``None`` if there is none."""
    value = parse(text)
    if value is not None:
        return value
    for mark in ("\n{", "\n["):
        at = text.find(mark)
        # Few tries: the cost of hostile output must not grow with the square of its length.
        for _ in range(8):
            if at < 0:
                break
            value = parse(text[at:])
            if value is not None:
                return value
            at = text.find(mark, at + 1)
    return None


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at ``path``, or an empty one."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else _NOTHING


def sequence(value: Any, name: str) -> Sequence[Any]:
    """The array ``name`` of an object, or an empty one."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else ()


def string(value: Any, name: str) -> str | None:
    """The text ``name`` of an object."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def number(value: Any, name: str) -> float | None:
    """The finite number ``name`` of an object, zero or more."""
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        amount = float(found)
    except OverflowError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def whole(value: Any, name: str) -> int | None:
    """The number ``name`` of an object, rounded down."""
    amount = number(value, name)
    return None if amount is None else int(amount)


def total(value: Any, *names: str) -> int | None:
    """The sum of these numbers of an object; ``None`` if none of them is there."""
    found = [amount for name in names if (amount := whole(value, name)) is not None]
    return sum(found) if found else None


def numbers(value: Any) -> dict[str, float]:
    """All numbers of an object, by their names."""
    return {name: amount for name in mapping(value) if (amount := number(value, name)) is not None}


def status(error: str | None, pattern: re.Pattern[str]) -> int | None:
    """The HTTP status of a refusal that an error names: the first group of ``pattern``."""
    found = pattern.search(error) if error else None
    return int(found[1]) if found and 400 <= int(found[1]) <= 599 else None


def failure(text: str, line: re.Pattern[str], of_status: re.Pattern[str]) -> tuple[str | None, int | None]:
    """The error that a CLI ended with, the first group of the last ``line`` in ``text``, and its HTTP status."""
    error = None
    for found in line.finditer(text):
        error = found[1]
    return error, status(error, of_status)


def add(one: float | None, other: float | None) -> float | None:
    """The sum of the numbers that are known; ``None`` if none is."""
    return other if one is None else one if other is None else one + other
