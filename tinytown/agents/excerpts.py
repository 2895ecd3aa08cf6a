"""Parts of the files that a CLI keeps: what it needs to start and to be logged in, field by field.

The rest of them stays outside the sandbox: keys of other services and their servers, programs to be run, histories.
Fields are named between blanks; ``a.b`` is the field ``b`` in ``a``, and ``*`` stands for any letters of a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import tomlkit

from tinytown.agents.driver import Excerpt

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
    wanted = split(names)
    return lambda text: json.dumps(fields(parse_json(text), wanted), indent=2)


@dataclass(frozen=True)
class JsonPart:
    """These fields of a document of JSON, which a CLI may change; see ``LoginPart``."""

    name: str

    def pick(self, text: str) -> str:
        """The fields that have a value, as a document."""
        found = fields(parse_json(text), split(self.name))
        return json.dumps({key: value for key, value in found.items() if value}, sort_keys=True)

    def merge(self, text: str, changed: str) -> str:
        """The document with these fields; one that was taken away stays: nobody is logged out by it."""
        whole, found = parse_json(text), json.loads(self.pick(changed))
        if not found or not isinstance(whole, dict):
            raise ValueError("it has none of the fields")
        return json.dumps(whole | found)


def toml_fields(names: str) -> Excerpt:
    """These fields of a document of TOML."""
    wanted = split(names)
    return lambda text: tomlkit.dumps(fields(tomlkit.parse(text).unwrap(), wanted))


def variables(pattern: str) -> Excerpt:
    """The variables of a ``.env`` file whose names match as a whole."""
    named = re.compile(pattern)
    return lambda text: "".join(
        f"{match[1]}={match[2]}\n" for match in _VARIABLE.finditer(text) if named.fullmatch(match[1])
    )


def split(names: str) -> list[tuple[str, ...]]:
    """Names of fields as ``fields`` wants them."""
    return [tuple(name.split(".")) for name in names.split()]


def parse_json(text: str) -> Any:
    """A document that may have comments, and commas after the last entry.

    Raises:
        ValueError: it is none.
    """
    if not text.strip():
        return {}
    plain = _COMMENT.sub(lambda match: match[1] or " ", text)
    return json.loads(_COMMA.sub(lambda match: match[1] or "", plain))


def fields(value: Any, names: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Of a document these fields alone.

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
