"""The live view fits any size, and the newest events are always on it."""

from __future__ import annotations

import io
import itertools
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console, ConsoleDimensions, Group

from tests.fakes.builders import key
from tinytown.cli import follow, live
from tinytown.engine.views.missions import MissionView
from tinytown.missions.records.agent import Event
from tinytown.missions.records.attempt import Attempt
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Help, Mission, Policy
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import ItemState, MissionState, Purpose, WaitReason

NOW = 10_000.0
SIZES = [(80, 24), (40, 10), (20, 5), (200, 60), (80, 3), (10, 2), (1, 1), (80, 1)]


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def an_item(number: int, state: ItemState = ItemState.PENDING, *, title: str = "A title", **more: object) -> Item:
    return Item(key=key(number), number=number, title=title, state=state, **more)  # type: ignore[arg-type]


def running(number: int, *, title: str = "A title", agent: str = "backend") -> Item:
    attempt = Attempt(id=f"x/{number}", number=1, purpose=Purpose.WORK, queue="role.backend", role="backend",
                      sent_at=NOW - 70, agent=agent, token="t", claimed_at=NOW - 63)  # fmt: skip
    return an_item(number, ItemState.RUNNING, title=title, attempt=attempt)


def a_view(items: list[Item], *, state: MissionState = MissionState.RUNNING, **more: object) -> MissionView:
    head = Mission(id="0a1b2c3d-0000-4000-8000-000000000000", state=state, objectives=(key(1),), forge="local",
                   repo="local/town", base="main", created_at=NOW - 130, spent_usd=0.77, **more)  # type: ignore[arg-type]  # fmt: skip
    return MissionView(head, items, NOW)


def drawn(view: MissionView, history: list[str], width: int, height: int) -> list[str]:
    """What stands on a terminal of this size."""
    lines = live.screen(view, history, width=width, height=height)
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None, record=True
    )
    console.print(Group(*lines))
    shown = console.export_text().rstrip("\n").split("\n")
    assert len(shown) == max(len(lines), 1), "no line is broken in two"
    assert all(line.cell_len <= width for line in lines), [line.plain for line in lines]
    assert len(lines) <= height
    return shown


MANY = [
    *(an_item(n, ItemState.DONE) for n in range(1, 6)),
    *(running(n) for n in range(6, 10)),
    an_item(10, ItemState.FAILED),
    *(an_item(n, waiting=Waiting(reason=WaitReason.DEPENDENCIES, since=NOW, remedy="after #1")) for n in range(11, 26)),
]


def test_items_that_were_not_read_are_counted_by_their_state() -> None:
    counts = {"pending": 9000, "ready": 900, "running": 4, "done": 90, "failed": 6}
    view = replace(a_view([running(1), an_item(2, ItemState.FAILED)]), totals=counts, every=[key(n) for n in (1, 2, 3)])
    shown = drawn(view, [], 100, 10)
    assert "90/10000 " in shown[0]
    assert shown[1:3] == [
        "🔨 #1 work by backend 1m 3s  A title",
        "✅ 90 done  ❌ 6 failed or cancelled  ⏳ 9903 waiting: 9000 pending, 900 ready, 3 running",
    ]


