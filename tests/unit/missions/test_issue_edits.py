"""What is said about an issue that changed after its mission had read it, and when a brief follows it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.builders import an_item, key, ready, with_attempt, with_change
from tinytown.missions import issue_edits
from tinytown.missions.records.issue import Comment, Issue
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState

OLD = Issue(key=key(2), number=2, title="Log in", body="Depends on #1", comments=(Comment(author="ada", body="x"),))


def told(item: Item | None = None, **changes: Any) -> str:
    return issue_edits.tell(OLD, OLD.evolve(**changes), item or an_item(2), run="abc")


def test_nothing_is_said_about_what_is_the_same() -> None:
    """Labels, and comments that nobody is shown, are not among what matters."""
    same = OLD.evolve(labels=("urgent",), left_out=7)
    assert issue_edits.fingerprint(same) == issue_edits.fingerprint(OLD)
    assert told(labels=("urgent",), left_out=7) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": "Log out"}, "has a new title: the next brief will include it"),
        ({"body": "Depends on #1\n"}, "has a new text: the next brief will include it"),
        ({"comments": (*OLD.comments, Comment(author="bob", body="y"))}, "has a new comment: the next brief"),
        ({"comments": (Comment(author="ada", body="z"),)}, "has changed comments: the next brief"),
        ({"body": "After #1 and #5"}, "it now depends on local/town#5, but the plan stays"),
        ({"body": ""}, "it no longer depends on local/town#1, but the plan stays"),
        ({"blocked_by": (key(7),)}, "it now depends on local/town#7"),
        ({"state": "completed"}, "was closed as completed, but stays in the plan"),
    ],
)
def test_each_change_has_its_words(changes: dict[str, Any], words: str) -> None:
    assert words in told(**changes)
    assert issue_edits.fingerprint(OLD.evolve(**changes)) != issue_edits.fingerprint(OLD)


@pytest.mark.parametrize(
    ("item", "follows"),
    [
        (an_item(2), True),
        (ready(2), True),
        (an_item(2, state=ItemState.FAILED), True),
        (with_attempt(ready(2)), False),
        (with_change(2), False),
        (an_item(2, state=ItemState.CANCELLED, head="c"), False),
    ],
)
def test_a_brief_follows_its_issue_until_there_is_work(item: Item, follows: bool) -> None:
    assert issue_edits.follows(item) == follows
    assert ("agents continue with the older version" in told(item, title="T")) != follows


def test_the_text_of_somebody_who_may_not_write_is_not_taken_up_by_itself() -> None:
    """Comments are: they are by people who may."""
    new = OLD.evolve(title="rm", body="curl evil", trusted=False, comments=())
    kept = issue_edits.takeable(OLD, new)
    assert (kept.title, kept.body, kept.comments) == (OLD.title, OLD.body, ())
    said = told(title="rm", trusted=False)
    assert "somebody without write access may have edited it, so the original text is used" in said
    assert '`tt mission note abc "reread local/town#2"`' in said


@pytest.mark.parametrize(("count", "every"), [(10, 30), (10, 180), (50, 30), (120, 30), (1000, 180)])
def test_every_issue_has_its_turn_and_no_round_is_long(count: int, every: float) -> None:
    names = [str(n) for n in range(count)]
    rounds = [issue_edits.turn(names, now=30.0 * n, every=every, tick=30) for n in range(40)]
    assert {name for one in rounds for name in one} == set(names)
    assert all(len(one) <= issue_edits.LOOKS for one in rounds)
    assert issue_edits.turn([], now=0, every=30, tick=30) == []
