"""The front matter of an issue file: TOML between ``+++`` lines, or YAML between ``---`` lines.

::

    title         instead of the first heading
    labels        a list, or words with commas between
    state         open, completed, not_planned, or another word for one of them
    depends_on    numbers of the same repository ("#1" too) or keys: one, a list, or with commas between
    blocked_by    the same; both may be given

TOML front matter is tinytown's own, so an unknown key in it is a mistake. YAML is shared with other tools: their keys
are left alone, unless one looks like a mistyped key of ours. YAML is taken apart without making objects of it, so
nothing in it is a date, a truth value or code, and its anchors cannot grow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

import tomli

from tinytown.errors import ConfigurationError
from tinytown.nearest import nearest

if TYPE_CHECKING:  # most commands read no issue
    from yaml.nodes import Node

State = Literal["open", "completed", "not_planned"]

#: Most characters of YAML that are taken apart.
YAML_LIMIT: Final = 64 * 1024
KEYS: Final = ("title", "labels", "state", "depends_on", "blocked_by")
_LABEL_LIMIT: Final = 200
#: Other words for a state.
_STATES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("open", "opened", "reopened", "new", "todo", "to do", "in progress"), "open"),
    **dict.fromkeys(("completed", "complete", "closed", "done", "resolved", "fixed", "merged"), "completed"),
    **dict.fromkeys(
        (
            "not planned",
            "wontfix",
            "won't fix",
            "wont fix",
            "cancelled",
            "canceled",
            "rejected",
            "invalid",
            "duplicate",
        ),
        "not_planned",
    ),
}
#: Keys that mean one of ours, though they are no typing mistakes.
_MEANT: Final = {"dependencies": "depends_on", "depends": "depends_on", "blockers": "blocked_by"}
#: How alike a mistyped key is, from 0 to 1.
_ALIKE: Final = 0.8

_TOML, _YAML = "+++", "---"
#: The first line of a YAML mapping, as people write one.
_KEY_LINE = re.compile(r"[\"']?\w[\w .-]*[\"']?[ \t]*:(?:[ \t]|$)|\{")
#: Front matter of kinds that are not read, and ours without its fences.
_FOREIGN = re.compile(
    r";;;|---\w+|\+\+\+\w+|\{\s*(?:\"|$)|#\+\w+:|<!--\s*(?:depends_on|blocked_by|state)\s*:", re.IGNORECASE
)
_BARE = re.compile(r"(?:title|labels|state|depends_on|blocked_by)[ \t]*[:=]")
_NUMBER = re.compile(r"#?([1-9][0-9]{0,8})")
_REFERENCES: Final = ("depends_on", "blocked_by")
_LISTS: Final = ("labels", *_REFERENCES)
_OWN_STATES: Final = ("open", "completed", "not_planned")
_NOTHING: Final = frozenset({"", "~", "null", "none"})


@dataclass(frozen=True)
class Front:
    """What the front matter says; ``None`` and empty where it says nothing."""

    title: str | None = None
    labels: tuple[str, ...] = ()
    state: State = "open"
    #: Numbers of the same repository, or keys.
    blocked_by: tuple[int | str, ...] = ()


def read(lines: Sequence[str], name: str) -> tuple[Front, Sequence[str]]:
    """The front matter of the issue file ``name``, and the lines behind it.

    Raises:
        ConfigurationError: it has no end, cannot be read, or is of a kind that is not read.
    """
    begin = next((number for number, line in enumerate(lines) if line.strip()), 0)
    opening = lines[begin].rstrip() if lines else ""
    if opening == _TOML:
        end = _end(lines, begin, {_TOML})
        if end is None:
            _wrong(name, begin + 1, f"`{_TOML}` has no end", f"add a line `{_TOML}` after the front matter")
        return _toml(lines[begin + 1 : end], name, begin + 2), lines[end + 1 :]
    if opening == _YAML and _is_mapping(lines[begin + 1 :]):
        end = _end(lines, begin, {_YAML, "..."})
        if end is None:
            _wrong(name, begin + 1, f"`{_YAML}` has no end", f"add a line `{_YAML}` after the front matter")
        return _yaml(lines[begin + 1 : end], name, begin + 2), lines[end + 1 :]
    if opening == _YAML and lines[begin + 1 : begin + 2] and lines[begin + 1].rstrip() == _YAML:
        return Front(), lines[begin + 2 :]
    if _FOREIGN.match(opening):
        _wrong(
            name, begin + 1, "this kind of front matter is not supported", "write it as YAML between two `---` lines"
        )
    if _BARE.match(opening):
        _wrong(name, begin + 1, "front matter has no fences", "put a line `---` before it and another after it")
    return Front(), lines


def _end(lines: Sequence[str], begin: int, fences: set[str]) -> int | None:
    return next((number for number in range(begin + 1, len(lines)) if lines[number].rstrip() in fences), None)


def _is_mapping(lines: Sequence[str]) -> bool:
    """Whether keys follow a ``---``; otherwise it is a horizontal rule, and ``#`` begins a title, not a comment."""
    for number, line in enumerate(lines):
        if line.startswith("#") and number == 0:
            return next((bool(_KEY_LINE.match(one)) for one in lines if not one.startswith("#")), False)
        if line.strip():
            return _KEY_LINE.match(line) is not None
    return False


