"""Each setting by its name: whether there is one, what it is now, and what says so."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from tinytown.errors import ConfigurationError, NotFoundError
from tinytown.nearest import nearest
from tinytown.settings.edit import Path, name_of
from tinytown.settings.layers import Layer, from_environment, says
from tinytown.settings.read import check
from tinytown.settings.sections import Settings

#: Stands for what nothing sets.
DEFAULT = "default"
#: Tables whose values are other people's secrets as often as not.
_VARIABLES = "env"
_HIDDEN = "…"


@dataclass(frozen=True)
class Setting:
    """A setting as it counts now."""

    #: Its name, as in ``policy.max_attempts``.
    key: str
    value: Any
    #: The file or the variable that sets it, or ``default``.
    source: str


@dataclass(frozen=True)
class Kind:
    """What may stand under a name."""

    #: The section; ``None`` for a single value, and for a table of whatever names.
    section: type[BaseModel] | None
    #: Anything may be named in it: CLIs, roles, repositories, variables.
    named: bool


def kind_of(path: Path) -> Kind:
    """What may stand at ``path``.

    Raises:
        ConfigurationError: there is no such setting.
    """
    node: Any = Settings
    for part in path:
        if isinstance(node, type) and issubclass(node, BaseModel):
            field = node.model_fields.get(part)
            node = _bare(field.annotation) if field is not None else None
        elif typing.get_origin(node) is dict:
            node = _bare(typing.get_args(node)[1])
        else:
            node = None
        if node is None:
            raise _unknown(path)
    section = node if isinstance(node, type) and issubclass(node, BaseModel) else None
    return Kind(section, typing.get_origin(node) is dict)


def _bare(annotation: Any) -> Any:
    """The type without what may be missing, and without its checks."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next(one for one in typing.get_args(annotation) if one is not type(None))
        else:
            return annotation


def _unknown(path: Path) -> ConfigurationError:
    name = name_of(path)
    near = nearest(name, names())
    hint = f", did you mean `{near[0]}`" if near else ""
    return ConfigurationError(f"there is no setting `{name[:80]}`{hint}", remedy="see `tt config --all`")


def names(values: Mapping[str, Any] | None = None) -> list[str]:
    """The names of all single settings: those that every town has, and those of what ``values`` names."""
    return [name_of(path) for path, _ in _leaves(values or Settings().model_dump(mode="json"))]


def every(layers: Sequence[Layer], env: Mapping[str, str], *, defaults: bool) -> list[Setting]:
    """The settings that count, without secrets; with ``defaults`` also those that nothing sets.

    Raises:
        ConfigurationError: something in them is wrong.
    """
    values = check(layers, env).model_dump(mode="json")
    found = [
        Setting(name_of(path), without_secrets(path, value), _source(path, layers, env))
        for path, value in _leaves(values)
    ]
    return [one for one in found if defaults or one.source != DEFAULT]


def one(path: Path, layers: Sequence[Layer], env: Mapping[str, str]) -> Setting:
    """A setting, or a whole section, as it counts.

    Raises:
        ConfigurationError: there is no such setting, or something in the files is wrong.
        NotFoundError: nothing of this name is configured, where names are free.
    """
    kind_of(path)
    node: Any = check(layers, env).model_dump(mode="json")
    for number, part in enumerate(path, start=1):
        if not isinstance(node, Mapping) or part not in node:
            raise NotFoundError(f"`{name_of(path[:number])}` is not configured", remedy="see `tt config`")
        node = node[part]
    return Setting(name_of(path), node, _source(path, layers, env))


def variable_of(path: Path, env: Mapping[str, str]) -> str:
    """The variable of the environment that overrules what files say of this; empty if none does."""
    variables, _ = from_environment(env)
    return next((name for name, place in variables.items() if place == path[: len(place)]), "")


def _source(path: Path, layers: Sequence[Layer], env: Mapping[str, str]) -> str:
    if variable := variable_of(path, env):
        return variable
    return next((name for name, layer in reversed(layers) if says(layer, path)), DEFAULT)


def _leaves(values: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Single values with their places; an empty table counts as one."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def without_secrets(path: Path, value: Any) -> Any:
    """A value as it may be shown to others: no password in an address, and of variables the names alone."""
    if len(path) > 1 and path[-2] == _VARIABLES:
        return _HIDDEN
    if isinstance(value, str) and holds_password(value):
        parts = urlsplit(value)
        return parts._replace(netloc=f"{_HIDDEN}@{parts.netloc.rpartition('@')[2]}").geturl()
    return value


def secrets(value: Any, path: Path) -> Iterator[Path]:
    """Where in a value, which stands at ``path``, something may be secret; the value itself is ``()``."""
    if _VARIABLES in path[:-1] or (path[-1:] == (_VARIABLES,) and value):
        yield ()
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from ((key, *place) for place in secrets(inner, (*path, key)))
    elif isinstance(value, str) and holds_password(value):
        yield ()


def holds_password(text: str) -> bool:
    """Whether it is an address with a user or a password in it; the user of ssh is none of those who keep a secret."""
    try:
        parts = urlsplit(text) if "://" in text else None
        user, at, _ = parts.netloc.rpartition("@") if parts is not None else ("", "", "")
        return bool(at) and (":" in user or parts is None or parts.scheme != "ssh")
    except ValueError:
        return False
