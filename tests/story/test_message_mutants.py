"""The stories of messages would notice: with one rule taken out of the code, some story fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.story.mail_town import tell_of_messages, tell_of_writers
from tests.story.noticing import require_noticed
from tinytown.engine import answers
from tinytown.engine.dispatch import advance, attempts
from tinytown.host.server import Server
from tinytown.missions import messages
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState

#: Stories within which a planted fault must show.
STORIES = 100

Plant = Callable[[pytest.MonkeyPatch], None]


def _nobody_is_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "_answer", lambda *a: None)


def _what_is_answered_waits_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "_got", lambda *a: None)


def _other_work_goes_first(patch: pytest.MonkeyPatch) -> None:
    for where in (advance, attempts):
        patch.setattr(where, "reserved", lambda *a: frozenset())


def _joins_what_runs(patch: pytest.MonkeyPatch) -> None:
    takes = messages.takes

    def unclaimed(item: Item, *a: Any, **words: Any) -> bool:
        if item.state is ItemState.RUNNING:
            item = item.evolve(state=ItemState.READY, attempt=None)
        return takes(item, *a, **words)

    patch.setattr(messages, "takes", unclaimed)


def _answered_and_asked_again(patch: pytest.MonkeyPatch) -> None:
    answer = messages.answer

    def once_more(item: Item, *a: Any, **words: Any) -> Item | None:
        new = answer(item, *a, **words)
        return new and new.evolve(state=item.state, attempt=item.attempt, messages=item.messages)

    patch.setattr(messages, "answer", once_more)


def _chains_have_no_end(patch: pytest.MonkeyPatch) -> None:
    too_many = messages.too_many
    patch.setattr(messages, "too_many", lambda *a, **words: too_many(*a, **{**words, "max_depth": 0}))


def _no_limit_an_hour(patch: pytest.MonkeyPatch) -> None:
    too_many = messages.too_many
    patch.setattr(messages, "too_many", lambda *a, **words: too_many(*a, **{**words, "max_per_hour": 0}))


def _chains_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    joined = messages.joined
    patch.setattr(messages, "joined", lambda item, message: joined(item, message).evolve(depth=item.depth))


PLANTS: dict[str, Plant] = {
    plant.__name__.lstrip("_"): plant
    for plant in (
        _nobody_is_told,
        _what_is_answered_waits_on,
        _other_work_goes_first,
        _joins_what_runs,
        _answered_and_asked_again,
        _chains_have_no_end,
        _no_limit_an_hour,
        _chains_are_not_counted,
    )
}

#: Told where a fault shows only in few of the others.
TOLD = {"joins_what_runs": tell_of_writers, "no_limit_an_hour": tell_of_writers}

#: Planted in every run: an early story notices them. ``STORY_MUTANTS=all`` plants the others, too.
QUICK = ("nobody_is_told", "what_is_answered_waits_on", "other_work_goes_first", "joins_what_runs")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PLANTS if os.environ.get("STORY_MUTANTS") == "all" else QUICK)
def test_some_story_notices(name: str, server: Server) -> None:
    require_noticed(PLANTS[name], TOLD.get(name, tell_of_messages), server.url, stories=STORIES)
