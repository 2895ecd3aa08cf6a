"""A change passes its gates one after the other, each bound to the commit it saw: checks, a reviewer, the merge."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.project import TIMING, Project
from tests.waiting import wait_until


def kinds(project: Project, mission: str, number: int) -> list[str]:
    """What became of an item's gates, in order."""
    told = ("checks_passed", "approved", "merged", "fix_requested")
    context = project.context()
    events = [e for _, e in context.store.events(mission, count=10_000)]
    return [
        e.kind + (f" ({e.data['gate']})" if "gate" in e.data else "")
        for e in events
        if e.kind in told and e.item.endswith(f"#{number}")
    ]


def check_script(tmp_path: Path, text: str) -> list[str]:
    """A check that runs a shell script from outside the repository."""
    script = tmp_path / "check.sh"
    script.write_text(text)
    return [f"sh {script}"]


def test_a_refused_change_gets_a_fix_round_that_knows_why(project: Project, tmp_path: Path) -> None:
    """A failing check with the tail of its log, a reviewer with its words; nobody judges a change of their own."""
    log = "echo the wheel is square; " * 3
    checks = check_script(tmp_path, f"grep -q round wheel.txt || {{ {log} exit 7; }}\necho it rolls\n")
    issue = (
        "# Wheel\n\ndo: work write wheel.txt square\ndo: fix first 1 write wheel.txt round\n"
        "do: fix later 1 append wheel.txt and shiny\nverdict: reject-first 1\n"
    )
    project.found({1: issue}, checks=checks)
    project.spawn("worker")
    mission = project.start(1)

    # Its only agent wrote it, so nobody is left to judge; whoever comes is asked at once.
    waiting = project.wait_waiting(mission, 1, "no_worker")
    assert waiting.remedy == "no running agent may review it: run `tt spawn reviewer`"
    item = project.item(mission, 1)
    assert (item.state, item.fix_rounds, item.checked) == ("in_review", 1, item.head)
    said = wait_until(project.help, description="the conductor is asked")
    assert "Issue #1 is in review but nobody can take it: no running agent may review it" in said
    assert project.status(mission)["state"] == "blocked"
    project.spawn("reviewer")
    project.wait_state(mission, "completed")

    assert kinds(project, mission, 1) == [
        "fix_requested (check)",
        "checks_passed",
        "fix_requested (review)",
        "checks_passed",
        "approved",
        "merged",
    ]
    review = project.brief(mission, 1, project.runs(purpose="review")[0]["attempt"])
    assert "The end of what they printed:" in review
    assert "\nit rolls\n" in review
    first, second = (project.brief(mission, 1, run["attempt"]) for run in project.runs(purpose="fix"))
    assert "The checks failed." in first
    assert "failed with exit code 7" in first
    assert first.count("the wheel is square") == 3
    assert "The reviewer requests changes." in second
    assert "not good enough yet" in second
    assert project.git("show", "main:wheel.txt") == "round\nand shiny"
    assert {r["agent"] for r in project.runs(purpose="review")} == {"reviewer"}


