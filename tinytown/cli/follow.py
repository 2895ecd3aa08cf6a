"""``tt mission status --follow``: a mission live until it ends, on a screen or line by line.

The exit code tells the state of the mission: 0 completed, 1 failed, 6 cancelled, 7 waiting for help (with
``--until-help``), 130 interrupted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tinytown.cli import live
from tinytown.engine.context import Context
from tinytown.engine.views.glance import glance
from tinytown.engine.views.missions import MissionView
from tinytown.errors import EXIT_CANCELLED, EXIT_FAILED, EXIT_HELP, EXIT_INTERRUPTED, EXIT_OK, UnreachableError
from tinytown.missions.records.agent import Event
from tinytown.missions.states import MissionState

T = TypeVar("T")

#: Seconds between two looks when nothing happens.
_REFRESH = 1.0
#: Newest events from which the live view is made.
_HISTORY = 500
#: Seconds to wait for a database that does not answer: the supervisor starts it again.
_PATIENCE = 30.0

_CODES = {
    MissionState.COMPLETED: EXIT_OK,
    MissionState.FAILED: EXIT_FAILED,
    MissionState.CANCELLED: EXIT_CANCELLED,
}


def follow(context: Context, mission_id: str, *, until_help: bool = False) -> int:
    """Show a mission until it ends, or until it asks for help; gives the exit code."""
    console = Console()
    plain = not console.is_terminal or console.is_dumb_terminal or bool(os.environ.get("NO_COLOR"))
    follower = _Follower(context, mission_id, until_help=until_help)
    try:
        return _lines(follower) if plain else _screen(follower, console)
    except KeyboardInterrupt:
        head = context.store.mission(mission_id).record
        goes_on = "continues" if head.state.active else f"stays {head.state.value}"
        again = f"`tt mission status {head.short} --follow` picks it up again"
        click.echo(f"\nMission {head.short} {goes_on}; {again}", err=True)
        return EXIT_INTERRUPTED


class _Follower:
    """Gives what happens in a mission, each event once, and its state."""

    def __init__(self, context: Context, mission_id: str, *, until_help: bool) -> None:
        self._context = context
        self._mission = mission_id
        self._until_help = until_help
        self._position = "-"
        self.items = answered(lambda: context.store.order(mission_id))

    def view(self) -> MissionView:
        return answered(lambda: glance(self._context, self._mission))

    def news(self, *, wait: float) -> list[Event]:
        """What happened since the last look, waited for up to ``wait`` seconds."""
        store = self._context.store
        rows = answered(lambda: store.events(self._mission, after=self._position, block=wait))
        if rows:
            self._position = rows[-1][0]
        return [event for _, event in rows]

    def code(self, view: MissionView) -> int | None:
        """The exit code if this is where it ends."""
        head = view.mission
        if head.state in _CODES:
            return _CODES[head.state]
        return EXIT_HELP if self._until_help and head.help is not None else None


def answered(ask: Callable[[], T]) -> T:
    """What the database answers, waited for while it does not: the supervisor starts it again."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return ask()
        except UnreachableError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_REFRESH)


def _lines(follower: _Follower) -> int:
    """Print a line for each event, or moment of events, as they come."""
    held: list[Event] = []
    while True:
        news = follower.news(wait=live.QUIET if held else _REFRESH)
        held += news
        # Events that follow at once belong to the same line, but no event is held back for long.
        if news and held[-1].at - held[0].at < live.PATIENCE:
            continue
        for line in live.told(held, follower.items):
            click.echo(line)
        held = []
        code = follower.code(follower.view())
        if code is not None and not (held := follower.news(wait=0.05)):
            return code


def _screen(follower: _Follower, console: Console) -> int:
    """Draw the whole screen anew each time, on the terminal's alternate one, as a resize would fold lines on this one.

    What was shown last is printed at the end.
    """
    history: list[Event] = []
    lines: list[Text] = []
    try:
        with Live(console=console, auto_refresh=False, screen=True, vertical_overflow="crop") as screen:
            while True:
                news = follower.news(wait=_REFRESH)
                history = [*history, *news][-_HISTORY:]
                view = follower.view()
                # The size is asked each time, as people change it.
                width, height = console.size
                lines = live.screen(view, live.told(history, follower.items), width=width, height=height - 1)
                screen.update(Group(*lines), refresh=True)
                code = follower.code(view)
                if code is not None and not news:
                    return code
                if news:
                    time.sleep(0.1)  # At most ten redraws a second, however much happens.
    finally:
        if lines:
            console.print(*lines, sep="\n")
