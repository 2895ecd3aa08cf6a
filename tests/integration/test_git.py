"""The door to git: what may pass as a name, and whose configuration and environment count."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tests.fakes.repositories import Repository, new_repository
from tinytown.errors import ConfigurationError, DiskFullError, StateError
from tinytown.git import repository as git
from tinytown.git.repository import Git, GitError, branch_ref


@pytest.mark.parametrize(
    "name",
    [
        "", "-x", "--upload-pack=x", "a b", "a\nb", "a\0b", "a..b", "a.lock", "a.lock/b", "/a", "a/", "a//b", ".a",
        "a/.b", "a.", "@", "a@{b", "a~1", "a^", "a:b", "a?", "a*", "a[",
        "a\\b", "refs/heads/a", "a" * 251, "\x7f",
    ],
)  # fmt: skip
def test_what_is_no_branch_never_reaches_git(name: str) -> None:
    with pytest.raises(ConfigurationError):
        branch_ref(name)


@pytest.mark.parametrize("name", ["main", "feature/a-b_c", "release-1.0", "größe", "a@b", "tt"])
def test_a_branch_of_the_user_may_have_any_good_name_but_is_not_ours(name: str) -> None:
    assert branch_ref(name) == f"refs/heads/{name}"
    with pytest.raises(ConfigurationError):
        branch_ref(name, ours=True)


@budget(max_examples=60)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
    | st.from_regex(r"[-a-z./@{~^: ]{1,8}", fullmatch=True)
)
def test_whatever_we_let_through_git_takes_for_a_branch(name: str) -> None:
    try:
        ref = branch_ref(name)
    except ConfigurationError:
        return
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0
    assert not name.startswith("-")


def test_the_environment_cannot_point_git_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = new_repository(tmp_path / "here"), new_repository(tmp_path / "elsewhere")
    elsewhere.commit("Other", {"x": "x"})
    trap = tmp_path / "TRAP"
    monkeypatch.setenv("GIT_DIR", str(elsewhere.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(elsewhere.root))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {trap}")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {trap}")
    (here.root / "README.md").write_text("changed\n")
    subprocess.run(["git", "status"], cwd=here.root, check=True, capture_output=True)
    assert trap.exists(), "the trap does not work on plain git, so this test could not fail"
    trap.unlink()
    users = Git.users(here.root)
    assert users.commit("HEAD") != Git.own(elsewhere.root / ".git").commit("HEAD")
    users.run("status")
    users.run("diff")
    assert not trap.exists()


def test_our_own_repositories_read_nobodys_configuration_and_the_users_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = new_repository(tmp_path / "project")
    (tmp_path / "config").write_text("[user]\n\tname = Somebody\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert Git.users(repository.root).line("config", "user.name") == "Somebody"
    with pytest.raises(GitError):
        Git.own(repository.root / ".git").line("config", "user.name")


def test_of_the_paths_in_a_persons_settings_one_that_is_none_hides_no_other(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "project")
    config = Path(repository.root, ".git/config")
    config.write_text(config.read_text() + "[core]\n\texcludesFile = ~/mine\n\tattributesFile =\n")
    home = str(Path("~").expanduser())
    assert Git.users(repository.root).paths == {"core.excludesfile": f"{home}/mine", "core.attributesfile": ""}
    config.write_text(config.read_text() + "[lfs]\n\tstorage = ~nobody-of-that-name/lfs\n")
    assert Git.users(repository.root).paths == {"core.excludesfile": f"{home}/mine", "core.attributesfile": ""}


def test_a_repository_further_up_is_not_found(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "project")
    with pytest.raises(GitError, match="not a git repository"):
        Git.users(repository.root / "src").line("rev-parse", "--git-dir")


def test_an_old_git_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    git.require_merge_tree()
    monkeypatch.setattr(git, "version", lambda: (2, 34, 1))
    with pytest.raises(StateError, match=r"2\.38 or newer is needed, this is 2\.34\.1"):
        git.require_merge_tree()


def test_an_error_is_gits_own_words_without_the_options(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "project")
    with pytest.raises(GitError) as caught:
        Git.users(repository.root).run("rev-list", "nothing..main")
    assert caught.value.message.startswith("`git rev-list` failed: fatal: ")
    assert "-c" not in caught.value.message


@pytest.mark.parametrize(
    "words",
    [
        "error: unable to write file x\nfatal: No space left on device",
        "fatal: write error: Disk quota exceeded",
    ],
)
def test_a_full_disk_is_told_from_other_failures(tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 128\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(DiskFullError) as caught:
        Git.own(tmp_path).run("fetch")
    assert caught.value.remedy


def test_names_keep_their_bytes(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.git("init", "-q")
    name = b"\xff \n\xc3\xbc".decode(errors="surrogateescape")
    (tmp_path / name).touch()
    assert Git.users(tmp_path).names("ls-files", "-o", "-z") == (name,)


def test_a_lock_that_a_dead_command_left_is_no_obstacle_for_ever(tmp_path: Path) -> None:
    """Git removes none: one that was killed in a mirror would have stopped every later one. A person's are theirs."""
    repository = new_repository(tmp_path)
    head = repository.rev("main")
    own = Git.own(repository.root / ".git")
    lock = repository.root / ".git/refs/heads/one.lock"

    def taken(since: float) -> None:
        lock.touch()
        os.utime(lock, (since, since))

    taken(time.time() - 60)
    with pytest.raises(GitError, match="File exists"):
        own.run("update-ref", "refs/heads/one", head)
    for since in (time.time() - 3 * git.DEADLINE, psutil.boot_time() - 1):
        taken(since)
        own.run("update-ref", "refs/heads/one", head)
        assert own.commit("refs/heads/one") == head
        assert not lock.exists()
        own.run("update-ref", "-d", "refs/heads/one")
    taken(0)
    with pytest.raises(GitError, match="File exists"):
        Git.users(repository.root).run("update-ref", "refs/heads/one", head)
    assert lock.exists()
