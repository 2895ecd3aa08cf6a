"""A change comes to GitHub once, whatever gets lost, and nobody's work there is overwritten."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.github.hub import GitHub
from tests.integration.github.bench import BRANCH, REPO, Bench
from tinytown.errors import (
    ClosedChangeError,
    ConfigurationError,
    ForeignCommitsError,
    StateError,
    UnclearError,
    UnreachableError,
)
from tinytown.git.repository import Git
from tinytown.settings import parse

PULLS = "/repos/octo/site/pulls"


def test_a_pull_request_says_what_it_is_and_leaves_peoples_words_alone(bench: Bench, github: GitHub) -> None:
    first = bench.published(waits_for=("7",))
    pull = github.pull()
    assert (pull.title, pull.base, pull.head, pull.draft) == ("Add a page", "main", BRANCH, False)
    assert (pull.head_sha, first.name, first.id) == (first.head, str(pull.number), pull.node_id)
    assert "Closes #1\n" in pull.body
    assert "It adds a page." in pull.body
    assert "It is merged after #7" in pull.body
    # A person writes around it, in an editor that ends lines in its own way.
    pull.body = f"Please read!\n\n{pull.body}\n\nThanks".replace("\n", "\r\n")
    written = pull.body
    again = bench.again().publish(REPO, replace(first, waits_for=("7",)))
    assert (again.name, pull.body) == (first.name, written), "nothing to write"
    bench.again().publish(REPO, replace(first, body="It adds two pages <!-- hidden -->.", waits_for=()))
    assert pull.body.startswith("Please read!\r\n")
    assert pull.body.endswith("\r\n\r\nThanks")
    assert "two pages &lt;!-- hidden" in pull.body
    assert "#7" not in pull.body
    # What a person changes inside is theirs.
    pull.body = pull.body.replace("two pages", "three pages")
    bench.again().publish(REPO, replace(first, body="It adds four pages.", waits_for=()))
    assert "three pages" in pull.body
    assert len(github.writes("POST", PULLS)) == 1


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 502}])
@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_opens_no_second_one(
    bench: Bench, github: GitHub, fault: dict[str, object], effect: bool
) -> None:
    github.fault("POST", PULLS, effect=effect, **fault)
    change = bench.change()
    if effect:
        assert bench.forge.publish(REPO, change).id == github.pull().node_id
    else:
        with pytest.raises(UnclearError):
            bench.forge.publish(REPO, change)
        bench.again().publish(REPO, change)
    assert len(github.repo.pulls) == 1


def test_one_that_is_there_is_adopted_whoever_opened_it(bench: Bench, github: GitHub) -> None:
    change = bench.change()
    github.push_by("tinytown", BRANCH, {"a.txt": "a\n"})
    bench.forge.mirror(REPO)
    theirs = github.open_pull("ann", BRANCH, "My title", "My words")
    own = Git.own(bench.forge.mirror(REPO))
    head = bench.work({"b.txt": "b\n"}, on=_taken(bench, github))
    assert own.commit(head)
    published = bench.forge.publish(REPO, replace(change, head=head))
    assert published.id == theirs.node_id
    assert theirs.title == "My title"
    assert theirs.body.startswith("My words\n\n<!-- tinytown:begin")


def _taken(bench: Bench, github: GitHub) -> str:
    """What is on the branch at GitHub, taken into the mirror as after a refusal."""
    with pytest.raises(ForeignCommitsError) as caught:
        bench.forge.publish(REPO, bench.change(bench.work({"other.txt": "x\n"})))
    assert caught.value.sha == github.tip(BRANCH)
    assert BRANCH in caught.value.message
    return caught.value.sha


def test_commits_of_others_are_taken_in_or_asked_about(bench: Bench, github: GitHub) -> None:
    first = bench.published()
    theirs = github.push_by("ann", BRANCH, {"b.txt": "theirs\n"})
    # On top of ours they stay, and are seen.
    bench.forge.publish(REPO, first)
    assert github.tip(BRANCH) == theirs
    assert bench.forge.observe(REPO, first).head == theirs
    # Beside ours they are not overwritten, but kept for whoever goes on from them.
    beside = replace(first, head=bench.work({"c.txt": "c\n"}, on=first.head))
    with pytest.raises(ForeignCommitsError) as caught:
        bench.forge.publish(REPO, beside)
    assert caught.value.sha == theirs == github.tip(BRANCH)
    both = replace(beside, head=bench.work({"c.txt": "c\n"}, on=theirs))
    bench.forge.publish(REPO, both)
    assert github.tip(BRANCH) == both.head
    # What tinytown itself brought there may be replaced, e.g. by work that began anew.
    anew = replace(both, head=bench.work({"d.txt": "d\n"}), pushed=both.head)
    bench.forge.publish(REPO, anew)
    assert github.tip(BRANCH) == anew.head == github.pull().head_sha


def test_what_a_person_closed_stays_closed(bench: Bench, github: GitHub) -> None:
    first = bench.published()
    github.close_pull(by="ann")
    newer = replace(first, head=bench.work({"b.txt": "b\n"}, on=first.head))
    for change in (newer, replace(newer, id="", name="")):
        with pytest.raises(ClosedChangeError, match="was closed by ann") as caught:
            bench.forge.publish(REPO, change)
        assert "open it again" in caught.value.remedy
    assert (github.tip(BRANCH), github.pull().state, len(github.repo.pulls)) == (first.head, "closed", 1)
    seen = bench.forge.observe(REPO, first)
    assert (seen.state, seen.head) == ("closed", first.head)
    assert "was closed by ann" in bench.merge(first).details


def test_a_draft_is_made_ready_once_and_a_persons_draft_is_left(bench: Bench, github: GitHub) -> None:
    first = bench.published(draft=True)
    assert github.pull().draft
    ready = replace(first, draft=False)
    bench.forge.publish(REPO, ready)
    assert not github.pull().draft
    github.pull().draft = True
    bench.forge.publish(REPO, ready)
    assert github.pull().draft, "a person made it one again"
    assert "is a draft" in bench.settled(ready).details


def test_another_repositorys_issue_is_closed_by_its_full_name(bench: Bench, github: GitHub) -> None:
    github.at("octo/other").issue(3, "Elsewhere")
    bench.published(key="octo/other#3")
    assert "Closes octo/other#3\n" in github.pull().body


def test_the_title_is_as_configured(bench: Bench, github: GitHub) -> None:
    """What looks like a place in the issue's own title is none; one that is too long is cut."""
    github_settings = bench.town.settings.forge.github.model_copy(update={"title": "[site] #{issue}: {title}"})
    forge = bench.town.settings.forge.model_copy(update={"github": github_settings})
    bench.town = replace(bench.town, settings=bench.town.settings.model_copy(update={"forge": forge}))
    bench.forge = bench.again()
    bench.published(title=f"Add {{issue}} {'x' * 300}")
    assert github.pull().title == f"[site] #1: Add {{issue}} {'x' * 300}"[:256]
    assert parse({"forge": {"github": {"title": "{title}!"}}}, source="a test").forge.github.title == "{title}!"
    for wrong in ("no place", "{title} {name}", "{title} {"):
        with pytest.raises(ConfigurationError, match="must hold"):
            parse({"forge": {"github": {"title": wrong}}}, source="a test")


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_renamed_repository_goes_on(bench: Bench, github: GitHub, when: str) -> None:
    change = bench.change()
    if when == "meanwhile":
        bench.forge.access()
        bench.forge.observe(REPO, change)  # its name is known by now
    github.rename("octo/page")
    published = bench.forge.publish(REPO, change)
    assert published.id == github.pull().node_id
    assert len(github.repo.pulls) == 1
    assert bench.settled(replace(change, name=published.name, id=published.id)).status == "merged"


