"""What a clone gets before it is used: files of the checkout, folders of an earlier setup, and the setup itself."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.fakes.repositories import Repository, new_repository, work_in
from tinytown import settings
from tinytown.attempt_paths import AttemptPaths
from tinytown.errors import ConfigurationError
from tinytown.forge.local.forge import LocalForge
from tinytown.town import Town
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.execution import Execution
from tinytown_workers.checking import failure_cause
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.prepare import cache, setup
from tinytown_workers.prepare.setup import CloneSource, CutShortError, SetupFailedError
from tinytown_workers.purposes import work
from tinytown_workers.run.run_spec import Ended
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Prepared

REPO = "local/project"


class Bench:
    """A town around a repository, whose clones are set up with real commands."""

    def __init__(self, root: Path, **workspace: Any) -> None:
        self.repository = new_repository(root / "project")
        self.root = root
        values = {"forge": {"kind": "local", "repo": "project", "local": {"checks": []}}, "workspace": workspace}
        parsed = settings.parse(values, source="test")
        self.town = Town(root=self.repository.root, id=uuid.uuid4().hex[:12], settings=parsed)
        self.ran: list[list[str]] = []

    @property
    def mirror(self) -> Path:
        return LocalForge(self.town).mirror(REPO)

    def clone(self, name: str = "1", *, commit: str = "", branch: str = "", afresh: bool = False) -> Prepared:
        """A clone, set up, of the base, or of a commit."""
        mirror, base = self.mirror, self.repository.rev("main")
        folder = self.root / "w/m/i" / name
        if branch:
            prepared = workspace.prepare(mirror, folder, base_sha=base, branch=branch)
        else:
            prepared = workspace.prepare_at(mirror, folder, commit or base)
        place = CloneSource(mirror, REPO, base, self.root / "logs", 60, afresh)
        setup.set_up(cast(Execution, SimpleNamespace(town=self.town, run=self.run, begun=False)), prepared, place)
        return prepared

    def run(self, argv: Sequence[str], *, folder: Path, timeout: float, **_: Any) -> Ended:
        self.ran.append(list(argv))
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
        return Ended("exited", done.returncode, done.stdout, done.stderr)


def test_a_file_of_the_checkout_is_there_and_nobody_commits_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, copy=[".env.test", "conf/local file#1.ini"])
    bench.repository.write({".env.test": "KEY=1\n", "conf/local file#1.ini": "x\n"})
    (bench.repository.root / ".env.test").chmod(0o640)
    clone = bench.clone(branch="tt/abcdef12/one")
    assert (clone.folder / ".env.test").read_text() == "KEY=1\n"
    assert (clone.folder / ".env.test").stat().st_mode & 0o777 == 0o640
    assert (clone.folder / "conf/local file#1.ini").exists()
    assert Repository(clone.folder).git("status", "--porcelain") == ""
    work_in(clone.folder, {"a.txt": "a\n"})
    found = workspace.collect(clone, mirror=bench.mirror, ref="refs/heads/tt/abcdef12/one", message="Work\n")
    assert (found.files, found.refused) == (("a.txt",), ())
    # Not by force either: what else was committed beside it is kept.
    again = bench.clone("2", branch="tt/abcdef12/two")
    work_in(again.folder, {"b.txt": "b\n"})
    Repository(again.folder).git("add", "-f", ".env.test", "b.txt")
    Repository(again.folder).git("commit", "-q", "-m", "Both")
    found = workspace.collect(again, mirror=bench.mirror, ref="refs/heads/tt/abcdef12/two", message="Work\n")
    assert found.files == ("b.txt",)
    assert any(".env.test" in line for line in found.refused)


def test_what_cannot_be_copied_is_named_and_nothing_leads_out_of_the_tree(tmp_path: Path) -> None:
    """A missing file, a link, one that the repository has itself, one behind a link of the repository."""
    bench = Bench(tmp_path, copy=["gone", "link", "README.md", "out/x"])
    outside = tmp_path / "outside"
    outside.mkdir()
    root = bench.repository.root
    (root / "out").symlink_to(outside)
    bench.repository.commit("A link")
    (root / "out").unlink()
    (root / "out").mkdir()
    (root / "out/x").write_text("mine\n")
    (root / "link").symlink_to("/etc/passwd")
    (root / "README.md").write_text("changed\n")
    prepared = workspace.prepare_at(bench.mirror, tmp_path / "w/m/i/1", bench.repository.rev("main"))
    said = setup.copy_files(root, prepared, bench.town.settings.workspace.copy)
    assert [line.partition(": ")[0].removeprefix("`[workspace] copy` leaves ") for line in said] == [
        "gone out", "link out", "README.md out", "out/x out",
    ]  # fmt: skip
    assert (prepared.folder / "README.md").read_text() == "# A project\n"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "~/x", ".git/config", "a/../../x", "", "a/.GIT/x"])
def test_no_setting_names_a_path_outside(path: str) -> None:
    for name in ("copy", "cache"):
        with pytest.raises(ConfigurationError, match=r"not a path inside the repository"):
            settings.parse({"workspace": {name: [path]}}, source="test")


def test_a_setup_that_fails_says_how_and_what_it_makes_is_nobodys_work(tmp_path: Path) -> None:
    bench = Bench(tmp_path, setup=["sh setup.sh 'two words'"])
    bench.repository.commit("Setup", {"setup.sh": 'mkdir made; echo "$1" > "made/a file"; echo x > plain\n'})
    clone = bench.clone(branch="tt/abcdef12/one")
    assert bench.ran == [["sh", "setup.sh", "two words"]]
    work_in(clone.folder, {"a.txt": "a\n", "made/more": "m\n"})
    found = workspace.collect(clone, mirror=bench.mirror, ref="refs/heads/tt/abcdef12/one", message="Work\n")
    assert found.files == ("a.txt",)

    bench.repository.commit("Broken", {"setup.sh": "echo no such package >&2; exit 4\n"})
    with pytest.raises(
        SetupFailedError, match=r"`sh setup.sh 'two words'` of the setup failed with exit code 4"
    ) as error:
        bench.clone("2")
    assert error.value.tail == "no such package"
    bench.run = lambda *_, **__: Ended("stopped", None)  # type: ignore[method-assign]
    with pytest.raises(CutShortError):
        bench.clone("3")


VENV = [f"{sys.executable} -m venv --without-pip env", "sh install.sh"]
INSTALL = """pwd > env/where.pth
[ -e env/tool ] && exit 0
printf '#!%s/env/bin/python\\nprint("hello")\\n' "$PWD" > env/bin/hello
chmod +x env/bin/hello
ln -s "$PWD/env/bin/hello" env/tool
"""


def test_a_virtual_environment_from_the_cache_works_where_it_is_copied_to(tmp_path: Path) -> None:
    """What names its clone names the new one; each clone has a copy of its own."""
    bench = Bench(tmp_path, setup=VENV, cache=["env"])
    bench.repository.commit("Install", {"install.sh": INSTALL})
    first = bench.clone("1")
    kept = setup.cache_of(bench.town, REPO)
    assert len(list(kept.iterdir())) == 1
    second = bench.clone("12")
    assert (second.folder / "env/tool").readlink() == second.folder / "env/bin/hello"
    workspace.discard(first.folder)
    done = subprocess.run([str(second.folder / "env/bin/hello")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "hello\n")
    (second.folder / "env/bin/hello").write_text("poison")
    assert "hello" in (bench.clone("3").folder / "env/bin/hello").read_text()
    assert len(list(kept.iterdir())) == 1


def test_a_cache_that_another_program_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment of one Python is half of another's: the programs on the path are part of the key."""
    bench = Bench(tmp_path, setup=["maker"], cache=["env"])
    bench.repository.commit("Begin", {"a.txt": "a\n"})
    for name in ("one", "two", "one"):
        maker = tmp_path / name / "maker"
        maker.parent.mkdir(exist_ok=True)
        if not maker.exists():
            maker.write_text(f"#!/bin/sh\nmkdir -p env; echo {name} >> env/by\n")
            maker.chmod(0o755)
        with monkeypatch.context() as path:
            path.setenv("PATH", f"{maker.parent}:/usr/bin:/bin")
            made = bench.clone(f"{name}-{len(bench.ran)}").folder / "env/by"
        assert set(made.read_text().split()) == {name}
    assert made.read_text() == "one\none\n", "the first one's is still known"
    assert len(list(setup.cache_of(bench.town, REPO).iterdir())) == 2


