"""At each effect of a mission on the world: killed before it, killed after it, its answer lost, or done twice.

A mission of two issues, one waiting for the other, on the local forge: real database, real git, real agents.
``ATLAS=all`` goes through all numbers; else there are a few. ``SURVIVAL_DONE`` names a file for what happened; what is
in it already is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.github.mortal import Hatchery, Mortal
from tests.survival.done import done_before, note
from tests.survival.effects import Effects, Fault, Wire
from tests.survival.life import AGENT, CHECKS, SABOTAGES
from tinytown import settings
from tinytown.engine.conductor.questions import open_questions
from tinytown.engine.context import Context
from tinytown.engine.operate import items as operate_items
from tinytown.host.init import init
from tinytown.host.server import Server
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState, MissionState, Outcome
from tinytown.town import Town

ALL = os.environ.get("ATLAS") == "all"
#: How many effects there are, or a few more: beyond the last one nothing happens.
EFFECTS = 46
#: What is tried in every run of the tests: a number and what happens there.
SAMPLE = ((22, Fault.AFTER),)
#: All that can be tried.
PAIRS = tuple((number, fault) for number in range(EFFECTS) for fault in Fault)
#: Rounds within which a mission must end.
ROUNDS = 60
SCRIPTED = Path(__file__).parents[1] / "fakes" / "scripted_agent.py"
ISSUES = {1: "# One\n\ndo: write one.txt 1\n", 2: "# Two\n\nDepends on #1.\n\ndo: show one.txt\ndo: write two.txt 2\n"}


class Atlas:
    """A project, and a process that is followed by another when it dies."""

    def __init__(self, root: Path, folder: Path, url: str, hatchery: Hatchery) -> None:
        self.root, self._hatchery = root, hatchery
        self.journal = folder / "journal.jsonl"
        self.effects = Effects(folder)
        self._programs, self._command = self.effects.programs(SCRIPTED)
        self._wire = Wire(url, self.effects)
        self._life: Mortal | None = None
        self.asked = 0
        root.mkdir()
        (root / "issues").mkdir()
        for number, text in ISSUES.items():
            (root / "issues" / f"{number}.md").write_text(text, encoding="utf-8")
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
            subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
        made = init(root).town
        self._values: dict[str, Any] = {
            "forge": {"kind": "local", "base": "main", "local": {"checks": ["test -e one.txt"]}},
            "agent_clis": {"fake": {"command": str(self._command), "env": {"JOURNAL": str(self.journal)}}},
            "default_cli": "fake",
            "sandbox": {"kind": "none"},
            "timing": {
                "backoff_secs": 0.01,
                "tick_secs": 1,
                "lease_secs": 60,
                "heartbeat_secs": 5,
                "kill_grace_secs": 1,
            },
        }
        self.town = Town(root=root, id=made.id, settings=settings.parse(self._values, source="a test"))
        self.context = Context(self.town, url)
        now = self.context.store.now()
        for name, role in ((AGENT, "worker"), (CHECKS, CHECKS)):
            agent = Agent(name=name, role=role, cli="fake" if name == AGENT else "", host="", spawned_at=now,
                          state=AgentState.IDLE)  # fmt: skip
            self.context.crew.put(None, agent)
        self.context.crew.announce([AGENT, CHECKS], 3600)

    def close(self) -> None:
        self._end()
        self._wire.close()
        self.effects.close()
        client = self.context.store.client
        client.delete(*client.scan_iter(match=f"{self.town.prefix}*", count=1000))
        client.close()
        shutil.rmtree(self.town.state, ignore_errors=True)

    def _end(self) -> None:
        if self._life is not None:
            self._life.close()
            self._life = None
        self.effects.pid = None

    def _ask(self, do: str, *arguments: object) -> None:
        """Have the process do something; one that has died is followed by another."""
        while self._life is None:
            path = f"{self._programs}:{os.environ['PATH']}"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PATH", path)
                self._life = self._hatchery.hatch(self.town, self._values, self._wire.url)
            self.effects.pid = self._life.pid
            if not self._life.begin():
                self._end()
        if not self._life.ask(do, *arguments):
            self._end()

    def run(self) -> None:
        """One mission to its end, whatever happens on the way."""
        store = self.context.store
        for _ in range(ROUNDS):
            if not store.mission_ids(live=False):
                self._ask("start", *map(str, ISSUES))
                continue
            if not store.mission_ids(live=True):
                return
            self._ask("tick")
            for one in store.live_attempts():
                if not one.claimed:
                    self._ask("attempt", one.mission, one.item, one.number, one.queue)
            for question in open_questions(self.context):
                self.asked += 1
                operate_items.retry(self.context, question.mission, None)
        raise AssertionError(f"after {ROUNDS} rounds it still goes on\n{self.story()}")

    def story(self) -> str:
        """What happened, for whoever has to find out why."""
        store = self.context.store
        events = [f"{e.at:.2f} {e.kind} {e.item} {e.data}" for _, e in store.events(count=10_000)]
        items = [repr(v.record) for m in store.mission_ids(live=True) for v in store.items(m).values()]
        return "\n".join([str(self.effects.struck), *events, *items])

    def rows(self, event: str) -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        rows = [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if row["event"] == event]


@pytest.fixture(scope="module")
def hatchery(machine: Path) -> Iterator[Hatchery]:
    made = Hatchery("tests.survival.life")
    yield made
    made.close()


Live = Callable[[tuple[int, Fault] | None], Atlas]


@pytest.fixture
def live(server: Server, tmp_path: Path, hatchery: Hatchery) -> Iterator[Live]:
    """A mission to whose process this happens."""
    atlases: list[Atlas] = []
    with tempfile.TemporaryDirectory(prefix="tt-atlas-", dir="/tmp") as folder:  # The path of a socket is short.

        def run(at: tuple[int, Fault] | None) -> Atlas:
            atlases.append(Atlas(tmp_path / "project", Path(folder), server.url, hatchery))
            atlases[-1].effects.at = at
            atlases[-1].run()
            return atlases[-1]

        yield run
        for atlas in atlases:
            atlas.close()


def came_to_a_good_end(atlas: Atlas) -> None:
    """Everything is done, once, and in order."""
    store, story = atlas.context.store, atlas.story()
    (mission,) = store.mission_ids(live=False)
    assert store.mission(mission).record.state is MissionState.COMPLETED, story
    log = subprocess.run(
        ["git", "log", "--format=%s %P", "main"], cwd=atlas.root, check=True, capture_output=True, text=True
    )
    merges = Counter(line.split(": ")[0] for line in log.stdout.splitlines() if line.startswith("Merge"))
    assert merges == {"Merge local/project#1": 1, "Merge local/project#2": 1}, story
    for name, text in (("one.txt", "1\n"), ("two.txt", "2\n")):
        shown = subprocess.run(
            ["git", "show", f"main:{name}"], cwd=atlas.root, check=True, capture_output=True, text=True
        )
        assert shown.stdout == text, story
    # Who came second saw what came first: nothing begins early.
    assert {row["text"] for row in atlas.rows("show")} == {"1\n"}, story
    events = [e for _, e in store.events(mission, count=10_000)]
    numbers = Counter((e.item, e.data["number"]) for e in events if e.kind == "attempt_started")
    assert set(numbers.values()) == {1}, story
    done = Counter(e.item for e in events if e.kind == "item_done")
    assert done == {"local/project#1": 1, "local/project#2": 1}, story
    ended = [one for item in store.items(mission) for one in store.finished_attempts(mission, item)]
    good = Counter((one.item, one.purpose) for one in ended if one.report.outcome is Outcome.SUCCEEDED)
    assert set(good.values()) == {1}, story
    assert len([one for one in ended if one.report.outcome is not Outcome.SUCCEEDED]) <= 1, story
    assert len(atlas.rows("start")) <= len(ISSUES) + 1, story
    assert not store.live_attempts(), story
    assert not store.leased(), story


def test_what_a_mission_does_where_nothing_happens(live: Live) -> None:
    atlas = live(None)
    came_to_a_good_end(atlas)
    assert atlas.asked == 0
    assert {what.split(" ")[0] for what in atlas.effects.met} == {"database", "git", "launch"}
    assert EFFECTS - 8 < len(atlas.effects.met) <= EFFECTS, f"{len(atlas.effects.met)}: {atlas.effects.met}"


def _left() -> list[tuple[int, Fault]]:
    done = {(row["at"], row["fault"]) for row in done_before() if row.get("good")}
    return [(at, fault) for at, fault in PAIRS if (at, fault.value) not in done]


@pytest.mark.parametrize(("at", "fault"), _left() if ALL else SAMPLE)
def test_whatever_happens_at_an_effect_all_is_done_once(live: Live, at: int, fault: Fault) -> None:
    atlas = live((at, fault))
    row = {"at": at, "fault": fault.value, "what": atlas.effects.met[at] if atlas.effects.struck else "", "good": False}
    try:
        came_to_a_good_end(atlas)
        assert len(atlas.effects.struck) == 1 or at >= len(atlas.effects.met)
        row["good"] = True
    finally:
        note(row)


#: What happens where a sabotage must be seen; most are harmless while nothing else goes wrong.
SEEN: dict[str, tuple[int, Fault] | None] = {
    "nothing_waits": None,
    "a_lease_stays": None,
    "nothing_is_compared": (7, Fault.TWICE),
    "the_dead_keep_what_they_have": (11, Fault.AFTER),
    "a_number_is_used_again": (11, Fault.AFTER),
}


def _unseen() -> list[str]:
    done = {row["name"] for row in done_before() if row.get("seen")}
    return [name for name in SABOTAGES if name not in done]


@pytest.mark.parametrize("name", _unseen() if ALL else [])
def test_a_sabotage_of_the_engine_would_be_seen(live: Live, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TT_TESTS_SABOTAGE", name)
    seen = False
    try:
        came_to_a_good_end(live(SEEN[name]))
    except AssertionError:
        seen = True
    note({"name": name, "seen": seen})
    assert seen


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sabotage_fits_the_engine(name: str) -> None:
    """What can't be planted any more would be taken for one that was seen."""
    with pytest.MonkeyPatch.context() as patch:
        SABOTAGES[name](patch)
