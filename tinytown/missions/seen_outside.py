"""What becomes of an item by what a watch saw outside the town; `engine.watch.outside` looks.

One that needs a person waits as ``needs_help``: it is named in the mission's next question, and `tt mission retry`,
`merge` or `note` moves it on. Once an item is ``done`` only its merge can still be asked about.
"""

from __future__ import annotations

from tinytown.missions import gates
from tinytown.missions.pauses import wait
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import ItemState, WaitReason

#: What the wait of an item is about whose change a person closed or directed elsewhere; it ends when that is undone.
_OF_A_PERSON = "change"


def branch_gone(item: Item, *, base: str, mission: str, now: float, like: str = "") -> Item:
    """Somebody removed the branch of a change that waited for its merge, and the base does not hold it.

    Trying it again publishes the branch anew. ``like`` is the commit of the base that may have brought it in another
    form.
    """
    name = item.typed
    merge = f"tt mission merge {mission} {name}"
    seen = f"commit {like[:10]} changes the same files, but not in the same way" if like else ""
    if_merged = (
        f"{seen}: if that is it, say so with `{merge} --by {like[:10]}`"
        if like
        else (f"if some commit there brought it in another form, say so with `{merge} --by COMMIT`")
    )
    words = (
        f"its branch {item.branch} is gone and {base} does not hold its content; {if_merged}; "
        f"otherwise `tt mission retry {mission} {name}` brings the branch back, `{merge}` merges it, "
        f'`tt mission note {mission} "cancel {name}"` gives it up'
    )
    return wait(item.evolve(published=None), WaitReason.NEEDS_HELP, now=now, remedy=words)


def set_back(item: Item, *, to: str, mission: str, now: float) -> Item:
    """A person set the branch of a change back to an older commit: nothing is brought there until a person says so.

    Trying it again brings the newer commits there.
    """
    name, change = item.typed, item.change_url or item.change or item.branch
    words = (
        f"somebody set the branch of {change} back to {to[:10]}; `tt mission retry {mission} {name}` brings the newer "
        f'commits there again, `tt mission note {mission} "cancel {name}"` leaves it as it is'
    )
    again = {"state": ItemState.IN_REVIEW, "settled_at": None} if item.state is ItemState.DONE else {}
    return wait(item.evolve(published=None, **again), WaitReason.NEEDS_HELP, now=now, remedy=words)


def change_closed(item: Item, *, mission: str, now: float) -> Item:
    """A person closed the change without merging it: it stays closed, and nobody but a person opens it again.

    Once it is open again, the item goes on by itself.
    """
    name, change = item.typed, item.change_url or item.change or item.branch
    words = (
        f"{change} was closed without being merged; open it again there, "
        f'or give it up with `tt mission note {mission} "cancel {name}"`'
    )
    return _held(item, words, now=now)


def retargeted(item: Item, *, to: str, base: str, mission: str, now: float) -> Item:
    """A person had the change merged into another branch than the mission's."""
    name, change = item.typed, item.change_url or item.change or item.branch
    words = (
        f"{change} is to go into `{to}` now and not into `{base}`; turn it back there, "
        f"or merge it and run `tt mission merge {mission} {name} --by COMMIT`"
    )
    return _held(item, words, now=now)


def as_wanted(item: Item) -> Item:
    """The change is open and goes into the mission's base: an item that waited for just that goes on."""
    waits = gates.needs_help(item) and item.waiting is not None and item.waiting.about == _OF_A_PERSON
    return item.evolve(waiting=None, not_before=None, faults=0) if waits else item


def head_moved(item: Item) -> Item:
    """A person brought other commits to the change: they are taken in, and pass all gates, before it goes on."""
    return item.evolve(state=ItemState.IN_REVIEW, published=None, waiting=None, not_before=None, settled_at=None)


def unread(item: Item, policy: Policy) -> Item:
    """Nobody looked for a while: what its forge said before counts for nothing until it is read anew."""
    if item.forge_verdict is None or not gates.goes_by_forge(item, policy):
        return item
    asked = item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP and not gates.needs_help(item)
    return item.evolve(forge_verdict=None, waiting=None if asked else item.waiting)


def _held(item: Item, words: str, *, now: float) -> Item:
    new = wait(item, WaitReason.NEEDS_HELP, now=now, remedy=words)
    assert new.waiting is not None
    return new.evolve(waiting=new.waiting.evolve(about=_OF_A_PERSON))