# -- TOML ----------------------------------------------------------------------------------------


def _toml(lines: Sequence[str], name: str, first: int) -> Front:
    try:
        values = tomli.loads("\n".join(lines))
    except tomli.TOMLDecodeError as error:
        # The parser counts from the line after the fence.
        said = re.sub(r"at line (\d+)", lambda found: f"at line {int(found[1]) + first - 1}", str(error))
        said = said.replace("at end of document", f"at line {first + len(lines)}")
        raise ConfigurationError(f"{name}: its front matter is not TOML: {said}", remedy="correct that line") from None
    found: dict[str, Any] = {}
    for key, value in values.items():
        line = first + next((n for n, text in enumerate(lines) if re.match(rf"\s*[\"']?{re.escape(key)}\b", text)), 0)
        if key not in KEYS:
            near = nearest(key, KEYS)
            hint = f", did you mean `{near[0]}`" if near else ""
            _wrong(name, line, f"unknown key `{key}`{hint}", f"the keys are {', '.join(KEYS)}")
        parts = value if isinstance(value, list) else [value]
        kinds = (int, str) if key in _REFERENCES else (str,)
        fits = all(isinstance(part, kinds) and not isinstance(part, bool) for part in parts)
        if not fits or isinstance(value, list) != (key in _LISTS) or (key == "state" and value not in _OWN_STATES):
            _wrong(name, line, f"`{key}` must be {_WANTED[key]}", "correct it")
        # A comma is part of a TOML string.
        found[key] = tuple(parts) if key == "labels" else _READERS[key]([str(part) for part in parts], key, name, line)
    return _front(found)


# -- YAML ----------------------------------------------------------------------------------------


def _yaml(lines: Sequence[str], name: str, first: int) -> Front:
    import yaml

    text = "\n".join(lines)
    if len(text) > YAML_LIMIT:
        _wrong(name, first, f"the front matter is longer than {YAML_LIMIT // 1024} KB", "shorten it")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        _wrong(name, first, "the front matter is nested too deeply", "flatten it")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = first + min(mark.line if mark is not None else 0, len(lines))
        problem = str(getattr(error, "problem", None) or "it cannot be read")
        remedy = 'correct it; `#` begins a comment in YAML, so write 1 or "#1"' if "#" in text else "correct it"
        _wrong(name, line, f"the front matter is not YAML: {problem}", remedy)
    if not isinstance(root, yaml.MappingNode):
        _wrong(name, first, "the front matter is not a list of keys", "write for example `depends_on: [1, 2]`")
    found: dict[str, Any] = {}
    for key_node, value in root.value:
        key = _known_key(key_node, name, first)
        if key is None:
            continue
        line = first + key_node.start_mark.line
        if key in found:
            _wrong(name, line, f"`{key}` is given twice", "keep one of them")
        shown = lines[key_node.start_mark.line : value.end_mark.line + 1]
        found[key] = _READERS[key](_scalars(value, key, name, first, shown), key, name, line)
    return _front(found)


