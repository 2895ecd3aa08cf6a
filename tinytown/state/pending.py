"""Which of an agent's pending messages come first, told from their records as they stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import get_args

from tinytown.missions.records.agent import Message
from tinytown.state.records import decode

#: The kinds of messages, in the order in which they are shown.
KINDS: tuple[str, ...] = get_args(Message.model_fields["kind"].annotation)


def first_of(key: str, texts: Mapping[str, str], most: int | None, *, kinds: Collection[str] = KINDS) -> list[Message]:
    """Those of these ``kinds``: urgent ones first, then by kind, then the oldest; ``most`` of them."""
    # To read thousands of records would take longer than all the rest.
    wanted = [one for one in texts.items() if one[0].partition(" ")[0] in kinds]
    chosen = sorted(wanted, key=lambda one: _rank(*one))[:most]
    return [decode(Message, key, field, text).record for field, text in chosen]


def _rank(field: str, text: str) -> tuple[bool, int, int]:
    """As it is stored: in a text within it, the quotation marks would be escaped."""
    kind, _, id_ = field.partition(" ")
    return ('"urgent":true' not in text, KINDS.index(kind), int(id_.removeprefix("m")))
