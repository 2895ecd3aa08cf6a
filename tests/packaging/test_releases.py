"""Two neighbouring releases, really installed, in one town; and one that is too far away.

The hosts run the code of an earlier commit, under another version; the home is this tree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.acceptance.two_hosts import Home, Other, a_server, hosts
from tests.packaging.installing import ROOT, a_wheel, an_environment, run
from tests.waiting import patience, wait_until
from tinytown.host import machine
from tinytown.host.lifecycle import stop

#: The commit whose code the hosts have: of a state that was released, once there are releases.
EARLIER = "f88a87219e5fea55bdd49756fbf23a9a5a25598c"


def release(apart: int) -> str:
    """A release that is so many minor ones from this tree's; where there are none before it, after it."""
    major, minor, *_ = map(int, machine.release().split("."))
    return f"{major}.{abs(minor + apart)}.0"


def an_earlier_tree(folder: Path) -> Path:
    """The files of that commit."""
    done = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this clone does not have the commit {EARLIER[:7]}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def wheel_of(tree: Path, version: str, folder: Path) -> Path:
    """The wheel of a tree under another version."""
    file = tree / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("version = ")]
    file.write_text(text.replace(line, f'version = "{version}"'), encoding="utf-8")
    folder.mkdir()
    return a_wheel(tree, folder)


def typed(project: Project, tt: Path, words: tuple[str, ...], code: int | None) -> subprocess.CompletedProcess[str]:
    """Type a command of an installation."""
    env = {name: text for name, text in {**os.environ, **project.env}.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(tt), *words], cwd=project.root, env=env, timeout=patience(120), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = f"tt {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert code is None or done.returncode == code, said
    assert "Traceback" not in done.stderr, said
    return done


class HomeOf(Home):
    """A home of what is installed in an environment."""

    def __init__(self, root: Path, url: str, environment: Path) -> None:
        super().__init__(root, url)
        self.program = environment / "bin" / "tt"

    def tt(self, *words: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        return typed(self, self.program, words, code)


class OtherOf(Other):
    """Another host of what is installed in an environment."""

    def __init__(self, root: Path, url: str, environment: Path) -> None:
        super().__init__(root, url)
        self.program = environment / "bin" / "tt"

    def tt(self, *words: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        return typed(self, self.program, words, code)


@dataclass
class World:
    """A town, and an environment of a neighbouring release."""

    home: HomeOf
    before: Path
    #: The wheel of a release that is two from the home's.
    after: Path
    url: str


@pytest.fixture(scope="module")
def world(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("releases")
    tree = an_earlier_tree(folder / "tree")
    before = an_environment(wheel_of(tree, release(-1), folder / "one"), tmp_path_factory.mktemp("neighbour"))
    after = wheel_of(tree, release(2), folder / "two")
    with a_server(folder / "server") as url:
        home = HomeOf(folder / "home" / "project", url, environment)
        home.found({1: "# Backend: one\n\ndo: write one.txt 1\n"})
        try:
            yield World(home, before, after, url)
        finally:
            stop(home.town)


def test_neighbours_work_together_until_one_is_too_far_away(world: World, tmp_path: Path) -> None:
    """Another release joins, works, and is named by the doctor; updated to one too far away, it ends and says why."""
    home, barn = world.home, OtherOf(tmp_path / "barn", world.url, world.before)
    try:
        barn.tt("join", "--name", "barn")
        theirs = hosts(home)["barn"]["release"]
        assert theirs != machine.release()
        home.tt("spawn", "backend", "--cli", "fake", "--host", "barn")
        mission = home.start(1, options=("--no-reviewer",))
        home.wait_state(mission, "completed")
        assert home.git("show", "main:one.txt") == "1"
        assert len(barn.runs("start")) == 1
        for asked, other, its in ((home, "barn", theirs), (barn, home.town.machine, machine.release())):
            said = asked.tt("doctor", code=None).stdout
            assert f"{other}: host: it runs tinytown {its}, and this host " in said
            assert "they work together" in said
        assert "on barn" in home.tt("work", "show", "1", "--log").stdout

        pip = (sys.executable, "-m", "pip", "--python", str(world.before / "bin" / "python"))
        more = ("--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index", str(world.after))
        run(*pip, *more, cwd=tmp_path)
        log = barn.root / ".tt" / "logs" / "supervisor.log"
        wait_until(
            lambda: "only neighbours work together: this host ends" in log.read_text(),
            timeout=60,
            description="the updated host ends",
        )
        wait_until(lambda: hosts(home)["barn"]["state"] == "away", timeout=60, description="and is away")
        assert "only neighbours work together" in barn.tt("start", code=4).stderr
        far = OtherOf(tmp_path / "far", world.url, world.before)
        try:
            assert "only neighbours work together" in far.tt("join", "--name", "far", code=4).stderr
            assert list(far.root.iterdir()) == []
        finally:
            far.end()
        home.tt("leave", "barn", "--gone")
    finally:
        barn.end()
