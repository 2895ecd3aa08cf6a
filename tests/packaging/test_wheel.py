"""The wheel as a user gets it: built, installed into an environment of its own, tried."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree with the build backend that is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it.

    Its dependencies are those of the environment the tests run in, so that nothing is downloaded; a path file
    shows them, and path files there (the editable installation's) are not read again.
    """
    folder = tmp_path_factory.mktemp("env")
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel), cwd=folder)
    return folder


def run(*argv: str, cwd: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_three_packages(wheel: Path) -> None:
    """Modules, Lua files, type markers; nothing of the tests, the bench or a town."""
    shipped = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "tinytown", "workers/tinytown_workers", "beat/tinytown_beat", cwd=ROOT).split("\n")
    wanted = {
        name.removeprefix("workers/").removeprefix("beat/") for name in tracked if name and (ROOT / name).exists()
    }
    assert wanted <= shipped
    assert any(name.endswith(".lua") for name in wanted)
    assert {f"{package}/py.typed" for package in ("tinytown", "tinytown_workers", "tinytown_beat")} <= shipped
    tops = {name.split("/")[0] for name in shipped}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tinytown", "tinytown_workers", "tinytown_beat"}


def test_the_licence_is_in_the_wheel(wheel: Path) -> None:
    """As its metadata says."""
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_the_installed_commands_run_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    """Not from this tree."""
    version = run(str(environment / "bin" / "tt"), "--version", cwd=tmp_path)
    assert version.startswith("tinytown 0.")
    code = "import tinytown as a, tinytown_workers as b, tinytown_beat as c; print(a.__file__, b.__file__, c.__file__)"
    for place in run(str(environment / "bin" / "python"), "-c", code, cwd=tmp_path).split():
        assert Path(place).is_relative_to(environment)


def test_every_command_of_the_help_can_be_loaded(environment: Path, tmp_path: Path) -> None:
    """The help names commands without importing them, so this does."""
    code = (
        "import importlib; from tinytown.cli.main import COMMANDS\n"
        "for e in COMMANDS.values(): getattr(importlib.import_module('tinytown.cli.' + e.module), e.attribute).params\n"
        "print(len(COMMANDS))"
    )
    assert int(run(str(environment / "bin" / "python"), "-c", code, cwd=tmp_path)) >= 13


def test_what_the_metadata_requires_is_what_the_lock_installs(environment: Path, tmp_path: Path) -> None:
    """Else an installation from the wheel would differ from the one that was tested."""
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "--disable-pip-version-check"]
    assert "No broken requirements found" in run(*pip, "check", cwd=tmp_path)


def test_the_lua_files_are_read_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    """As package data, wherever the package lies."""
    code = (
        "from importlib import resources\n"
        "print(*sorted(p.name for p in (resources.files('tinytown.state') / 'lua').iterdir()))"
    )
    assert "commit.lua" in run(str(environment / "bin" / "python"), "-c", code, cwd=tmp_path).split()
