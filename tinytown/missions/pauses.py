"""How an item waits: for a reason, with a remedy; after a failure until it is tried again; or for a person."""

from __future__ import annotations

from collections.abc import Mapping

from tinytown.missions import limits
from tinytown.missions.records.item import Item
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import Outcome, WaitReason

#: Faults from outside in a row after which only a person goes on: nothing may spend for ever.
MAX_FAULTS = 3
#: Pauses, in seconds, until a remote forge that did not answer is asked again; the last one goes on.
FORGE_AWAY_SECS = (60.0, 120.0, 300.0)
#: After so many limits in a row the pause between two tries stops growing.
_MAX_DOUBLINGS = 12
#: Longest pause between two tries, in seconds.
MAX_BACKOFF = 3600.0

_FAULT_WAITS: Mapping[Outcome, WaitReason] = {
    Outcome.NOT_LOGGED_IN: WaitReason.NOT_LOGGED_IN,
    Outcome.USAGE_LIMIT: WaitReason.USAGE_LIMIT,
    Outcome.UNREACHABLE: WaitReason.UNREACHABLE,
    Outcome.DISK_FULL: WaitReason.DISK_FULL,
    Outcome.NO_WORKSPACE: WaitReason.NO_WORKSPACE,
    Outcome.FORGE_REFUSED: WaitReason.BACKOFF,
}


def wait(item: Item, reason: WaitReason, *, now: float, remedy: str = "", until: float | None = None) -> Item:
    """``item`` waiting for ``reason``; ``since`` stays if it waited for that already."""
    old = item.waiting
    if old is not None and old.reason == reason:
        if old.remedy == remedy and old.until == until:
            return item
        return item.evolve(waiting=old.evolve(remedy=remedy, until=until))
    return item.evolve(waiting=Waiting(reason=reason, since=now, until=until, remedy=remedy))


def fault(
    item: Item, outcome: Outcome, words: str, *, backoff: float, now: float, retry_at: float | None = None
) -> Item:
    """Something outside failed: ``item`` is tried again after a pause; the third time in a row a person is asked.

    A usage limit whose end is known ends by itself, however often it comes.
    """
    if outcome is Outcome.USAGE_LIMIT and retry_at is not None:
        return _limited(item, words, retry_at, backoff=backoff, now=now)
    faults = item.faults + 1
    item = item.evolve(faults=faults, limits=0)
    if faults >= MAX_FAULTS:
        return ask(item, f"{faults} times in a row: {words}", now=now)
    if outcome is Outcome.LOST:
        return item  # The worker died, and the work is not to blame: it goes on at once.
    pause = max(pause_of(backoff, faults), (retry_at or now) - now)
    return back_off(item, _FAULT_WAITS[outcome], words, pause=pause, now=now)


def forge_away(item: Item, words: str, *, now: float, retry_at: float | None) -> Item:
    """A forge that does not answer costs nothing and comes back: it is asked again, ever more seldom."""
    faults = item.faults + 1
    pause = FORGE_AWAY_SECS[min(faults, len(FORGE_AWAY_SECS)) - 1]
    again = max(pause, (retry_at or now) - now)
    return back_off(item.evolve(faults=faults, limits=0), WaitReason.UNREACHABLE, words, pause=again, now=now)


def _limited(item: Item, words: str, until: float, *, backoff: float, now: float) -> Item:
    """Let the item wait for the end of the limit; somebody who is at no limit may take it before that."""
    count = item.limits + 1
    # A service whose limit lasts longer than it said, again and again, is asked less and less often.
    pause = pause_of(backoff, min(count, _MAX_DOUBLINGS))
    end = max(now + pause, limits.over_at(limits.Limit(since=now, until=until), item.key))
    return back_off(item.evolve(limits=count), WaitReason.USAGE_LIMIT, words, pause=end - now, now=now)


def pause_of(backoff: float, count: int) -> float:
    return min(backoff * 2.0 ** (count - 1), MAX_BACKOFF)


def back_off(item: Item, reason: WaitReason, words: str, *, pause: float, now: float) -> Item:
    until = now + pause
    return wait(item, reason, now=now, until=until, remedy=words).evolve(not_before=until)


def ask(item: Item, words: str, *, now: float) -> Item:
    return wait(item, WaitReason.NEEDS_HELP, now=now, remedy=words)
