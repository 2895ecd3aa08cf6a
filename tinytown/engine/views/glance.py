"""A mission as it is shown to people: all of it where it is small, else what moves, waits for somebody or goes next."""

from __future__ import annotations

from dataclasses import replace

from tinytown.engine.context import Context
from tinytown.engine.views.missions import MissionView, counted, mission_view, view_of
from tinytown.missions.records.item import Item
from tinytown.state import lookup
from tinytown.state.records import AdmissionView

#: Items that are shown: of a mission that has no more of them, all.
SHOWN = 100


def glance(context: Context, mission_id: str) -> MissionView:
    """A mission, whose size does not matter for what this reads; what it leaves out is counted.

    Of a large mission the items come in this order: at work, to be asked about, next in line, waiting for a time.

    Raises:
        NotFoundError: there is none.
    """
    store = context.store
    view = store.admission_view(mission_id)
    counts = counted(store, view)
    if sum(counts.values()) <= SHOWN or not view.indexed:
        return mission_view(context, mission_id)
    items = _chosen(context, view)
    shown = view_of(context, view, items, lookup.with_awaited(store, mission_id, items))
    return replace(shown, every=store.order(mission_id), totals=counts)


def _chosen(context: Context, view: AdmissionView) -> dict[str, Item]:
    store, mission = context.store, view.mission.record.id
    at_work = [attempt.item for attempt in view.attempts if attempt.mission == mission]
    noted, later = lookup.some_waiting(store, mission, SHOWN)
    chosen = list(dict.fromkeys((*at_work, *noted, *view.due, *later)))[:SHOWN]
    found = store.some_items(mission, chosen)
    return {key: found[key].record for key in chosen if key in found}
