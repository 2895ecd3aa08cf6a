"""When a mission must call for help, and how often.

Progress is a transition, a live lease, a scheduled look at an open change, or a wait for a person that has
been announced; a long agent run is progress. Help is asked when nobody alive can take ready work, when an item
waits for a person, or when nothing moves at all. It is asked again with doubling pauses until something moves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from tinytown import keys
from tinytown.missions import gates
from tinytown.missions.fences import line
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Help, Mission
from tinytown.missions.states import ItemState, MissionState, WaitReason

#: Most sentences of one request for help: nobody reads more, and all are kept in the mission's record.
MOST = 50
_FURTHER = "more of its issues wait for a person: see `tt mission status`"
#: Seconds from the first request to the second; doubles each time.
FIRST_PAUSE = 300.0
#: Longest pause between two requests, in seconds.
MAX_PAUSE = 6 * 3600.0

#: After so many offers in a row that nobody took, the workers are assumed not to be listening.
MAX_UNTAKEN = 3

#: Reasons that only a person can end.
FOR_A_PERSON = frozenset(
    {
        WaitReason.NEEDS_HELP,
        WaitReason.NOT_LOGGED_IN,
        WaitReason.APPROVAL,
        WaitReason.BASE_DIRTY,
        WaitReason.BASE_FAILING,
    }
)


#: The beginning of a reason that is about an item.
_NAMED = re.compile(r"(?:Issue|Task) #?(\S+) ")


def items_of(reasons: Iterable[str]) -> tuple[str, ...]:
    """The items that these reasons are about, in the form that commands take."""
    return tuple(dict.fromkeys(named[1] for reason in reasons if (named := _NAMED.match(reason))))


def reasons(
    mission: Mission, items: Iterable[Item], *, nobody: Iterable[str], names: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """What a person should know, one sentence an item, in the items' order; empty if all goes well.

    ``nobody`` are the keys of due items that no live worker could take even when idle, ``names`` what people call the
    issues of the whole mission, where these are not all items.
    """
    if mission.state is MissionState.PAUSED:
        return (mission.reason,) if mission.reason.startswith("budget") else ()
    if mission.tasks == "questions":
        return ()  # What the unattended conductor leaves open is asked already.
    orphans = set(nobody)
    found: list[str] = [mission.trouble] if mission.trouble else []
    stuck: list[str] = []
    items = list(items)
    names = names or keys.names(item.key for item in items)
    for item in items:
        name = f"{item.noun} {names[item.key]}"
        waiting = item.waiting
        if item.state is ItemState.FAILED:
            why = f": {waiting.remedy}" if waiting and waiting.remedy else ""
            found.append(_with_way_out(f"{name} failed{why}", names[item.key], mission))
        elif item.key in orphans:
            found.append(f"{name} is {_words(item.state)} but nobody can take it: {waiting.remedy if waiting else ''}")
        elif item.untaken >= MAX_UNTAKEN and not item.state.ended:
            found.append(f"{name} keeps being offered, but no worker takes it: see `tt doctor`")
        elif _for_a_person(item, mission) and waiting is not None:
            said = f"{name} waits ({_words(waiting.reason)}): {waiting.remedy}"
            # What a forge's evidence asks for is done there, and trying again would not do it.
            found.append(_with_way_out(said, names[item.key], mission) if gates.needs_help(item) else said)
        elif item.state is ItemState.CANCELLED:
            stuck.append(f"{name} is cancelled: retry it, or end the mission with `tt mission stop --force`")
        elif not item.state.ended and waiting is not None and waiting.reason is WaitReason.EXTERNAL_BLOCKER:
            stuck.append(f"{name} waits for an issue outside the mission: {waiting.remedy}")
    # In a blocked mission nothing moves by itself.
    # Each is one line, whatever an agent put into it.
    lines = tuple(map(line, found or (stuck if mission.state is MissionState.BLOCKED else ())))
    return lines if len(lines) <= MOST else (*lines[:MOST], _FURTHER)


def _with_way_out(said: str, name: str, mission: Mission) -> str:
    """``said``, followed by the commands that help, unless it names some itself."""
    if "`tt " in said:
        return said
    item = name.removeprefix("#")
    return f"{said}; look at `tt work show {item} --log`, then run `tt mission retry {mission.short} {item}`"


def newly_asks(old: Item, new: Item, mission: Mission) -> bool:
    """Whether the item needs a person as ``new``, and needed none as ``old``."""
    return _needs_person(new, mission) and not _needs_person(old, mission)


def asks_for_person(item: Item, mission: Mission) -> bool:
    """Whether something about the item waits for a person."""
    return _needs_person(item, mission)


def _needs_person(item: Item, mission: Mission) -> bool:
    return item.state is ItemState.FAILED or _for_a_person(item, mission)


def _for_a_person(item: Item, mission: Mission) -> bool:
    if item.waiting is None:
        return False
    known = item.forge_verdict
    if known is not None and known.until is not None and known.remedy == item.waiting.remedy:
        return False  # What the forge is still at comes by itself, and is looked at again.
    # If the town merges by itself, the item only waits for its turn, or until the base stops moving.
    by_hand = item.waiting.reason is WaitReason.MERGE and not (mission.policy.auto_merge or item.merge_wanted)
    return item.waiting.reason in FOR_A_PERSON or by_hand


def _words(state: str) -> str:
    return str(state).replace("_", " ")


def next_help(old: Help | None, found: Sequence[str], *, now: float) -> tuple[Help | None, bool]:
    """The open request for help, given the reasons ``found`` now, and whether to ask (again) now."""
    if not found:
        return None, False
    if old is None or set(found) - set(old.reasons):
        since = old.since if old is not None else now
        return Help(reasons=tuple(found), since=since, asked=1, next_at=now + FIRST_PAUSE), True
    if now < old.next_at:
        return (old if tuple(found) == old.reasons else old.evolve(reasons=tuple(found))), False
    pause = min(FIRST_PAUSE * 2.0**old.asked, MAX_PAUSE)
    return old.evolve(reasons=tuple(found), asked=old.asked + 1, next_at=now + pause), True