def _known_key(node: Node, name: str, first: int) -> str | None:
    """Which of our keys this is; ``None`` for those of other tools."""
    if not isinstance(node.value, str):
        return None
    written = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.value.strip())
    key = re.sub(r"[\s-]+", "_", written).lower()
    if key in KEYS:
        return key
    near = _MEANT.get(key) or next(iter(nearest(key, KEYS, alike=_ALIKE)), None)
    if near is not None:
        line = first + node.start_mark.line
        _wrong(name, line, f"unknown key `{node.value[:80]}`", f"did you mean `{near}`? Otherwise rename it")
    return None


def _scalars(value: Node, key: str, name: str, first: int, shown: Sequence[str]) -> list[str]:
    """The texts of a scalar or of a list of scalars."""
    import yaml

    nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
    texts: list[str] = []
    for node in nodes:
        line = first + node.start_mark.line
        if not isinstance(node, yaml.ScalarNode):
            _wrong(name, line, f"`{key}` must be {_WANTED[key]}", "correct it")
        null = node.tag.endswith(":null")
        if null and any("#" in text for text in shown):
            _wrong(
                name,
                first + value.start_mark.line,
                f"`{key}` holds only a comment",
                'write 1 or "#1": `#` begins a comment',
            )
        if node.tag.endswith(":bool") and key in _REFERENCES:
            _wrong(name, line, f"`{key}` must be {_WANTED[key]}", "correct it")
        texts += [] if null else [node.value]
    if isinstance(value, yaml.SequenceNode) and key in ("title", "state"):
        _wrong(name, first + value.start_mark.line, f"`{key}` must be {_WANTED[key]}", "correct it")
    return texts


# -- values --------------------------------------------------------------------------------------


def _front(found: Mapping[str, Any]) -> Front:
    blocked_by = dict.fromkeys((*found.get("depends_on", ()), *found.get("blocked_by", ())))
    return Front(found.get("title"), found.get("labels", ()), found.get("state", "open"), tuple(blocked_by))


def _title(texts: Sequence[str], key: str, name: str, line: int) -> str | None:
    title = " ".join(" ".join(texts).split())
    if texts and not title:
        _wrong(name, line, f"`{key}` is empty", "write a title, or take the key out")
    return title or None


def _labels(texts: Sequence[str], key: str, name: str, line: int) -> tuple[str, ...]:
    found = tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
    if any(len(label) > _LABEL_LIMIT for label in found):
        _wrong(name, line, f"`{key}` has one with more than {_LABEL_LIMIT} characters", "shorten it")
    return found


def _state(texts: Sequence[str], key: str, name: str, line: int) -> State:
    words = re.sub(r"[\s_-]+", " ", " ".join(texts)).strip().lower()
    if not words:
        return "open"
    if words not in _STATES:
        _wrong(name, line, f"`{key}` is {words[:80]!r}, which is not a state", "write open, completed or not_planned")
    return _STATES[words]


def _references(texts: Sequence[str], key: str, name: str, line: int) -> tuple[int | str, ...]:
    found: list[int | str] = []
    for text in texts:
        if text.strip().lower() in _NOTHING:
            continue
        for part in filter(None, re.split(r"[\s,]+", text)):
            number = _NUMBER.fullmatch(part)
            if number is None and "#" not in part[1:] and ":" not in part:
                _wrong(name, line, f"`{key}`: {part[:80]!r} is neither a number nor a key", f"write {_WANTED[key]}")
            found.append(int(number[1]) if number else part)
    return tuple(found)


_READERS: Final[Mapping[str, Callable[[Sequence[str], str, str, int], Any]]] = {
    "title": _title,
    "labels": _labels,
    "state": _state,
    "depends_on": _references,
    "blocked_by": _references,
}
_WANTED: Final = {
    "title": "one string",
    "labels": "a list of strings",
    "state": "one of open, completed, not_planned",
    "depends_on": "a list of numbers or keys",
    "blocked_by": "a list of numbers or keys",
}


def _wrong(name: str, line: int, what: str, remedy: str) -> NoReturn:
    raise ConfigurationError(f"{name}:{line}: {what}", remedy=remedy)
