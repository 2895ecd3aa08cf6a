"""Issues that people change while a mission is at them."""

from __future__ import annotations

from tests.acceptance.project import Project

ISSUES = {
    1: "# One\n\ndo: wait one\ndo: append one.txt 1\n",
    2: "# Two\n\nAfter #1.\n\ndo: append two.txt old\n",
    3: "# Three\n\nAfter #1.\n",
    4: "# Four\n\nAfter #1.\n\ndo: first 9 fail\n",
    5: "# Five\n\nAfter #1.\n",
    9: "# Elsewhere\n",
}


def test_an_edit_is_said_once_and_changes_no_plan(project: Project) -> None:
    """Texts of issues that wait are taken up, those at work when a person says so; the rest is said with a remedy."""
    project.found(ISSUES)
    project.spawn("worker")
    mission = project.start(1, 2, 3, 4, 5, options=("--no-reviewer", "--max-parallel", "5"))
    project.wait_runs(mission, 1, item=1)
    short = mission[:8]

    def edit(number: int, text: str) -> None:
        (project.root / "issues" / f"{number}.md").write_text(text)

    def news(number: int, words: str) -> str:
        project.wait_item(mission, number, lambda i: words in i.news, description=f"#{number} is said to be: {words}")
        return project.item(mission, number).news

    edit(1, "# One\n\nMore words.\n\ndo: wait one\ndo: append one.txt 1\n")
    edit(2, "# Two again\n\nAfter #1.\nRequires #9\n\ndo: append two.txt new\n")
    edit(3, '+++\nstate = "not_planned"\n+++\n# Three\n\nAfter #1.\n')
    (project.root / "issues" / "5.md").unlink()
    assert news(1, "a new text").endswith(
        "a new text: agents continue with the older version; "
        f'`tt mission note {short} "reread local/project#1"` puts the changes into the next brief'
    )
    second = news(2, "a new title")
    assert second.startswith("has a new title and a new text: the next brief will include it; it now depends on")
    assert f"local/project#9, but the plan stays: to change it, `tt mission stop {short} --force`" in second
    assert f'or end it with `tt mission note {short} "cancel local/project#3"`' in news(3, "was closed as not planned")
    news(5, "can no longer be read (there is no issues/5.md)")
    project.wait_duty("ci_watch", 3)
    edited = project.events(mission, "issue_edited")
    assert sorted(e.item for e in edited) == [f"local/project#{n}" for n in (1, 2, 3, 5)], "once each"
    assert f"Issue #3 of mission {short} was closed as not planned" in project.help()
    shown = project.tt("mission", "status").stdout
    assert shown.count("✏️") == 4
    assert "✏️  its issue has a new text" in project.tt("work", "show", "1").stdout

    assert "its issue as it is now" in project.tt("mission", "note", short, "reread 1").stdout
    assert project.item(mission, 1).news == ""
    edit(1, "# One\n\nEven more words.\n\ndo: wait one\ndo: append one.txt 1\n")
    news(1, "a new text")
    project.git("commit", "-q", "-a", "-m", "Edit")
    project.allow("one")
    project.wait_item(mission, 2, lambda i: i.state == "done", description="#2 is done")
    assert project.git("show", "main:two.txt") == "new"
    assert "Two again" in project.brief(mission, 2, 1)
    assert "local/project#1 is done" in project.tt("mission", "note", short, "reread 1", code=4).stderr

    # Whoever tries a failed one anew has its text as it is by then.
    project.wait_item(mission, 4, lambda i: i.state == "failed", description="#4 failed")
    edit(4, "# Four\n\nAfter #1.\n")
    project.git("commit", "-q", "-a", "-m", "Edit")
    project.tt("mission", "retry", short, "4")
    view = project.wait_state(mission, "completed")
    assert {i["number"]: bool(i["news"]) for i in view["items"]}[4] is False
    assert "do: first" not in project.brief(mission, 4, project.item(mission, 4).fence - 1)
    told = project.tt("mission", "status", "--follow").stdout
    assert "Issue #1: its issue has a new text: agents continue with the older version" in told
