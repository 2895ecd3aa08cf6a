"""What cannot be worked with is refused at the start with the remedy, and is never an item's failure."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.fakes.repositories import Repository, a_town, new_repository
from tinytown import settings, stamp
from tinytown.attempt_paths import AttemptPaths
from tinytown.engine.doctor import repository as doctor
from tinytown.errors import ConfigurationError, DiskFullError, ForgeRefusedError, StateError, UnreachableError
from tinytown.forge import fitness
from tinytown.forge.local.forge import LocalForge
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome, Purpose
from tinytown.town import Town
from tinytown_workers import performing
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.workspace import workspace


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    repository = new_repository(tmp_path / "origin")
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    for number in range(3):
        repository.commit("More", {"src/app.py": f"print({number})\n"})
    return repository


def partial(origin: Repository, root: Path, trap: Path) -> Repository:
    """A partial clone whose remote leaves a trace when it is asked for anything."""
    origin.git("clone", "-q", "--filter=blob:none", f"file://{origin.root}", str(root))
    clone = Repository(root)
    script = trap.with_name("asked.sh")
    script.write_text(f'#!/bin/sh\necho asked >> {trap}\nexec git upload-pack "$@"\n')
    script.chmod(0o755)
    clone.git("config", "remote.origin.uploadpack", str(script))
    return clone


def test_a_partial_clone_is_refused_and_its_remedy_is_one(origin: Repository, tmp_path: Path) -> None:
    trap = tmp_path / "asked"
    clone = partial(origin, tmp_path / "clone", trap)
    forge = LocalForge(a_town(clone.root))
    with pytest.raises(StateError, match="partial clone") as refused:
        forge.preflight("main")
    with pytest.raises(StateError, match="partial clone"):
        forge.mirror(forge.repo)
    assert not trap.exists(), "nothing is fetched to find that out"

    command = refused.value.remedy.partition("`")[2].partition("`")[0]
    clone.git(*shlex.split(command)[1:])
    trap.unlink()
    forge.preflight("main")
    mirror = Repository(forge.mirror(forge.repo))
    assert mirror.show("main~2:src/app.py") == "print(0)"
    mirror.git("fsck", "--strict")
    assert not trap.exists()


def test_a_partial_clone_that_grows_later_is_seen_before_anything_is_asked_of_its_remote(
    origin: Repository, tmp_path: Path
) -> None:
    trap = tmp_path / "asked"
    clone = partial(origin, tmp_path / "clone", trap)
    clone.git("fetch", "-q", "--refetch", "--no-filter", "origin")
    forge = LocalForge(a_town(clone.root))
    forge.preflight("main")
    forge.mirror(forge.repo)
    origin.commit("Later", {"src/app.py": "print('later')\n"})
    clone.git("fetch", "-q", "origin")
    clone.git("update-ref", "refs/heads/main", "origin/main")
    trap.unlink()
    with pytest.raises(StateError, match="partial clone"):
        forge.mirror(forge.repo)
    assert not trap.exists()


def test_a_whole_shallow_clone_with_a_promise_is_fit(origin: Repository, tmp_path: Path) -> None:
    origin.git("clone", "-q", "--depth=1", f"file://{origin.root}", str(tmp_path / "clone"))
    clone = Repository(tmp_path / "clone")
    clone.git("config", "remote.origin.promisor", "true")
    forge = LocalForge(a_town(clone.root))
    forge.preflight("main")
    assert Repository(forge.mirror(forge.repo)).show("main:src/app.py") == "print(2)"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [("extensions.tomorrow", "true", "extension tomorrow"), ("core.repositoryformatversion", "7", "format 7")],
)
def test_a_repository_of_another_day_is_named_as_that(tmp_path: Path, key: str, value: str, says: str) -> None:
    repository = new_repository(tmp_path / "project")
    repository.git("config", "core.repositoryformatversion", "1")
    repository.git("config", key, value)
    with pytest.raises(StateError, match=says) as refused:
        LocalForge(a_town(repository.root)).preflight("main")
    assert refused.value.remedy.startswith(("install one that does", "install a git", "install a newer git"))


# -- folders -------------------------------------------------------------------------------------------


def _a_file(state: Path) -> Path:
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text("")
    return state


def _a_file_inside(state: Path) -> Path:
    (state / "mirrors").parent.mkdir(parents=True)
    (state / "mirrors").write_text("")
    return state / "mirrors"


def _a_link_to_nowhere(state: Path) -> Path:
    state.parent.mkdir(parents=True, exist_ok=True)
    state.symlink_to("/nowhere/at/all")
    return state


def _read_only(state: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    state.mkdir(parents=True)
    state.chmod(0o500)
    return state


@pytest.mark.parametrize("spoil", [_a_file, _a_file_inside, _a_link_to_nowhere, _read_only])
def test_folders_that_cannot_be_used_are_refused_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], Path]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repository = new_repository(tmp_path / "project")
    town = a_town(repository.root)
    place = spoil(town.state)
    with pytest.raises(StateError) as refused:
        LocalForge(town).preflight("main")
    assert str(place) in refused.value.message
    assert str(place) in refused.value.remedy
    values = {"forge": {"kind": "local", "base": "main", "local": {"checks": []}}}
    found = list(doctor.forge(replace(town, settings=settings.parse(values, source="test"))))
    assert any(one.status == "fail" and str(place) in one.detail for one in found), found


def test_grafts_are_refused_and_the_remedy_is_one(origin: Repository, tmp_path: Path) -> None:
    (origin.root / ".git/info/grafts").write_text(f"{origin.rev('HEAD~1')}\n")
    forge = LocalForge(a_town(origin.root))
    for ask in (lambda: forge.preflight("main"), lambda: forge.mirror(forge.repo)):
        with pytest.raises(StateError, match="hides a part of the history") as refused:
            ask()
    command = refused.value.remedy.partition("`")[2].partition("`")[0]
    origin.git(*command.split()[1:])
    assert forge.preflight("main") == []
    # Agents get the history as it is.
    made = workspace.prepare(
        forge.mirror(forge.repo), tmp_path / "w/m/i/1", base_sha=origin.rev("main"), branch="tt/abcdef12/one"
    )
    assert Repository(made.folder).git("rev-list", "--count", "HEAD") == "4"


def test_folders_that_are_not_there_yet_are_fine(tmp_path: Path) -> None:
    assert fitness.unusable(tmp_path / "a/b/c") == ""


# -- at an attempt -------------------------------------------------------------------------------------


def run(town: Town, error: Exception, monkeypatch: pytest.MonkeyPatch, *, begun: bool) -> Report:
    def stage(attempt: AttemptContext) -> Report:
        attempt.execution.begun = begun
        raise error

    monkeypatch.setitem(performing._STAGES, Purpose.WORK, stage)
    closing: list[Callable[[], None]] = []
    attempt = SimpleNamespace(
        town=town, mission=SimpleNamespace(workspace="none"),
        paths=AttemptPaths(town.root / "w" / "1", town.root / "logs"),
        record=SimpleNamespace(id="m/1/1", purpose=Purpose.WORK), at_end=closing.append,
        execution=SimpleNamespace(begun=False), rests_until=None, item=SimpleNamespace(kind="change"),
    )  # fmt: skip
    report = performing.perform(cast(Any, attempt))
    for close in closing:
        close()
    return report


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (StateError("it is a partial clone"), Outcome.NO_WORKSPACE),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/state/x"), Outcome.NO_WORKSPACE),
        (RuntimeError("a fault of ours"), Outcome.NO_WORKSPACE),
        (OSError(errno.ENOSPC, "No space left"), Outcome.DISK_FULL),
        (DiskFullError("full"), Outcome.DISK_FULL),
        (ForgeRefusedError("no"), Outcome.FORGE_REFUSED),
        (UnreachableError("away"), Outcome.UNREACHABLE),
        (ConfigurationError("wrong"), Outcome.MISCONFIGURED),
    ],
)
def test_what_goes_wrong_before_the_agent_ran_uses_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: Outcome
) -> None:
    town = a_town(new_repository(tmp_path / "project").root)
    before = run(town, error, monkeypatch, begun=False)
    assert (before.outcome, before.outcome.consumes) == (outcome, False)
    assert "Error" not in before.summary or isinstance(error, RuntimeError), "a sentence, not the name of a class"


def test_what_goes_wrong_afterwards_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = a_town(new_repository(tmp_path / "project").root)
    assert run(town, StateError("it cannot be collected"), monkeypatch, begun=True).outcome is Outcome.FAILED


def test_a_fault_while_tinytown_was_being_updated_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old modules and new ones in one process do not fit together; that is as if the worker had died."""
    town = a_town(new_repository(tmp_path / "project").root)
    monkeypatch.setattr(stamp, "STARTED", "of another release")
    for error in (TypeError("unexpected keyword argument"), StateError("it cannot be collected")):
        assert run(town, error, monkeypatch, begun=True).outcome is Outcome.LOST
