"""A mission in two repositories of the local forge, each with its own issues, base and checks."""

from __future__ import annotations

from tests.acceptance.project import Project
from tests.fakes.repositories import Repository, new_repository

HERE = {
    1: "# Client\n\nWords first.\n\nDepends on local/api#2.\n\ndo: append client.txt 1\n",
    2: "# Page\n\nAfter #1\n\ndo: append page.txt 2\n",
    3: "# Whole\n\n- Requires #2\n- Requires local/api#3\n\ndo: append whole.txt 3\n",
}
THERE = {
    1: "# Schema\n\ndo: append schema.txt 1\ndo: say columns a and b\n",
    2: "# Endpoint\n\nDepends on #1.\n\ndo: append endpoint.txt 2\n",
    3: '+++\nblocked_by = ["local/project#2"]\n+++\n# Notes\n\ndo: append notes.txt 3\n',
}
ALL = ("-i", "1", "-i", "2", "-i", "3", "-i", "local/api#1", "-i", "local/api#2", "-i", "local/api#3")
ORDER = ["local/api#1", "local/api#2", "local/project#1", "local/project#2", "local/api#3", "local/project#3"]
REPOS = '\n[forge.local.repos]\napi = { path = "../api", base = "trunk", checks = ["test -f schema.txt"] }\n'


def begun(project: Project) -> Repository:
    """Both repositories, and the town of the first."""
    api = new_repository(project.root.parent / "api")
    api.git("branch", "-q", "-m", "trunk")
    api.commit("Issues", {f"issues/{number}.md": text for number, text in THERE.items()})
    project.found(HERE, checks=["test -f client.txt"], extra=REPOS)
    return api


def test_six_issues_in_two_repositories(project: Project) -> None:
    """Refused while one of them is unfit; then each change goes through its own checks into its own base, in order."""
    api = begun(project)
    file = project.root / "tinytown.toml"
    good = file.read_text()

    def refused(code: int, *says: str, more: tuple[str, ...] = ()) -> None:
        done = project.tt("mission", "start", *ALL, *more, code=code)
        assert all(words in done.stderr for words in says), done.stderr

    refused(2, "no repository is named local/web", 'add `web = "path"` to [forge.local.repos]', more=("-i", "web#1"))
    folder = project.root.parent / "plain"
    (folder / "issues").mkdir(parents=True)
    for number, text in THERE.items():
        (folder / "issues" / f"{number}.md").write_text(text)
    file.write_text(good.replace("../api", "../plain"))
    refused(4, f"{folder} is not the top of a git repository", "`git init`")
    file.write_text(good.replace("../api", "../absent"))
    refused(4, f"{folder.with_name('absent')} does not exist", "correct its path")
    file.write_text(good.replace('base = "trunk"', 'base = "nowhere"'))
    refused(4, "local/api has no branch `nowhere`")
    file.write_text(good.replace("api = {", "project = {"))
    assert "[forge.local.repos] names project" in project.tt("mission", "plan", "-i", "1", code=2).stderr
    file.write_text(good)
    (api.root / "README.md").write_text("changed\n")
    # Each repository's own checks, on its own base; what is not committed is told, and hinders nothing yet.
    refused(4, "the checks fail on trunk itself", "--no-base-check")
    planned = project.tt("mission", "plan", *ALL)
    assert f"uncommitted changes in {api.root}: README.md" in planned.stdout + planned.stderr
    api.git("checkout", "-q", ".")

    plan = project.json("mission", "plan", *ALL)
    assert plan["order"] == ORDER
    assert plan["refusals"] == []
    assert {i["key"]: [(e["on"], e["source"], e["line"]) for e in i["depends_on"]] for i in plan["items"]} == {
        "local/api#1": [],
        "local/api#2": [("local/api#1", "text", 3)],
        "local/project#1": [("local/api#2", "text", 5)],
        "local/project#2": [("local/project#1", "text", 3)],
        "local/api#3": [("local/project#2", "native", 0)],
        "local/project#3": [("local/api#3", "text", 4), ("local/project#2", "text", 3)],
    }
    assert "after local/api#2 (text, line 5: Depends on local/api#2.)" in project.tt("mission", "plan", *ALL).stdout

    project.spawn("one", "two")
    started = project.tt("mission", "start", *ALL, "--no-base-check").stdout
    assert "Issue local/api#1: Schema" in started
    mission = project.json("mission", "status")["id"]
    project.wait_state(mission, "completed", timeout=45)
    work = [run["item"] for run in project.runs(purpose="work")]
    assert work == ORDER
    merged = [e.item for e in project.events(mission, "merged")]
    assert merged == ORDER
    subjects = {repo: log.splitlines() for repo, log in (
        ("project", project.git("log", "--merges", "--reverse", "--format=%s", "main")),
        ("api", api.git("log", "--merges", "--reverse", "--format=%s", "trunk")),
    )}  # fmt: skip
    assert subjects["api"] == [f"Merge local/api#{n}: {t}" for n, t in ((1, "Schema"), (2, "Endpoint"), (3, "Notes"))]
    assert subjects["project"] == [
        f"Merge local/project#{n}: {t}" for n, t in ((1, "Client"), (2, "Page"), (3, "Whole"))
    ]
    assert sorted(api.files("trunk"))[-3:] == ["notes.txt", "schema.txt", "src/app.py"]
    assert {"client.txt", "page.txt", "whole.txt"} <= set(project.git("ls-tree", "--name-only", "main").splitlines())
    assert "schema.txt" not in project.git("ls-tree", "--name-only", "main")

    told = project.tt("mission", "status").stdout
    assert "✅ Issue local/api#3: Notes" in told
    history = project.tt("mission", "status", "--follow").stdout
    assert "Issue local/api#2 done → Issue local/project#1 ready" in history
    brief = (project.town.attempts / mission[:8] / "local-project-1" / "1" / "brief.md").read_text()
    assert "Its change is in another repository, local/api." in brief
    assert "endpoint.txt | 1 +" in brief
    assert "more than one item" in project.tt("work", "show", "1", code=3).stderr
    assert "+3" in project.tt("work", "show", "local/api#3", "--diff").stdout
