"""Write what the code knows about itself into the documentation: ``make docs``.

The pages under ``docs/reference`` are made here as a whole. In a page written by hand, the text between
``<!-- from the code: NAME -->`` and ``<!-- end -->`` is. A test fails while any of it differs from the code.
"""

from __future__ import annotations

import ast
import copy
import importlib
import json
import re
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.acceptance import canaries, plants
from tests.vendors import planted
from tinytown import contract, errors, plugins, settings
from tinytown.agents.drivers.vendor import VendorDriver
from tinytown.cli import main as cli
from tinytown.missions import role_names, roles, states
from tinytown.state import keys
from tools import events, shapes
from tools.writing import first, plain, sentences, table

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_NOTICE = "<!-- Written by `make docs` from the code; edit the code instead. -->"
_REGION = re.compile(r"(<!-- from the code: (?P<name>[\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Write every page that differs from the code, and say which."""
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


def pages() -> dict[Path, str]:
    """Every page that holds something from the code, as it should be."""
    whole = {
        "cli": _cli,
        "settings": _settings,
        "redis-keys": _redis_keys,
        "events": _events,
        "json": lambda: shapes.page([w for w, c in commands() if _takes_json(c)]),
        "exit-codes": _exit_codes,
    }
    found = {DOCS / "reference" / f"{name}.md": f"{_NOTICE}\n\n{make().strip()}\n" for name, make in whole.items()}
    regions: Mapping[str, Callable[[], str]] = {
        "mission states": lambda: _states(states.MissionState),
        "item states": lambda: _states(states.ItemState),
        "purposes": lambda: _states(states.Purpose),
        "outcomes": lambda: _states(states.Outcome),
        "roles": _roles,
        "agent CLIs": _clis,
        "boundaries": _boundaries,
        "planted configuration": _planted,
    }
    for path in sorted(DOCS.rglob("*.md")):
        if path not in found and "<!-- from the code:" in (text := path.read_text(encoding="utf-8")):
            found[path] = _REGION.sub(lambda m: f"{m[1]}\n{regions[m['name']]().strip()}\n\n{m[3]}", text)
    return found


def _states(cls: type[StrEnum]) -> str:
    said = sentences(cls)
    return table((cls.__name__, "meaning"), [(f"`{m.value}`", said[m.name]) for m in cls])


def _roles() -> str:
    rows = [(f"`{role}`", _listed(words), roles.kind_for(role)) for role, words in role_names.BUILT_IN.items()]
    return table(("role", "other words for it", "kind of its items"), rows)


def _clis() -> str:
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    rows = []
    for name, entry in sorted(entries[plugins.AGENTS].items()):
        module, _, attribute = entry.partition(":")
        driver = getattr(importlib.import_module(module), attribute)
        if issubclass(driver, VendorDriver):
            rows.append((f"`{name}`", f"`{driver.program}`"))
    return table(("CLI", "program"), rows)


def _boundaries() -> str:
    """What the tests plant, and what an agent finds of it."""
    kept = {False: "**yes**", True: "no"}
    rows = [(one.where, "no", kept[one.without]) for one in canaries.ALL]
    found = sum(not one.without for one in canaries.ALL)
    rows += [
        (f"**found of {len(canaries.ALL)}**", "**0**", f"**{found}**"),
        (f"**run of {len(plants.PLANTS)} planted programs, modules, hooks and repositories**", "**0**", "**0**"),
    ]
    return table(("an agent reaches", "in the sandbox", "without it"), rows)


def _planted() -> str:
    """What a vendor's CLI obeys of a commit, left alone and in a review."""
    rows = []
    for name, obeyed in sorted(planted.OBEYED.items()):
        trust = planted.TRUSTING.get(name)
        when = f"with {trust}" if trust else "always"
        told = [when if kind in obeyed else "there are none" for kind in ("hook", "server")]
        rows.append((f"`{name}`", "always", *told, "nothing"))
    return table(("CLI", "instructions", "hooks or plugins", "servers of tools", "in a review"), rows)


# -- commands ------------------------------------------------------------------------------------


_CLI = """\
# Commands

What `--help` says. Results go to stdout, notes and progress to stderr. See also [exit codes](exit-codes.md) and
[JSON](json.md).

Every command but `tt review` also takes `-t FOLDER` (`--town`): the town, instead of the one of the
working folder; and `-v` (`--verbose`): say on stderr what is done meanwhile.
"""


def _cli() -> str:
    parts = [_CLI.strip(), _help(cli.tt, "tt")]
    for name in cli.COMMANDS:
        parts += _command(cli.load(name), f"tt {name}", level=2)
    return "\n\n".join(parts)


def _command(command: click.Command, words: str, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{words}`"
    yield _help(command, words)
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _command(command.commands[name], f"{words} {name}", level=level + 1)


def _help(command: click.Command, words: str) -> str:
    command = copy.copy(command)
    if words != "tt":
        # Said once for all of them; in a process in which a command was typed, it has them.
        command.params = [one for one in command.params if not {"--town", "--verbose"} & set(one.opts)]
    context = click.Context(
        command, info_name=words, terminal_width=92, help_option_names=cli.tt.context_settings["help_option_names"]
    )
    return f"```text\n{command.get_help(context)}\n```"


def _takes_json(command: click.Command) -> bool:
    return any("--json" in option.opts for option in command.params)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its words, groups included."""

    def below(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
        yield words, command
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                yield from below(inner, f"{words} {name}")

    for name in cli.COMMANDS:
        yield from below(cli.load(name), f"tt {name}")


# -- settings ------------------------------------------------------------------------------------


_SETTINGS = """\
# Settings

`tt init` writes `tinytown.toml` with every key and its default as a comment. What stands further up this list wins:

1. a flag of the command,
2. the environment: the variable in the last column; `REDIS_URL` wins for the server,
3. `tinytown.toml` in the town's folder,
4. `~/.tt/config.toml`, for all your towns,
5. the default.

Durations are in seconds. In the environment, lists and tables are JSON. A key that does not exist is an error that
suggests the nearest one.

`tt config` shows what is set and where; `tt config KEY VALUE` sets one in `tinytown.toml`, and `--global` in
`~/.tt/config.toml`. Nothing is written unless the file is valid with it; comments and all else in it stay.

A change takes effect with the next run of an agent or a check; the rules of missions (`[policy]`) with the next mission
that you start; the clock's interval (`tick_secs`) and the server (`[redis]`) after `tt stop` and `tt start`. While the
file cannot be read or is invalid, nothing new starts.
"""


def _settings() -> str:
    parts = [_SETTINGS.strip()]
    parts += _section(settings.Settings, ())
    return "\n\n".join(parts)


def _section(cls: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    inner: list[tuple[str, type[BaseModel]]] = []
    rows = []
    for key, field in cls.model_fields.items():
        section, named = _model_of(field.annotation)
        if section is not None:
            inner.append((f"{key}.NAME" if named else key, section))
        else:
            rows.append((f"`{key}`", _type(field), _default(field), _meaning(field), f"`{_variable(path, key)}`"))
    if rows:
        yield f"## `[{'.'.join(path)}]`" if path else "## At the top of the file"
        yield table(("key", "value", "default", "meaning", "variable"), rows)
    for key, section in inner:
        yield from _section(section, (*path, *key.split(".")))


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section that a field is, and whether its user names it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    arguments = typing.get_args(annotation)
    last = arguments[-1] if arguments else None
    named = typing.get_origin(annotation) is dict and isinstance(last, type) and issubclass(last, BaseModel)
    return (last, True) if named else (None, False)


def _type(field: FieldInfo) -> str:
    limits = [f"{sign} {limit}" for part in field.metadata for sign, limit in _limits(part)]
    return " ".join([_type_name(field.annotation), *limits])


def _limits(part: object) -> Iterator[tuple[str, object]]:
    for name, sign in (("gt", ">"), ("ge", "≥")):
        if (limit := getattr(part, name, None)) is not None:
            yield sign, limit
    for inner in getattr(part, "metadata", ()):
        yield from _limits(inner)


def _type_name(annotation: Any) -> str:
    names = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    if annotation in names:
        return names[annotation]
    arguments = [a for a in typing.get_args(annotation) if a is not types.NoneType]
    match typing.get_origin(annotation):
        case typing.Literal:
            return " or ".join(f"`{a}`" for a in arguments)
        case origin if origin is list:
            return f"list of {_type_name(arguments[0])}"
        case origin if origin is dict:
            return "table of text"
        case origin if origin is typing.Annotated:
            return " ".join([_type_name(arguments[0]), *(f"{s} {n}" for a in arguments[1:] for s, n in _limits(a))])
        case _:
            return " or ".join(_type_name(a) for a in arguments)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    return "" if value in (None, {}, []) else f"`{json.dumps(value)}`"


def _meaning(field: FieldInfo) -> str:
    return field.description or ""


def _variable(path: tuple[str, ...], key: str) -> str:
    return "TINYTOWN_" + "__".join(part if part == "NAME" else part.upper() for part in (*(path or ("config",)), key))


# -- the database --------------------------------------------------------------------------------

_KEY_ROW = re.compile(r"``(?P<key>[^`]+)``\s+(?P<type>\w+)\s+(?P<meaning>.+)")


