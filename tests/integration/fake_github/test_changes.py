"""Pull requests: from a push to the commit of the base that holds them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from github import GithubException
from github.Repository import Repository as Repo

import tests.fakes.github
from tests.fakes.github.descriptions.rest import violations
from tests.fakes.github.hub import GitHub
from tests.fakes.github.rules.workflows import JobPlan
from tests.integration.fake_github.conftest import git


def refused(status: int, words: str) -> pytest.RaisesExc[GithubException]:
    return pytest.RaisesExc(GithubException, check=lambda error: error.status == status and words in str(error.data))


def test_a_pushed_branch_becomes_a_change_that_follows_its_pushes(hub: GitHub, repo: Repo, tmp_path: Path) -> None:
    """There is one for a branch; each push moves it, and for a while nobody knows whether it can be merged."""
    token = hub.token("tiny")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", hub.clone_url(), str(clone))
    (clone / "a.txt").write_text("one\n")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "First")
    assert "could not read Username" in git(clone, "push", "origin", "HEAD:tt/one", code=128)
    git(clone, "push", "-q", "origin", "HEAD:tt/one", token=token)
    change = repo.create_pull(base="main", head="tt/one", title="One", body="Closes #7")
    assert (change.mergeable, change.mergeable_state, change.commits) == (None, "unknown", 1)
    with refused(422, "A pull request already exists for octo:tt/one."):
        repo.create_pull(base="main", head="tt/one", title="Again", body="")
    assert [repo.get_pull(change.number).mergeable for _ in range(2)] == [None, True]
    git(clone, "commit", "-qm", "Second", "--allow-empty")
    git(clone, "push", "-q", "origin", "HEAD:tt/one", token=token)
    moved = repo.get_pull(change.number)
    assert (moved.mergeable, moved.head.sha) == (None, git(clone, "rev-parse", "HEAD").strip())
    assert [(who, branch) for who, branch, _, _ in hub.repo.pushes] == [("tiny", "tt/one")] * 2
    assert [one.number for one in repo.get_pulls(state="all", head="octo:tt/one")] == [change.number]


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_each_method_makes_its_own_commits(hub: GitHub, repo: Repo, method: str) -> None:
    hub.issue(1, "A wish")
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"}, "First")
    hub.push_by("tiny", "tt/one", {"b.txt": "two\n"}, "Second")
    change = repo.create_pull(base="main", head="tt/one", title="One", body="Closes #1")
    with refused(409, "Head branch was modified"):
        change.merge(sha="1" * 40, merge_method=method)
    done = change.merge(sha=change.head.sha, merge_method=method)
    assert done.sha == hub.tip("main") == repo.get_pull(change.number).merge_commit_sha
    commits = hub.repo.bare.commits(change.base.sha, done.sha)
    parents = hub.repo.bare.git("show", "-s", "--format=%P", done.sha).split()
    assert (len(commits), len(parents)) == {"merge": (3, 2), "squash": (1, 1), "rebase": (2, 1)}[method]
    assert hub.repo.bare.contains(change.head.sha, done.sha) is (method == "merge")
    assert repo.get_issue(1).state == "closed"
    with refused(405, "Pull Request is not mergeable"):
        change.merge(sha=change.head.sha)


def test_conflicts_are_those_of_git(hub: GitHub, repo: Repo) -> None:
    """And a change that conflicts from its first moment gets no CI."""
    hub.workflow("CI", {"test": "success"})
    start = hub.tip()
    hub.push_by("tiny", "tt/good", {"a.txt": "one\n"}, on=start)
    hub.push_by("tiny", "tt/bad", {"README.md": "mine\n"}, on=start)
    hub.push_by("ann", "main", {"README.md": "theirs\n"})
    numbers = [repo.create_pull(base="main", head=f"tt/{one}", title=one, body="").number for one in ("good", "bad")]
    for number in numbers:
        repo.get_pull(number)
    assert [repo.get_pull(number).mergeable_state for number in numbers] == ["clean", "dirty"]
    heads = [hub.pull(number).head_sha for number in numbers]
    assert [repo.get_commit(sha).get_check_runs().totalCount for sha in heads] == [1, 0]
    with refused(405, "Pull Request is not mergeable"):
        repo.get_pull(numbers[1]).merge()


def test_protection_names_what_is_missing(hub: GitHub, repo: Repo) -> None:
    hub.protect("main", checks=["ci", ("build", "builder")], reviews=1, resolve_threads=True)
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    change = repo.create_pull(base="main", head="tt/one", title="One", body="")
    with refused(405, "2 of 2 required status checks are expected. At least 1 approving review is required"):
        change.merge()
    hub.check("ci", "success")
    hub.check("build", "success", app="another")
    thread = hub.thread("ann", "a.txt", 1, "Why?")
    hub.review("ann", "APPROVED")
    with refused(405, 'Required status check "build" is expected. A conversation must be resolved'):
        change.merge()
    hub.check("build", "success", app="builder")
    hub.status("ci", "failure")
    with refused(405, 'Required status check "ci" is failing.'):
        change.merge()
    hub.status("ci", "success")
    hub.resolve("ann", thread)
    assert change.merge().merged


def test_a_branch_that_is_deleted_takes_its_changes_with_it(hub: GitHub, repo: Repo) -> None:
    """Also those that are based on it, unless GitHub itself deletes it after the merge."""
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    hub.push_by("tiny", "tt/two", {"b.txt": "two\n"}, on=hub.tip("tt/one"))
    first = repo.create_pull(base="main", head="tt/one", title="One", body="")
    second = repo.create_pull(base="tt/one", head="tt/two", title="Two", body="")
    repo.get_git_ref("heads/tt/one").delete()
    assert [repo.get_pull(one.number).state for one in (first, second)] == ["closed", "closed"]
    with refused(422, "The tt/one branch has been deleted"):
        first.edit(state="open")
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"}, on=first.head.sha)
    first.edit(state="open")
    second.edit(state="open")
    hub.repo.delete_on_merge = True
    assert repo.get_pull(first.number).merge().merged
    assert (repo.get_pull(second.number).state, repo.get_pull(second.number).base.ref) == ("open", "main")
    assert not hub.tip("tt/one")


def test_a_push_that_brings_a_change_to_its_base_merges_it(hub: GitHub, repo: Repo) -> None:
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    change = repo.create_pull(base="main", head="tt/one", title="One", body="")
    hub.push_by("ann", "main", {"c.txt": "more\n"}, on=change.head.sha)
    seen = repo.get_pull(change.number)
    assert (seen.merged, seen.merged_by.login) == (True, "ann")


def test_differences_are_those_of_git(hub: GitHub, repo: Repo) -> None:
    start = hub.tip()
    hub.push_by("tiny", "tt/one", {"a b.txt": "one\ntwo\n", "README.md": None})
    change = repo.create_pull(base="main", head="tt/one", title="One", body="")
    hub.push_by("ann", "main", {"c.txt": "more\n"})
    found = {one.filename: (one.status, one.additions, one.deletions) for one in change.get_files()}
    assert found == {"a b.txt": ("added", 2, 0), "README.md": ("removed", 0, 1)}
    assert next(one.patch for one in change.get_files() if one.filename == "a b.txt").endswith("+one\n+two")
    seen = repo.get_pull(change.number)
    assert (seen.additions, seen.deletions, seen.changed_files) == (2, 1, 2)
    compared = repo.compare("main", "tt/one")
    assert (compared.status, compared.ahead_by, compared.behind_by) == ("diverged", 1, 1)
    assert {one.filename for one in compared.files} == set(found)
    assert repo.get_commit(start).stats.additions == 1


def test_what_the_docstring_shows_works(tmp_path: Path) -> None:
    shown = (tests.fakes.github.__doc__ or "").partition("::\n\n")[2].partition("\nBy default")[0]
    names = {"GitHub": GitHub, "JobPlan": JobPlan, "violations": violations, "tmp_path": tmp_path, "kill": print}
    exec(compile(textwrap.dedent(shown), "the docstring", "exec"), names)
    assert "thread" in names


def test_a_status_of_the_test_merge_hides_the_heads(hub: GitHub, repo: Repo) -> None:
    hub.protect("main", checks=["ci"])
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    number = hub.open_pull("tiny", "tt/one").number
    hub.status("ci", "success")
    hub.status("ci", "failure", sha=hub.test_merge())
    repo.get_pull(number)
    assert repo.get_pull(number).mergeable_state == "blocked"
    with refused(405, 'Required status check "ci" is failing.'):
        repo.get_pull(number).merge()


def test_a_job_of_an_older_run_may_end_after_the_newer_one_began(hub: GitHub, repo: Repo) -> None:
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    hub.open_pull("tiny", "tt/one")
    old = hub.check("lint", "success")
    new = hub.check("lint")
    late = hub.check("test", "cancelled", beside=old)
    now = hub.check("test", beside=new)
    runs = {one.id: [job.id for job in one.jobs()] for one in repo.get_workflow_runs(head_sha=new.sha)}
    assert list(runs.values()) == [[new.id, now.id], [old.id, late.id]]


def test_rules_of_rulesets_refuse_like_protection(hub: GitHub, repo: Repo) -> None:
    """Who only reads learns of them at their own address; a queue lets nobody pass beside it."""
    hub.rule("main", "required_status_checks", required_status_checks=[{"context": "ci"}])
    hub.rule("main", "pull_request", required_approving_review_count=1, required_review_thread_resolution=True)
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    change = repo.create_pull(base="main", head="tt/one", title="One", body="")
    assert [one["type"] for one in hub.regular("/repos/octo/site/rules/branches/main").body] == [
        "required_status_checks", "pull_request",
    ]  # fmt: skip
    with refused(405, "Repository rule violations found"):
        change.merge()
    hub.check("ci", "success")
    hub.review("ann", "APPROVED")
    hub.rule("main", "merge_queue")
    with refused(405, "Changes must be made through the merge queue"):
        change.merge()
    hub.repo.rules["main"].pop()
    assert change.merge().merged


def test_a_test_can_watch_what_happens_to_a_change(hub: GitHub) -> None:
    seen: list[str] = []
    hub.repo.watchers.append(lambda pull, action: seen.append(f"{pull.number} {action}"))
    hub.push_by("tiny", "tt/one", {"a.txt": "one\n"})
    number = hub.open_pull("tiny", "tt/one").number
    hub.push_by("tiny", "tt/one", {"a.txt": "two\n"})
    hub.merge_by("ann")
    assert seen == [f"{number} {action}" for action in ("opened", "synchronize", "closed")]
