"""``make demo``: a whole mission in a new repository, told by the commands that a user would type.

Nothing in it is special: the town, its workers, git and the mission are the real ones. Only the agent is a
scripted program (``tt-demo-agent``), so no key, no network and no money is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tinytown import programs
from tinytown.agents.drivers.custom import CustomDriver
from tinytown.settings import AgentCliSettings

#: Seconds that a command may take; the longest follows the mission to its end.
PATIENCE = 180.0

_TEAM = ("designer", "backend", "tester", "reviewer")

_ISSUES = {
    1: """# Design auth API

Design the authentication API schema.

- Define login/logout endpoints
- Document token format
- Specify error responses
""",
    2: """# Implement auth endpoints

Implement the authentication endpoints.

Depends on #1.

- Implement login endpoint
- Implement logout endpoint
- Add token validation
""",
    3: """# Write auth tests

Write comprehensive tests for auth API.

After #2.

- Unit tests for token validation
- Integration tests for login flow
- Error case coverage
""",
}

#: There are no tests yet, and what fails before anybody worked is refused at the start.
_MAKEFILE = """test:
\t@test ! -d tests || {python} -B -m unittest discover -s tests -t .
"""

_CONFIGURATION = """
[agent_clis.demo]
command = "{command}"
"""


class Demo:
    """A folder of its own with a project in it, and a way to type commands there."""

    def __init__(self, folder: Path, *, pace: float) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.pace = pace
        self.env = {
            **os.environ,
            "HOME": str(folder / "home"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "PATH": f"{Path(sys.executable).parent}:{programs.trusted_path()}",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for name in list(self.env):
            if name.startswith("TINYTOWN_") or name in ("REDIS_URL", "GITHUB_TOKEN", "GH_TOKEN"):
                del self.env[name]

    def prepare(self) -> None:
        """A repository with three issues and a check."""
        for name in ("home", "state", "run", "project/issues"):
            (self.folder / name).mkdir(parents=True, mode=0o700)
        for number, text in _ISSUES.items():
            (self.project / "issues" / f"{number}.md").write_text(text, encoding="utf-8")
        (self.project / "Makefile").write_text(_MAKEFILE.format(python=sys.executable), encoding="utf-8")
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git(
            "-c", "user.name=You", "-c", "user.email=you@localhost", "commit", "-q", "-m", "Three issues and a check"
        )

    def configure(self) -> None:
        """Tell the town about the demo agent."""
        command = f"tt-demo-agent --pace {self.pace:g}"
        CustomDriver("demo", AgentCliSettings(command=command))  # Fails here if it is not a command.
        with (self.project / "tinytown.toml").open("a", encoding="utf-8") as file:
            file.write(_CONFIGURATION.format(command=command))

    def git(self, *words: str) -> None:
        """A quiet git command."""
        subprocess.run(["git", *words], cwd=self.project, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def type(self, *words: str, check: bool = True) -> int:
        """Show a command and run it on this terminal."""
        print(f"\n$ {' '.join(words)}", flush=True)
        return subprocess.run(words, cwd=self.project, env=self.env, check=check, timeout=PATIENCE).returncode

    def ask(self, *words: str) -> Any:
        """The JSON answer of a `tt` command."""
        done = subprocess.run(["tt", *words], cwd=self.project, env=self.env, check=True, capture_output=True)
        return json.loads(done.stdout)


def main(argv: list[str] | None = None) -> int:
    """The demo; gives 0 if the mission was completed."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the project behind")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds an agent takes for a step")
    options = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="tt-demo-"))
    demo = Demo(folder, pace=options.pace)
    try:
        return _tell(demo)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"\nthe demo stopped: {error}", file=sys.stderr)
        return 1
    finally:
        if (demo.project / "tinytown.toml").exists():
            demo.type("tt", "stop", check=False)
        if options.keep:
            print(f"\nThe project is in {demo.project}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _tell(demo: Demo) -> int:
    began = time.monotonic()
    demo.prepare()
    print(f"A new repository with three issues that depend on each other: {demo.project}")
    demo.type("tt", "init")
    demo.configure()
    for name in _TEAM:
        demo.type("tt", "spawn", name, "--cli", "demo")
    demo.type("tt", "mission", "start", "--issue", "1", "--issue", "2", "--issue", "3")
    demo.type("tt", "mission", "status", "--follow")
    mission = demo.ask("mission", "status", "--json")
    if mission["state"] != "completed":
        demo.type("tt", "mission", "status", "--work", "--watch", "--dispatcher")
        return 1
    demo.type("git", "--no-pager", "log", "--oneline", "--graph", "main")
    demo.type("tt", "mission", "status", "--work")
    rounds = sum(item["fix_rounds"] for item in mission["items"])
    took = time.monotonic() - began
    print(
        f"\nMission completed: {len(mission['items'])} issues merged after {rounds} fix rounds"
        f" in {took:.0f} s, for ${mission['spent_usd']:.2f} (simulated)."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
