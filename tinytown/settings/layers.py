"""Where the values of a configuration come from: files, and variables of the environment over them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli

from tinytown import contract
from tinytown.errors import ConfigurationError

#: Where values come from, and the values.
Layer = tuple[str, Mapping[str, Any]]

#: Seconds after its last change in which a file that is empty, or not TOML, may be one that an editor is writing just
#: now: many empty a file before they write it anew.
_BEING_WRITTEN_SECS = 0.25
_PAUSE_SECS = 0.02


def read_toml(path: Path, *, missing_ok: bool = False) -> dict[str, Any]:
    """Read a TOML file, naming file and line in the error.

    Raises:
        ConfigurationError: the file is missing, unreadable or not TOML.
    """
    try:
        return _whole(path)
    except FileNotFoundError:
        if missing_ok:
            return {}
        raise ConfigurationError(
            f"{path} is gone", remedy="restore it (is it on another branch?), or run `tt init` for a new one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {reason}", remedy="make it a readable file") from None
    except tomli.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}", remedy="correct the line it names") from None


def _whole(path: Path) -> dict[str, Any]:
    """What the file says once nobody is in the midst of writing it."""
    while True:
        try:
            values = tomli.loads(path.read_text(encoding="utf-8"))
        except (tomli.TOMLDecodeError, UnicodeDecodeError):
            if not _fresh(path):
                raise
        else:
            if values or not _fresh(path):
                return values
        time.sleep(_PAUSE_SECS)


def _fresh(path: Path) -> bool:
    return 0 <= time.time() - path.stat().st_mtime < _BEING_WRITTEN_SECS


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def from_environment(env: Mapping[str, str]) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    """The variables that are settings, with what each of them sets; and the values, nested as in a file."""
    variables: dict[str, tuple[str, ...]] = {}
    values: dict[str, Any] = {}
    for name, text in sorted(env.items()):
        if not name.startswith("TINYTOWN_") or "__" not in name or name in contract.ENV_NOT_SETTINGS:
            continue
        path = name.removeprefix("TINYTOWN_").lower().split("__")
        path = path[1:] if path[0] == "config" else path
        variables[name] = tuple(path)
        _put(values, path, _typed(text), name)
    if url := env.get("REDIS_URL"):
        variables.pop("TINYTOWN_REDIS__URL", None)  # It has no say then.
        variables["REDIS_URL"] = ("redis", "url")
        _put(values, ["redis", "url"], url, "REDIS_URL")
    return variables, values


def _put(values: dict[str, Any], path: Sequence[str], value: Any, name: str) -> None:
    node = values
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise ConfigurationError(
                f"{name} sets part of `{part}`, but another variable sets all of it", remedy="unset one of them"
            )
    node[path[-1]] = value


def touches(path: tuple[str, ...], place: tuple[int | str, ...]) -> bool:
    """Whether what stands at ``path`` is, holds or belongs to what is wrong at ``place``."""
    length = min(len(path), len(place))
    return length > 0 and path[:length] == place[:length]


def says(layer: Mapping[str, Any], place: tuple[int | str, ...]) -> bool:
    node: Any = layer
    for part in place:
        if not isinstance(node, Mapping):
            return True
        if part not in node:
            return False
        node = node[part]
    return True


def _typed(text: str) -> Any:
    """A list or a table may be given as JSON; everything else pydantic converts from its text."""
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
