"""One setting in the text of a configuration file is changed; comments, order and line ends stay as they are.

Where a value can be written is not decided but tried: a place counts only if the parser then reads the very values that
are wanted.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import tomli

from tinytown import toml_text
from tinytown.errors import ConfigurationError
from tinytown.toml_text import NotTomlError, Statement

#: A setting's name in its parts.
Path = tuple[str, ...]


def path_of(key: str) -> Path:
    """The parts of a setting's name, written as TOML writes a key: ``policy.max_attempts``.

    Raises:
        ConfigurationError: it is none.
    """
    with suppress(ValueError, RecursionError):
        if "\n" not in key and "\r" not in key:
            node: Any = tomli.loads(f"{key} = 0")
            parts = []
            while isinstance(node, dict) and len(node) == 1:
                [(part, node)] = node.items()
                parts.append(part)
            if node == 0:
                return tuple(parts)
    raise ConfigurationError(f"`{key[:80]}` is not the name of a setting", remedy="see `tt config --all`")


def name_of(path: Sequence[str]) -> str:
    """A setting's name as it is written."""
    return toml_text.key_text(path)


def put(text: str, path: Path, value: Any) -> str:
    """The text with this value for a setting, which it may have already.

    Raises:
        NotTomlError: the text is not TOML.
        ConfigurationError: there is no place for it that leaves all else as it is.
    """
    wanted = _with(toml_text.parse(text), path, value)
    for candidate in _candidates(text, path, value, wanted):
        with suppress(NotTomlError):
            if toml_text.parse(candidate) == wanted:
                return candidate
    raise ConfigurationError(
        f"`{name_of(path)}` cannot be set without changing more of the file", remedy="change it with an editor"
    )


def _with(values: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(dict(values))
    node = found
    for part in path[:-1]:
        inner = node.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(
                f"`{part}` is a single value in the file, not a table", remedy="change it with an editor"
            )
        node = inner
    node[path[-1]] = value
    return found


def _candidates(text: str, path: Path, value: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Texts in which the setting is written, the nicest first; some may be wrong."""
    places = list(_places(text))
    for place, one in places:
        if not one.header and place == path:
            yield toml_text.edited(text, {(one.value, one.end): toml_text.value_text(value)})
        elif not one.header and place == path[: len(place)]:
            inline = toml_text.value_text(_at(wanted, place))
            yield toml_text.edited(text, {(one.value, one.end): inline})
    tables = [()] + [place for place, one in places if one.header == "["]
    yield from _below(text, places, path[:-1], path, value)
    if len(path) > 1 and path[:-1] not in tables:
        yield _new_table(text, path, value)
    for table in sorted({place for place in tables if place == path[: len(place)]}, key=len, reverse=True):
        yield from _below(text, places, table, path, value)


def _places(text: str) -> Iterator[tuple[Path, Statement]]:
    """Every statement with its whole name; what is in a list of tables has none."""
    table: Path | None = ()
    for one in toml_text.statements(text):
        if one.header:
            table = tuple(one.parts) if one.header == "[" else None
            if table is not None:
                yield table, one
        elif table is not None:
            yield (*table, *one.parts), one


def _below(text: str, places: Sequence[tuple[Path, Statement]], table: Path, path: Path, value: Any) -> Iterator[str]:
    """A new line in a table: behind a comment that shows this key, else behind its last line."""
    headers = [number for number, (place, one) in enumerate(places) if one.header and place == table]
    if table and not headers:
        return
    first = headers[0] + 1 if table else 0
    last = next((n for n in range(first, len(places)) if places[n][1].header), len(places))
    inside = [one for _, one in places[headers[0] if table else 0 : last]]
    begin = inside[0].end if table else 0
    end = places[last][1].start if last < len(places) else len(text)
    # What is in between belongs to a list of tables that has no place of its own.
    listed = next((o.start for o in toml_text.statements(text) if begin < o.start < end and o.header), end)
    key = toml_text.key_text(path[len(table) :])
    line = f"{key} = {toml_text.value_text(value)}"
    at = _after_comment(text, begin, min(end, listed), key, inside)
    if at is None:
        at = _line_end(text, inside[-1].end) if inside else _top(text, min(end, listed))
    yield _insert(text, at, line)


def _after_comment(text: str, begin: int, end: int, key: str, inside: Sequence[Statement]) -> int | None:
    shown = re.compile(rf"^[ \t]*#[ \t]*{re.escape(key)}[ \t]*=[^\n]*(?:\n|\Z)", re.MULTILINE)
    for match in shown.finditer(text, begin, end):
        if not any(one.start <= match.start() < one.end for one in inside):
            return match.end()
    return None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _top(text: str, header: int) -> int:
    """Before the first header and the comments that stand right above it."""
    lines = text[:header].splitlines(keepends=True)
    while lines and lines[-1].lstrip().startswith("#"):
        lines.pop()
    return sum(map(len, lines))


def _insert(text: str, at: int, line: str) -> str:
    newline = toml_text.newline(text)
    before = newline if at and text[at - 1] != "\n" else ""
    return f"{text[:at]}{before}{line}{newline}{text[at:]}"


def _new_table(text: str, path: Path, value: Any) -> str:
    newline = toml_text.newline(text)
    lines = [f"[{toml_text.key_text(path[:-1])}]", f"{toml_text.key_text(path[-1:])} = {toml_text.value_text(value)}"]
    gap = "" if not text.strip() else newline if text.endswith("\n") else newline * 2
    return text + gap + newline.join([*lines, ""])


def _at(values: Mapping[str, Any], path: Path) -> Any:
    node: Any = values
    for part in path:
        node = node[part]
    return node
