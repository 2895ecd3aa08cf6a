"""Making a repository a town, with real repositories."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tinytown import settings
from tinytown.errors import ConfigurationError, DiskFullError, StateError
from tinytown.host.init import github_repository, init, slug
from tinytown.town import open_town


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


def test_init_writes_what_fits_the_repository(checkout: Path) -> None:
    """The folder's name, the current branch, no checks; git sees nothing but the configuration."""
    git(checkout, "switch", "-q", "-c", "trunk")
    done = init(checkout)
    assert done.created == (".tt/.gitignore", ".tt/town.json", "tinytown.toml")
    forge = done.town.settings.forge
    assert (done.town.name, forge.kind, forge.repo, forge.base) == ("project", "local", "project", "trunk")
    assert forge.local.checks == []
    assert any("review alone" in remark for remark in done.remarks)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=checkout, capture_output=True, check=True).stdout
    assert status == b"?? tinytown.toml\n"


def test_init_twice_changes_nothing(checkout: Path) -> None:
    """Not even with another name."""
    town = init(checkout).town
    before = {path: path.read_bytes() for path in (checkout / "tinytown.toml", town.folder / "town.json")}
    again = init(checkout, name="Other")
    assert again.existed
    assert again.created == ()
    assert again.town == town
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("lost", [".tt", ".tt/.gitignore", ".tt/town.json", "tinytown.toml"])
def test_a_half_made_town_is_repaired(checkout: Path, lost: str) -> None:
    """Only what is missing is made; a clone of a town's repository lacks all of `.tt`."""
    town = init(checkout).town
    subprocess.run(["rm", "-r", checkout / lost], check=True)
    again = init(checkout)
    assert not again.existed
    assert all(name.startswith(lost) for name in again.created)
    assert init(checkout).existed
    if "town.json" not in "".join(again.created):
        assert again.town.id == town.id


def test_two_at_once_agree_on_one_identity(checkout: Path) -> None:
    """Whoever comes second takes the first one's."""
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: init(checkout), range(4)))
    assert {result.town.id for result in done} == {open_town(checkout).id}


@pytest.mark.parametrize(
    ("makefile", "checks"),
    [
        ("all:\n\ntest: all\n\tpytest\n", ["make test"]),
        ("test ::\n", ["make test"]),
        ("test:=x\n\ttest: nothing\ntests:\n", []),
        (".PHONY: test\n", []),
    ],
)
def test_a_makefile_that_tests_becomes_the_check(checkout: Path, makefile: str, checks: list[str]) -> None:
    """A target, not a variable or a longer name."""
    (checkout / "Makefile").write_text(makefile)
    assert init(checkout).town.settings.forge.local.checks == checks


def test_a_github_remote_makes_a_github_town(checkout: Path) -> None:
    """The branch's own remote comes before the others."""
    git(checkout, "remote", "add", "origin", "https://example.org/x/y.git")
    git(checkout, "remote", "add", "hub", "git@github.com:Owner/some.name.git")
    git(checkout, "config", "branch.main.remote", "hub")
    done = init(checkout)
    forge = done.town.settings.forge
    assert (forge.kind, forge.repo, forge.base) == ("github", "Owner/some.name", "main")
    assert forge.local.checks is None
    assert [remark for remark in done.remarks if "`tt config policy.auto_merge true`" in remark]


def test_a_configured_enterprise_server_is_github_too(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the user's own configuration, as there is none of the town yet."""
    git(checkout, "remote", "add", "origin", "ssh://git@git.example.org:2222/team/app.git")
    assert init(checkout).town.settings.forge.kind == "local"
    (checkout / "tinytown.toml").unlink()
    monkeypatch.setenv("TINYTOWN_FORGE__BASE_URL", "https://git.example.org/api/v3")
    assert init(checkout).town.settings.forge.repo == "team/app"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@github.com:o/r.git", "o/r"),
        ("github.com:o/r", "o/r"),
        ("https://github.com/o/r", "o/r"),
        ("https://token@github.com/o/r.git/", "o/r"),
        ("ssh://git@ssh.github.com:443/o/r.git", "o/r"),
        ("HTTPS://GitHub.com/O/R.git", "O/R"),
        ("https://github.com.evil.org/o/r", None),
        ("https://gitlab.com/o/r", None),
        ("https://github.com/o", None),
        ("/srv/github.com/o/r.git", None),
        ("../github.com:o/r", None),
        ("file:///o/r", None),
        ("https://[broken/o/r", None),
    ],
)
def test_which_addresses_are_githubs(url: str, name: str | None) -> None:
    """Every form that git takes, and nothing that only looks like it."""
    assert github_repository(url) == name


@pytest.mark.parametrize(
    ("text", "name"), [("My Project", "my-project"), ("--x--", "x"), ("日本", "repo"), ("a" * 60, "a" * 48)]
)
def test_a_slug_can_stand_in_a_key(text: str, name: str) -> None:
    """Lower case, digits and dashes."""
    assert slug(text) == name


def test_a_repository_without_commits_is_a_town_with_a_remark(tmp_path: Path) -> None:
    """Its branch has a name already."""
    git(tmp_path, "init", "-q", "-b", "later")
    done = init(tmp_path)
    assert done.town.settings.forge.base == "later"
    assert any("no commits" in remark for remark in done.remarks)


def test_no_repository_detached_bare(tmp_path: Path, checkout: Path) -> None:
    """Each is refused with its remedy, and nothing is written."""
    with pytest.raises(StateError, match=r"not in a git repository; run `git init`"):
        init(tmp_path)
    git(checkout, "switch", "-q", "--detach")
    with pytest.raises(StateError, match=r"HEAD is detached; run `git switch"):
        init(checkout)
    git(tmp_path, "init", "-q", "--bare", "bare")
    with pytest.raises(StateError, match="no files checked out"):
        init(tmp_path / "bare")
    assert not (checkout / ".tt").exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\x1b[31mb", "a\nb"])
def test_a_name_that_can_not_be_shown_is_refused(checkout: Path, name: str) -> None:
    """Before anything is written."""
    with pytest.raises(ConfigurationError, match="name of a town"):
        init(checkout, name=name)
    assert not (checkout / ".tt").exists()


def test_a_full_disk_leaves_nothing_behind(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever file it meets."""
    for failing in range(1, 4):
        calls = 0

        def fsync(descriptor: int, failing: int = failing) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(DiskFullError, match="no space left"):
            init(checkout)
        assert sorted(path.name for path in checkout.iterdir()) == [".git", "README.md"]


def test_what_stands_in_the_way_is_named(checkout: Path) -> None:
    """And left as it is."""
    (checkout / ".tt").write_text("mine")
    with pytest.raises(StateError, match=r"\.tt cannot be written"):
        init(checkout)
    assert (checkout / ".tt").read_text() == "mine"
    assert not (checkout / "tinytown.toml").exists()


def test_a_damaged_identity_is_never_replaced(checkout: Path) -> None:
    """A new one would begin an empty town in silence."""
    town = init(checkout).town
    (town.folder / "town.json").write_text(json.dumps({"id": town.id}))
    with pytest.raises(ConfigurationError, match="is damaged"):
        init(checkout)


def test_the_configuration_is_what_init_writes(checkout: Path) -> None:
    """Every later reader takes it as it is."""
    town = init(checkout, name="Tiny Town").town
    assert settings.load(checkout) == town.settings
    assert town.name == "Tiny Town"
