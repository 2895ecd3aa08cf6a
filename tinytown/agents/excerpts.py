"""Parts of a CLI's own files: the fields that it needs to start and to be logged in.

The rest of them stays outside the sandbox: keys of other services and their servers, programs to be run, histories.
Names of fields are separated by blanks; ``a.b`` is the field ``b`` in ``a``, and ``*`` matches any part of a name.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tinytown.agents.driver import Excerpt

#: Patterns of the keys that lead to a field.
Field = tuple[str, ...]
_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])")
_VARIABLE = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*="
    r"[ \t]*(\"(?:\\.|[^\"\\])*\"|'[^']*'|`[^`]*`|[^\n]*)",
    re.MULTILINE,
)


def json_fields(names: str) -> Excerpt:
    """These fields of a document of JSON, which may have comments."""
    return exact_json(split(names))


def exact_json(names: Iterable[Field]) -> Excerpt:
    """The same, with names that ``split`` or ``exactly`` made."""
    return _Json(tuple(names))


@dataclass(frozen=True)
class _Json:
    names: tuple[Field, ...]

    def __call__(self, text: str) -> str:
        return json.dumps(fields(parse_json(text), self.names), indent=2)


@dataclass(frozen=True)
class JsonPart:
    """Fields of a document of JSON, which a CLI may change; see ``LoginPart``."""

    #: Its name among the parts of a file; without ``names`` also its fields, separated by blanks.
    name: str
    names: tuple[Field, ...] | None = None
    #: The fields whose changes are brought back; ``None``: all of them.
    home: tuple[Field, ...] | None = None

    @property
    def _names(self) -> Sequence[Field]:
        return split(self.name) if self.names is None else self.names

    def pick(self, text: str) -> str:
        """The fields that have a value, as a document."""
        found = fields(parse_json(text), self._names)
        return json.dumps({key: value for key, value in found.items() if value}, sort_keys=True)

    def merge(self, text: str, changed: str) -> str:
        """The document with these fields. A field that was removed stays: nobody is logged out by a run."""
        whole, home = parse_json(text), self._names if self.home is None else self.home
        found = fields(json.loads(self.pick(changed)), home)
        if not found or not isinstance(whole, dict):
            raise ValueError("it has none of the fields")
        return json.dumps(_merged(whole, found, home), indent=2 if "\n" in text.strip() else None)


def _merged(whole: Mapping[str, Any], part: Mapping[str, Any], names: Sequence[Field]) -> dict[str, Any]:
    merged = dict(whole)
    for key, value in part.items():
        inner = [name[1:] for name in names if fnmatchcase(key, name[0])]
        old = whole.get(key)
        if isinstance(old, Mapping) != isinstance(value, Mapping) and key in whole:
            continue  # No CLI turns the document into something else.
        merged[key] = _merged(old, value, inner) if isinstance(old, Mapping) and () not in inner else value
    return merged


def exact_toml(names: Iterable[Field]) -> Excerpt:
    """The same, with names that ``split`` or ``exactly`` made."""
    return _Toml(tuple(names))


@dataclass(frozen=True)
class _Toml:
    names: tuple[Field, ...]

    def __call__(self, text: str) -> str:
        # Only here: each worker would keep a megabyte of it that is rarely needed.
        import tomlkit

        return tomlkit.dumps(fields(tomlkit.parse(text).unwrap(), self.names))


def variables(pattern: str) -> Excerpt:
    """The variables of a ``.env`` file whose names match as a whole."""
    return _Variables(pattern)


@dataclass(frozen=True)
class _Variables:
    pattern: str

    def __call__(self, text: str) -> str:
        found = _VARIABLE.finditer(text)
        return "".join(f"{one[1]}={one[2]}\n" for one in found if re.fullmatch(self.pattern, one[1]))


def split(names: str) -> list[Field]:
    """Names of fields as ``fields`` wants them."""
    return [tuple(name.split(".")) for name in names.split()]


def exactly(*keys: str) -> Field:
    """The field that these keys lead to; no character in them has a special meaning."""
    return tuple(map(glob.escape, keys))


def parse_json(text: str) -> Any:
    """A document that may have comments, and commas after the last entry.

    Raises:
        ValueError: it is none.
    """
    if not text.strip():
        return {}
    plain = _COMMENT.sub(lambda match: match[1] or " ", text)
    return json.loads(_COMMA.sub(lambda match: match[1] or "", plain))


def fields(value: Any, names: Sequence[Field]) -> dict[str, Any]:
    """Only these fields of a document.

    Raises:
        ValueError: it has no fields.
    """
    if not isinstance(value, Mapping):
        raise ValueError("it has no fields")
    part: dict[str, Any] = {}
    for key, inner in value.items():
        found = [name[1:] for name in names if fnmatchcase(key, name[0])]
        if () in found:
            part[key] = inner
        elif found and isinstance(inner, Mapping):
            part[key] = fields(inner, found)
    return part
