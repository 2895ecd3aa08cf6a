"""Everything about one work item: its attempts with their briefs and logs, and its change."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tinytown import keys
from tinytown.attempt_paths import paths_of
from tinytown.engine import hubs
from tinytown.engine.changes import repo_of
from tinytown.engine.context import Context
from tinytown.engine.operate.items import find_item
from tinytown.engine.views.missions import current_mission, item_json
from tinytown.errors import NotFoundError, StateError
from tinytown.git import diffs
from tinytown.git.repository import Git
from tinytown.missions.records.attempt import AttemptRecord
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.state import tails
from tinytown.state.tails import Tails

#: Name of a brief among what is kept of an attempt.
_BRIEF = "brief.md"
#: Bytes of a diff that are shown.
DIFF_LIMIT = 32 << 20
#: Longest part of a log that is shown, in bytes from its end.
LOG_TAIL = 64 << 10


@dataclass(frozen=True)
class WorkView:
    """An item with its finished attempts, the oldest first."""

    mission: Mission
    item: Item
    attempts: list[AttemptRecord]
    #: Folder of each attempt's brief and logs on this machine, by number.
    folders: dict[int, Path]
    #: What is kept of attempts that ran on other hosts, by number.
    tails: Mapping[int, Tails] = field(default_factory=dict)

    def of(self, attempt: int | None) -> WorkView:
        """The same with one attempt's folder alone, if one is named; raises ``NotFoundError``."""
        if attempt is None:
            return self
        if attempt not in self.folders:
            raise NotFoundError(
                f"{self.item.key} has no attempt {attempt}", remedy=f"see `tt work show {self.item.typed}`"
            )
        return replace(self, folders={attempt: self.folders[attempt]})


#: Keys of a report as scripts know them, where the record has another name.
_REPORT_KEYS = {"review_warnings": "looks"}


def attempt_json(ended: AttemptRecord) -> dict[str, Any]:
    """Stable keys of a finished attempt."""
    values: dict[str, Any] = {}
    for name, value in ended.model_dump(mode="json").items():
        values[name] = value
        if name == "purpose":
            values |= {"purpose": ended.purpose.kind.value, "target": ended.purpose.target}
    values["report"] = {_REPORT_KEYS.get(name, name): value for name, value in values["report"].items()}
    return values


def work_view(context: Context, mission_id: str, text: str) -> WorkView:
    """The item that ``text`` names; raises ``NotFoundError``."""
    mission = context.store.mission(mission_id).record
    item = find_item(context, mission_id, text).record
    attempts = context.store.finished_attempts(mission_id, item.key)
    numbers = [a.number for a in attempts] + ([item.attempt.number] if item.attempt else [])
    folders = {n: _folder(context, mission, item, n) for n in numbers}
    return WorkView(mission, item, attempts, folders, _tails(context, mission_id, item.key, folders))


def _tails(context: Context, mission_id: str, key: str, folders: Mapping[int, Path]) -> dict[int, Tails]:
    """What is kept of those attempts that have no folder here; nothing in a town that can have no other hosts."""
    if context.town.home and context.town.settings.redis.url is None:
        return {}
    away = [number for number, folder in folders.items() if not folder.is_dir()]
    found = {number: tails.read(context.store, f"{mission_id}/{key}/{number}") for number in away}
    return {number: one for number, one in found.items() if one is not None}


def work_json(view: WorkView) -> dict[str, Any]:
    """Stable keys for scripts."""
    return {**item_json(view.item), "history": [attempt_json(ended) for ended in view.attempts]}


def mission_with(context: Context, text: str) -> str:
    """The newest mission that has the item ``text`` names, those that are active first.

    Raises:
        NotFoundError: none has.
    """
    every = context.store.mission_ids(live=False)
    live = set(context.store.mission_ids(live=True))
    newest_first = [*(i for i in reversed(every) if i in live), *(i for i in reversed(every) if i not in live)]
    for mission in newest_first:
        if any(names(text, key) for key in context.store.static(mission, "graph")["order"]):
            return mission
    if not every:
        current_mission(context)
    raise NotFoundError(f"no mission has an item `{text[:80]}`", remedy="see `tt mission list --all`")


def names(text: str, key: str) -> bool:
    """Whether ``2``, ``#2`` or a key names the item of this key."""
    return key.casefold() == text.casefold() or keys.typed(key) == text.removeprefix("#")


def _folder(context: Context, mission: Mission, item: Item, number: int) -> Path:
    return paths_of(context.town, mission.id, item.key, number).logs


def brief(view: WorkView) -> str:
    """The exact brief of the newest attempt that had one, or its beginning from another host.

    Raises:
        NotFoundError: there is none.
    """
    for number in sorted(view.folders, reverse=True):
        path = view.folders[number] / _BRIEF
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
        if (kept := view.tails.get(number)) is not None and _BRIEF in kept.texts:
            text = kept.texts[_BRIEF]
            cut = len(text.encode()) >= tails.LOG_BYTES
            return f"{text}\n[the rest of it is on {kept.host}]\n" if cut else text
    raise NotFoundError(
        f"no brief of {view.item.key} is on this machine", remedy="it is written when an attempt begins here"
    )


