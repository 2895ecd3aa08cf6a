"""When a message has to wait for a person, and what its sender is told."""

from __future__ import annotations

import pytest

from tinytown.missions import messages
from tinytown.missions.records.agent import Message, MessageHead
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState

NOW = 10_000.0


def a_message(**data: object) -> Message:
    return Message.model_validate({"id": "m1", "at": NOW, "sender": "ada", "to": "bob", "text": "hi", **data})


@pytest.mark.parametrize(
    ("depth", "lately", "says"),
    [
        (1, [], ""),
        (3, [], ""),
        (4, [], "messages.max_depth"),
        (1, [NOW - 1] * 2, "messages.max_per_hour"),
        (1, [NOW - 1, NOW - messages.HOUR], ""),
    ],
)
def test_a_chain_and_an_hour_have_their_limits(depth: int, lately: list[float], says: str) -> None:
    said = messages.too_many(a_message(depth=depth), lately, max_depth=3, max_per_hour=2)
    assert (says in said) if says else not said
    assert messages.too_many(a_message(depth=depth), lately, max_depth=0, max_per_hour=0) == ""


def test_only_as_many_times_are_kept_as_matter() -> None:
    times: tuple[float, ...] = ()
    for at in range(1000):
        times = messages.counted(times, float(at), max_per_hour=3)
    assert times == (997.0, 998.0, 999.0)
    assert messages.counted(times, NOW, max_per_hour=3) == (NOW,)


def an_item(**data: object) -> Item:
    heads = tuple(
        MessageHead(id=id_, sender=sender, thread=id_)
        for id_, sender in (("m1", "operator"), ("m2", "ann"), ("m3", "conductor"))
    )
    return Item.model_validate(
        {"key": "hand:task/m1", "title": "x", "messages": heads, "agent": "bob", "state": ItemState.DONE, **data}
    )


@pytest.mark.parametrize(
    ("item", "result", "told"),
    [
        (an_item(), "yes", {"conductor": "yes", "ann": "yes"}),
        (an_item(answered=("m2", "m3")), "yes", {"conductor": "yes"}),
        (an_item(answered=("m2", "m3")), "", {}),
        (an_item(), " ", {"conductor": "said nothing", "ann": "said nothing"}),
        (an_item(state=ItemState.CANCELLED), "", {"conductor": "was cancelled", "ann": "was cancelled"}),
        (an_item(state=ItemState.FAILED, answered=("m2",)), "no disk", {"conductor": "no disk", "ann": "no disk"}),
        (an_item(), "x" * 100_000, {"conductor": "`tt task show m1`", "ann": "`tt task show m1`"}),
    ],
)
def test_each_sender_is_told_once(item: Item, result: str, told: dict[str, str]) -> None:
    """People read one mailbox; the answer is to the last message of each, and ends with the item, however it does."""
    found = messages.answers(item, result, mission="m", at=NOW)
    assert {one.to for one in found} == told.keys()
    assert all(told[one.to] in one.text and len(one.text) < messages._ANSWER + 100 for one in found)
    assert {one.reply_to for one in found} <= {"m2", "m3"}
    assert {one.kind for one in found} <= {"info"}
