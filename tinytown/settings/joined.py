"""The settings of a host that joined a town: the town's, as its home published them, and over them what is the host's.

Home publishes all that hosts need, without secrets: of tables of variables (``env``) only the names travel, and each
host takes the values from its own environment. What a host says itself is where programs are and what its machine can
bear; anything else in its own ``tinytown.toml`` is refused, as it would differ from host to host.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel

from tinytown.errors import ConfigurationError
from tinytown.settings.layers import Layer, read_toml
from tinytown.settings.sections import Settings

#: What the home published last, in the folder of a host; there is none in that of a home.
FILE: Final = ".tt/settings.json"

#: What the layer of the town's settings is called.
SOURCE: Final = "the town's settings"
#: What a host may say itself, ``*`` for any name.
_OF_HOST: Final = (
    "host",
    "redis",
    "hub",
    "sandbox.kind",
    "sandbox.engine",
    "sandbox.uid",
    "sandbox.memory",
    "sandbox.processes",
    "sandbox.disk",
    "sandbox.open_files",
    "sandbox.loopback",
    "sandbox.hosts",
    "workspace.env",
    "workspace.readable",
    "agent_clis.*.command",
    "agent_clis.*.interactive",
    "agent_clis.*.env",
    "agent_clis.*.readable",
    "agent_clis.*.writable",
)
#: Sections that mean nothing on another host, or are each host's own.
_HOMES_OWN: Final = ("redis", "host", "notify", "metrics", "conductor")


def published(settings: Settings, *, root: Path) -> dict[str, Any]:
    """What of the town's settings its hosts are told, as ``layers_of`` reads it; nothing of it is secret.

    ``root`` is the home's folder, to which a path is relative.
    """
    values = settings.model_dump(mode="json", exclude_defaults=True)
    insecure = values.get("redis", {}).get("insecure")
    for section in _HOMES_OWN:
        values.pop(section, None)
    if insecure:
        values["redis"] = {"insecure": insecure}
    values.get("forge", {}).get("github", {}).pop("token_file", None)
    variables = {}
    for table, place in _tables(values):
        if names := sorted(table.pop("env", {})):
            variables[place] = names
    if url := values.get("hub", {}).get("url"):
        values["hub"]["url"] = _without_password(_absolute(str(url), root))
    return {"values": values, "variables": variables}


def missing_variables(told: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """Names of variables that the town sets for agents, and that this host's environment does not have."""
    names = {str(name) for names in told.get("variables", {}).values() for name in names}
    return sorted(name for name in names if name not in env)


def read_published(root: Path) -> dict[str, Any] | None:
    """What the home published last; ``None`` in the folder of a home.

    Raises:
        ConfigurationError: it cannot be read.
    """
    path = root / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", remedy="make it a readable file") from None
    try:
        told = json.loads(text)
        if isinstance(told["values"], dict) and isinstance(told["variables"], dict):
            return dict(told)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ConfigurationError(f"{path} is damaged", remedy="remove it, and run `tt join` in this folder again")


def layers_of(
    root: Path, told: Mapping[str, Any], env: Mapping[str, str], *, of_user: Layer | None
) -> tuple[list[Layer], list[str]]:
    """What counts in the folder of a host, the last layer first of all; and names that this release does not know.

    Raises:
        ConfigurationError: the host's own file cannot be read, or says what only the town's home decides.
    """
    values, unknown = _known(told["values"], Settings, "")
    for place, names in told["variables"].items():
        table = values
        for part in str(place).split("/"):
            table = table.setdefault(part, {})
        table["env"] = {str(name): env[str(name)] for name in names if str(name) in env}
    layers: list[Layer] = [(SOURCE, values)]
    if of_user is not None:
        layers.append((of_user[0], only_of_host(of_user[1])))
    own = str(root / "tinytown.toml")
    said = read_toml(Path(own), missing_ok=True)
    return [*layers, (own, said)], unknown


def are_of_host(layers: Sequence[Layer]) -> bool:
    """Whether these are the layers of a host that joined: its environment decides no more than such a host may."""
    return bool(layers) and layers[0][0] == SOURCE


def require_of_host(source: str, values: Mapping[str, Any]) -> None:
    """Raise ``ConfigurationError`` if a host says what only the town's home decides."""
    if foreign := next(_foreign(values, ""), ""):
        raise ConfigurationError(
            f"{source}: `{foreign}` is decided by the town's home, not by a host of it",
            remedy="remove it here, and set it in the tinytown.toml of the town",
        )


def only_of_host(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of these values a host may say itself."""
    kept = json.loads(json.dumps(values, default=str))
    for foreign in list(_foreign(kept, "")):
        *folders, last = foreign.split(".")
        node: Any = kept
        for part in folders:
            node = node.get(part, {})
        node.pop(last, None)
    return dict(kept)


def _foreign(values: Mapping[str, Any], above: str) -> Iterator[str]:
    """Names of what only the home decides."""
    for key, value in values.items():
        name = f"{above}.{key}" if above else key
        if _matches(name):
            continue
        if isinstance(value, Mapping) and any(one.startswith(_generic(name) + ".") for one in _OF_HOST):
            yield from _foreign(value, name)
        else:
            yield name


def _generic(name: str) -> str:
    return re.sub(r"^(agent_clis)\.[^.]+", r"\1.*", name)


def _matches(name: str) -> bool:
    return _generic(name) in _OF_HOST


def _known(values: Mapping[str, Any], model: type[BaseModel], above: str) -> tuple[dict[str, Any], list[str]]:
    """The values whose names this release knows, and the other names: a newer home may have more."""
    kept: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in values.items():
        field, name = model.model_fields.get(key), f"{above}.{key}" if above else key
        if field is None:
            unknown.append(name)
            continue
        inner = field.annotation
        if _is_model(inner) and isinstance(value, Mapping):
            kept[key], more = _known(value, inner, name)
            unknown += more
        elif typing.get_origin(inner) is dict and _is_model(of := typing.get_args(inner)[1]):
            kept[key] = {}
            for one, table in value.items():
                kept[key][one], more = _known(table, of, f"{name}.{one}")
                unknown += more
        else:
            kept[key] = value
    return kept, unknown


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _tables(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The tables that may hold variables, and where they are."""
    if "workspace" in values:
        yield values["workspace"], "workspace"
    for name, table in values.get("agent_clis", {}).items():
        yield table, f"agent_clis/{name}"


def _absolute(url: str, root: Path) -> str:
    """A path that means the same wherever it is read."""
    return url if ":" in url else str(root / Path(url).expanduser())


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.scheme or parts.password is None:
        return url
    user = parts.username or ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))
