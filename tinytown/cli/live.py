"""A mission on a screen of any size: its progress, what waits for you, what runs, and the newest events.

Pure: a view, a history and a size make lines. ``follow`` draws them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tinytown.cli.render import ago, icon, money, safe
from tinytown.engine.conductor.questions import of_mission
from tinytown.engine.views.missions import MissionView
from tinytown.missions.narrative import tell
from tinytown.missions.records.agent import Event
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, MissionState

#: A moment ends after so many quiet seconds, or after so many in all; the events of a moment are one line.
QUIET, PATIENCE = 0.8, 5.0
#: The events get at least so many lines, if the screen has them.
_EVENTS = 4
#: Cells of the longest progress bar.
_BAR = 24

_STYLES: Mapping[str, str] = {
    "blocked": "bold yellow",
    "cancelled": "magenta",
    "completed": "bold green",
    "failed": "bold red",
    "paused": "yellow",
    "running": "cyan",
}
#: The colour of a line of history, by the first of these words that occurs in it.
_TONES = (
    ("Help asked", "bold yellow"),
    ("failed", "red"),
    ("refused", "yellow"),
    ("waits", "yellow"),
    ("done", "green"),
)


def moments(events: Iterable[Event]) -> list[list[Event]]:
    """The events, moment by moment."""
    found: list[list[Event]] = []
    for event in events:
        if found and event.at - found[-1][-1].at < QUIET and event.at - found[-1][0].at < PATIENCE:
            found[-1].append(event)
        else:
            found.append([event])
    return found


def told(events: Iterable[Event], items: Collection[str]) -> list[str]:
    """Lines for the events of a mission with these items, each with its time of day by this machine's clock, safe for
    a terminal.
    """
    lines = []
    for moment in moments(events):
        clock = time.strftime("%H:%M:%S", time.localtime(moment[-1].at))
        lines += [f"{clock} {safe(line)}" for line in tell(moment, items)]
    return lines


def screen(view: MissionView, history: Sequence[str], *, width: int, height: int) -> list[Text]:
    """At most ``height`` lines of at most ``width`` cells; the newest of ``history`` are always among them."""
    if height <= 0 or width <= 0:
        return []
    head = [_head(view, width)]
    if height == 1:
        return head
    room = height - 1
    events = min(_EVENTS, len(history), max(1, room // 2))
    room -= events
    asks = _asks(view)[: max(0, min(room, 1 if height < 10 else max(2, room // 3)))]
    room -= len(asks)
    rest = _folded(view) if room > 0 else []
    room -= len(rest)
    rows = _running(view)
    if len(rows) > room:
        more = len(rows) - max(room - 1, 0)
        rows = [*rows[: max(room - 1, 0)], Text(f"   … and {more} more running")]
        rows = rows[: max(room, 0)]
    room -= len(rows)
    newest = history[len(history) - min(len(history), events + max(room, 0)) :] if history else []
    lines = [*head, *asks, *rows, *rest, *(Text(line, style=_tone(line)) for line in newest)]
    return [_cut(line, width) for line in lines[:height]]


def _head(view: MissionView, width: int) -> Text:
    """``🚀 0a1b2c3d running  5/25 ▓▓░░ 2m 10s $0.77``, with what there is room for."""
    mission, counts = view.mission, view.counts()
    style = _STYLES.get(mission.state.value, "")
    settled = sum(count for state, count in counts.items() if ItemState(state).settled)
    count = f"{settled}/{view.size}"
    took = ago((mission.finished_at or view.now) - mission.created_at).replace(" ", "")
    cap = mission.policy.budget_usd
    cost = money(mission.spent_usd) + (f" of {money(cap)}" if cap is not None else "")
    name = f"{icon(mission.state.value)} {mission.short} {mission.state.value}"
    size = min(_BAR, width - sum(map(cell_len, (name, count, took, cost))) - 6)
    text = Text(name, style=style)
    text.append(f"  {count} ", style="bold")
    if size >= 4:
        full = size * settled // view.size if counts else size
        text.append("▓" * full, style="green")
        text.append("░" * (size - full), style="dim")
        text.append(" ")
    text.append(f"{took} {cost}")
    return _cut(text, width)


def _asks(view: MissionView) -> list[Text]:
    asked = of_mission(view.mission)
    if asked is not None:
        answer = Text(f"   answer: {safe(asked.answer)}", style="yellow")
        return [*(Text(f"🆘 {safe(reason)}", style="bold yellow") for reason in asked.reasons[:1]), answer,
                *(Text(f"🆘 {safe(reason)}", style="bold yellow") for reason in asked.reasons[1:])]  # fmt: skip
    if view.mission.state is MissionState.PAUSED:
        return [Text(f"✋ paused: run `tt mission resume {view.mission.short}` to continue", style="yellow")]
    return []


def _running(view: MissionView) -> list[Text]:
    names = view.names()
    return [_row(item, names[item.key], view) for item in view.items if item.attempt is not None]


def _row(item: Item, name: str, view: MissionView) -> Text:
    live, now = item.attempt, view.now
    assert live is not None
    step = live.purpose.value
    who = live.agent or "-"
    since = ago(now - (live.claimed_at or live.sent_at)) if live.claimed else "sent"
    sign = "paused" if live.agent in view.interrupted else "working" if live.claimed else "assigned"
    text = Text(f"{icon(sign)} ")
    text.append(f"{name} ", style="bold")
    text.append(f"{step} by {who} {since}  " if live.claimed else f"{step} sent to {live.queue}  ", style="cyan")
    text.append(safe(item.title))
    return text


def _folded(view: MissionView) -> list[Text]:
    """Finished and waiting items in a line, with the next try where its time is known."""
    still = [item for item in view.items if item.attempt is None]
    # Only the state is known of items that are not shown.
    unread = Counter(view.counts()) - Counter(item.state.value for item in view.items)
    states = Counter(item.state for item in still) + Counter({ItemState(name): n for name, n in unread.items()})
    done = sum(count for state, count in states.items() if state.settled)
    dead = states[ItemState.FAILED] + states[ItemState.CANCELLED]
    waiting = [item for item in still if not item.state.ended]
    reasons = Counter(item.waiting.reason.value if item.waiting else item.state.value for item in waiting)
    reasons += Counter({name: count for name, count in unread.items() if not ItemState(name).ended})
    text = Text()
    if done:
        text.append(f"✅ {done} done  ", style="green")
    if dead:
        text.append(f"❌ {dead} failed or cancelled  ", style="red")
    if reasons:
        due = [w.until for item in waiting if (w := item.waiting) is not None and w.until and w.until > view.now]
        if due:
            text.append(f"next try in {round(min(due) - view.now) or 1} s  ", style="yellow")
        words = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in reasons.most_common())
        text.append(f"⏳ {reasons.total()} waiting: {words}", style="dim")
    return [text] if text.plain else []


def _tone(line: str) -> str:
    return next((style for word, style in _TONES if word in line), "dim")


def _cut(text: Text, width: int) -> Text:
    """At most ``width`` cells; an ellipsis says that something is missing."""
    if text.cell_len <= width:
        return text
    kept = set_cell_size(text.plain, width - 1).rstrip()
    text = text[: len(kept)]
    text.append("…")
    return text
