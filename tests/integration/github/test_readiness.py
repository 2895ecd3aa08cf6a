"""Before a mission starts it is said what the token or the rules at GitHub stand in the way of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import REPO, Bench
from tinytown.errors import StateError

ALL = dict.fromkeys(("contents", "pull_requests", "issues", "statuses"), "write") | {"metadata": "read"}


def remarks(bench: Bench) -> str:
    return "\n".join(bench.again().preflight("main"))


def test_a_repository_in_order_needs_no_remark(bench: Bench, github: GitHub) -> None:
    github.workflow("CI", {"test": "success"})
    assert remarks(bench) == ""


def test_a_repository_without_ci_is_told_before_each_change_waits_for_a_person(bench: Bench, github: GitHub) -> None:
    assert "no CI was found in octo/site" in remarks(bench)
    github.check("other", "success", app="other-ci", sha=github.tip())
    assert remarks(bench) == ""


def test_what_the_rules_demand_is_said(bench: Bench, github: GitHub) -> None:
    github.protect("main", reviews=2)
    github.person("tinytown", "admin")
    github.rule("main", "required_linear_history")
    github.rule("main", "required_signatures")
    github.rule("tt/any", "creation")
    github.push_by("ann", "main", {".gitattributes": "*.bin filter=lfs\n", ".gitmodules": ""})
    first = remarks(bench)
    assert ("git-lfs" in first, "submodules are not fetched" in first) == (True, True), "before anything is fetched"
    bench.forge.mirror(REPO)
    said = remarks(bench)
    for words in ("2 people approve each change", "signed commits only", "(creation) stand in the way", "git-lfs"):
        assert words in said
    assert "submodules are not fetched" in said
    assert "no way of merging" not in said


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ({"kind": "fine-grained", "permissions": ALL}, "cannot read check runs"),
        ({"kind": "fine-grained", "permissions": ALL}, "no logs of failed jobs"),
        ({"kind": "fine-grained", "permissions": {**ALL, "statuses": "none"}}, "cannot read commit statuses"),
        ({"kind": "fine-grained", "permissions": {**ALL, "issues": "none"}}, "cannot read issues, nor close them"),
        ({"scopes": ("repo",)}, "lacks the scope `workflow`"),
    ],
)
def test_what_the_token_lacks_is_said(
    bench: Bench, github: GitHub, monkeypatch: pytest.MonkeyPatch, token: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown", **token))
    assert words in remarks(bench)


def test_rules_that_tinytown_cannot_satisfy_are_said(bench: Bench, github: GitHub) -> None:
    off = dict.fromkeys(("dismiss_stale_reviews_on_push", "require_last_push_approval"), False)
    off["required_review_thread_resolution"] = False
    github.rule("main", "pull_request", require_code_owner_review=True, required_approving_review_count=0, **off)
    github.rule("main", "required_deployments", required_deployment_environments=["staging"])
    said = remarks(bench)
    assert "owners of changed files (CODEOWNERS) approve" in said
    assert "rules of `main` (required_deployments) may keep tinytown from merging" in said


def test_a_way_of_merging_that_is_not_allowed_is_said(bench: Bench, github: GitHub) -> None:
    settings = bench.town.settings
    policy = settings.policy.model_copy(update={"merge_method": "merge"})
    bench.town = replace(bench.town, settings=settings.model_copy(update={"policy": policy}))
    assert "merge_method" not in remarks(bench)
    github.rule("main", "required_linear_history")
    assert 'does not allow `[policy] merge_method = "merge"`: take squash or rebase' in remarks(bench)
    github.repo.methods = {"rebase"}
    assert "take rebase, or leave it out" in remarks(bench)


def test_a_token_without_the_scope_for_repositories_is_refused(
    bench: Bench, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown", scopes=("workflow",)))
    with pytest.raises(StateError, match="lacks the scope `repo`"):
        remarks(bench)


def test_what_nothing_can_be_done_without_is_refused(
    bench: Bench, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.person("guest", "read")
    monkeypatch.setenv("GH_TOKEN", github.token("guest"))
    with pytest.raises(StateError, match="may not push to octo/site"):
        remarks(bench)
    monkeypatch.delenv("GH_TOKEN")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(StateError, match="no token"):
        remarks(bench)
    github.fault("GET", "/repos/octo/site", 200, times=2, body={"id": 7, "full_name": REPO, "archived": True})
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown"))
    with pytest.raises(StateError, match="is archived"):
        remarks(bench)
