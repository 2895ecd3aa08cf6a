"""Which provider of models a run of a CLI will use, by the CLI's own files: it is shown the key of no other one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from tinytown.agents.excerpts import JsonPart, exactly, parse_json

#: Bytes of a file of settings that are read.
_LARGEST = 4 << 20


@dataclass(frozen=True)
class Choice:
    """The providers that a run may use."""

    names: Sequence[str]
    #: Why there are several, for ``Invocation.undecided``; empty if the user's own settings say which are used.
    doubt: str = ""

    def undecided(self, *files: Path) -> dict[Path, str]:
        """For ``Invocation.undecided``: the files with their keys."""
        return dict.fromkeys(files, self.doubt) if self.doubt else {}

    def entries(self, *within: str) -> JsonPart:
        """The part of a log-in file that has an entry for each provider in the field ``within``."""
        return JsonPart(f"of {' '.join(sorted(self.names))}", tuple(exactly(*within, name) for name in self.names))


def choose(told: Iterable[str], known: Iterable[str], remedy: str) -> Choice:
    """The providers that the settings name, known or not; all known ones if the settings name none.

    ``remedy`` is what the user can write to tell.
    """
    names = list(dict.fromkeys(told))
    if names:
        return Choice(names)
    names = list(dict.fromkeys(known))
    several = f"nothing tells which of {', '.join(sorted(names))} a run uses: {remedy}"
    return Choice(names, several if len(names) > 1 else "")


def provider_of(model: object) -> list[str]:
    """The provider in ``provider/model``, if the model is named so."""
    name, slash, _ = model.partition("/") if isinstance(model, str) else ("", "", "")
    return [name] if slash and name else []


def text_of(path: Path) -> str:
    """The text of a plain file; empty if it cannot be read."""
    try:
        # Opening must not hang on a pipe in its place.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return file.read(_LARGEST).decode("utf-8-sig") if plain else ""
    except (OSError, ValueError):
        return ""


def json_of(path: Path) -> Mapping[str, Any]:
    """The object in a file of JSON; an empty one if it cannot be understood."""
    return json_in(text_of(path))


def json_in(text: str) -> Mapping[str, Any]:
    """The object in a text of JSON; an empty one if it cannot be understood."""
    try:
        found = parse_json(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def toml_of(path: Path) -> Mapping[str, Any]:
    """The table in a file of TOML; an empty one if it cannot be understood."""
    try:
        return tomli.loads(text_of(path))
    except (ValueError, RecursionError):
        return {}
