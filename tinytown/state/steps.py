"""From where to where things go in one commit, and the events of it that tell so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tinytown.missions import sentences
from tinytown.missions.records.agent import Event

#: Kinds of the events that tell of a step of which no other event does.
ITEM_MOVED, MISSION_MOVED = "item_moved", "mission_moved"


class Steps:
    """The steps of items and missions; each is told by the last event about what moved."""

    def __init__(self) -> None:
        #: By mission and item (empty for the mission itself): the state before, and after.
        self._steps: dict[tuple[str, str], tuple[str, str]] = {}

    def note(self, mission: str, item: str, before: str, after: str) -> None:
        """Remember that something moved, if it did."""
        if before != after:
            self._steps[mission, item] = (before, after)

    def tell(self, events: Sequence[Event], *, by: str, now: Callable[[], float]) -> Iterator[Event]:
        """The events, with ``from``, ``to`` and ``by`` (who makes the change) where they tell of a step.

        ``now`` gives the server's time, where no event has it.
        """
        who = {"by": by} if by else {}
        last = {(event.mission, event.item): n for n, event in enumerate(events)}
        moved = {last[of]: step for of, step in self._steps.items() if of in last}
        for n, event in enumerate(events):
            added = dict(zip(("from", "to"), moved.get(n, ()), strict=False))
            if (added or "from" in event.data) and "by" not in event.data:
                added |= who
            yield event.with_data(added) if added else event
        causes = {event.mission: event for event in events}
        for (mission, item), (before, after) in self._steps.items():
            if (mission, item) not in last:
                at = events[-1].at if events else now()
                kind = ITEM_MOVED if item else MISSION_MOVED
                why = {"why": sentences.sentence(causes[mission])} if mission in causes else {}
                data = {"from": before, "to": after, **why, **who}
                yield Event(at=at, kind=kind, mission=mission, item=item, data=data)
