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
    assert sentences.reason(Event(at=0.0, kind="item_done")) == "it passed all its gates"


#: What says something, and never moves anything.
_STILL = {
    "plan_pushed", "task_assigned", "help_asked", "issue_reread", "review_unheard", "agent_pruned", "message_sent",
    "messages_forwarded", "town_restored", "question_given", "check_flaked", "day_limit_set", "cleared",
}  # fmt: skip


@pytest.mark.parametrize("kind", events.KINDS.keys() - _STILL)
def test_whatever_moves_has_a_reason(kind: str) -> None:
    """Most events carry one; of the others the kind says it all."""
    full = Event(at=0.0, kind=kind, data={name: f"<{name}>" for name in events.KINDS[kind][1]})
    assert sentences.reason(full)
