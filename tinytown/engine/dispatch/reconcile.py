"""The safety net: look again at the records of every mission and send whatever is missing.

Nothing here is the normal way forward. It makes a lost message, a dead worker or a crash between a commit
and its message cost one tick at the most. It may run anywhere, any number of times, at once.

The indexes tell what can have been lost: live attempts, items whose dependents may have become startable, due items.
Besides, each tick reads the next page of all items and corrects whatever differs from their records, indexes included.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance, move, rebuild
from tinytown.engine.dispatch.attempts import lose
from tinytown.engine.dispatch.mission_state import update_state
from tinytown.engine.dispatch.waking import start_forgotten
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.missions import lanes, lifecycle, mission_state
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState
from tinytown.state import lookup
from tinytown.state.change import Change
from tinytown.state.records import LiveAttempt, MissionItems, Versioned
from tinytown.state.store import PAGE

log = logging.getLogger(__name__)


def reconcile_all(context: Context, *, whole: bool = False) -> None:
    """Reconcile every mission that has not ended; one that cannot be read keeps no other from moving."""
    start_forgotten(context)
    for mission in context.store.mission_ids(live=True):
        try:
            reconcile(context, mission, whole=whole)
        except UnreachableError:
            raise
        except TinytownError as error:
            log.error("mission %s: %s", mission, error)


def reconcile(context: Context, mission_id: str, *, whole: bool = True) -> None:
    """Take back what is lost of one mission, start what may start, admit, and update its state.

    ``whole``: look at all items, as after a person's word; else at what can have been lost, and at the next page.
    """
    store = context.store
    try:
        mission = store.mission(mission_id)
    except NotFoundError:
        return
    if mission.record.state.ended:
        return
    if lookup.counts(store, mission_id) is None:
        rebuild(context, mission_id)
    leased, now = store.leased(), store.now()
    live = [attempt for attempt in store.live_attempts() if attempt.mission == mission_id]
    _repair_attempts(context, mission.record, live, leased, now=now)
    _start_opened(context, mission_id)
    turn = context.turn(now)
    every = -(-len(store.order(mission_id)) // PAGE)
    for number in range(every) if whole else [turn]:
        _repair_page(context, mission.record, lookup.page(store, mission_id, number), leased, now=now)
    _repair_lines(context, mission.record, turn)
    moved = move(context, mission_id)
    if update_state(context, mission_id) is not MissionState.BLOCKED and moved.asks:
        ask(context, mission_id)


def _repair_attempts(
    context: Context, mission: Mission, live: Sequence[LiveAttempt], leased: set[str], *, now: float
) -> None:
    """Take back what was sent and not claimed for long, and what lost its lease; only their records are read."""
    late = context.town.settings.timing.unclaimed_secs
    doubtful = [
        attempt.item
        for attempt in live
        if (attempt.id not in leased if attempt.claimed else now - attempt.sent_at >= late or not mission.state.active)
    ]
    for item in context.store.some_items(mission.id, doubtful).values():
        _repair_attempt(context, mission, item, leased, now=now)


def _repair_attempt(context: Context, mission: Mission, item: Versioned[Item], leased: set[str], *, now: float) -> bool:
    attempt = item.record.attempt
    if attempt is None:
        return False
    if not attempt.claimed:
        old = now - attempt.sent_at >= context.town.settings.timing.unclaimed_secs
        if old or not mission.state.active:
            withdraw(context, mission, item, now=now, overdue=old and mission.state.active)
            return True
    elif attempt.id not in leased:
        # The lease is written with the claim, so a claimed attempt without one has lost it.
        lose(context, mission.id, item.record.key, attempt.id, why=f"{attempt.agent} went silent")
        return True
    return False


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
        return  # It was claimed this very moment.


def _start_opened(context: Context, mission_id: str) -> None:
    """Start what became startable when another item settled, and whose message was lost."""
    opened = lookup.opens(context.store, mission_id)
    if not opened:
        return
    canvas = context.canvas(mission_id)
    waiting = dict.fromkeys(key for one in opened for key in (one, *canvas.targets(one)))
    _start(context, mission_id, list(waiting))
    mission = context.store.mission(mission_id).record
    change = context.store.change()
    for item in opened.values():
        change.looked(mission, item)
    _commit_or_leave(change)


def _start(context: Context, mission_id: str, keys: Sequence[str]) -> dict[str, Item]:
    """Start those of ``keys`` that can be; gives them, and what they wait for, as they are then."""
    tried: set[str] = set()
    canvas = context.canvas(mission_id)
    wanted = list(dict.fromkeys(k for key in keys for k in (key, *canvas.sources.get(key, ()))))
    while True:
        records = {k: v.record for k, v in context.store.some_items(mission_id, wanted).items()}
        known = [records[key] for key in keys if key in records and key not in tried]
        startable = next((item.key for item in known if mission_state.startable(item, records)), None)
        if startable is None:
            return records
        # Its peers are started with it.
        tried.add(startable)
        start_item(context, mission_id, startable, go_on=False)


def _repair_page(context: Context, mission: Mission, page: Sequence[str], leased: set[str], *, now: float) -> None:
    """Correct the attempts, reasons and indexes of some items where they differ from the records."""
    items = context.store.some_items(mission.id, page)
    for item in items.values():
        _repair_attempt(context, mission, item, leased, now=now)
    records = _start(context, mission.id, page)
    items = context.store.some_items(mission.id, page)
    records |= {k: v.record for k, v in items.items()}
    spots = {k: spot for k, v in items.items() if (spot := lanes.spot(v.record, mission.policy)) is not None}
    later, queued = lookup.placed(context.store, mission.id, page, [spot.entry for spot in spots.values()])
    change = context.store.change()
    for key, item in items.items():
        new = mission_state.hold(mission_state.explain_pending(item.record, records, now=now), mission, now=now)
        if new is not item.record:
            change.put_item(mission, item, new)
        elif not _is_placed(spots.get(key), time=later.get(key), queued=queued):
            change.mend_due(mission, item, entries=(), later=key in later)
    _commit_or_leave(change)


def _is_placed(spot: lanes.Spot | None, *, time: float | None, queued: set[str]) -> bool:
    """Whether an item is where it belongs; one whose time has come may be in its line already."""
    if spot is None:
        return time is None
    if spot.later is not None and time == spot.later:
        return True
    return spot.entry in queued and time is None


def _repair_lines(context: Context, mission: Mission, turn: int) -> None:
    """Remove entries whose item does not belong in that line; a page of all entries."""
    entries = lookup.entries(context.store, mission.id, page=turn)
    by_key: dict[str, list[str]] = {}
    for entry in entries:
        by_key.setdefault(lanes.read_entry(entry)[1], []).append(entry)
    change = context.store.change()
    for key, item in context.store.some_items(mission.id, list(by_key)).items():
        spot = lanes.spot(item.record, mission.policy)
        wrong = [entry for entry in by_key[key] if spot is None or entry != spot.entry]
        if wrong:
            change.mend_due(mission, item, entries=wrong, later=False)
    _commit_or_leave(change)


def _commit_or_leave(change: Change) -> None:
    try:
        change.commit()
    except ConflictError:
        return  # Something moved meanwhile; another tick looks again.


def start_item(context: Context, mission_id: str, key: str, *, go_on: bool = True) -> bool:
    """``pending`` -> ``ready`` if every dependency has settled; a repeated or early call changes nothing.

    Whatever became startable with it is made ready with it: which of them goes first is for their priorities to
    say, not for the order of the messages.
    """
    # The canvas says what else to read; what must have settled, the item's own record says.
    canvas = context.canvas(mission_id)
    peers = canvas.peers(key)

    def decide(change: Change) -> bool:
        sources = canvas.sources.get(key, ())
        seen = context.store.mission_items(mission_id, [key, *sources])
        # A root is named for all of them, and may be one that waits for something outside.
        if sources and not _startable(seen, [key]):
            return False
        if len(peers) > 1:
            wanted = dict.fromkeys(k for peer in peers for k in (peer, *canvas.sources[peer]))
            seen = context.store.mission_items(mission_id, list(wanted))
        found = _startable(seen, peers)
        for item in found:
            new = lifecycle.make_ready(item.record, now=seen.now)
            if new is not None:
                change.put_item(seen.mission.record, item, new)
                after = mission_state.released_by(new, {k: v.record for k, v in seen.items.items()})
                change.event(event("item_ready", at=seen.now, mission=mission_id, item=new.key, after=after))
        return bool(found)

    if not commit(context, decide):
        return False
    if go_on:
        advance(context, mission_id)
    return True


def _startable(seen: MissionItems, keys: Iterable[str]) -> list[Versioned[Item]]:
    """Those of ``keys`` that may start, as far as what was read tells."""
    if seen.mission.record.state.ended:
        return []
    records = {k: v.record for k, v in seen.items.items()}
    return [seen.items[k] for k in keys if k in records and mission_state.startable(records[k], records)]
