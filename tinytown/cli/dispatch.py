"""The dispatcher in the foreground: a round every tick, and what happened, in the tutorial's words."""

from __future__ import annotations

import time

import click

from tinytown.cli.render import safe
from tinytown.engine.conductor.escalate import escalate_all
from tinytown.engine.context import Context
from tinytown.engine.dispatch.reconcile import reconcile, reconcile_all
from tinytown.errors import UnreachableError
from tinytown.missions.narrative import tell
from tinytown.missions.records.agent import Event
from tinytown.state import duties

#: Events closer together than the first are one line; no event is held back for longer than the second, in seconds.
_MOMENT, _PATIENCE = 0.8, 5.0
#: The dispatcher also tells what happened in so many seconds before it began, and nothing older, unless a mission is
#: named: then it tells all of it.
_BEFORE = 30.0
#: So many of the newest missions may have ended within those seconds.
_RECENT = 100
#: Pause between two looks at the history, in seconds.
_PAUSE = 0.4


def dispatch_rounds(context: Context, mission_id: str | None, *, once: bool) -> None:
    """Run rounds until interrupted, until ``mission_id`` ends, or just one round."""
    teller = _Teller(context, mission_id)
    tick = context.town.settings.timing.tick_secs
    while True:
        teller.round += 1
        try:
            _tick(context, mission_id)
            if once:
                if not teller.tell(all_of_it=True):
                    click.echo(f"Round {teller.round}: nothing to do")
                return
            if teller.tell_for(tick):
                return
        except UnreachableError as error:
            if once:
                raise
            click.echo(f"Round {teller.round}: {error}", err=True)
            time.sleep(min(tick, 2.0))


def _tick(context: Context, mission_id: str | None) -> None:
    with duties.running(context.store, "dispatch"):
        if mission_id is None:
            reconcile_all(context)
        else:
            reconcile(context, mission_id)
        escalate_all(context)


class _Teller:
    """Prints what happens to the live missions, or to one, each thing once."""

    def __init__(self, context: Context, mission_id: str | None) -> None:
        self.round = 0
        self._context = context
        self._only = mission_id
        self._told: dict[str, str] = {}
        store = context.store
        before = max(_BEFORE, context.town.settings.timing.tick_secs)
        self._since = 0.0 if mission_id else store.now() - before
        #: Missions that had ended before, about which nothing is told.
        self._over_before = set() if mission_id else self._ended_before(self._since)

    def _ended_before(self, since: float) -> set[str]:
        store = self._context.store
        ids = store.mission_ids(live=False)
        over = {*ids} - {*store.mission_ids(live=True)}
        recent = [one for one in ids[-_RECENT:] if one in over]
        return over - {one for one in recent if (store.mission(one).record.finished_at or 0.0) >= since}

    def tell_for(self, seconds: float) -> bool:
        """Tell what happens within this time; gives whether the one mission has ended and all of it is told."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self._only is not None and self._context.store.mission(self._only).record.state.ended
            self.tell(all_of_it=ended)
            left = deadline - time.monotonic()
            if ended or left <= 0:
                return ended
            time.sleep(min(left, _PAUSE))

    def tell(self, *, all_of_it: bool) -> bool:
        """Print the new events of moments that are over, or ``all_of_it``; gives whether there were any."""
        store = self._context.store
        # A mission that was alive is reported to its end, however soon that came.
        for one in [self._only] if self._only else store.mission_ids(live=False):
            if one not in self._over_before:
                self._told.setdefault(one, "-")
        anything = False
        for one in list(self._told):
            events = store.events(one, after=self._told[one], count=10_000)
            if not events or not (all_of_it or self._over(events)):
                continue
            self._told[one] = events[-1][0]
            for line in tell([e for _, e in events if e.at >= self._since], store.order(one)):
                anything = True
                click.echo(f"Round {self.round}: {safe(line)}")
        return anything

    def _over(self, events: list[tuple[str, Event]]) -> bool:
        now = self._context.store.now()
        return now - events[-1][1].at >= _MOMENT or now - events[0][1].at >= _PATIENCE
