"""What tinytown says at GitHub stands there once, whatever gets lost and whoever copies it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import REPO, Bench
from tinytown.errors import UnclearError, UnreachableError
from tinytown.forge.contract import Change, RemoteChanges
from tinytown.forge.github.issues import GitHubForge

Say = Callable[[GitHubForge, Change], object]

SAYINGS: dict[str, tuple[str, Say, Callable[[GitHub], list[Any]]]] = {
    "comment": (
        "/repos/octo/site/issues/*/comments",
        lambda forge, change: forge.comment(REPO, change, "It needs a person.", about="help 1"),
        lambda github: github.pull().comments,
    ),
    "review": (
        "/repos/octo/site/pulls/*/reviews",
        lambda forge, change: forge.review(REPO, change, "It is fine.", about=f"review {change.head}"),
        lambda github: github.pull().reviews,
    ),
    "status": (
        "/repos/octo/site/statuses/*",
        lambda forge, change: forge.set_status(REPO, change.head, "success", "approved by rev"),
        lambda github: github.repo.statuses,
    ),
}


def test_the_forge_offers_it(bench: Bench) -> None:
    assert isinstance(bench.forge, RemoteChanges)


@pytest.mark.parametrize("kind", SAYINGS)
@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 502}], ids=str)
def test_it_is_said_once(bench: Bench, github: GitHub, kind: str, fault: dict[str, Any]) -> None:
    path, say, said = SAYINGS[kind]
    change = bench.published()
    github.fault("POST", path, **fault)
    with pytest.raises(UnclearError):
        say(bench.forge, change)
    assert not said(github)
    github.fault("POST", path, effect=True, **fault)
    say(bench.again(), change)
    assert len(said(github)) == 1
    say(bench.again(), change)
    assert len(said(github)) == 1
    assert sum(one.method == "POST" and one.is_for("POST", path) for one in github.seen) == 2


def test_another_thing_is_said_though_it_was_said_before(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    bench.forge.comment(REPO, change, "Once <!-- x -->", about="a")
    github.comment("eve", github.pull().number, github.pull().comments[0].body)
    bench.forge.comment(REPO, change, "Twice", about="b")
    bodies = [one.body for one in github.pull().comments]
    assert bodies[0].startswith("Once &lt;!-- x -->\n\n<!-- tinytown:")
    assert bodies[2].startswith("Twice\n\n<!-- tinytown:")


def test_a_status_follows_what_is_said(bench: Bench, github: GitHub) -> None:
    change = bench.published()
    for state, text in (("pending", "rev looks at it"), ("failure", "no " * 100), ("failure", "no " * 100)):
        bench.forge.set_status(REPO, change.head, state, text, url="https://example.org/x")  # type: ignore[arg-type]
    found = [(one.context, one.state, len(one.description)) for one in github.repo.statuses]
    assert found == [("tinytown/review", "pending", 15), ("tinytown/review", "failure", 140)]


@pytest.mark.parametrize("lost", [False, True])
def test_a_thread_is_answered_once_and_resolved(bench: Bench, github: GitHub, lost: bool) -> None:
    bench.published()
    thread = github.thread("ann", "a.txt", 1, "Why?")
    for _ in range(2):
        if lost:
            github.fault("POST", "/api/graphql", 502)
        done = False
        for _ in range(3):
            try:
                done = bench.again().answer_thread(REPO, thread.node_id, "Mended.", about="t1", resolve=True)
                break
            except UnreachableError:
                continue
        assert done
    assert [one.author.login for one in thread.comments] == ["ann", "tinytown"]
    assert thread.resolved_by is not None


def test_an_issue_is_closed_where_github_did_not(bench: Bench, github: GitHub) -> None:
    github.fault("PATCH", "/repos/octo/site/issues/1", 502, effect=True)
    for _ in range(2):
        bench.forge.close_issue(f"{REPO}#1")
    assert (github.repo.issues[1].state, github.repo.issues[1].reason) == ("closed", "completed")
    assert sum(one.method == "PATCH" for one in github.seen) == 1
