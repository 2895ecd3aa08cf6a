"""What a CLI finds of its own files in the sandbox. Real bubblewrap."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinytown_workers import environment, sandbox

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
