"""When a kind of evidence is looked at again, and until when it counts."""

from __future__ import annotations

from dataclasses import dataclass

from tinytown.missions.pauses import FORGE_AWAY_SECS

#: Seconds between looks while something is expected soon, for as long after a push, and after an hour without news.
SOON_SECS = 20.0
EXPECTED_SECS = 300.0
QUIET_AFTER_SECS = 3600.0
QUIET_SECS = 300.0
#: Rules for merging change seldom: they are read again after so many seconds.
RULES_SECS = 600.0


@dataclass(frozen=True)
class Look:
    """Times of a piece of evidence, in seconds since the epoch."""

    due_at: float
    good_until: float


def after(
    seen_at: float, *, interval: float, pending: bool, expected_since: float, changed_at: float, rules: bool = False
) -> Look:
    """When to look again after a look at ``seen_at`` that was answered.

    ``interval`` is the policy's; ``pending``: something is to come, and it was set off at ``expected_since``;
    ``changed_at``: when this kind last said something new; ``rules``: it is about the base, not the change.
    It counts for one more interval, so that one look may be late.
    """
    if rules:
        pause = max(interval, RULES_SECS)
    elif pending and seen_at - expected_since < EXPECTED_SECS:
        pause = min(interval, SOON_SECS)
    elif not pending and seen_at - changed_at >= QUIET_AFTER_SECS:
        pause = max(interval, QUIET_SECS)
    else:
        pause = interval
    return Look(due_at=seen_at + pause, good_until=seen_at + pause + max(interval, SOON_SECS))


def after_failure(seen_at: float, *, failures: int) -> Look:
    """When to try again after the forge did not answer, ``failures`` times in a row; that counts until then."""
    pause = FORGE_AWAY_SECS[min(max(failures, 1), len(FORGE_AWAY_SECS)) - 1]
    return Look(due_at=seen_at + pause, good_until=seen_at + pause)
