"""What issues mention of each other and is not read as a dependency."""

from __future__ import annotations

import time

import pytest

from tinytown import keys
from tinytown.missions import manifest
from tinytown.missions.graph import WorkGraph, compile_items
from tinytown.missions.mentions import sentences
from tinytown.missions.records.issue import Issue
from tinytown.missions.roles import RoleBook

REPO = "local/town"


def graph(bodies: dict[int, str], *, overrides: str = "", titles: dict[int, str] | None = None) -> WorkGraph:
    issues = [
        Issue(key=f"{REPO}#{n}", number=n, title=(titles or {}).get(n, f"T{n}"), body=body, shifts=((1, 2),))
        for n, body in bodies.items()
    ]
    return compile_items(issues, roles=RoleBook(), repo=REPO, manifest=manifest.parse(overrides, source="mission.toml"))


def said(bodies: dict[int, str], *, overrides: str = "", titles: dict[int, str] | None = None) -> list[str]:
    built = graph(bodies, overrides=overrides, titles=titles)
    return sentences(built.unread, keys.names(built.order))


@pytest.mark.parametrize(
    "text",
    [
        "See #1 for the format.",
        "Doesn't depend on #1.",
        "This is like #1, only larger.",
        "> depends on #1",
        "> > #1",
        "- part of #1",
        "| what | where |\n|---|---|\n| x | #1 |",
        "Related: local/town#1",
        "As issue 1 says",
        "See [the schema](1.md).",
        "Look at issues/1.md",
        "Broke after #1 was merged.",
        "<div>\n#1\n</div>",
    ],
)
def test_what_prose_names_and_no_edge_stands_for_is_said(text: str) -> None:
    assert [(one.key, one.mentions) for one in graph({1: "", 4: text}).unread] == [(f"{REPO}#4", f"{REPO}#1")]


@pytest.mark.parametrize(
    "text",
    [
        "`depends on #1`",
        "```\n#1\n```",
        "    #1 is code",
        "<!-- #1 -->",
        "~~#1~~",
        "<code>#1</code>",
        "#4 itself",
        "#9 is elsewhere",
        "other/repo#1",
        "[the design](docs/1.md)",
        "See docs/issues/1.md",
        "Depends on #1",
    ],
)
def test_code_comments_struck_text_and_other_issues_are_not_said(text: str) -> None:
    assert graph({1: "", 4: text}).unread == ()


def test_the_line_is_that_of_the_file_and_several_are_told_at_once() -> None:
    assert said({1: "", 4: "See #1."}) == ["#4 mentions #1 (line 3), which is not read as a dependency"]
    assert said({1: "", 4: "See #1.\n\nAnd #1, again #1."}) == [
        "#4 mentions #1 (lines 3, 5), which is not read as a dependency"
    ]
    assert said({1: "", 4: "See #1"}, titles={4: "Follow-up of #1"}) == [
        "#4 mentions #1 (title, line 3), which is not read as a dependency"
    ]
    (one,) = graph({1: "", 4: "Some text.\nSee #1\x1b[31m for more."}).unread
    assert (one.line, one.text) == (4, "See #1 [31m for more.")


def test_an_order_that_anybody_states_leaves_nothing_to_say() -> None:
    """In either direction, through others, by the manifest."""
    assert said({1: "Blocks #4", 4: "Depends on #1"}) == []
    assert said({1: "", 2: "After #1", 4: "After #2. See #1."}) == []
    assert said({1: "", 4: "See #1"}, overrides="[[overrides]]\nissue = 4\ndepends_on = [1]\n") == []
    assert (
        said({1: "", 2: "After #1", 4: "See #1, after #2"}, overrides="[[overrides]]\nissue = 2\nskip = true\n") == []
    )


def test_what_a_manifest_takes_back_or_skips() -> None:
    """Its line stands in the issue still, and is not read; an issue that is skipped is none of the mission."""
    assert said({1: "", 4: "Depends on #1"}, overrides="[[overrides]]\nissue = 4\ndepends_on = []\n") == [
        "#4 mentions #1 (line 3), which is not read as a dependency"
    ]
    skip = "[[overrides]]\nissue = 1\nskip = true\n"
    assert said({1: "See #4", 4: "See #1"}, overrides=skip) == []


def test_many_issues_that_mention_many_take_no_square_of_time() -> None:
    def seconds(count: int) -> float:
        bodies = {n: " ".join(f"See #{max(n - back, 1)}." for back in range(1, 20)) for n in range(1, count + 1)}
        begun = time.process_time()
        assert len(graph(bodies).unread) >= count
        return time.process_time() - begun

    seconds(20)
    small, large = seconds(100), seconds(800)
    assert large < 8 * small * 2.5