def test_the_token_is_seen_by_git_alone(
    bench: Bench, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every git that is started is asked what it was given: never in an argument, and never beside the server."""
    token = os.environ["GH_TOKEN"]
    real = next(p for folder in os.environ["PATH"].split(":") if (p := Path(folder) / "git").exists())
    spy, log = tmp_path / "bin" / "git", tmp_path / "argv"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {real} "$@"\n')
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    bench.published()
    said = log.read_text()
    assert "push" in said
    assert "ls-remote" in said
    assert token not in said
    mirror = bench.forge.mirror(REPO)
    for path in mirror.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()


def test_a_token_without_rights_is_told_what_it_lacks(
    bench: Bench, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = bench.change()
    github.person("guest", "read")
    monkeypatch.setenv("GH_TOKEN", github.token("guest"))
    with pytest.raises((ConfigurationError, StateError)) as caught:
        bench.again().publish(REPO, change)
    assert "write access to contents" in caught.value.remedy
    assert not github.repo.pulls


@pytest.mark.parametrize("effect", [True, False])
def test_a_push_whose_answer_was_lost_is_looked_after(bench: Bench, github: GitHub, effect: bool) -> None:
    change = bench.change()
    github.fault("POST", "/octo/site.git/git-receive-pack", 502, effect=effect)
    if not effect:
        with pytest.raises(UnreachableError):
            bench.forge.publish(REPO, change)
        assert not github.repo.pulls
    assert bench.again().publish(REPO, change).id == github.pull().node_id
    assert [(branch, after) for _, branch, _, after in github.repo.pushes] == [(BRANCH, change.head)]


def test_a_town_without_a_token_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been started in a shell that had none; the token is not said to lack a right."""
    change = bench.change()
    monkeypatch.delenv("GH_TOKEN")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(ConfigurationError, match="this town has no token for") as caught:
        bench.again().publish(REPO, change)
    assert "`tt start`" in caught.value.remedy
