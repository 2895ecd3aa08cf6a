"""Commands on the settings of a town, and on those that the user has for all towns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytown.commands.table import ACTS, LOOKS, Caller, command

if TYPE_CHECKING:
    from tinytown.settings.known import Setting
    from tinytown.settings_file import Changed


@dataclass(frozen=True)
class Which:
    """Which settings to list."""

    #: Those, too, that nothing sets.
    defaults: bool = False
    #: The user's own for all towns, and not the town's.
    everywhere: bool = False


@dataclass(frozen=True)
class Key:
    """A setting by its name, such as ``policy.max_attempts``."""

    key: str
    everywhere: bool = False


@dataclass(frozen=True)
class Value(Key):
    """A setting and its new value, as TOML writes it or simply as a text."""

    value: str = ""


@command("config.list", Which, by=LOOKS)
def list_all(caller: Caller, which: Which) -> Sequence[Setting]:
    """The settings that count, without secrets."""
    from tinytown.settings import known

    layers, env = _layers(caller, everywhere=which.everywhere)
    return known.every(layers, env, defaults=which.defaults)


@command("config.get", Key, by=ACTS)
def get(caller: Caller, wanted: Key) -> Setting:
    """A setting as it counts, whatever it holds."""
    from tinytown.settings import edit, known

    layers, env = _layers(caller, everywhere=wanted.everywhere)
    return known.one(edit.path_of(wanted.key), layers, env)


def _changed(changed: Changed) -> dict[str, Any]:
    return {"key": changed.key, "value": changed.value, "was": changed.was, "file": str(changed.file)}


@command("config.set", Value, by=ACTS, shape=_changed)
def put(caller: Caller, wanted: Value) -> Changed:
    """Set a setting in its file; all else in that stays as it is."""
    from tinytown import settings_file

    return settings_file.change(_root(caller, everywhere=wanted.everywhere), wanted.key, wanted.value)


def _root(caller: Caller, *, everywhere: bool) -> Path | None:
    return None if everywhere else caller.town.root


def _layers(caller: Caller, *, everywhere: bool) -> tuple[Any, dict[str, str]]:
    from tinytown.settings import layers_of

    # What the environment says is said to a town, not to all of them.
    env = {"HOME": os.environ.get("HOME", "")} if everywhere else dict(os.environ)
    return layers_of(_root(caller, everywhere=everywhere), env), env