HISTORY = [f"12:00:{n:02} event {n}" for n in range(40)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_newest_events_are_on_every_screen(width: int, height: int) -> None:
    """Of 25 issues with help asked, at any size."""
    asked = Help(reasons=("Issue #10 failed: " + "long " * 40, "Issue #9 waits"), since=NOW - 5)
    shown = drawn(a_view(MANY, help=asked), HISTORY, width, height)
    if height > 1:
        assert "12:00:39 event 39".startswith(shown[-1].rstrip("…"))
    assert shown[0].startswith("🚀"[: width // 2])


def test_a_screen_of_80_by_24_with_25_issues() -> None:
    shown = drawn(a_view(MANY), HISTORY, 80, 23)
    assert shown[0] == "🚀 0a1b2c3d running  5/25 ▓▓▓▓░░░░░░░░░░░░░░░░░░░░ 2m10s $0.77"
    assert shown[1] == "🔨 #6 work by backend 1m 3s  A title"
    assert shown[5] == "✅ 5 done  ❌ 1 failed or cancelled  ⏳ 15 waiting: 15 dependencies"
    assert shown[6:] == HISTORY[-17:], "what room is left is the history's"


def test_what_waits_for_a_person_stands_above_with_its_answer() -> None:
    asked = Help(reasons=("Issue #10 failed: no",), since=NOW - 5)
    shown = drawn(a_view(MANY, state=MissionState.BLOCKED, help=asked), HISTORY, 80, 24)
    assert shown[1] == "🆘 Issue #10 failed: no"
    assert shown[2].startswith('   answer: tt mission note 0a1b2c3d "resume|retry 10|redirect 10 to')
    paused = drawn(a_view(MANY, state=MissionState.PAUSED), HISTORY, 80, 24)
    assert "tt mission resume 0a1b2c3d" in paused[1]


def test_it_counts_down_to_the_next_try() -> None:
    """Where the time is known and has not come."""
    until = [NOW + 12.4, NOW + 300, NOW - 5, None]
    items = [
        an_item(n, ItemState.READY, waiting=Waiting(reason=WaitReason.BACKOFF, since=NOW, until=u, remedy="no"))
        for n, u in enumerate(until, start=1)
    ]
    assert "next try in 12 s  ⏳ 4 waiting: 4 backoff" in drawn(a_view(items), [], 80, 24)[1]


def test_more_at_work_than_there_is_room_for() -> None:
    shown = drawn(a_view([running(n) for n in range(1, 31)]), HISTORY, 60, 12)
    assert any("more running" in line for line in shown)
    assert shown[-4:] == HISTORY[-4:]


@pytest.mark.parametrize(
    "title", ["漢字" * 60, "👨‍👩‍👧" * 30, "\x1b[2J\x1b]0;x\x07" * 9, "a\nb\rc", "[bold]x[/bold]", "e\u0301" * 90]
)
@pytest.mark.parametrize("width", [1, 2, 17, 40, 80])
def test_no_title_breaks_a_line_or_speaks_to_the_terminal(title: str, width: int) -> None:
    shown = drawn(a_view([running(1, title=title)]), [f"12:00:00 Issue #1: {live.safe(title)}"], width, 10)
    assert not any(sign in line for line, sign in itertools.product(shown, "\x1b\x07\r"))


def test_a_cap_and_an_empty_mission() -> None:
    assert "$0.77 of $5.00" in drawn(a_view([], policy=Policy(budget_usd=5)), [], 80, 24)[0]


def test_events_have_their_time_and_those_of_a_moment_are_one_line() -> None:
    """A moment is over after a quiet second, or after five in all."""

    def an_event(at: float, kind: str, number: int = 1, **data: object) -> Event:
        return Event(at=at, kind=kind, item=key(number), data=data)

    events = [
        an_event(3600.0, "item_done"),
        an_event(3600.1, "item_ready", 2, after=key(1)),
        an_event(3600.3, "attempt_started", 2, agent="backend", purpose="work"),
        an_event(3605.0, "item_done", 2),
    ]
    assert live.told(events, {key(1): 1, key(2): 2}) == [
        "01:00:00 Issue #1 done → Issue #2 ready → assigned to backend",
        "01:00:05 Issue #2 done",
    ]
    steady = [an_event(n * 0.5, "merged", sha="x") for n in range(40)]
    assert max(len(moment) for moment in live.moments(steady)) <= 10
    assert sum(len(moment) for moment in live.moments(steady)) == 40
    assert os.environ["TZ"] == "UTC"


class _Script:
    """A watcher whose mission shrinks its terminal and then completes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.items = {key(1): 1}
        self._looks = 0

    def news(self, *, wait: float) -> list[Event]:
        return []

    def view(self) -> MissionView:
        self._looks += 1
        self._console.size = ConsoleDimensions(100 if self._looks == 1 else 40, 10)
        done = self._looks == 3
        item = an_item(1, ItemState.DONE) if done else running(1, title="A long title " * 9)
        return a_view([item], state=MissionState.COMPLETED if done else MissionState.RUNNING)

    def code(self, view: MissionView) -> int | None:
        return 0 if view.mission.state is MissionState.COMPLETED else None


def test_a_resized_terminal_shows_no_remains_and_keeps_the_end() -> None:
    """It is drawn on the terminal's other screen, from its corner; what it showed last is left on the first one."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=100, height=10)
    assert follow._screen(_Script(console), console) == 0  # type: ignore[arg-type]
    before, drawn, after = re.split(r"\x1b\[\?1049[hl]", out.getvalue())
    assert "0a1b2c3d" not in before
    frames = drawn.split("\x1b[H")[1:]
    assert [("running" in frame, "completed" in frame) for frame in frames if "0a1b2c3d" in frame] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    assert all(frame.count("\n") == 9 for frame in frames if "0a1b2c3d" in frame), "each covers the whole screen"
    assert re.findall("running|completed", after) == ["completed"]
