"""The mission-mode tutorial on GitHub, typed as written: three issues become three merged pull requests.

The GitHub is one of this machine, and a scripted agent stands in for the vendors' CLIs; everything else is the town's
own, and all that it is told of is the address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Place, Project
from tests.acceptance.test_mission_tutorial import ISSUES, STARTED
from tests.fakes.github.hub import GitHub
from tests.fakes.github.models import Pull
from tests.fakes.github.rules.workflows import JobPlan, Outcome, Reader
from tests.waiting import wait_until
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState

#: What the agent of each issue does besides: it begins to mend only when the test has looked.
SCRIPTS = {
    1: "do: write api.txt 1\ndo: first 1 fix wait ci\ndo: later 1 fix wait reviewer\ndo: fix write green yes\n"
    "do: later 1 fix write api.txt 2\nverdict: reject-first 1\n",
    2: "do: write auth.txt 1\ndo: fix wait people\ndo: fix write auth.txt 2\n",
    3: "do: work write tests.txt 1\ndo: fix wait conflict\ndo: fix sh date +%N > tests.txt\n",
}


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    made = GitHub(tmp_path / "github")
    with made.running():
        made.person("tinytown", "write")
        made.person("ann", "write")
        monkeypatch.setenv("GH_ENTERPRISE_TOKEN", made.token("tinytown"))
        monkeypatch.setenv("TINYTOWN_POLICY__AUTO_MERGE", "true")
        monkeypatch.setenv("TINYTOWN_POLICY__WATCH_INTERVAL_SECS", "0.3")
        monkeypatch.setenv("TINYTOWN_POLICY__CHECKS_APPEAR_SECS", "0.1")
        yield made


def green(read: Reader) -> Outcome:
    return "success" if read("green") is not None else ("failure", "1 failed\n")


def is_proven(item: Item) -> bool:
    """Whether its newest commit was looked at again after the first look, at which checks may still begin."""
    seen = item.forge_verdict
    return seen is not None and seen.sha == item.head and not any(one.state == "running" for one in seen.watched)


def at_opening(github: GitHub, number: int, act: Callable[[Pull], None]) -> None:
    """Something happens to a pull request in the moment in which it is opened."""
    github.repo.watchers.append(lambda pull, action: act(pull) if (pull.number, action) == (number, "opened") else None)


def test_the_tutorial_runs_on_github_as_it_is_written(project: Project, github: GitHub) -> None:
    """CI is red once, Bugbot, tinytown's reviewer and a person refuse once, and one conflicts: `--watch` says each."""
    for number, text in ISSUES.items():
        title, _, body = text.removeprefix("# ").partition("\n\n")
        github.issue(number, title, f"{body}\n{SCRIPTS[number]}", author="ann")
    github.repo.next_number = 42
    github.workflow("CI", {"test": JobPlan(green)})
    github.rule("main", "pull_request", required_approving_review_count=1)

    def two_refuse(pull: Pull) -> None:
        github.check("Cursor Bugbot", "neutral", app="cursor", summary="BUGBOT_BUG_ID: found 1 potential issue")
        github.thread("cursor[bot]", "auth.txt", 1, "Off by one")
        github.review("ann", "CHANGES_REQUESTED", "Say why")

    at_opening(github, 43, two_refuse)
    at_opening(github, 44, lambda _: github.push_by("ann", "main", {"tests.txt": "another\n"}) and None)
    project.found_at(Place.on(github), clis=("claude", "auggie", "codex-mini"))

    project.tt("spawn", "designer", "--cli", "claude")
    project.tt("spawn", "backend", "--cli", "auggie")
    project.tt("spawn", "tester", "--cli", "codex-mini")
    block = project.tt("mission", "start", "--issue", "1", "--issue", "2", "--issue", "3").stdout
    assert re.fullmatch(STARTED, block)
    mission = block.split()[3]

    def watched() -> list[str]:
        """What `--watch` prints, without what differs from one second to the next."""
        lines = project.tt("mission", "status", "--watch").stdout.splitlines()
        at = next(at for at, line in enumerate(lines) if line.startswith("🚧"))
        assert lines[at] == f"🚧 Watch Items: {len(lines) - at - 1}"
        return [re.sub(r"\b\d+s\b", "180s", line) for line in lines[at + 1 :]]

    def says(issue: int, *lines: str) -> None:
        project.wait_item(mission, issue, is_proven, description=f"the evidence of #{issue} is old enough to count")
        seen: list[list[str]] = []  # For the account of a test that fails.

        def there() -> bool:
            seen.append(watched())
            return seen[-1] == [f"   {line}" for line in lines]

        try:
            wait_until(there, timeout=10, pause=0.2, description=f"`--watch` says {lines}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{seen}") from None

    def mended(issue: int, rounds: int, name: str, *lines: str) -> None:
        """A fix round begins, ``--watch`` says why, and its agent goes on."""
        project.wait_runs(mission, rounds, purpose="fix", item=issue)
        says(issue, *lines)
        project.allow(name)

    approval = "approval: waiting (for a person with write access; looking again in 180s)"
    mended(1, 1, "ci", "⚠️  PR #42 CI check: failing (retrying in 180s)", f"⏳ PR #42 {approval}")
    refused = "review: failing (not good enough yet; designer is fixing it)"
    mended(1, 2, "reviewer", f"⚠️  PR #42 {refused}", f"⏳ PR #42 {approval}")
    project.wait_item(mission, 1, lambda i: i.approved == i.head, description="its reviewer approves #42")
    says(1, f"⏳ PR #42 {approval}")
    github.review("ann", "APPROVED", pull=42)

    mended(
        2, 1, "people",
        "⚠️  PR #43 review threads: failing (retrying in 180s)",
        "⚠️  PR #43 review: failing (retrying in 180s)",
        f"⏳ PR #43 {approval}",
    )  # fmt: skip
    # Her word stands until she takes it back.
    project.wait_item(mission, 2, lambda i: i.state is ItemState.IN_REVIEW, description="#43 is in review again")
    says(2, "⏳ PR #43 review: waiting (for ann; looking again in 180s)", f"⏳ PR #43 {approval}")
    github.review("ann", "APPROVED", pull=43)

    mended(3, 1, "conflict", "⚠️  PR #44 mergeability: failing (retrying in 180s)", f"⏳ PR #44 {approval}")
    github.review("ann", "APPROVED", pull=44)
    view = project.wait_state(mission, "completed")

    assert [item["agent"] for item in view["items"]] == ["designer", "backend", "tester"]
    pulls = [github.pull(number) for number in (42, 43, 44)]
    assert [f"Closes #{number}" in (pull.body or "") for number, pull in enumerate(pulls, start=1)] == [True] * 3
    merged = [pull.merged or 0.0 for pull in pulls]
    assert 0.0 < merged[0] < merged[1] < merged[2]
    assert {github.repo.issues[number].state for number in (1, 2, 3)} == {"closed"}
    # One pull request an issue; each thing is said once, and what was asked in a thread is answered there.
    assert len(github.writes("POST", "/repos/*/pulls")) == 3
    bodies = [request.json.get("body", "") for request in github.writes("POST", "/repos/*/reviews")]
    assert len(bodies) == len(set(bodies))
    (thread,) = pulls[1].threads
    assert [one.author.login for one in thread.comments] == ["cursor[bot]", "tinytown"]
    assert thread.resolved_by is not None
    assert github.tip() == project.git("ls-remote", "origin", "main").split()[0]
