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
