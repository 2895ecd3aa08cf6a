"""The safety net: re-read the record of every mission and send whatever is missing.

Nothing here is the normal way forward. It makes a lost message, a dead worker or a crash between a commit
and its message cost one tick at the most. It may run anywhere, any number of times, at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance, move
from tinytown.engine.dispatch.attempts import lose
from tinytown.engine.dispatch.mission_state import stand
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.missions import gates, lifecycle, mission_state
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState
from tinytown.state.change import Change
from tinytown.state.records import Look, Versioned

log = logging.getLogger(__name__)


def reconcile_all(context: Context) -> None:
    """Every mission that has not ended. One that cannot be read keeps no other from moving."""
    for mission in context.store.mission_ids(live=True):
        try:
            reconcile(context, mission)
        except UnreachableError:
            raise
        except TinytownError as error:
            log.error("mission %s: %s", mission, error)


def reconcile(context: Context, mission_id: str) -> None:
    """One mission: take back what is lost, start what may start, admit, and tell how it stands."""
    try:
        mission = context.store.mission(mission_id)
    except NotFoundError:
        return
    if mission.record.state.ended:
        return
    leased = context.store.leased()
    now = context.store.now()
    for item in context.store.items(mission_id).values():
        _repair_attempt(context, mission.record, item, leased, now=now)
    items = context.store.items(mission_id)
    records = {k: v.record for k, v in items.items()}
    _repair_items(context, mission.record, items, now=now)
    for key, record in records.items():
        if mission_state.startable(record, records):
            start_item(context, mission_id, key, go_on=False)
    moved = move(context, mission_id)
    if stand(context, mission_id, nobody=moved.nobody) is not MissionState.BLOCKED and moved.asks:
        ask(context, mission_id)


def _repair_attempt(context: Context, mission: Mission, item: Versioned[Item], leased: set[str], *, now: float) -> None:
    attempt = item.record.attempt
    if attempt is None:
        return
    if not attempt.claimed:
        old = now - attempt.sent_at >= context.town.settings.timing.unclaimed_secs
        if old or not mission.state.active:
            withdraw(context, mission, item, now=now, overdue=old and mission.state.active)
    elif attempt.id not in leased:
        # The lease is written with the claim, so a claimed attempt without one has lost it.
        lose(context, mission.id, item.record.key, attempt.id, why=f"{attempt.agent} went silent")


def withdraw(context: Context, mission: Mission, item: Versioned[Item], *, now: float, overdue: bool = False) -> None:
    """Take back what nobody claimed; the message, should it still come, is refused by its number."""
    new = lifecycle.withdraw(item.record, overdue=overdue)
    if new is None:
        return
    change = context.store.change()
    change.put_item(mission, item, new)
    change.event(event("attempt_withdrawn", at=now, mission=mission.id, item=new.key, number=new.fence))
    try:
        change.commit()
    except ConflictError:
        return  # Claimed this very moment.


def _repair_items(context: Context, mission: Mission, items: dict[str, Versioned[Item]], *, now: float) -> None:
    """Reasons of waiting items, and the due set where it differs from what the records say."""
    due = set(context.store.due(mission.id))
    records = {k: v.record for k, v in items.items()}
    change = context.store.change()
    for key, item in items.items():
        new = mission_state.hold(mission_state.explain_pending(item.record, records, now=now), mission, now=now)
        change.put_item(mission, item, new)
        if new is item.record and (key in due) != gates.wants_attempt(item.record, mission.policy):
            change.index_due(mission, item)
    try:
        change.commit()
    except ConflictError:
        return  # Something moved meanwhile; the next tick looks again.


def start_item(context: Context, mission_id: str, key: str, *, go_on: bool = True) -> bool:
    """``pending`` -> ``ready`` if every dependency has settled; a repeated or early call changes nothing.

    Whatever became startable with it is made ready with it: which of them goes first is for their priorities to
    say, not for the order of the messages.
    """
    # The canvas says what else to read; what must have settled, the item's own record says.
    canvas = context.canvas(mission_id)
    peers = canvas.peers(key)

    def decide(change: Change) -> bool:
        seen = context.store.look(mission_id, [key, *canvas.sources.get(key, ())])
        if not _startable(seen, [key]):
            return False
        if len(peers) > 1:
            wanted = dict.fromkeys(k for peer in peers for k in (peer, *canvas.sources[peer]))
            seen = context.store.look(mission_id, list(wanted))
        for item in _startable(seen, peers):
            new = lifecycle.make_ready(item.record, now=seen.now)
            if new is not None:
                change.put_item(seen.mission.record, item, new)
                after = mission_state.released_by(new, {k: v.record for k, v in seen.items.items()})
                change.event(event("item_ready", at=seen.now, mission=mission_id, item=new.key, after=after))
        return True

    if not commit(context, decide):
        return False
    if go_on:
        advance(context, mission_id)
    return True


def _startable(seen: Look, keys: Iterable[str]) -> list[Versioned[Item]]:
    """Those of ``keys`` that may start, as far as this look tells."""
    if seen.mission.record.state.ended:
        return []
    records = {k: v.record for k, v in seen.items.items()}
    return [seen.items[k] for k in keys if k in records and mission_state.startable(records[k], records)]
