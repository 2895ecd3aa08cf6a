"""The manifest of a mission: what whoever starts it wants to be different from what the issues say.

``mission.toml`` is a list of ``[[overrides]]``::

    [[overrides]]
    issue = 2                    # a number of the town's own repository, or a key
    owner_role = "backend"
    priority = 10                # larger first
    depends_on = [1, "o/r#7"]    # replaces what the issue's text states
    kind = "implement"
    skip = true                  # leave it out; what it waited for passes to its dependents

Errors name the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tinytown import keys, toml_text
from tinytown.errors import ConfigurationError
from tinytown.missions.roles import KINDS
from tinytown.nearest import nearest
from tinytown.toml_text import NotTomlError, Table, TomlText

#: Keys of an override.
_KEYS: Final = ("issue", "owner_role", "priority", "depends_on", "kind", "skip")
#: Larger priorities are refused as mistakes.
_PRIORITY_LIMIT: Final = 1_000_000

_Where = Callable[[str], str]

_NUMBER = re.compile(r"#?([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Override:
    """What the manifest says about one issue; ``None`` where it says nothing."""

    #: A number of the town's own repository, or a key.
    issue: int | str
    owner_role: str | None = None
    priority: int | None = None
    depends_on: tuple[int | str, ...] | None = None
    kind: str | None = None
    skip: bool = False
    #: File and line it stands at.
    where: str = ""
    #: Line it stands at.
    line: int = 0


@dataclass(frozen=True)
class Manifest:
    """All overrides of a mission."""

    overrides: tuple[Override, ...] = ()

    def by_key(self, mission: Iterable[str], *, repo: str) -> dict[str, Override]:
        """The overrides by normalised key; ``repo`` is the repository that bare numbers belong to.

        Raises:
            ConfigurationError: an issue is overridden twice, is not in ``mission``, or depends on itself.
        """
        known = {keys.normalise(key) for key in mission}
        found: dict[str, Override] = {}
        for override in self.overrides:
            key = keys.normalise(issue_key(override.issue, repo=repo))
            if key in found:
                raise _error(
                    override.where, f"{key} is overridden at line {found[key].line} already", "keep one of them"
                )
            if key not in known:
                raise _error(
                    override.where, f"{key} is not in this mission", "add it with --issue, or remove the override"
                )
            if any(keys.same(issue_key(one, repo=repo), key) for one in override.depends_on or ()):
                raise _error(override.where, f"{key} cannot depend on itself", "remove it from `depends_on`")
            found[key] = override
        return found


def issue_key(reference: int | str, *, repo: str) -> str:
    """The key of an issue that a manifest names by number or by key."""
    return f"{repo}#{reference}" if isinstance(reference, int) else reference


def parse(text: str, *, source: str) -> Manifest:
    """Read a manifest; ``source`` names it in errors.

    Raises:
        ConfigurationError: it is not TOML, or a key or a value is wrong.
    """
    try:
        data = toml_text.parse(text)
    except NotTomlError as error:
        raise _error(f"{source}:{error.line}", f"not valid TOML: {error.reason}", "correct it") from None
    places = TomlText(text)
    for key in data:
        if key != "overrides":
            hint = "did you mean `[[overrides]]`?" if nearest(key, ["overrides"]) else _OVERRIDES
            raise _error(f"{source}:{places.line_of(key)}", f"unknown key `{key}`", hint)
    tables = data.get("overrides", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _error(f"{source}:{places.line_of('overrides')}", "`overrides` is not a list of tables", _OVERRIDES)
    if not tables:
        return Manifest()
    read = zip(tables, places.tables("overrides"), strict=True)
    return Manifest(tuple(_override(table, place, source) for table, place in read))


def _override(table: Mapping[str, Any], place: Table, source: str) -> Override:
    def where(key: str) -> str:
        return f"{source}:{place.line_of(key)}"

    for key in table:
        if key not in _KEYS:
            near = nearest(key, _KEYS)
            hint = f"did you mean `{near[0]}`?" if near else f"the keys are {', '.join(_KEYS)}"
            raise _error(where(key), f"unknown key `{key}`", hint)
    if "issue" not in table:
        raise _error(f"{source}:{place.line}", "the override names no issue", "add `issue = N`")
    issue = _reference(table["issue"])
    if issue is None:
        raise _error(where("issue"), "`issue` is neither a number nor a key", _REFERENCE)
    return Override(
        issue=issue,
        owner_role=_text(table, "owner_role", where),
        priority=_priority(table, where),
        depends_on=_depends_on(table, where),
        kind=_kind(table, where),
        skip=_skip(table, where),
        where=f"{source}:{place.line}",
        line=place.line,
    )


def _reference(value: object) -> int | str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 < value < 10**9 else None
    if not isinstance(value, str):
        return None
    if number := _NUMBER.fullmatch(value.strip()):
        return int(number[1])
    try:
        return str(keys.parse(value.strip()))
    except ConfigurationError:
        return None


def _text(table: Mapping[str, Any], key: str, where: _Where) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise _error(where(key), f"`{key}` is not a word", f'write {key} = "…"')
    return value


def _priority(table: Mapping[str, Any], where: _Where) -> int | None:
    value = table.get("priority")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _PRIORITY_LIMIT:
        raise _error(
            where("priority"), "`priority` is not a whole number", "larger numbers go first, e.g. priority = 10"
        )
    return value


def _depends_on(table: Mapping[str, Any], where: _Where) -> tuple[int | str, ...] | None:
    value = table.get("depends_on")
    if value is None:
        return None
    if not isinstance(value, list):
        raise _error(where("depends_on"), "`depends_on` is not a list", "write depends_on = [1, 2]")
    references = [_reference(one) for one in value]
    if None in references:
        wrong = value[references.index(None)]
        raise _error(where("depends_on"), f"`depends_on`: {wrong!r:.80} is neither a number nor a key", _REFERENCE)
    return tuple(dict.fromkeys(one for one in references if one is not None))


def _kind(table: Mapping[str, Any], where: _Where) -> str | None:
    value = _text(table, "kind", where)
    if value is not None and value not in KINDS:
        near = nearest(value, KINDS)
        hint = f"did you mean `{near[0]}`?" if near else f"the kinds are {', '.join(KINDS)}"
        raise _error(where("kind"), f"there is no kind {value[:80]!r}", hint)
    return value


def _skip(table: Mapping[str, Any], where: _Where) -> bool:
    value = table.get("skip", False)
    if not isinstance(value, bool):
        raise _error(where("skip"), "`skip` is neither true nor false", "write skip = true")
    return value


def _error(where: str, problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {problem}", remedy=remedy)


_OVERRIDES = "a manifest is a list of `[[overrides]]`"
_REFERENCE = 'write 2 or "owner/repo#2"'
