"""The local forge beyond the common suite: the user's checkout, their changes and their hooks are left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.forges import at_once
from tests.fakes.repositories import BRANCH, Repository, a_change, a_town, new_repository
from tinytown.errors import ConfigurationError, NotFoundError, StateError
from tinytown.forge import mirror as mirrors
from tinytown.forge.contract import Change, MergeResult, RunChecks
from tinytown.forge.local.forge import LocalForge
from tinytown.git.repository import Git
from tinytown.missions.records.evidence import Verdict
from tinytown.processes import Completed
from tinytown_workers.workspace import workspace


@pytest.fixture
def forge(repository: Repository) -> LocalForge:
    return LocalForge(a_town(repository.root))


@pytest.fixture
def work(forge: LocalForge, tmp_path: Path) -> Callable[..., Change]:
    """Make a change as a worker would: `work({"a.txt": "a"})`."""
    made: list[Path] = []

    def make(files: dict[str, str], *, branch: str = BRANCH, repo: str | None = None) -> Change:
        repo = repo or forge.repo
        mirror = forge.mirror(repo)
        folder = tmp_path / "work" / str(len(made))
        made.append(folder)
        prepared = workspace.prepare(mirror, folder, base_sha=forge.base_tip(repo, "main"), branch=branch)
        Repository(folder).write(files)
        head = workspace.collect(prepared, mirror=mirror, ref=f"refs/heads/{branch}", message="Work").head
        assert head
        return a_change(head, branch=branch)

    return make


def merge(
    forge: LocalForge, change: Change, *, checks: RunChecks | None = None, tree: str | None = None
) -> MergeResult:
    return forge.merge(forge.repo, change, checked_tree=tree, checks=checks)


# -- preflight: each refusal is one sentence with a remedy --------------------------------------------


def refused(forge: LocalForge, base: str = "main") -> str:
    with pytest.raises(StateError) as caught:
        forge.preflight(base)
    assert caught.value.remedy
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    assert "git init" in refused(LocalForge(a_town(tmp_path)))


def test_a_folder_inside_somebody_elses_repository_is_not_taken_for_it(repository: Repository) -> None:
    inner = repository.root / "src"
    assert "not the top of a git repository" in refused(LocalForge(a_town(inner)))


def test_a_repository_without_commits_is_refused(tmp_path: Path) -> None:
    Repository(tmp_path).git("init", "-q", "-b", "main")
    assert "no commits yet" in refused(LocalForge(a_town(tmp_path)))


def test_a_detached_head_is_refused(forge: LocalForge, repository: Repository) -> None:
    repository.git("checkout", "-q", "--detach")
    assert "git switch main" in refused(forge)


def test_a_branch_named_tt_is_refused(forge: LocalForge, repository: Repository) -> None:
    repository.git("branch", "tt")
    assert "git branch -m tt" in refused(forge)


def test_checks_that_are_not_configured_are_named(repository: Repository) -> None:
    assert "`forge.local.checks`" in refused(LocalForge(a_town(repository.root, checks=None)))


def test_only_no_checks_at_all_is_worth_a_remark(repository: Repository) -> None:
    assert "review alone" in LocalForge(a_town(repository.root)).start_warnings()[0]
    assert not LocalForge(a_town(repository.root, checks=["make test"])).start_warnings()


@pytest.mark.parametrize("how", ["changed", "staged", "deleted", "added"])
def test_tracked_changes_are_named_to_whoever_starts(forge: LocalForge, repository: Repository, how: str) -> None:
    if how == "deleted":
        (repository.root / "README.md").unlink()
    else:
        repository.write({"new.txt" if how == "added" else "README.md": "mine\n"})
    if how in ("staged", "added"):
        repository.git("add", "-A")
    (remark,) = forge.preflight("main")
    assert ("new.txt" if how == "added" else "README.md") in remark


def test_untracked_files_and_the_towns_own_file_do_not_count(forge: LocalForge, repository: Repository) -> None:
    repository.commit("Town", {"tinytown.toml": "name = 'a'\n"})
    repository.write({"tinytown.toml": "name = 'b'\n", "notes.txt": "mine\n", ".tt/town.json": "{}"})
    assert not forge.preflight("main")


def test_changes_on_another_branch_do_not_count(forge: LocalForge, repository: Repository) -> None:
    repository.git("switch", "-q", "-c", "mine")
    repository.write({"README.md": "mine\n"})
    assert not forge.preflight("main")


def test_changes_in_a_second_work_tree_count(forge: LocalForge, repository: Repository, tmp_path: Path) -> None:
    repository.git("switch", "-q", "-c", "mine")
    repository.git("worktree", "add", "-q", str(tmp_path / "second"), "main")
    (tmp_path / "second/README.md").write_text("mine\n")
    (remark,) = forge.preflight("main")
    assert "second" in remark


def test_a_rebase_of_the_base_is_refused(forge: LocalForge, repository: Repository) -> None:
    repository.git("switch", "-q", "-c", "side")
    repository.commit("Side", {"README.md": "side\n"})
    repository.git("switch", "-q", "main")
    repository.commit("Main", {"README.md": "main\n"})
    repository.git("rebase", "side", code=1)
    repository.git("checkout", "-q", "-f", "--detach")
    with pytest.raises(StateError):
        forge.preflight("main")
    change = a_change(repository.rev("side"))
    forge.mirror(forge.repo)
    result = merge(forge, change)
    assert result.status == "base_dirty"
    assert "rebase of main" in result.details


# -- names and issues ----------------------------------------------------------------------------------


def test_the_slug_is_the_folders_or_the_configured_one(tmp_path: Path) -> None:
    folder = tmp_path / "My Shop!"
    folder.mkdir()
    assert LocalForge(a_town(folder)).repo == "local/my-shop"
    assert LocalForge(a_town(folder, repo="other")).repo == "local/other"
    with pytest.raises(ConfigurationError, match=r"forge\.repo"):
        LocalForge(a_town(folder, repo="../x"))


def test_references_name_the_own_repository_or_a_configured_one(repository: Repository, tmp_path: Path) -> None:
    api = new_repository(tmp_path / "elsewhere")
    api.write({"issues/2.md": "# Of the API\n"})
    forge = LocalForge(a_town(repository.root, repos={"api": "../elsewhere"}))
    assert forge.issue_key("2") == "local/project#2"
    assert forge.issue_key("local/api#2") == forge.issue_key("api#2") == "local/api#2"
    assert forge.issue("local/api#2").title == "Of the API"
    assert forge.mirror("local/api") != forge.mirror("local/project")
    with pytest.raises(ConfigurationError, match=r"forge\.local\.repos"):
        forge.issue_key("local/unknown#2")
    with pytest.raises(NotFoundError):
        forge.issue("octo/site#2")
    assert forge.issue_state("octo/site#2") == "unknown"


def test_blockers_become_keys_of_the_same_repository(forge: LocalForge, repository: Repository) -> None:
    repository.write({"issues/1.md": '+++\nblocked_by = [2, "octo/site#3"]\n+++\n# One\n'})
    assert forge.issue("local/project#1").blocked_by == ("local/project#2", "octo/site#3")
    repository.write({"issues/1.md": '+++\nblocked_by = ["two"]\n+++\n# One\n'})
    with pytest.raises(ConfigurationError, match=r"issues/1\.md"):
        forge.issue("local/project#1")


# -- the mirror ----------------------------------------------------------------------------------------


def test_the_mirror_follows_renames_resets_and_deletions(forge: LocalForge, repository: Repository) -> None:
    repository.git("branch", "a")
    mirror = Git.own(forge.mirror(forge.repo))
    repository.git("branch", "-m", "a", "a/b")
    first = repository.rev("main")
    repository.commit("More")
    forge.mirror(forge.repo)
    assert set(mirror.refs("refs/heads")) == {"refs/heads/main", "refs/heads/a/b"}
    repository.git("reset", "-q", "--hard", first)
    forge.mirror(forge.repo)
    assert mirror.commit("refs/heads/main") == first


def test_nothing_of_ours_in_the_users_repository_comes_back(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    forge.publish(forge.repo, change)
    repository.git("branch", "-f", BRANCH, "main")
    repository.git("branch", "tt/abcdef12/strange", "main")
    repository.commit("Moves")
    mirror = Git.own(forge.mirror(forge.repo))
    assert mirror.refs("refs/heads/tt") == {f"refs/heads/{BRANCH}": change.head}


def test_a_user_who_prunes_every_fetch_does_not_prune_our_branches(
    forge: LocalForge, repository: Repository, work: Callable[..., Change], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[fetch]\n\tprune = true\n\tpruneTags = true\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    change = work({"a.txt": "a\n"})
    repository.commit("Moves")
    assert Git.own(forge.mirror(forge.repo)).commit(f"refs/heads/{BRANCH}") == change.head


def test_after_a_merge_of_ours_the_mirror_has_all_and_fetches_nothing(
    forge: LocalForge, repository: Repository, work: Callable[..., Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    change = work({"a.txt": "a\n"})
    forge.publish(forge.repo, change)
    merged = merge(forge, change)
    assert merged.status == "merged"
    commands: list[str] = []
    run = Git.run

    def noted(git: Git, *arguments: str, **options: Any) -> Completed:
        commands.append(arguments[0])
        return run(git, *arguments, **options)

    monkeypatch.setattr(Git, "run", noted)
    own = Git.own(forge.mirror(forge.repo))
    assert own.commit("refs/heads/main") == merged.sha
    assert "fetch" not in commands
    mine = repository.commit("A person's", {"b.txt": "b\n"})
    assert Git.own(forge.mirror(forge.repo)).commit("refs/heads/main") == mine == repository.rev("main")
    assert "fetch" in commands


def test_a_shallow_repository_can_be_mirrored_worked_on_and_merged(tmp_path: Path) -> None:
    full = new_repository(tmp_path / "full")
    full.commit("Second", {"b.txt": "b\n"})
    Repository(tmp_path).git("clone", "-q", "--depth=1", f"file://{full.root}", "project")
    forge = LocalForge(a_town(tmp_path / "project"))
    mirror = forge.mirror(forge.repo)
    prepared = workspace.prepare(mirror, tmp_path / "w", base_sha=forge.base_tip(forge.repo, "main"), branch=BRANCH)
    Repository(tmp_path / "w").commit("Mine", {"a.txt": "a\n"})
    collected = workspace.collect(prepared, mirror=mirror, ref=f"refs/heads/{BRANCH}", message="Work")
    assert collected.head
    forge.publish(forge.repo, a_change(collected.head))
    assert merge(forge, a_change(collected.head)).status == "merged"
    assert "a.txt" in Repository(tmp_path / "project").files("main")


def test_sha256_repositories_work(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "project", "--object-format=sha256")
    forge = LocalForge(a_town(repository.root))
    mirror = forge.mirror(forge.repo)
    prepared = workspace.prepare(mirror, tmp_path / "w", base_sha=repository.rev("main"), branch=BRANCH)
    Repository(tmp_path / "w").commit("Mine", {"a.txt": "a\n"})
    collected = workspace.collect(prepared, mirror=mirror, ref=f"refs/heads/{BRANCH}", message="Work")
    assert collected.head
    assert len(collected.head) == 64
    assert merge(forge, a_change(collected.head)).status == "merged"


def test_many_packs_and_loose_objects_are_combined_and_nothing_is_lost(
    forge: LocalForge, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "PACKS", 3)
    mirror = forge.mirror(forge.repo)
    own = Git.own(mirror)
    loose = own.commit_tree(own.tree("refs/heads/main"), [], "Reached by no ref\n")
    commits = []
    for number in range(6):
        commits.append(repository.commit(f"{number}", {"n.txt": f"{number}\n"}))
        forge.mirror(forge.repo)
    assert len(list((mirror / "objects/pack").glob("*.pack"))) <= 4
    assert all(own.commit(commit) for commit in [*commits, loose])
    own.run("fsck", "--strict")


def test_clones_made_while_objects_are_packed_are_whole(
    forge: LocalForge, repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mirrors, "PACKS", 1)
    monkeypatch.setattr(mirrors, "LOOSE", 1)
    mirror = forge.mirror(forge.repo)
    base = repository.rev("main")
    stop = threading.Event()

    def pack() -> int:
        own = Git.own(mirror)
        rounds = 0
        while not stop.is_set():
            loose = own.commit_tree(own.tree(base), [base], f"{rounds}\n")
            own.run("update-ref", f"refs/tinytown/attempts/{rounds}", loose)
            repository.commit(f"{rounds}", {"n.txt": f"{rounds}\n"})
            forge.mirror(forge.repo)
            rounds += 1
        return rounds

    def clones() -> int:
        try:
            for number in range(12):
                tip = Git.own(mirror).commit("refs/heads/main") or base
                made = workspace.prepare(mirror, tmp_path / "n" / str(number), base_sha=tip, branch=BRANCH)
                Repository(made.folder).git("fsck", "--connectivity-only")
                Repository(made.folder).git("log", "--stat")
        finally:
            stop.set()
        return 12

    rounds, _ = at_once(pack, clones)
    assert rounds > 1
    Git.own(mirror).run("fsck", "--strict")


# -- publishing ----------------------------------------------------------------------------------------


def test_publishing_runs_no_hook_and_leaves_no_trace(
    forge: LocalForge, repository: Repository, work: Callable[..., Change], tmp_path: Path
) -> None:
    trap = plant_hooks(repository, tmp_path)
    repository.git("update-ref", "refs/heads/probe", "main")
    assert trap.exists(), "the hooks do not work, so this test could not fail"
    trap.unlink()
    change = work({"a.txt": "a\n"})
    forge.publish(forge.repo, change)
    assert merge(forge, change).status == "merged"
    assert not trap.exists()
    assert not (repository.root / ".git/FETCH_HEAD").exists()
    assert repository.git("status", "--porcelain") == ""


def plant_hooks(repository: Repository, tmp_path: Path) -> Path:
    """Hooks for everything that happens on the way; whichever runs leaves this file."""
    trap = tmp_path / "TRAP"
    for name in ("reference-transaction", "post-merge", "post-checkout", "pre-merge-commit", "commit-msg",
                 "post-commit", "pre-commit", "post-index-change", "update", "pre-receive"):  # fmt: skip
        hook = repository.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {trap}\n")
        hook.chmod(0o755)
    return trap


def test_a_branch_that_the_user_looks_at_is_not_changed_under_them(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    first = work({"a.txt": "1\n"})
    forge.publish(forge.repo, first)
    repository.git("switch", "-q", BRANCH)
    mirror = forge.mirror(forge.repo)
    own = Git.own(mirror)
    second = own.commit_tree(own.tree(repository.rev("main")), [first.head], "Next\n")
    with pytest.raises(StateError, match="checked out"):
        forge.publish(forge.repo, a_change(second))
    assert repository.rev("HEAD") == first.head


@pytest.mark.parametrize("branch", ["main", "--upload-pack=x", "tt/../main", "tt/a b", "tt/x.lock", "tt/a\nb", "tt/"])
def test_only_branches_of_ours_are_published(forge: LocalForge, repository: Repository, branch: str) -> None:
    with pytest.raises(ConfigurationError):
        forge.publish(forge.repo, a_change(repository.rev("main"), branch=branch))


# -- merging -------------------------------------------------------------------------------------------


def test_a_merge_is_a_real_merge_that_says_what_it_brings(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    tip = repository.rev("main")
    change = work({"a.txt": "a\n"})
    evil = Change(**{**change.__dict__, "title": "Say \x1b]0;hi\x07 hello\nSigned-off-by: x\u202e"})
    merged = merge(forge, evil)
    assert merged.sha == repository.rev("main")
    assert repository.git("log", "-1", "--format=%P") == f"{tip} {change.head}"
    assert repository.git("log", "-1", "--format=%s|%an|%ce") == (
        "Merge local/project#1: Say ]0;hi hello Signed-off-by: x|tinytown|tinytown@localhost"
    )
    assert (repository.root / "a.txt").read_text() == "a\n"
    assert repository.git("status", "--porcelain") == ""


def test_a_base_that_nobody_has_checked_out_just_moves(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    repository.git("switch", "-q", "-c", "mine")
    repository.write({"README.md": "mine, not finished\n"})
    merged = merge(forge, change)
    assert merged.sha == repository.rev("main")
    assert not (repository.root / "a.txt").exists()
    assert (repository.root / "README.md").read_text() == "mine, not finished\n"


def test_a_base_in_a_second_work_tree_advances_there(
    forge: LocalForge, repository: Repository, work: Callable[..., Change], tmp_path: Path
) -> None:
    change = work({"a.txt": "a\n"})
    repository.git("switch", "-q", "-c", "mine")
    repository.git("worktree", "add", "-q", str(tmp_path / "second"), "main")
    assert merge(forge, change).status == "merged"
    assert (tmp_path / "second/a.txt").read_text() == "a\n"
    assert Repository(tmp_path / "second").git("status", "--porcelain") == ""


@pytest.mark.parametrize("how", ["changed", "staged", "deleted", "added"])
def test_changes_that_a_merge_does_not_touch_hold_nothing_back(
    forge: LocalForge, repository: Repository, work: Callable[..., Change], how: str
) -> None:
    change = work({"a.txt": "a\n"})
    name = "new.txt" if how == "added" else "README.md"
    if how == "deleted":
        (repository.root / name).unlink()
    else:
        repository.write({name: "mine\n"})
    if how in ("staged", "added"):
        repository.git("add", "-A")
    before = repository.git("status", "--porcelain")
    assert merge(forge, change).status == "merged"
    assert repository.git("status", "--porcelain") == before
    assert (repository.root / "a.txt").read_text() == "a\n"


def test_a_change_of_a_file_that_a_merge_touches_waits_until_it_is_gone(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"README.md": "theirs\n"})
    tip = repository.rev("main")
    repository.write({"README.md": "mine\n"})
    waiting = merge(forge, change)
    assert (waiting.status, repository.rev("main")) == ("base_dirty", tip)
    assert "README.md" in waiting.details
    assert (repository.root / "README.md").read_text() == "mine\n"
    repository.git("checkout", "-q", "--", "README.md")
    assert merge(forge, change).status == "merged"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_that_git_does_not_know_is_never_overwritten(
    forge: LocalForge, repository: Repository, work: Callable[..., Change], ignored: bool
) -> None:
    repository.commit("Ignore", {".gitignore": "*.env\n"})
    name = "secret.env" if ignored else "notes.txt"
    mirror = forge.mirror(forge.repo)
    own = Git.own(mirror)
    scratch = Repository(repository.root.parent / "scratch")
    Repository(repository.root.parent).git("clone", "-q", str(repository.root), "scratch")
    scratch.write({name: "theirs\n"})
    scratch.git("add", "-f", name)
    scratch.git("commit", "-q", "-m", "Theirs")
    own.run("fetch", "--", str(scratch.root), f"HEAD:refs/heads/{BRANCH}")
    change = a_change(scratch.rev("HEAD"))
    tip = repository.rev("main")
    repository.write({name: "mine\n"})
    result = merge(forge, change)
    assert (result.status, repository.rev("main")) == ("base_dirty", tip)
    assert name in result.details
    assert (repository.root / name).read_text() == "mine\n"
    (repository.root / name).unlink()
    assert merge(forge, change).status == "merged"


def test_a_git_command_of_the_user_at_work_makes_it_wait(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    lock = repository.root / ".git/index.lock"
    lock.touch()
    result = merge(forge, change)
    assert result.status == "base_dirty"
    assert "index.lock" in result.details
    lock.unlink()
    assert merge(forge, change).status == "merged"


def test_the_users_own_merge_options_are_overruled(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    repository.git("config", "branch.main.mergeOptions", "--squash --no-commit --autostash")
    repository.git("config", "merge.ff", "false")
    repository.git("config", "merge.verifySignatures", "true")
    change = work({"a.txt": "a\n"})
    merged = merge(forge, change)
    assert merged.status == "merged"
    assert repository.rev("main") == merged.sha
    assert repository.git("status", "--porcelain") == ""


def test_the_checks_see_the_merged_tree_and_a_failure_moves_nothing(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    tip = repository.commit("Moves", {"b.txt": "b\n"})
    seen: list[list[str]] = []

    def checks(mirror: Path, sha: str) -> Verdict:
        seen.append(Repository(mirror).files(sha))
        return Verdict(passed=False, sha=sha, details="a.txt does not go with b.txt")

    result = merge(forge, change, checks=checks)
    assert (result.status, result.details) == ("check_failed", "a.txt does not go with b.txt")
    assert {"a.txt", "b.txt"} <= set(seen[0])
    assert repository.rev("main") == tip


def test_a_verdict_about_another_commit_is_no_pass(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    result = merge(forge, change, checks=lambda _, sha: Verdict(passed=True, sha=change.head))
    assert result.status == "check_failed"
    assert repository.rev("main") != change.head


def test_a_tree_that_was_proven_is_not_checked_again(forge: LocalForge, work: Callable[..., Change]) -> None:
    def never(mirror: Path, sha: str) -> Verdict:
        raise AssertionError("checked again")

    change = work({"a.txt": "a\n"})
    tree = workspace.tree_of(forge.mirror(forge.repo), change.head)
    assert merge(forge, change, checks=never, tree=tree).status == "merged"


def test_a_base_that_moves_during_the_checks_is_not_overwritten(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    theirs: list[str] = []

    def checks(mirror: Path, sha: str) -> Verdict:
        theirs.append(repository.commit("Meanwhile", {"c.txt": "c\n"}))
        return Verdict(passed=True, sha=sha)

    assert merge(forge, change, checks=checks).status == "base_moved"
    assert repository.rev("main") == theirs[0]
    assert merge(forge, change).status == "merged"
    assert {"a.txt", "c.txt"} <= set(repository.files("main"))


def test_a_base_that_becomes_dirty_during_the_checks_waits(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    def checks(mirror: Path, sha: str) -> Verdict:
        repository.write({"README.md": "mine\n"})
        return Verdict(passed=True, sha=sha)

    result = merge(forge, work({"README.md": "theirs\n"}), checks=checks)
    assert result.status == "base_dirty"
    assert (repository.root / "README.md").read_text() == "mine\n"


def test_the_same_merge_twice_at_once_is_one_merge(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    town = forge._town
    results = at_once(*[partial(merge, LocalForge(town), change) for _ in range(3)])
    assert [result.status for result in results] == ["merged"] * 3
    assert len({result.sha for result in results}) == 1
    assert repository.git("rev-list", "--merges", "--count", "main") == "1"


def test_different_merges_at_once_all_arrive(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    changes = [work({f"{name}.txt": name}, branch=f"tt/abcdef12/{name}") for name in "abc"]
    town = forge._town
    results = at_once(*[partial(merge, LocalForge(town), change) for change in changes])
    assert [result.status for result in results] == ["merged"] * 3
    assert {"a.txt", "b.txt", "c.txt"} <= set(repository.files("main"))
    assert repository.git("rev-list", "--merges", "--count", "main") == "3"
    assert repository.git("status", "--porcelain") == ""


def test_publishing_twice_at_once_is_once(
    forge: LocalForge, repository: Repository, work: Callable[..., Change]
) -> None:
    change = work({"a.txt": "a\n"})
    town = forge._town
    published = at_once(*[partial(LocalForge(town).publish, "local/project", change) for _ in range(3)])
    assert [one.name for one in published] == [BRANCH] * 3
    assert repository.rev(BRANCH) == change.head


def test_a_branch_that_moved_on_its_own_line_contains_the_commit_itself(
    forge: LocalForge, repository: Repository
) -> None:
    first = repository.commit("First")
    repository.commit("Second")
    change = a_change(first)
    assert forge.merged_sha(forge.repo, change) == first
    assert merge(forge, change).sha == first
