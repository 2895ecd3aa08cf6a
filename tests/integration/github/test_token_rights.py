"""The rights that the tutorial names for a token are enough for a whole mission, with a red check and a thread."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.fakes.github.rules.workflows import JobPlan, Reader
from tests.integration.github.town import MakeTown
from tinytown.missions.states import ItemState

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorials" / "github.md"
#: A right in the last column of its table, but for those that only some issues need.
_RIGHT = re.compile(r"\| ([A-Z][a-z ]+): (read and write|read) \|$", re.MULTILINE)


def of_the_tutorial() -> dict[str, str]:
    """As GitHub calls them in its API; metadata may be read by every fine-grained token."""
    named = _RIGHT.findall(TUTORIAL.read_text(encoding="utf-8"))
    names = {"Commit statuses": "statuses"}
    rights = {names.get(name, name.lower().replace(" ", "_")): level.rpartition(" ")[2] for name, level in named}
    return {"metadata": "read", **rights}


def test_the_tutorial_names_rights() -> None:
    """So that the test below cannot lose them."""
    assert set(of_the_tutorial()) == {"metadata", "contents", "pull_requests", "issues", "statuses", "actions"}


@pytest.mark.parametrize(
    "token",
    [{"kind": "fine-grained", "permissions": of_the_tutorial()}, {"scopes": ("repo",)}],
    ids=["fine", "classic"],
)
def test_they_are_enough(
    a_town: MakeTown, github: GitHub, monkeypatch: pytest.MonkeyPatch, token: dict[str, Any]
) -> None:
    def green(read: Reader) -> Any:
        return "success" if read("green") else ("failure", "1 failed: it is not green\n")

    monkeypatch.setenv("GH_TOKEN", github.token("tinytown", **token))
    github.repo.private = True
    github.workflow("CI", {"test": JobPlan(green)})
    town = a_town()
    town.writes = [{"a.txt": "a\n"}, {"green": "yes\n"}, {"a.txt": "b\n"}]
    town.start(1).until(lambda: town.rounds)
    assert "test" in town.rounds[0]
    assert "it is not green" in town.rounds[0]
    thread = github.thread("ann", "a.txt", 1, "Why?")
    town.until(lambda: town.item().state is ItemState.DONE and town.item().merged)
    assert thread.resolved_by is not None
    assert github.repo.issues[1].state == "closed"
    assert [one.state for one in github.repo.statuses if one.context == "tinytown/review"][-1] == "success"
