"""What a commit adds about items that answer messages: who has got which message, and what its sender is told.

It is added to every commit that moves such an item, whoever makes it: so nobody waits for an answer in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.missions import messages
from tinytown.missions.messages import CONDUCTOR, pending_field
from tinytown.missions.records.agent import Event, MessageHead
from tinytown.missions.records.item import Item
from tinytown.state.agents import CrewStore
from tinytown.state.change import Change
from tinytown.state.mail import Mail
from tinytown.state.store import Store


def complete(store: Store, change: Change) -> None:
    """Add it to ``change``; see ``Change.completes``."""
    for (mission, _), (old, new) in list(change.answering.items()):
        if new.directed_to != old.directed_to:
            _follow(store, change, old, new)
        ended = new.state.ended and not old.state.ended
        _got(store, change, new, old.messages if ended else [one for one in old.messages if one not in new.messages])
        if ended:
            _answer(store, change, mission, new)


def _got(store: Store, change: Change, item: Item, gone: Sequence[MessageHead]) -> None:
    """They are answered, and wait for no brief any more."""
    if item.directed_to:
        for message in Mail(store).still_pending(item.directed_to, list(map(pending_field, gone))):
            change.got(item.directed_to, message)


def _follow(store: Store, change: Change, old: Item, new: Item) -> None:
    """Another agent is to answer: what waits is in its mailbox from now on."""
    if not old.directed_to or not new.directed_to or new.state.ended:
        return
    for message in Mail(store).still_pending(old.directed_to, list(map(pending_field, new.messages))):
        change.got(old.directed_to, message)
        change.message(message.record.evolve(to=new.directed_to), pending=True)


def _answer(store: Store, change: Change, mission: str, item: Item) -> None:
    result = change.left.get((mission, item.key))
    if result is None:
        result = store.result(mission, item.key)
    mail, now = Mail(store), store.now()
    found = messages.answers(item, result, mission=mission, at=now)
    known = CrewStore(store).some([one.to for one in found if one.to != CONDUCTOR])
    for one in found:
        if one.to != CONDUCTOR and one.to not in known:
            continue  # Its record was removed: nobody reads that mailbox any more.
        change.message(one.evolve(id=mail.next_id()), pending=one.to != CONDUCTOR)
        data = {"sender": one.sender, "to": one.to, "message": one.kind, "answers": one.reply_to}
        change.event(Event(at=now, kind="message_sent", mission=mission, item="", data=data))