def test_a_setup_that_fails_with_the_cache_is_tried_without_it(tmp_path: Path) -> None:
    """What no key can know, e.g. the Python behind a version manager; what still fails then is the setup's fault."""
    machine = tmp_path / "machine"
    machine.write_text("1")
    script = (
        "mkdir -p env\n[ ! -e env/for ] || cmp -s env/for {0} || exit 1\n[ $(cat {0}) != broken ] && cp {0} env/for\n"
    )
    bench = Bench(tmp_path, setup=["sh setup.sh"], cache=["env"])
    bench.repository.commit("Setup", {"setup.sh": script.format(machine)})
    assert (bench.clone("1").folder / "env/for").read_text() == "1"
    machine.write_text("2")
    assert (bench.clone("2").folder / "env/for").read_text() == "2"
    assert len(bench.ran) == 3
    assert (bench.clone("3").folder / "env/for").read_text() == "2"
    assert len(bench.ran) == 4, "the new one is kept"
    machine.write_text("broken")
    with pytest.raises(SetupFailedError):
        bench.clone("4")
    machine.write_text("2")
    bench.clone("5")
    assert len(bench.ran) == 7, "what was not at fault is kept"


def test_only_what_the_base_made_is_kept_and_another_manifest_begins_anew(tmp_path: Path) -> None:
    """Neither an agent's commit nor what it wrote fills the cache; the setup's script is part of the key."""
    bench = Bench(tmp_path, setup=["sh setup.sh"], cache=["env"])
    base = bench.repository.commit("Setup", {"setup.sh": "mkdir -p env; echo base > env/by\n", "package.json": "{}"})
    kept = setup.cache_of(bench.town, REPO)
    Repository(bench.repository.root).git("switch", "-qc", "theirs")
    theirs = bench.repository.commit("Theirs", {"src/app.py": "other\n"})
    bench.repository.git("switch", "-q", "main")
    bench.clone("1", commit=theirs)
    assert not kept.exists()
    bench.clone("2")
    assert len(list(kept.iterdir())) == 1
    settings_ = bench.town.settings.workspace
    known = cache.key_of(bench.mirror, base, settings_)
    assert known == cache.key_of(bench.mirror, theirs, settings_)
    for name in ("setup.sh", "package.json", "sub/requirements-dev.txt"):
        changed = bench.repository.commit("Changed", {name: "echo\n"})
        assert cache.key_of(bench.mirror, changed, settings_) != known, name
        known = cache.key_of(bench.mirror, changed, settings_)


