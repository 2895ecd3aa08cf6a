"""Ways to a hub besides HTTP and a path, and what no way brings there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.repositories import Repository, new_repository
from tests.integration.hub.bench import a_bench, a_hub
from tinytown import settings
from tinytown.errors import ConfigurationError, HubAwayError, StateError
from tinytown.forge.local.forge import LocalForge
from tinytown.town import Town

#: Does on this machine what ssh would do on the other.
SSH = """#!/bin/sh
test -e "{away}" && {{ echo "ssh: connect to host hub port 22: Connection refused" >&2; exit 255; }}
while test "$1" != git@hub; do shift; done
shift
exec sh -c "$*"
"""


def test_ssh_opens_a_hub_by_the_persons_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, away = tmp_path / "ssh", tmp_path / "away"
    program.write_text(SSH.format(away=away))
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    hub = a_hub(tmp_path / "hub.git")
    bench = a_bench(tmp_path, f"git@hub:{hub.root}", hub=hub)
    base = bench.publish()
    bench.host.refresh()
    work = bench.work(bench.host, {"a.txt": "1\n"}, on=base)
    bench.host.offer()
    away.touch()
    with pytest.raises(HubAwayError, match=r"the hub is away: git@hub:.* does not answer: .*Connection refused"):
        bench.home.need([work])
    away.unlink()
    bench.home.need([work])
    assert bench.home.own.commit(work) == work


def test_a_password_in_ssh_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\necho "git@hub: Permission denied (publickey,password)." >&2\nexit 255\n')
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    hub = a_hub(tmp_path / "hub.git")
    with pytest.raises(ConfigurationError, match="does not let this machine in"):
        a_bench(tmp_path, "ssh://git@hub/town.git", hub=hub).publish()


def test_one_hub_serves_all_repositories_of_a_town(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    other = a_bench(tmp_path / "other", str(bench.hub.root), hub=bench.hub)
    base = bench.publish()
    theirs = replace(other.home, root=bench.home.root.replace("/project/", "/other/"))
    theirs.publish(["main"])
    bench.home.survey(["main"])
    theirs.survey(["main"])
    assert bench.in_hub() == {"base/main": base}
    assert theirs.base("main") == other.repository.rev("main")


def a_town_with_a_hub(repository: Repository, hub: Path) -> LocalForge:
    values = {"forge": {"kind": "local", "repo": "project", "local": {"checks": []}}, "hub": {"url": str(hub)}}
    return LocalForge(Town(root=repository.root, id="0a1b2c3d4e5f", settings=settings.parse(values, source="test")))


def test_submodules_are_refused_before_anything_begins(tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    repository = new_repository(tmp_path / "project")
    hub = a_hub(tmp_path / "hub.git")
    assert a_town_with_a_hub(repository, hub.root).preflight("main") == []
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "lib")
    repository.commit("Use it")
    with pytest.raises(StateError, match="a hub brings no files that are submodules: `lib`") as refused:
        a_town_with_a_hub(repository, hub.root).preflight("main")
    assert "`[hub] url`" in refused.value.remedy


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_lfs_files_are_refused_before_anything_begins(tmp_path: Path) -> None:
    repository = new_repository(tmp_path / "project")
    repository.git("lfs", "install", "--local")
    repository.commit("Big", {".gitattributes": "*.bin filter=lfs -text\n", "big.bin": b"\0big" * 100})
    hub = a_hub(tmp_path / "hub.git")
    with pytest.raises(StateError, match=r"a hub brings no files that are kept with git-lfs: `big\.bin`"):
        a_town_with_a_hub(repository, hub.root).preflight("main")
