"""Building wheels and installing them, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*argv: str, cwd: Path) -> str:
    """What a program says that must succeed, started without this environment's Python."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def a_wheel(tree: Path, folder: Path) -> Path:
    """The wheel of a source tree, put into a folder."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(tree), cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def an_environment(wheel: Path, folder: Path) -> Path:
    """A new environment with a wheel in it.

    Its dependencies are those of the environment the tests run in, so that nothing is downloaded; a path file
    shows them, and path files there (the editable installation's) are not read again.
    """
    run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install(wheel, folder)
    return folder


def install(wheel: Path, environment: Path) -> None:
    """Install a wheel in the place of what is there, without what it requires."""
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "--disable-pip-version-check"]
    more = ["--no-deps", "--no-index", "--ignore-installed"]
    run(*pip, "install", "--quiet", *more, str(wheel), cwd=environment)
