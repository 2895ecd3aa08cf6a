"""A commit whose answer is lost is sent again by the client: whatever became of it meanwhile, it is there once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.story.arranged import ATown, MakeTown
from tests.story.test_backlog import finish, watched
from tinytown.engine.dispatch import reconcile
from tinytown.engine.operate import backlog as operate_backlog
from tinytown.engine.plan import by_hand, by_message, claims
from tinytown.engine.plan.by_hand import Assignment
from tinytown.engine.plan.by_message import Letter
from tinytown.state import backlog


@pytest.fixture
def town(a_town: MakeTown) -> ATown:
    return watched(a_town(reviewer_required=False, max_parallel_items=3))


def resend(town: ATown, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> list[bool]:
    """Lose the answer to the next commit; what is done ``meanwhile`` is done before it comes again."""
    scripts, again = town.context.store.scripts, []
    commit = scripts.commit

    def twice(**wanted: Any) -> Any:
        monkeypatch.setattr(scripts, "commit", commit)
        assert commit(**wanted)[0] == 1
        meanwhile()
        answer = commit(**wanted)
        again.append(bool(answer[0]))
        return answer

    monkeypatch.setattr(scripts, "commit", twice)
    return again


def do_all(town: ATown) -> None:
    """Whoever has a task does it."""
    while begun := [one for one in by_hand.all_tasks(town.context) if one.item.attempt is not None]:
        for one in begun:
            finish(town, one)


@pytest.mark.parametrize("gone", ["taken", "done", "removed", "there"])
def test_an_entry_is_added_once(town: ATown, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """Also where an agent has taken it, or done it, or a person has removed it, by the time it is sent again."""

    def meanwhile() -> None:
        if gone == "removed":
            operate_backlog.remove(town.context, "b1")
        elif gone != "there":
            claims.take_up(town.context)
            if gone == "done":
                do_all(town)

    again = resend(town, monkeypatch, meanwhile)
    assert claims.add(town.context, "Do it", by="operator").entry.id == "b1"
    do_all(town)
    claims.take_up(town.context)
    do_all(town)
    assert again == [False]
    assert backlog.ids(town.context.store) == []
    assert [one.item.entry for one in by_hand.all_tasks(town.context)] == ([] if gone == "removed" else ["b1"])
    assert [e.data["entry"] for _, e in town.context.store.events(count=100) if e.kind == "backlog_added"] == ["b1"]


@pytest.mark.parametrize("done", [False, True])
def test_what_is_given_is_given_once(town: ATown, monkeypatch: pytest.MonkeyPatch, done: bool) -> None:
    """A task, a message, an entry that is claimed; also where it was done by the time it is sent again."""
    operate_backlog.add(town.context, "Claim it", ["designer"], by="operator")  # Nobody takes it by himself.

    def meanwhile() -> None:
        reconcile.reconcile_all(town.context)
        if done:
            do_all(town)

    gives: dict[str, Callable[[], object]] = {
        "assign": lambda: by_hand.assign(town.context, Assignment("ada", "Do it")),
        "send": lambda: by_message.send(town.context, Letter("ada", "Answer it")),
        "claim": lambda: claims.claim(town.context, "b1", "ada"),
    }
    for name, give in gives.items():
        again = resend(town, monkeypatch, meanwhile)
        give()
        assert again == [False], name
        do_all(town)
    titles = sorted(one.item.title for one in by_hand.all_tasks(town.context))
    assert titles == ["Claim it", "Do it", "operator: Answer it"]
    assert town.context.mail.pending("ada") == []
    assert len(town.context.mail.read("ada")) == 1