def test_a_cache_that_is_broken_heals_and_stops_nobody(tmp_path: Path) -> None:
    """As by a new release of what it was made with; its record may be broken as well."""
    script = "[ -e env/broken ] && exit 3\nmkdir -p env\necho fresh >> env/by\n"
    bench = Bench(tmp_path, setup=["sh setup.sh"], cache=["env"])
    bench.repository.commit("Setup", {"setup.sh": script})
    bench.clone("1")
    (kept,) = setup.cache_of(bench.town, REPO).iterdir()
    (kept / "0/broken").touch()
    (kept / "0").chmod(0o500)
    assert (bench.clone("2").folder / "env/by").read_text() == "fresh\n"
    (kept,) = setup.cache_of(bench.town, REPO).iterdir()
    assert not (kept / "0/broken").exists(), "the next one begins with a sound one"
    assert (bench.clone("3").folder / "env/by").read_text() == "fresh\nfresh\n"
    for text in ("{", "[]", '{"names": ["env"]}', '{"names": ["env"], "origin": "/x", "texts": ["gone/file"]}'):
        (kept / "about.json").write_text(text)
        assert "fresh\n" in (bench.clone(f"4-{len(text)}").folder / "env/by").read_text()


def test_a_setup_that_fails_without_its_cache_too_is_a_failure(tmp_path: Path) -> None:
    """The network went away: what the first clone got from it is no proof for a second."""
    network = tmp_path / "network"
    network.touch()
    bench = Bench(tmp_path, setup=[f"sh setup.sh {network}"], cache=["env"])
    bench.repository.commit("Setup", {"setup.sh": '[ -d env ] || { [ -e "$1" ] && mkdir env; }\n'})
    bench.clone("1")
    network.unlink()
    bench.clone("2")
    with pytest.raises(SetupFailedError):
        bench.clone("3", afresh=True)


