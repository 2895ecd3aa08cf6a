"""What a CLI finds of its own files in the sandbox. Real bubblewrap."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.kept_files import CANARY, KEPT, LOGIN, WHOLE
from tinytown import plugins
from tinytown.agents.driver import Driver, Request
from tinytown.agents.shown import Shown
from tinytown.settings import AgentCliSettings
from tinytown_workers import sandbox
from tinytown_workers.run import environment

pytestmark = pytest.mark.skipif(
    sandbox.detect("auto").kind != "bwrap", reason=f"no sandbox here: {sandbox.detect('auto').reason}"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("home/.cli/projects", "clone", "scratch/home", "scratch/tmp", "kept"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "home/.cli/settings.json").write_text("hooks: none")
    (tmp_path / "home/.cli/credentials").write_text("token 1")
    (tmp_path / "home/.cli/projects/another").write_text("private")
    return tmp_path


def run(place: Path, *argv: str, path: str = "") -> subprocess.CompletedProcess[str]:
    own = place / "home/.cli"
    env = environment.for_agent(
        {"PATH": f"{path}:{os.environ['PATH']}", "HOME": str(place / "home")},
        programs=environment.programs_folder(place / "bin"), tmp=Path("/tmp"), cli_env={}, driver_env={}, marks={},
    )  # fmt: skip
    wrapped = sandbox.detect("bwrap").wrap(
        argv, env=env, clone=place / "clone", home=place / "scratch/home", tmp=place / "scratch/tmp",
        readable=[own / "settings.json"], writable=[own / "credentials"], stand_ins={own: place / "kept"},
        hidden=[place / "town"], logins=place / "logins",
    )  # fmt: skip
    return wrapped.run(env, timeout=60)


def test_its_sessions_are_private_its_settings_fixed_and_its_log_in_shared(place: Path) -> None:
    """A hook that an agent planted in the settings would run as the user."""
    script = (
        "cd ~/.cli; cat settings.json; ls projects; echo hook > settings.json; mv settings.json x; "
        "echo token 2 > credentials; mkdir -p projects; echo mine > projects/session"
    )
    done = run(place, "sh", "-c", script)
    assert done.stdout == "hooks: none"
    assert (place / "home/.cli/settings.json").read_text() == "hooks: none"
    assert (place / "home/.cli/credentials").read_text() == "token 2\n"
    assert not (place / "home/.cli/projects/session").exists()
    assert run(place, "cat", f"{place}/home/.cli/projects/session").stdout == "mine\n"


def test_a_program_is_found_through_all_its_links_with_the_packages_beside_it(place: Path) -> None:
    """As package managers install them: a link to a link to a script that needs its neighbour."""
    packages = place / "home/tools/node_modules"
    for folder in (packages / "vendor/bin", packages / "neighbour", packages / ".bin", place / "home/links"):
        folder.mkdir(parents=True)
    script = packages / "vendor/bin/cli.py"
    script.write_text(f"#!{sys.executable} -S\nprint(open('{packages}/neighbour/word').read())\n")
    script.chmod(0o755)
    (packages / "neighbour/word").write_text("found")
    (packages / ".bin/cli").symlink_to("../vendor/bin/cli.py")
    (place / "home/links/cli").symlink_to("../tools/node_modules/.bin/cli")
    done = run(place, "cli", path=str(place / "home/links"))
    assert (done.stdout, done.stderr) == ("found\n", "")


@pytest.mark.parametrize("cli", KEPT)
def test_in_all_files_of_a_cli_its_agents_find_the_log_in_of_their_run_and_no_other(place: Path, cli: str) -> None:
    home, brief = place / "home", place / "brief.md"
    brief.touch()
    for name, text in KEPT[cli].items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    driver: Driver = plugins.driver(cli, AgentCliSettings())
    invocation = driver.invocation(Request("x", brief, place / "clone", home=home, sandboxed=True))
    for path, text in invocation.files.items():
        path.write_text(text)
    env = environment.for_agent(
        {"PATH": os.environ["PATH"], "HOME": str(home)},
        programs=environment.programs_folder(place / "bin"), tmp=Path("/tmp"), cli_env={}, driver_env={}, marks={},
    )  # fmt: skip
    stand_ins = dict.fromkeys((*invocation.sessions, *invocation.caches), place / "kept")

    def found(word: str) -> set[str]:
        command = sandbox.detect("bwrap").wrap(
            ["grep", "-rlF", word, str(home)], env=env, clone=place / "clone", home=place / "scratch/home",
            tmp=place / "scratch/tmp", files=sandbox.files_of(invocation, Shown(), [brief]), stand_ins=stand_ins,
            logins=place / "logins",
        )  # fmt: skip
        return {str(Path(line).relative_to(home)) for line in command.run(env, timeout=60).stdout.splitlines()}

    assert found(CANARY) == set()
    assert found(LOGIN) == {*KEPT[cli]} - WHOLE
    # Nothing of it is lost.
    assert {name: (home / name).read_text() for name in KEPT[cli]} == KEPT[cli]
