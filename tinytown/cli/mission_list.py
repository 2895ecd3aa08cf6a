"""``tt mission list``: a line for each mission."""

from __future__ import annotations

from collections.abc import Iterable

from tinytown import keys
from tinytown.cli import columns
from tinytown.cli.render import ago, icon, money, safe
from tinytown.engine.views.missions import Summary, Unreadable

#: Issues or tasks of a mission that a line of the list names.
_LISTED = 5


def show(found: Iterable[Summary | Unreadable]) -> None:
    """Print them."""
    columns.show(("", "MISSION", "STATE", "STARTED", "TOOK", "COST", "DONE", "WORK"), map(_row, found))


def _row(view: Summary | Unreadable) -> tuple[str, ...]:
    if isinstance(view, Unreadable):
        return (icon("failed"), view.id[:8], "unreadable", "-", "-", "-", "-", safe(view.why))
    head = view.mission
    wanted = [f"{keys.short(key)} {safe(title)}".strip() for key, title in view.titles.items()][:_LISTED]
    if more := len(head.objectives) - len(wanted):
        wanted.append(f"and {more} more")
    return (
        icon(head.state.value),
        head.short,
        head.state.value,
        columns.moment(head.created_at),
        ago((head.finished_at or view.now) - head.created_at),
        money(head.spent_usd) if head.spent_usd else "-",
        f"{view.settled}/{view.size}",
        ", ".join(wanted),
    )
