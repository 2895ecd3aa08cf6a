"""Writes states, results and new tasks into the text of ``tasks.toml``; everything else stays as it is, byte by byte.

Only values that mean something else than before are replaced, so writing what the file says already changes nothing.
The spans to replace come from a scanner: editors of whole documents move comments, line ends and tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinytown.missions.states import ItemState
from tinytown.plans import reader
from tinytown.plans.model import TASK_KEYS, WORDS, Task
from tinytown.toml_text import Table, TomlText, edited, string_text, value_text, without_strays

#: The spans of a text that change, with what they become.
_Edits = dict[tuple[int, int], str]


@dataclass(frozen=True)
class Update:
    """How a task stands now."""

    state: ItemState
    #: What it left; ``None`` leaves what the file says.
    result: str | None = None


def write(raw: bytes, updates: Mapping[str, Update], *, new: Iterable[Task] = (), source: str) -> bytes:
    """The content of a plan's file with its tasks updated, by id, and with new ones added.

    Updates of tasks that the file does not have are passed over: whoever removed one does not want it back.

    Raises:
        ConfigurationError: something is wrong with the file, or would be with the new tasks in it.
    """
    plan = reader.read(raw, source=source).require().plan
    text = reader.decode(raw)[0]
    mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    places = TomlText(text)
    edits: _Edits = {}
    for task, place in zip(plan.tasks, places.tables("tasks"), strict=True):
        if task.id in updates:
            _update(places, task, place, updates[task.id], edits)
    known = {task.id for task in plan.tasks}
    added = [task for task in new if task.id not in known]
    _append(places, added, edits)
    written = (mark + edited(text, edits)).encode()
    if added:
        reader.read(written, source=source).require()
    return written


def _update(places: TomlText, task: Task, place: Table, update: Update, edits: _Edits) -> None:
    values = {}
    if update.state is not task.status:
        values["status"] = string_text(WORDS[update.state])
    if update.result is not None and without_strays(update.result) != task.result:
        values["result"] = string_text(update.result) if place.inline else _text(update.result, places.newline())
    added = []
    for key, value in values.items():
        if entry := place.entries.get(key):
            edits[entry.value, entry.end] = value
        else:
            added.append(f"{key} = {value}")
    if added:
        _extend(places, place, added, edits)


def _extend(places: TomlText, place: Table, added: Sequence[str], edits: _Edits) -> None:
    """Add entries behind the last one of a task, indented as its id is."""
    text, newline = places.text, places.newline()
    if place.inline:
        edits[place.end, place.end] = "".join(f", {one}" for one in added)
        return
    start = place.entries["id"].start
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    end = text.find("\n", place.end) + 1
    if end:
        edits[end, end] = "".join(f"{indent}{one}{newline}" for one in added)
    else:
        edits[len(text), len(text)] = "".join(f"{newline}{indent}{one}" for one in added)


def _append(places: TomlText, tasks: Sequence[Task], edits: _Edits) -> None:
    """Add tasks behind all there are: in the list, if the file has one, else at its end."""
    if not tasks:
        return
    newline = places.newline()
    if (entry := places.list_of("tasks")) is not None:
        last = max((end for start, end in places.elements("tasks")), default=None)
        made = ", ".join("{ " + ", ".join(_lines(task, None)) + " }" for task in tasks)
        at = entry.value + 1 if last is None else last
        edits[at, at] = made if last is None else f", {made}"
        return
    text = "".join(newline.join(["", "[[tasks]]", *_lines(task, newline), ""]) for task in tasks)
    if places.text.strip() == "":
        text = text.removeprefix(newline)
    elif not places.text.endswith("\n"):
        text = newline + text
    at = len(places.text)
    # An entry may have been added to the last task there.
    edits[at, at] = edits.get((at, at), "") + text


def _lines(task: Task, newline: str | None) -> list[str]:
    """What a file says of a task, an entry each."""
    found = []
    for key in TASK_KEYS:
        value = getattr(task, key)
        if key == "status":
            found.append(f"status = {string_text(WORDS[value])}")
        elif value == Task._field_defaults.get(key):
            continue
        elif isinstance(value, str) and newline:
            found.append(f"{key} = {_text(value, newline)}")
        else:
            found.append(f"{key} = {value_text(value)}")
    return found


def _text(value: str, newline: str) -> str:
    """A value as a string of one line or of several, as it is."""
    if "\n" not in value:
        return string_text(value)
    return '"""' + "".join(newline + string_text(line)[1:-1] for line in value.split("\n")) + '"""'
