"""The files that hold settings: the commented one that ``tt init`` writes, and one setting changed in any of them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tomlkit.items import Table

from tinytown import files, toml_text
from tinytown.errors import ConfigurationError
from tinytown.settings import FILE_NAME, AgentCliSettings, RoleSettings, Settings, edit, known
from tinytown.settings.read import check, file_of_user, layers_of

HEADER = (
    "The configuration of this town. Lines that begin with `#` show the defaults.",
    "An environment variable TINYTOWN_<SECTION>__<KEY> wins over this file. Durations are in seconds.",
)
#: Tables that the user names; each is shown by its keys, commented out.
NAMED_TABLES: Mapping[str, type[BaseModel]] = {"agent_clis": AgentCliSettings, "roles": RoleSettings}


def new_file(values: Mapping[str, Any], *, remarks: Mapping[str, str] | None = None) -> str:
    """The text of a new file in which ``values`` are set and everything else shows its default.

    Args:
        values: Nested as in the file.
        remarks: Sentences to add above a key, by its dotted path.
    """
    document = tomlkit.document()
    for line in HEADER:
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    _fill(document, Settings, values, (), remarks or {})
    text = tomlkit.dumps(document)
    examples = [_example(name, model) for name, model in NAMED_TABLES.items()]
    return "\n".join([text.rstrip("\n"), *examples]) + "\n"


def _fill(
    table: tomlkit.TOMLDocument | Table,
    model: type[BaseModel],
    values: Mapping[str, Any],
    path: tuple[str, ...],
    remarks: Mapping[str, str],
) -> None:
    sections = []
    for key, field in model.model_fields.items():
        section = _section(field)
        if section is not None:
            sections.append((key, section))
        elif path or key not in NAMED_TABLES:
            _add_key(table, key, field, values, remarks.get(".".join((*path, key)), ""))
    for key, section in sections:
        inner = tomlkit.table()
        _fill(inner, section, values.get(key, {}), (*path, key), remarks)
        table.add(tomlkit.nl())
        table.add(key, inner)


def _add_key(
    table: tomlkit.TOMLDocument | Table, key: str, field: FieldInfo, values: Mapping[str, Any], remark: str
) -> None:
    for line in filter(None, (field.description, remark)):
        table.add(tomlkit.comment(line))
    if key in values:
        table.add(key, values[key])
    else:
        table.add(tomlkit.comment(f"{key} = {_shown_default(field)}"))


def _shown_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "(not set)"
    return "{}" if default == {} else str(tomlkit.item(default).as_string())


def _section(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _example(name: str, model: type[BaseModel]) -> str:
    lines = ["", f"# [{name}.NAME]"]
    for key, field in model.model_fields.items():
        lines += [f"# {key}: {field.description}"]
    return "\n".join(lines)


# -- one setting of a file that is there ---------------------------------------------------------


@dataclass(frozen=True)
class Changed:
    """A setting that was set."""

    key: str
    #: As the file says it now.
    value: Any
    #: What the file said before; ``None`` where it said nothing.
    was: Any
    file: Path
    #: What whoever set it should know, a sentence each.
    remarks: tuple[str, ...] = ()


def change(root: Path | None, key: str, text: str, *, environ: Mapping[str, str] | None = None) -> Changed:
    """Set one setting in the file of the town at ``root``, or (``None``) in the user's own; all else in it stays.

    ``text`` is a value as TOML writes it (``5``, ``true``, ``["make test"]``), or simply a text. Nothing is written
    unless the file is valid with it.

    Raises:
        ConfigurationError: there is no such setting, it cannot have this value, or the file is not valid.
        StateError: another command changes the file, or it cannot be written.
        DiskFullError: no room; the old file stands.
    """
    env = os.environ if environ is None else environ
    path = _place(edit.path_of(key), text)
    kind = known.kind_of(path)
    file, lock = _file(root, env)
    with files.locked(lock, timeout=20, what=f"changing {file.name}"):
        layers = layers_of(root, env) or [(str(file), {})]
        before = _text_of(file)
        value, after = _fitting(before, path, text, kind, layers)
        was = _value_at(layers[-1][1], path)
        if after != before:
            files.write_atomically(file, after, mode=_mode(file))
    return Changed(edit.name_of(path), value, was, file, tuple(_remarks(path, env)))


#: Sections below this may be given as a text.
_SHORTENED = ("forge", "local", "repos")


def _place(path: edit.Path, text: str) -> edit.Path:
    """The setting that is meant: a CLI that is given a text gets that as its command."""
    return (*path, "command") if len(path) == 2 and path[0] == "agent_clis" and not text.startswith("{") else path


def _file(root: Path | None, env: Mapping[str, str]) -> tuple[Path, Path]:
    """The file to change, and the one whose lock keeps others from it."""
    if root is not None:
        # A link stays one: what it leads to is changed.
        return (root / FILE_NAME).resolve(), root / ".tt" / "config.lock"
    named = file_of_user(env)
    if named is None:
        raise ConfigurationError("there is no home folder to keep settings in", remedy="set HOME")
    return named.resolve(), files.private_folder(named.parent) / "config.lock"


def _text_of(file: Path) -> str:
    # Line ends as they are, which reading as text would change.
    return file.read_bytes().decode() if file.exists() else ""


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o600


def _fitting(
    before: str, path: edit.Path, text: str, kind: known.Kind, layers: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[Any, str]:
    """The value that ``text`` stands for, and the file with it: as TOML reads it, if that fits, else as a text."""
    wrong: ConfigurationError | None = None
    for value in _readings(text):
        if kind.section is not None and not isinstance(value, Mapping) and path[:-1] != _SHORTENED:
            raise _section_error(path, kind.section)
        try:
            after = edit.put(before, path, value)
            # Without the environment, which may hide what is wrong here.
            check([*layers[:-1], (layers[-1][0], toml_text.parse(after))], {})
        except ConfigurationError as error:
            wrong = wrong or error
        else:
            return value, after
    assert wrong is not None
    raise ConfigurationError(wrong.message, remedy="nothing was changed: correct it, then retry")


def _readings(text: str) -> Iterator[Any]:
    with contextlib.suppress(ValueError, RecursionError):
        values = tomli.loads(f"value = {text}")
        if values.keys() == {"value"}:
            yield values["value"]
    yield text


def _section_error(path: edit.Path, section: type[BaseModel]) -> ConfigurationError:
    example = edit.name_of((*path, next(iter(section.model_fields))))
    return ConfigurationError(
        f"`{edit.name_of(path)}` is a section, not a single setting", remedy=f"set one of its keys, such as `{example}`"
    )


def _value_at(values: Mapping[str, Any], path: edit.Path) -> Any:
    node: Any = values
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _remarks(path: edit.Path, env: Mapping[str, str]) -> Iterator[str]:
    if variable := known.variable_of(path, env):
        yield f"{variable} is set in this shell, and wins over the file"
    if path[0] == "redis" or path == ("timing", "tick_secs"):
        yield "it takes effect after `tt stop` and `tt start`"


# -- a file for others ---------------------------------------------------------------------------


def without_secrets(text: str) -> tuple[str, list[str]]:
    """The text of a file without what may be secret, and the names of the settings that were left out.

    These are addresses with a password, and values of variables. A comment stands in their place.

    Raises:
        NotTomlError: the text is not TOML.
    """
    values = toml_text.parse(text)
    edits: dict[tuple[int, int], str] = {}
    left_out: list[str] = []
    table: edit.Path = ()
    for one in toml_text.statements(text):
        if one.header:
            table = tuple(one.parts)
            continue
        path = (*table, *one.parts)
        value = _value_at(values, path)
        places = list(known.secrets(value, path))
        left_out += [edit.name_of((*path, *place)) for place in places]
        if () in places:
            begin = text.rfind("\n", 0, one.start) + 1
            edits[begin, one.end] = f"# `{edit.name_of(path)}` is left out: it may hold a secret."
        elif places:
            edits[one.value, one.end] = toml_text.value_text(_less(value, places))
    return toml_text.edited(text, edits), left_out


def _less(value: Mapping[str, Any], places: Sequence[edit.Path]) -> dict[str, Any]:
    """A table without what stands at these places."""
    inner = {key: [place[1:] for place in places if place[0] == key] for key in value}
    kept = ((key, one) for key, one in value.items() if () not in inner[key])
    return {key: _less(one, inner[key]) if inner[key] else one for key, one in kept}
