"""The wheel as a user gets it: built, installed into an environment of its own, tried."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.packaging.installing import ROOT, run


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
    # By the second name `uvx tinytown` and `pipx run tinytown` find it.
    for name in ("tt", "tinytown"):
        assert run(str(environment / "bin" / name), "--version", cwd=tmp_path).startswith("tinytown 0.")
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


PLUGIN = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "town-guests"
version = "1"
[project.entry-points."tinytown.agents"]
guest = "town_guests:Guest"
[project.entry-points."tinytown.forges"]
shed = "town_guests:Shed"
[tool.hatch.build.targets.wheel]
only-include = ["town_guests.py"]
""",
    "town_guests.py": """
from tinytown.agents.driver import Invocation, Result
from tinytown.forge.local.forge import LocalForge
from tinytown.missions.states import Outcome

class Guest:
    def __init__(self, name, settings):
        pass
    def executable(self):
        return "true"
    def invocation(self, request):
        return Invocation(argv=["true"], stdin=request.prompt)
    def result(self, output):
        return Result(outcome=Outcome.SUCCEEDED)

class Shed(LocalForge):
    kind = "shed"
""",
}


def test_a_package_may_bring_a_driver_and_a_forge(environment: Path, tmp_path: Path) -> None:
    """Each by its entry point, and by the name that the configuration gives."""
    package, town = tmp_path / "package", tmp_path / "town"
    package.mkdir()
    (town / "issues").mkdir(parents=True)
    for name, text in PLUGIN.items():
        (package / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", str(package), cwd=tmp_path)
    (town / "issues" / "1.md").write_text("# Paint the shed\n")
    run("git", "init", "-q", "-b", "main", cwd=town)
    run("git", "add", ".", cwd=town)
    run("git", "commit", "-q", "-m", "Begin", cwd=town)
    python, tt = str(environment / "bin" / "python"), str(environment / "bin" / "tt")
    run(python, "-c", "from pathlib import Path; from tinytown.host.init import init; init(Path())", cwd=town)
    file = town / "tinytown.toml"
    file.write_text(file.read_text().replace('kind = "local"', 'kind = "shed"'))
    plan = json.loads(run(tt, "mission", "plan", "--issue", "1", "--json", cwd=town))
    assert (plan["forge"], plan["order"]) == ("shed", ["local/town#1"])
    code = (
        "from tinytown import plugins, settings\n"
        "print(plugins.driver('guest', settings.AgentCliSettings()).executable(), *plugins.names(plugins.AGENTS))"
    )
    assert run(python, "-c", code, cwd=tmp_path).split()[:3] == ["true", "aider", "auggie"]
    file.write_text(file.read_text().replace('kind = "shed"', 'kind = "shet"'))
    done = subprocess.run(
        [tt, "mission", "plan", "--issue", "1"], cwd=town, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        "error: there is no forge `shet`, did you mean `shed`\n  use github, local, shed\n",
    )


def test_the_lua_files_are_read_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    """As package data, wherever the package lies."""
    code = (
        "from importlib import resources\n"
        "print(*sorted(p.name for p in (resources.files('tinytown.state') / 'lua').iterdir()))"
    )
    assert "commit.lua" in run(str(environment / "bin" / "python"), "-c", code, cwd=tmp_path).split()