def test_rounds_and_silence_are_bounded_and_a_person_goes_on(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `max_fix_rounds`, or two reviews without a verdict, help is asked; `retry` starts the count anew."""
    monkeypatch.setenv("TINYTOWN_POLICY__MAX_FIX_ROUNDS", "1")
    checks = check_script(tmp_path, f"test -e {tmp_path}/mended || ! test -e wheel.txt\n")
    project.found(
        {1: "# Wheel\n\ndo: append wheel.txt more\n", 2: "# Axle\n\nverdict: mute-first 2\n"},
        checks=checks,
    )
    project.spawn("worker", "reviewer")
    mission = project.start(1, 2)

    waiting = project.wait_waiting(mission, 1, "needs_help")
    assert "check still rejects it after 1 fix rounds: `sh " in waiting.remedy
    assert project.item(mission, 1).state == "in_review"
    assert len(project.runs(item=1, purpose="fix")) == 1
    waiting = project.wait_waiting(mission, 2, "needs_help")
    why = 'its last line is "VERDICT: approve", but must be exactly `VERDICT: APPROVE`'
    assert waiting.remedy == f"the reviewer gave no verdict: {why}"
    assert project.item(mission, 2).state == "in_review"
    reviews = project.runs(item=2, purpose="review")
    assert len(reviews) == 2, "asked again once"
    again = "An earlier review ended without a verdict"
    briefs = [project.brief(mission, 2, r["attempt"]) for r in reviews]
    assert [(again in brief, why in brief) for brief in briefs] == [(False, False), (True, True)]
    shown = project.tt("work", "show", "2").stdout
    assert shown.count(f": {why}") == 3, "each review's, and what waits for a person"
    assert "no verdict" in shown
    lines = project.tt("mission", "status", "--follow", "--until-help", code=7).stdout
    assert f"Issue #2: no verdict by reviewer: {why}" in lines
    project.wait_state(mission, "blocked")
    said = wait_until(lambda: project.help() if "#2" in project.help() else "", description="both are in the query")
    assert "Issue #1 waits (needs help): check still rejects it" in said
    assert "Issue #2 waits (needs help): the reviewer gave no verdict" in said

    project.allow("mended")
    assert "retrying #1, #2" in project.tt("mission", "note", mission[:8], "retry all").stdout
    project.wait_state(mission, "completed")
    assert len(project.runs(item=1, purpose="fix")) == 2
    assert len(project.runs(item=2, purpose="review")) == 3
    assert len(project.runs(item=2, purpose="work")) == 1


def test_what_only_the_merge_shows_is_mended_and_judged_again(project: Project, tmp_path: Path) -> None:
    """Two changes to one file; two changes that are good alone and not together: the second gets a fix round."""
    checks = check_script(tmp_path, "test -e key.txt || ! test -e lock.txt || ! test -e door.txt\n")
    both = "do: work write same.txt {0}\ndo: work wait {1}\ndo: fix show same.txt\ndo: fix write same.txt both\n"
    alone = "do: work write {0}.txt {0}\ndo: work wait {1}\ndo: fix write key.txt key\n"
    project.found(
        {
            1: "# One\n\n" + both.format("one", "first"),
            2: "# Two\n\n" + both.format("two", "first"),
            3: "# Lock\n\n" + alone.format("lock", "second"),
            4: "# Door\n\n" + alone.format("door", "second"),
        },
        checks=checks,
    )
    project.spawn("worker", "helper", "reviewer")
    for issues, go in (((1, 2), "first"), ((3, 4), "second")):
        mission = project.start(*issues)
        for issue in issues:
            project.wait_runs(mission, 1, item=issue)
        project.allow(go)
        project.wait_state(mission, "completed")
        told = sorted((kinds(project, mission, issue) for issue in issues), key=len)
        clean = ["checks_passed", "approved", "merged"]
        assert told[0] == clean
        assert told[1] == [*clean[:2], "fix_requested (merge)", *clean], "no proof outlives a new commit"
        fixes = [run for run in project.runs(purpose="fix") if run["mission"] == mission]
        assert len(fixes) == 1
        number = int(fixes[0]["item"].rpartition("#")[2])
        brief = project.brief(mission, number, fixes[0]["attempt"])
        assert "The merge failed." in brief
        assert ("it conflicts with main" if go == "first" else "the checks fail once merged into main") in brief
        conflicts = brief.partition("A merge left conflict markers in:\n\n<<<files ")[2]
        assert ("same.txt" in conflicts.splitlines()[1:2]) == (go == "first")
    shown = project.runs("show", purpose="fix")[0]["text"]
    assert "<<<<<<<" in shown
    assert ">>>>>>>" in shown
    assert project.git("show", "main:same.txt") == "both"
    assert {"lock.txt", "door.txt", "key.txt"} <= set(project.git("ls-tree", "--name-only", "main").split())


def test_the_base_belongs_to_the_user(project: Project) -> None:
    """Changes of theirs are waited for, commits of theirs are merged upon, and without the base a mission fails."""
    project.found({1: "# One\n\ndo: wait one\n", 2: "# Two\n\ndo: wait two\n"})
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_runs(mission, 1)
    (project.root / "mine.txt").write_text("mine\n")
    project.git("add", "mine.txt")
    project.git("commit", "-q", "-m", "Something of mine")
    # What the merge does not touch is nobody's business.
    (project.root / "mine.txt").write_text("not finished\n")
    theirs = project.root / "work-local-project-1.txt"
    theirs.write_text("not finished\n")
    project.git("add", theirs.name)
    project.allow("one")
    waiting = project.wait_waiting(mission, 1, "base_dirty")
    assert waiting.remedy == f"uncommitted changes in {project.root}: {theirs.name}"
    # It is tried again with every tick, and while it is tried it does not wait.
    project.wait(
        mission,
        lambda: "base dirty: uncommitted changes" in project.tt("mission", "status", "--watch").stdout,
        description="the status says what the merge waits for",
    )
    said = wait_until(project.help, description="the conductor is asked")
    assert "Issue #1 waits (base dirty): uncommitted changes" in said
    assert project.status(mission)["state"] == "running"
    assert theirs.read_text() == "not finished\n"
    project.git("rm", "-q", "--force", theirs.name)
    project.wait_state(mission, "completed")
    assert project.git("log", "--first-parent", "--format=%s", "main").splitlines() == [
        "Merge local/project#1: One",
        "Something of mine",
        "Begin",
    ]
    assert (project.root / "mine.txt").read_text() == "not finished\n"
    assert theirs.read_text() != "not finished\n"
    assert project.item(mission, 1).fix_rounds == 0

    mission = project.start(2, options=("--no-reviewer",))
    project.wait_runs(mission, 2)
    project.git("checkout", "-q", "-b", "side")
    project.git("branch", "-q", "-m", "main", "trunk")
    view = project.wait_state(mission, "failed")
    assert view["reason"] == "the base branch `main` is gone"
    project.allow("two")
    project.git("branch", "-q", "-m", "trunk", "main")
    mission = project.start(2, options=("--no-reviewer",))
    project.wait_state(mission, "completed")


def test_merging_by_hand(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `auto_merge` an approval settles; `tt mission merge` and a `git merge` by hand both count."""
    monkeypatch.setenv("TINYTOWN_POLICY__AUTO_MERGE", "false")
    issues = {
        1: "# One\n",
        2: "# Two\n\nDepends on #1.\n\ndo: show work-local-project-1.txt\ndo: wait go\n",
        3: "# Three\n",
        4: "# Four\n\nDepends on #3.\n\ndo: show work-local-project-3.txt\n",
        5: "# Five\n",
        6: "# Six\n\ndo: work write six.txt six\n",
    }
    project.found(issues)
    project.spawn("worker", "reviewer")
    mission = project.start(1, 2)
    project.wait_runs(mission, 1, item=2)
    item = project.item(mission, 1)
    assert (item.state, item.merged, item.approved) == ("done", None, item.head)
    assert project.merges() == []
    assert "is queued for merging" in project.tt("mission", "merge", mission[:8], "1").stdout
    project.wait_item(mission, 1, lambda i: i.merged, description="#1 is merged")
    assert project.merges() == ["Merge local/project#1: One"]
    project.allow("go")
    project.wait_state(mission, "completed")
    assert project.runs("show")[0]["text"], "the second began on the first one's head"
    assert project.merges() == ["Merge local/project#1: One"]
    assert "merge tt/" in project.tt("mission", "merge", mission[:8], "2", code=4).stderr

    # Where only a merge settles, the item waits for one, and one by hand is noticed, however it was done.
    monkeypatch.setenv("TINYTOWN_POLICY__SETTLE_ON", "merged")
    mission = project.start(3, 4, 5)
    waiting = project.wait_waiting(mission, 3, "merge")
    branch = project.item(mission, 3).branch
    assert waiting.remedy.startswith(f"merge {branch}, or `tt mission merge")
    project.git("merge", "-q", "--squash", branch)
    project.git("commit", "-q", "-m", "By hand")
    by_hand = project.git("rev-parse", "main")
    project.git("branch", "-q", "-D", branch)
    project.wait_waiting(mission, 4, "merge")
    assert project.item(mission, 3).merged == by_hand
    assert project.runs("show")[-1]["text"], "the dependent began on the base that holds the squash"
    project.git("merge", "-q", "--no-ff", "-m", "By hand, too", project.item(mission, 4).branch)
    project.wait_item(mission, 4, lambda i: i.merged, description="#4 is merged")

    # A branch that goes without that is asked about, and nothing of it is lost.
    project.wait_waiting(mission, 5, "merge")
    gone = project.item(mission, 5)
    project.git("branch", "-q", "-D", gone.branch)
    asked = project.wait_waiting(mission, 5, "needs_help")
    assert f"its branch {gone.branch} is gone and main does not hold its content" in asked.remedy
    assert f"`tt mission retry {mission[:8]} 5`" in asked.remedy
    project.tt("mission", "retry", mission[:8], "5")
    project.wait_waiting(mission, 5, "merge")
    assert project.git("rev-parse", gone.branch) == gone.head
    project.git("branch", "-q", "-D", gone.branch)
    project.wait_waiting(mission, 5, "needs_help")
    project.tt("mission", "merge", mission[:8], "5")
    project.wait_state(mission, "completed")

    # One that a person brought in another form is asked about, and they can say so.
    mission = project.start(6)
    project.wait_waiting(mission, 6, "merge")
    branch = project.item(mission, 6).branch
    project.git("merge", "-q", "--squash", branch)
    (project.root / "six.txt").write_text("not quite\n")
    project.git("commit", "-q", "-am", "By hand, and better")
    project.git("branch", "-q", "-D", branch)
    by_hand = project.git("rev-parse", "main")
    asked = project.wait_waiting(mission, 6, "needs_help")
    assert f"if that is it, say so with `tt mission merge {mission[:8]} 6 --by {by_hand[:10]}`" in asked.remedy
    refused = project.tt("mission", "merge", mission[:8], "6", "--by", project.item(mission, 6).head, code=3)
    assert "is no commit of main" in refused.stderr
    project.tt("mission", "merge", mission[:8], "6", "--by", by_hand[:10])
    project.wait_state(mission, "completed")
    assert project.item(mission, 6).merged == by_hand


def test_a_changed_configuration_counts_from_the_next_run(project: Project) -> None:
    """Checks and variables written after the town was started; while none can be read, nothing is begun or passed."""
    # The only attempt that there is must not be lost to a busy machine.
    project.found({1: "# One\n\ndo: fix wait mend\n"}, timing={**TIMING, "lease_secs": 60})
    project.spawn("worker")
    file = project.root / "tinytown.toml"
    text = file.read_text(encoding="utf-8").replace("journal.jsonl", "another.jsonl")
    text = text.replace("[policy]\n", "[policy]\nmax_attempts = 1\n")
    file.write_text(text.replace("checks = []", 'checks = ["test -f green"]'), encoding="utf-8")
    mission = project.start(1, options=("--no-reviewer",))
    project.journal = project.journal.with_name("another.jsonl")
    item = project.wait_item(mission, 1, lambda i: i.fix_rounds, description="the new check refuses it")
    assert item.merged is None
    assert project.runs(purpose="work")

    # None left of those it was started with: that proves nothing.
    file.write_text(text, encoding="utf-8")
    project.allow("mend")
    waiting = project.wait_waiting(mission, 1, "needs_help")
    said = project.wait(mission, project.help, description="the conductor is asked")
    assert "none are configured any more" in said, waiting
    assert project.merges() == []

    runs = len(project.runs())
    file.write_text("checks = [", encoding="utf-8")
    assert "not valid TOML" in project.tt("mission", "status", code=2).stderr
    file.write_text(text.replace("checks = []", 'checks = ["true"]'), encoding="utf-8")
    project.tt("mission", "retry", mission, "1")
    project.wait_state(mission, "completed")
    assert len(project.merges()) == 1
    assert len(project.runs()) == runs


def test_a_merge_asks_the_checks_of_its_day(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passed other checks is checked anew, though not a byte of it changed."""
    monkeypatch.setenv("TINYTOWN_POLICY__AUTO_MERGE", "false")
    monkeypatch.setenv("TINYTOWN_POLICY__SETTLE_ON", "merged")
    project.found({1: "# One\n\ndo: fix wait mend\n"}, checks=["true"])
    project.spawn("worker")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_waiting(mission, 1, "merge")
    file = project.root / "tinytown.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('["true"]', '["test -f green"]'), encoding="utf-8")
    project.tt("mission", "merge", mission, "1")
    item = project.wait_item(mission, 1, lambda i: i.fix, description="the new check refuses it")
    assert "the checks fail once merged into main" in item.fix.summary
    assert project.merges() == []
