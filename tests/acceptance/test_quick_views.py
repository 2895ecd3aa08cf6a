"""`tt list` and `tt status` are shown by the control worker of a running town, as they would show it themselves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import typist
from tests.acceptance.project import TT, Project
from tests.waiting import patience, wait_until
from tinytown import contract

#: Says on stderr which of the slow modules a command has loaded.
LOADED = """
import sys
from tinytown.cli.main import run
code = run(sys.argv[1:])
print(sorted({"pydantic", "redis", "psutil", "celery"} & sys.modules.keys()), file=sys.stderr)
sys.exit(code)
"""


def see(
    project: Project, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-P", "-c", LOADED, *words]
    return subprocess.run(
        argv, cwd=cwd or project.root, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )


def typed(
    project: Project, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same, where it is not asked what is loaded for it."""
    return typist.type_tt(
        [str(TT), *words], cwd=cwd or project.root, env={**os.environ, **(env or {})}, timeout=patience(60)
    )


def test_the_short_way_shows_what_the_long_one_does(project: Project, tmp_path: Path) -> None:
    project.found({1: "# One\n\ndo: wait go\n"})
    project.spawn("worker", "ann")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_runs(mission, 1)
    long = {"TINYTOWN_CONFIG__MAX_AGENTS": "17"}  # A setting in the environment is not the control worker's.
    folder = project.root / "issues"
    for words in (["list", "--json"], ["status", "--json"], ["list"], ["status"], ["status", "--deep"]):
        short = see(project, *words, cwd=folder)
        whole = typed(project, *words, env=long)
        assert (short.returncode, short.stderr) == (0, "[]\n"), "nothing slow is loaded"
        if "--json" in words:
            assert json.loads(short.stdout) == json.loads(whole.stdout)
        else:
            assert [line.split(" for ")[0] for line in short.stdout.splitlines() if "project#1" not in line] == [
                line.split(" for ")[0] for line in whole.stdout.splitlines() if "project#1" not in line
            ]
    assert "pydantic" in see(project, "list", env=long).stderr
    project.allow("go")
    project.wait_state(mission, "completed")

    # What cannot be shown as it is, is told by the command itself.
    copy = tmp_path / "copy"
    shutil.copytree(project.root, copy, ignore=shutil.ignore_patterns("data"))
    said = typed(project, "list", cwd=copy)
    assert said.returncode == 4
    assert "is a copy of" in said.stderr or "copy" in said.stderr
    file = project.root / "tinytown.toml"
    sound = file.read_text()
    file.write_text(f"nonsense = 1\n{sound}")
    said = typed(project, "list")
    assert said.returncode == 2
    assert "nonsense" in said.stderr
    file.write_text(sound)

    # And where control does not answer, or is not there.
    frozen = project.kill("control", signal.SIGSTOP)
    try:
        assert "worker" in typed(project, "list").stdout
    finally:
        os.kill(frozen, signal.SIGCONT)
    (project.town.run / contract.VIEWS_FILE).unlink()
    assert "worker" in typed(project, "list").stdout
    project.kill("control")
    wait_until(
        lambda: see(project, "list").stderr == "[]\n", timeout=60, description="the next control worker shows it again"
    )
    project.tt("stop")
    assert "is stopped" in typed(project, "list").stderr