def key_rows() -> list[tuple[str, str, str]]:
    """Key, type and meaning of each row of the schema that opens ``state/keys.py``."""
    rows = [_KEY_ROW.fullmatch(line.strip()) for line in (keys.__doc__ or "").splitlines()]
    return [(row["key"], row["type"], row["meaning"]) for row in rows if row]


def _redis_keys() -> str:
    paragraphs = [plain(part) for part in (keys.__doc__ or "").split("\n\n") if not part.lstrip().startswith("=")]
    rows = [(f"`{key}`", kind, plain(meaning)) for key, kind, meaning in key_rows()]
    queues = (
        f"The queues are `{contract.role_queue('<role>')}` and `{contract.agent_queue('<name>')}` for agents, "
        f"`{contract.QUEUE_CHECKS}` for checks and merges, and `{contract.QUEUE_CONTROL}` for housekeeping. "
        "Their messages carry ids, never data, so a lost one loses nothing."
    )
    return "\n\n".join(
        ["# Redis keys", *paragraphs[1:-1], table(("key", "type", "meaning"), rows), paragraphs[-1], queues]
    )


# -- events, JSON, exit codes --------------------------------------------------------------------


_EVENTS = """\
# Events

The history of a mission is a stream of events, in the key `mission:<id>:events`; the key `events` has those of the
whole town. Both are capped. Every event has `at` (seconds since 1970 by the server's clock) and `kind`; most have
`mission` and `item`; the fields below stand under `data`.

Where an item, a mission or an agent went from one state to another, `data` also has `from` and `to`, and `by`: who did
that, `operator` or the name of an agent; the town itself is not named. Each such step is in exactly one event.
"""


