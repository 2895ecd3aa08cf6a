"""Reads ``tasks.toml``: a plan, or all that is wrong with it, each with its line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tinytown import contract, keys
from tinytown.errors import ConfigurationError
from tinytown.missions.states import ItemState
from tinytown.nearest import nearest
from tinytown.plans.model import STATES, Meta, Plan, Problem, Task
from tinytown.plans.stages import Stages, compile_stages
from tinytown.toml_text import NotTomlError, Table, TomlText, parse

#: Names that are compared with mistyped ones, all in all: in a large file only the first mistakes get a suggestion.
_COMPARISONS: Final = 50_000
#: Characters of a wrong value that are shown.
_SHOWN: Final = 60
#: A budget beyond this is a mistake.
_DOLLARS: Final = 1e9
_TOKENS: Final = 10**15
_BOM: Final = "\ufeff"
#: Where everything is if no line is wanted.
_NOWHERE: Final = Table(0, 0)

_AGENT_RULE: Final = "write the name of an agent or of a role: lower-case letters, digits, `-` and `_`, 48 at most"
_NOBODY: Final = "name an agent or a role: the conductor and you take no tasks"
_ID_RULE: Final = "use letters, digits, `.`, `-` and `_`, 100 at most, with a letter or a digit first"


@dataclass(frozen=True)
class Reading:
    """What a file says. With problems the plan holds what could be read of it, and must not be used."""

    plan: Plan
    stages: Stages
    problems: tuple[Problem, ...] = ()
    source: str = ""

    def require(self) -> Stages:
        """The plan understood.

        Raises:
            ConfigurationError: something is wrong; all of it is named.
        """
        if self.problems:
            said = "; ".join(one.told(self.source) for one in self.problems)
            raise ConfigurationError(said, remedy="correct it; `tt plan` lists all that is wrong")
        return self.stages


def decode(raw: bytes) -> tuple[str, Problem | None]:
    """The text of a file, with its mark of UTF-8 if it has one; and what is wrong where it is not UTF-8."""
    try:
        return raw.decode("utf-8"), None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return "", Problem(line, "the file is not UTF-8", "save it as UTF-8")


@functools.lru_cache(maxsize=4)
def read(raw: bytes, *, source: str, lines: bool = True) -> Reading:
    """Read a file; ``source`` names it in errors. A command that reads the same more than once waits once.

    Without ``lines`` every line of a plan that nothing is said about is 0: in a large file they take as long to find as
    the values. What is said about a plan has its line anyway.
    """
    text, problem = decode(raw)
    if problem is not None:
        return _unread(source, problem)
    text = text.removeprefix(_BOM)
    try:
        values = parse(text)
    except NotTomlError as error:
        return _unread(source, Problem(error.line, f"not valid TOML: {error.reason}", "correct this line"))
    if not lines:
        reading = _understood(values, None, source)
        if not reading.problems and not reading.stages.remarks():
            return reading
    return _understood(values, TomlText(text), source)


def _understood(values: Mapping[str, Any], text: TomlText | None, source: str) -> Reading:
    reader = _Reader(text)
    plan = reader.plan(values)
    stages = compile_stages(plan)
    problems = sorted({*reader.problems, *stages.problems()})
    return Reading(plan, stages, tuple(problems), source)


def _unread(source: str, problem: Problem) -> Reading:
    return Reading(Plan(), compile_stages(Plan()), (problem,), source)


class _Reader:
    """Collects problems while it reads; what is wrong is left out of the plan."""

    def __init__(self, text: TomlText | None) -> None:
        """``text``: where things stand; without it every line is 0."""
        self.problems: list[Problem] = []
        self._text = text
        self._budget = _COMPARISONS

    def plan(self, values: Mapping[str, Any]) -> Plan:
        for key in values.keys() - {"meta", "tasks"}:
            self._say_unknown(key, ("meta", "tasks"), self._line_of(key), "a plan has `[meta]` and `[[tasks]]`")
        meta = values.get("meta", {})
        if not isinstance(meta, dict):
            self._say(self._line_of("meta"), "`meta` is not a table", "write `[meta]`")
            meta = {}
        tasks = values.get("tasks", [])
        if not isinstance(tasks, list) or not all(isinstance(one, dict) for one in tasks):
            self._say(self._line_of("tasks"), "`tasks` is not a list of tables", "begin each task with `[[tasks]]`")
            tasks = []
        places = self._text.tables("tasks") if self._text is not None else [_NOWHERE] * len(tasks)
        read = [self._task(one, place) for one, place in zip(tasks, places, strict=True)] if tasks else []
        self._check_names(list(zip(read, places, strict=False)))
        return Plan(meta=self._meta(meta), tasks=tuple(task for task in read if task.id))

    # -- tables ----------------------------------------------------------------------------------

    def _line_of(self, name: str) -> int:
        return self._text.line_of(name) if self._text is not None else 0

    def _meta(self, values: Mapping[str, Any]) -> Meta:
        place = (self._text.table("meta") or Table(1, 0)) if self._text is not None else _NOWHERE
        return Meta(**self._fields(values, _META, place, _META_RULE), line=place.line)

    def _task(self, values: Mapping[str, Any], place: Table) -> Task:
        """A task; its id is empty where it has none that can be one."""
        found = self._fields(values, _TASK, place, _TASK_RULE)
        if "description" not in values:
            self._say(place.line, f"{_named(values)} has no description", 'add description = "…"')
        if "id" not in values:
            said: str = found.get("description", "")
            suggestion = keys.slug(said.strip().split("\n")[0], length=30) or "first"
            self._say(place.line, "the task has no id", f'add one, e.g. id = "{suggestion}"')
        found.setdefault("id", "")
        found.setdefault("description", "")
        return Task(**found, line=place.line)

    def _fields(
        self, values: Mapping[str, Any], known: Mapping[str, _Field], place: Table, otherwise: str
    ) -> dict[str, Any]:
        """What is right of one table, by key; the rest is a problem."""
        found = {}
        for key, said in values.items():
            if key not in known:
                self._say_unknown(key, known, place.line_of(key), otherwise)
            elif (value := known[key].read(said)) is not None:
                found[key] = value
            elif key == "status":
                hint = self._hint(said, STATES, f"use {_listed(STATES)}")
                self._say(place.line_of(key), f"there is no status {_shown(said)}", hint)
            else:
                self._say_wrong(key, said, place, known[key].rule)
        return found

    def _check_names(self, found: Sequence[tuple[Task, Table]]) -> None:
        lines: dict[str, int] = {}
        for task, place in found:
            if not task.id:
                continue
            if task.id in lines:
                said = f"the id `{task.id}` is taken by the task at line {lines[task.id]}"
                self._say(place.line_of("id"), said, "give each task an id of its own")
            lines.setdefault(task.id, place.line)
        for task, place in found:
            if task.parent is not None and task.parent == task.id:
                self._say(place.line_of("parent"), f"`{task.id}` is its own parent", "remove it, or name another task")
            elif task.parent is not None and task.parent not in lines:
                self._say_absent("parent", task.parent, lines, place)
            for on in task.depends_on or ():
                if on == task.id:
                    said = f"`{task.id}` depends on itself"
                    self._say(place.line_of("depends_on"), said, "remove it from `depends_on`")
                elif on not in lines:
                    self._say_absent("depends_on", on, lines, place)

    def _say_absent(self, key: str, name: str, known: Collection[str], place: Table) -> None:
        hint = self._hint(name, known, "name the id of another task of this file")
        self._say(place.line_of(key), f"`{key}` names {_shown(name)}, and there is no such task", hint)

    # -- problems --------------------------------------------------------------------------------

    def _say_unknown(self, key: str, known: Collection[str], line: int, otherwise: str) -> None:
        self._say(line, f"unknown key {_shown(key)}", self._hint(key, known, otherwise))

    def _hint(self, word: object, known: Collection[str], otherwise: str) -> str:
        """The nearest of ``known``, where there is one and the file has not too many mistakes."""
        if not isinstance(word, str) or len(word) > 2 * _SHOWN or len(known) > self._budget:
            return otherwise
        self._budget -= len(known)
        near = nearest(word, known) or nearest(word.lower(), known)
        return f"did you mean `{near[0]}`?" if near else otherwise

    def _say(self, line: int, message: str, remedy: str) -> None:
        self.problems.append(Problem(line, message, remedy))

    def _say_wrong(self, key: str, value: object, place: Table, rule: str | Callable[[object], str]) -> None:
        """A value is not what its key takes."""
        rule = rule if isinstance(rule, str) else rule(value)
        if isinstance(value, str) and value.strip() and "= [" in rule:
            rule = f'write {key} = ["{value[:_SHOWN]}"]'
        self._say(place.line_of(key), f"`{key}` cannot be {_shown(value)}", rule)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _words(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or any(_word(one) is None for one in value):
        return None
    return tuple(dict.fromkeys(value))


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and keys.is_task_id(value) else None


def _agent(value: object) -> str | None:
    return _agent_name(value) if isinstance(value, str) else None


@functools.lru_cache(maxsize=256)
def _agent_name(value: str) -> str | None:
    name = value.strip().lower()
    return name if contract.is_name(name) and name not in contract.NO_AGENTS else None


def _agent_rule(value: object) -> str:
    nobody = isinstance(value, str) and value.strip().lower() in contract.NO_AGENTS
    return _NOBODY if nobody else _AGENT_RULE


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= _DOLLARS else None


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _TOKENS else None


def _status(value: object) -> ItemState | None:
    return STATES.get(value) if isinstance(value, str) else None


class _Field(NamedTuple):
    """What a key takes."""

    #: The value as the plan has it; ``None`` for what is wrong.
    read: Callable[[object], object]
    #: What to write instead of what is wrong.
    rule: str | Callable[[object], str]


_META: Final = {
    "description": _Field(_text, 'write description = "…"'),
    "default_agent": _Field(_agent, _agent_rule),
    "reviewer_required": _Field(_flag, "write true or false"),
    "base": _Field(_word, 'write base = "main"'),
    "checks": _Field(_words, 'write checks = ["make test"]; [] for none'),
    "budget_usd": _Field(_dollars, "write US dollars, e.g. budget_usd = 5.0"),
    "budget_tokens": _Field(_tokens, "write a number of tokens, e.g. budget_tokens = 2_000_000"),
}
_TASK: Final = {
    "id": _Field(_id, _ID_RULE),
    "description": _Field(_word, 'say what is to be done: description = "…"'),
    "agent": _Field(_agent, _agent_rule),
    "status": _Field(_status, ""),
    "parent": _Field(_word, "write the id of another task, or remove it"),
    "depends_on": _Field(_words, 'write depends_on = ["id of a task"]'),
    "tags": _Field(_words, 'write tags = ["backend"]'),
    "result": _Field(_text, 'write result = "…"'),
    "parallel": _Field(_flag, "write true or false"),
}


def _named(values: Mapping[str, Any]) -> str:
    value = values.get("id")
    return f"`{value[:_SHOWN]}`" if isinstance(value, str) and value else "the task"


def _listed(words: Collection[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


_META_RULE: Final = f"the keys of `[meta]` are {_listed(_META)}"
_TASK_RULE: Final = f"the keys of a task are {_listed(_TASK)}"


def _shown(value: object) -> str:
    """A value as a file has it, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"`{value[:_SHOWN]}`" if value.strip() else "empty"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
