"""Nothing that a merge left unresolved reaches the base, however many attempts ago that was."""

from __future__ import annotations

from tests.acceptance.project import Project


def test_a_conflict_that_was_half_resolved_stays_one_until_it_is_gone(project: Project) -> None:
    """The fix agent resolves one file of two and fails; the next finds nothing to do; the third does it."""
    one = "# One\n\ndo: write manual.md limit 20\ndo: write settings.ini limit 20\n"
    two = (
        "# Two\n\ndo: work write manual.md limit 30\ndo: work write settings.ini limit 30\ndo: work wait go\n"
        "do: fix first 1 write settings.ini limit 30\ndo: fix first 1 fail\ndo: fix first 2 nothing\n"
        "do: fix later 2 write manual.md limit 30\n"
    )
    project.found(
        {1: one, 2: two}, checks=["grep -q limit settings.ini"],
        files={"manual.md": "limit 10\n", "settings.ini": "limit 10\n"},
    )  # fmt: skip
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer",))
    project.wait_item(mission, 1, lambda i: i.merged, description="#1 is merged")
    project.allow("go")
    project.wait_state(mission, "completed")

    assert project.git("show", "main:settings.ini") == project.git("show", "main:manual.md") == "limit 30"
    for commit in project.git("rev-list", "--first-parent", "main").split():
        assert "<<<<<<<" not in project.git("show", f"{commit}:manual.md"), "no markers were ever on the base"
    fixes = project.runs(item=2, purpose="fix")
    assert len(fixes) == 3
    first, second, third = (project.brief(mission, 2, run["attempt"]) for run in fixes)
    assert "conflict markers" in first
    assert "manual.md\nsettings.ini" in first
    for later in (second, third):
        assert "conflict markers in:\n" in later
        assert "\nmanual.md\n" in later
        assert "settings.ini" not in later.partition("## Conflicts to resolve first")[2].partition("\n## ")[0]
    ended = [
        e.data for e in project.events(mission, "attempt_ended") if e.item.endswith("#2") and e.data["purpose"] == "fix"
    ]
    assert [e["outcome"] for e in ended] == ["failed", "failed", "succeeded"]
    assert "it left conflict markers in manual.md" in ended[1]["summary"]


def test_what_git_holds_elsewhere_or_half_done_is_neither_lost_nor_taken_for_done(project: Project) -> None:
    """A rebase that stopped, a side branch and back again, a stash, a new beginning; three with exit code 0."""
    rebase = (
        "# Rebase\n\ndo: first 1 sh git switch -qc tmp; echo tmp >f; git commit -qam T; git switch -q -\n"
        "do: first 1 sh echo mine >f; git commit -qam B; echo c >other.txt; git add -A; git commit -qm C\n"
        "do: first 1 sh git rebase tmp\n"
        "do: nothing\n"
    )
    side = (
        "# Side\n\ndo: first 1 sh git switch -qc side; echo s >side.txt; git add -A; git commit -qm S\n"
        "do: first 1 sh git switch -q -\n"
        "do: later 1 sh git merge -q side\n"
    )
    stash = (
        "# Stash\n\ndo: first 1 write stashed.txt s\ndo: first 1 sh git stash -u\ndo: first 1 fail\n"
        "do: later 1 sh git stash pop\n"
    )
    orphan = (
        "# Orphan\n\ndo: first 1 sh git checkout -q --orphan x; git rm -rfq .; echo o >orphan.txt\n"
        "do: first 1 sh git add -A; git commit -qm O\n"
        "do: later 1 sh git checkout -q x -- orphan.txt\n"
    )
    project.found({1: rebase, 2: side, 3: stash, 4: orphan}, files={"f": "1\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, 3, 4, options=("--no-reviewer",))
    project.wait_state(mission, "completed")

    shown = {
        name: project.git("show", f"main:{name}")
        for name in ("f", "other.txt", "side.txt", "stashed.txt", "orphan.txt")
    }
    assert shown == {"f": "mine", "other.txt": "c", "side.txt": "s", "stashed.txt": "s", "orphan.txt": "o"}
    ended = [e.data for e in project.events(mission, "attempt_ended") if e.data["purpose"] == "work"]
    failed = "\n".join(e["summary"] for e in ended if e["outcome"] == "failed")
    assert len([e for e in ended if e["outcome"] == "failed"]) == 4
    assert "it made no change on its branch; it ended on branch `x`, which lacks what was done to " in failed
    assert "it left a rebase half done: f; also kept: " in failed
    assert (
        "it made no change on its branch; also kept: branch `side` (in the mirror: refs/tinytown/elsewhere/" in failed
    )
    assert "also kept: a stash" in failed
    for number, words in (
        (1, "files of its unfinished rebase"),
        (2, "`side`: branch `side` of attempt 1"),
        (3, "`git stash`"),
        (4, "`x`: branch `x` of attempt 1"),
    ):
        again = project.runs(item=number, purpose="work")[1]["attempt"]
        assert words in project.brief(mission, number, again)
