"""Each kind of event in words."""

from __future__ import annotations

import pytest

from tinytown.missions import sentences
from tinytown.missions.records.agent import Event
from tools import events


@pytest.mark.parametrize("kind", events.KINDS)
def test_every_kind_has_words_whatever_is_missing(kind: str) -> None:
    """Events of older releases lack fields."""
    full = Event(at=0.0, kind=kind, data={name: f"<{name}>" for name in events.KINDS[kind][1]})
    assert sentences.sentence(full)
    sentences.sentence(Event(at=0.0, kind=kind))


def test_what_is_not_known_is_no_error() -> None:
    assert sentences.sentence(Event(at=0.0, kind="of_a_newer_release")) == ""


def test_why_is_one_line() -> None:
    assert sentences.reason(Event(at=0.0, kind="item_failed", data={"summary": "no\nway"})) == "no way"
    assert sentences.reason(Event(at=0.0, kind="item_done")) == ""
