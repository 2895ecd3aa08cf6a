"""Where settings come from, which of them wins, and what is said of one that is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
from pydantic import BaseModel

from tinytown.errors import ConfigurationError, NotATownError
from tinytown.nearest import nearest
from tinytown.settings import joined
from tinytown.settings.layers import Layer, from_environment, merge, read_toml, says, touches
from tinytown.settings.sections import Settings

#: An address with a password in it.
_PASSWORD = re.compile(r"[^:/]+://[^/@]*:[^/]*@")
#: The file that makes a folder a town.
FILE_NAME = "tinytown.toml"


def find_root(start: Path) -> Path:
    """The town that ``start`` is in: the nearest folder upwards that has a ``tinytown.toml``, or had one.

    The configuration comes and goes with the branch that is checked out; what runs for the town does not.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if _is_there(folder / FILE_NAME) or _is_there(folder / ".tt" / "town.json"):
            return folder
    raise NotATownError(str(here))


def _is_there(file: Path) -> bool:
    """Whether the file is there; in a folder that may not be entered it is taken to be, and its reader says so."""
    try:
        return file.is_file()
    except PermissionError:
        return file.parent.name == ".tt"


def load(root: Path, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration of the town at ``root``.

    Raises:
        ConfigurationError: a file cannot be read or parsed, or a key or a value is wrong.
    """
    env = os.environ if environ is None else environ
    return check(layers_of(root, env), env)


def layers_of(root: Path | None, env: Mapping[str, str]) -> list[Layer]:
    """What the user's file says and, over it, the file of the town at ``root``; without one, the user's alone.

    Raises:
        ConfigurationError: a file cannot be read or parsed.
    """
    of_user = _layers_of_user(env)
    if root is None:
        return of_user
    if (told := joined.read_published(root)) is not None:
        return joined.layers_of(root, told, env, of_user=of_user[0] if of_user else None)[0]
    return [*of_user, (str(root / FILE_NAME), read_toml(root / FILE_NAME))]


def server_variable(environ: Mapping[str, str]) -> str:
    """The variable of the environment that names the server, if one does."""
    return next((name for name in ("REDIS_URL", "TINYTOWN_REDIS__URL") if environ.get(name)), "")


def load_user(*, environ: Mapping[str, str] | None = None) -> Settings:
    """The configuration outside any town: the user's file, the environment, the defaults.

    Raises:
        ConfigurationError: the file cannot be read or parsed, or a key or a value is wrong.
    """
    env = os.environ if environ is None else environ
    return check(layers_of(None, env), env)


def state_of(root: Path, *, environ: Mapping[str, str] | None = None) -> tuple[object, ...]:
    """What is another one once a file that ``load`` reads is another one."""
    files = (root / FILE_NAME, root / joined.FILE, file_of_user(os.environ if environ is None else environ))
    return tuple(_state(file) for file in files)


def _state(file: Path | None) -> tuple[int, ...] | None:
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found is not None else None


def _layers_of_user(env: Mapping[str, str]) -> list[Layer]:
    file = file_of_user(env)
    return [(str(file), read_toml(file, missing_ok=True))] if file is not None else []


def file_of_user(env: Mapping[str, str]) -> Path | None:
    """The user's own file, for all towns; ``None`` where there is no home."""
    home = env.get("HOME")
    return Path(home) / ".tt" / "config.toml" if home else None


def parse(values: Mapping[str, Any], *, source: str) -> Settings:
    """Check ``values``; ``source`` names them in the error."""
    try:
        return Settings.model_validate(values)
    except pydantic.ValidationError as error:
        raise ConfigurationError(f"{source}: {_explain(error)}", remedy="correct or remove it") from None


def check(layers: Sequence[Layer], env: Mapping[str, str]) -> Settings:
    """What the files, the later ones before the earlier, and the environment say together.

    Raises:
        ConfigurationError: a key or a value is wrong; it names the file or the variable.
    """
    variables, of_environment = from_environment(env)
    if joined.are_of_host(layers):
        joined.require_of_host(*layers[-1])
        of_environment = joined.only_of_host(of_environment)
    values: Mapping[str, Any] = {}
    for file, layer in layers:
        _no_password(layer, file)
        values = merge(values, layer)
    try:
        return Settings.model_validate(merge(values, of_environment))
    except pydantic.ValidationError as error:
        place = tuple(error.errors(include_url=False)[0]["loc"])
        blamed = [name for name, path in variables.items() if touches(path, place)]
        if blamed:
            remedy = f"correct or unset {'it' if len(blamed) == 1 else 'one of them'}"
            raise ConfigurationError(f"{', '.join(blamed)}: {_explain(error)}", remedy=remedy) from None
        # The last file that says it, for that one won.
        source = next((name for name, layer in reversed(layers) if says(layer, place)), None)
        source = source or (layers[-1][0] if layers else "~/.tt/config.toml")
        raise ConfigurationError(f"{source}: {_explain(error)}", remedy="correct or remove it") from None


def _no_password(layer: Mapping[str, Any], source: str) -> None:
    """Files are copied, shown and committed."""
    hub = layer.get("hub")
    url = hub.get("url") if isinstance(hub, Mapping) else None
    if isinstance(url, str) and _PASSWORD.match(url):
        raise ConfigurationError(
            f"{source}: `hub.url`: holds a password, which only the environment may",
            remedy="leave it out, and set TINYTOWN_HUB_TOKEN where the town's processes start",
        )


def _explain(error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    where = ".".join(path)
    if first["type"] == "extra_forbidden":
        near = nearest(path[-1], _keys_at(path[:-1]))
        hint = f", did you mean `{near[0]}`" if near else ""
        return f"unknown key `{where}`{hint}"
    message = first["msg"].removeprefix("Value error, ")
    return f"`{where}`: {message[:1].lower()}{message[1:]}" if where else message


def _keys_at(path: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in path:
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field else None
        if inner is not None:
            model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