def logs(view: WorkView) -> Iterator[tuple[int, str, str]]:
    """Number, name and text of every log on this machine, the oldest attempt first; of others what is kept of them."""
    for number in sorted(view.folders):
        if (kept := view.tails.get(number)) is not None:
            for name, text in sorted(kept.texts.items()):
                if name != _BRIEF:
                    whole = len(text.encode()) < tails.LOG_BYTES
                    yield number, f"{name} on {kept.host}" + ("" if whole else ", its end"), text
        for path in sorted(view.folders[number].rglob("*.log")):
            # Without a sandbox an agent can put a pipe there, on which whoever reads it would wait for ever.
            if path.is_symlink() or not path.is_file():
                continue
            yield number, str(path.relative_to(view.folders[number])), tail(path)


def tail(path: Path) -> str:
    """The end of a log."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_TAIL))
        return file.read().decode("utf-8", errors="replace")


class Growing(Protocol):
    """Something that says more and more."""

    def news(self) -> Iterator[str]: ...


def growth(context: Context, view: WorkView, number: int) -> Growing:
    """What an attempt says anew at each look, on whatever host it runs."""
    folder = view.folders[number]
    if folder.is_dir() or not (number in view.tails or _may_run_elsewhere(context, view, number)):
        return Growth(folder)
    return KeptGrowth(context, f"{view.mission.id}/{view.item.key}/{number}")


def _may_run_elsewhere(context: Context, view: WorkView, number: int) -> bool:
    live = view.item.attempt
    return live is not None and live.number == number and live.host not in ("", context.town.machine)


class KeptGrowth:
    """What is kept of an attempt on another host, anew at each look. What came and went in between is missing."""

    def __init__(self, context: Context, attempt: str) -> None:
        self._store = context.store
        self._attempt = attempt
        self._read: dict[str, str] = {}

    def news(self) -> Iterator[str]:
        """What was added since the last look."""
        kept = tails.read(self._store, self._attempt)
        for name, text in sorted(kept.texts.items()) if kept is not None else ():
            before = self._read.get(name, "")
            if name != _BRIEF and text != before:
                self._read[name] = text
                yield text[_overlap(before, text) :]


#: Characters by which the place is found again up to which a text was read.
_KNOWN_AGAIN = 400


def _overlap(before: str, text: str) -> int:
    """Where in a text begins what was not at the end of the text before."""
    if text.startswith(before):
        return len(before)
    end = before[-_KNOWN_AGAIN:]
    place = text.rfind(end)
    return place + len(end) if end and place >= 0 else 0


class Growth:
    """What the logs of an attempt, or of a process, say anew at each look, those of its checks too."""

    def __init__(self, *places: Path, keep: int | None = None) -> None:
        """Each of ``places`` is a log or a folder of logs; with ``keep``, so many bytes of what is there are news."""
        self._places = places
        self._keep = keep
        self._read: dict[Path, int] = {}
        self._decoders: dict[Path, codecs.IncrementalDecoder] = {}

    def news(self) -> Iterator[str]:
        """What was added since the last look."""
        for _, text in self.named_news():
            yield text

    def named_news(self) -> Iterator[tuple[Path, str]]:
        """The same with the log that each was added to."""
        for path in self._paths():
            decoder = self._decoders.setdefault(path, codecs.getincrementaldecoder("utf-8")("replace"))
            size = path.stat().st_size
            begin = max(0, size - self._keep) if self._keep is not None else 0
            place = self._read.get(path, begin)
            if place > size:
                place = 0  # It was shortened: its writers went on at its new end.
            with path.open("rb") as file:
                file.seek(place)
                data = file.read()
            self._read[path] = place + len(data)
            if text := decoder.decode(data):
                yield path, text

    def _paths(self) -> Iterator[Path]:
        for place in self._places:
            for path in sorted(place.rglob("*.log")) if place.is_dir() else [place]:
                # Without a sandbox an agent can put a pipe there, on which whoever reads it would wait for ever.
                if path.is_file() and not path.is_symlink():
                    yield path


def diff(context: Context, view: WorkView) -> str:
    """What the item's change adds to the base it left; raises ``StateError`` if there is none yet."""
    item = view.item
    if item.head is None:
        what = "made no change" if item.state.ended else "has no change yet"
        raise StateError(f"{item.key} {what}", remedy=f"see `tt work show {item.typed} --log`")
    repo = repo_of(item, view.mission)
    mirror = Git.own(context.forge.mirror(repo))
    hubs.need(context, repo, [item.head, item.merged])
    until = f"{item.merged}^1" if item.merged else context.forge.base_tip(repo, view.mission.base_of(repo))
    fork = mirror.line("merge-base", until, item.head)
    return diffs.diff(mirror, fork, item.head, limit=DIFF_LIMIT)