def test_whoever_starts_is_told_what_no_clone_will_get(tmp_path: Path) -> None:
    bench = Bench(tmp_path, copy=["gone", "link", "folder", "fine.env", "README.md/x"])
    root = bench.repository.root
    (root / "link").symlink_to("/etc/passwd")
    (root / "folder").mkdir()
    (root / "fine.env").touch()
    assert list(LocalForge(bench.town).preflight("main")) == [
        "`[workspace] copy` leaves gone out: it is not in your checkout",
        "`[workspace] copy` leaves link out: it is not a plain file of your checkout",
        "`[workspace] copy` leaves folder out: it is a folder; name its files, or make it by `setup`",
        "`[workspace] copy` leaves README.md/x out: it is not in your checkout",
    ]


def test_a_network_that_is_down_is_not_the_fault_of_a_change_of_the_setup(tmp_path: Path) -> None:
    """Its own setup needs the network, the base's has a cache: without that the base's would fail as well."""
    network = tmp_path / "network"
    network.touch()
    bench = Bench(tmp_path, setup=[f"sh setup.sh {network}"], cache=["env"])
    base = bench.repository.commit("Setup", {"setup.sh": '[ -d env ] || { [ -e "$1" ] && mkdir env; }\n'})
    bench.clone("1")
    bench.repository.git("switch", "-qc", "theirs")
    fine = bench.repository.commit("More", {"package.json": "{}"})
    broken = bench.repository.commit("Breaks it", {"setup.sh": "echo no >&2; exit 3\n"})
    bench.repository.git("switch", "-q", "main")
    paths = AttemptPaths(tmp_path / "w/m/i/9", tmp_path / "logs")
    execution = SimpleNamespace(town=bench.town, run=bench.run, begun=False, paths=paths)
    attempt = cast(AttemptContext, SimpleNamespace(town=bench.town, paths=paths, execution=execution))
    check_runner = CheckRunner(cast(Execution, execution), bench.mirror, REPO, base)
    change = Prepared(paths.clone, broken)

    def failure(sha: str) -> SetupFailedError:
        with pytest.raises(SetupFailedError) as error:
            check_runner.run_checks(sha, [])
        return error.value

    found = failure_cause.of_setup(check_runner, broken, failure(broken))
    assert found is not None
    assert (found.verdict.passed, found.verdict.details, found.base) == (False, "no", "")
    assert work._broke_setup(attempt, change, check_runner)

    network.unlink()
    error = failure(fine)
    with pytest.raises(SetupFailedError):
        failure_cause.of_setup(check_runner, fine, error)
    assert not work._broke_setup(attempt, Prepared(paths.clone, fine), check_runner)
