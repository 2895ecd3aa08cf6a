"""The commented ``tinytown.toml`` that ``tt init`` writes, made from the settings model itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tomlkit.items import Table

from tinytown.settings import NO_EFFECT, AgentCliSettings, RoleSettings, Settings

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
        elif not (not path and key in NAMED_TABLES) and (key in values or field.json_schema_extra != NO_EFFECT):
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
