"""Dependencies outside a mission that can never settle."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tinytown.errors import NotFoundError, StateError, TinytownError
from tinytown.missions import manifest
from tinytown.missions.graph import compile_items
from tinytown.missions.outside import OutsideState, first_of, refusals
from tinytown.missions.records.issue import Issue
from tinytown.missions.roles import RoleBook

REPO = "local/town"


def issue(number: int, body: str = "", *, repo: str = REPO, blocked_by: tuple[str, ...] = ()) -> Issue:
    return Issue(
        key=f"{repo}#{number}", number=number, title=f"Issue {number}", body=body, blocked_by=blocked_by,
        url=f"issues/{number}.md", shifts=((1, 2),),
    )  # fmt: skip


def refused(
    issues: Sequence[Issue], states: dict[str, OutsideState], *, overrides: str = "", repo: str = REPO
) -> list[TinytownError]:
    graph = compile_items(
        issues, roles=RoleBook(), repo=repo, manifest=manifest.parse(overrides, source="mission.toml")
    )
    return refusals(graph.items(), {one.key: one for one in issues}, states)


def test_an_issue_that_does_not_exist_is_named_with_the_line_that_waits_for_it() -> None:
    (error,) = refused([issue(1, "Words.\n\nDepends on #999.")], {f"{REPO}#999": "missing"})
    assert isinstance(error, NotFoundError)
    assert error.message == (
        'local/town#1 depends on local/town#999, which does not exist (issues/1.md:5 says "Depends on #999.")'
    )
    assert error.remedy == "correct issues/1.md:5, override it with `depends_on` in a manifest, or write issues/999.md"


def test_an_issue_that_nobody_will_do_is_said_as_such() -> None:
    (error,) = refused([issue(1, "After #9")], {f"{REPO}#9": "not_planned"})
    assert isinstance(error, StateError)
    assert "local/town#1 depends on local/town#9, which was closed as not planned (issues/1.md:3" in error.message
    assert error.remedy.startswith("reopen local/town#9, or take it out of issues/1.md:3")


@pytest.mark.parametrize("state", ["open", "completed", "unknown"])
def test_what_may_still_settle_or_cannot_be_told_is_waited_for(state: OutsideState) -> None:
    assert refused([issue(1, "After #9")], {f"{REPO}#9": state}) == []


def test_each_source_is_named_as_people_find_it() -> None:
    states: dict[str, OutsideState] = {f"{REPO}#9": "missing", "acme/app#9": "missing"}
    (native,) = refused([issue(1, blocked_by=(f"{REPO}#9",))], states)
    assert "(`blocked_by` in issues/1.md)" in native.message
    assert "manifest" not in native.remedy, "a manifest does not take back what the forge says"
    (by_manifest,) = refused([issue(1)], states, overrides="[[overrides]]\nissue = 1\ndepends_on = [9]\n")
    assert "(mission.toml:1)" in by_manifest.message
    (elsewhere,) = refused([issue(1, "After #9", repo="acme/app")], states, repo="acme/app")
    assert '(line 3 of its text says "After #9")' in elsewhere.message
    assert "issues/9.md" not in elsewhere.remedy
    skipped = [issue(1, "After #9"), issue(2, "After #1")]
    (passed_on,) = refused(skipped, states, overrides="[[overrides]]\nissue = 1\nskip = true\n")
    assert "local/town#2 depends on local/town#9" in passed_on.message
    assert "local/town#1, which is skipped" in passed_on.message


def test_of_several_the_first_tells_how_many_more() -> None:
    found = refused([issue(1, "After #8 and #9")], {f"{REPO}#8": "missing", f"{REPO}#9": "missing"})
    assert len(found) == 2
    assert "#8, which does not exist" in first_of(found).message
    assert "1 more like this: `tt mission plan` lists them" in first_of(found).message
    assert first_of(found[:1]) is found[0]