def _events() -> str:
    rows = [(f"`{kind}`", text, _listed(names)) for kind, (text, names) in events.KINDS.items()]
    return f"{_EVENTS}\n{table(('kind', 'what happened', 'data'), rows)}"


_EXIT_CODES = """\
# Exit codes

Every command ends with one of these. An error is one sentence and a remedy on stderr, never a traceback; the details of
what nobody foresaw are in a file that the message names.
"""

_CODES = {
    errors.EXIT_OK: "done",
    errors.EXIT_FAILED: "failed: something went wrong that no other code names",
    errors.EXIT_USAGE: "usage: an option, name, file or value is wrong",
    errors.EXIT_NOT_FOUND: "not found: what was named does not exist",
    errors.EXIT_STATE: "refused: the present state does not allow it",
    errors.EXIT_UNREACHABLE: "unreachable: the town, its database or its forge does not answer",
    errors.EXIT_CANCELLED: "cancelled: the mission that was followed (`--follow`) was cancelled",
    errors.EXIT_HELP: "help: the mission that was followed waits for a person (`--until-help`)",
    errors.EXIT_INTERRUPTED: "interrupted from the keyboard",
}


def _exit_codes() -> str:
    codes = [(str(code), text, _listed(c.__name__ for c in _errors(code))) for code, text in _CODES.items()]
    tree = [(f"`{c.__name__}`", str(c.exit_code), first(c.__doc__)) for c in _errors()]
    return "\n".join(
        [
            _EXIT_CODES,
            table(("code", "meaning", "errors"), codes),
            "\n## The errors\n",
            table(("error", "code", "meaning"), tree),
        ]
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _errors(code: int | None = None) -> list[type[errors.TinytownError]]:
    found = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.TinytownError)]
    return [c for c in found if code is None or c.exit_code == code]


def literal_kinds() -> dict[str, set[str]]:
    """Kinds of events that the engine names literally, with the fields it gives them."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tinytown" / "engine").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "event" and node.args:
                kind = node.args[0]
                if isinstance(kind, ast.Constant):
                    names = {k.arg for k in node.keywords if k.arg} - {"at", "mission", "item"}
                    found.setdefault(str(kind.value), set()).update(names)
    return found


if __name__ == "__main__":
    sys.exit(main())
