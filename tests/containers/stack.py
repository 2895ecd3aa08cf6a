"""The compose file, brought up with a repository of the test's and its scripted agent; and what happened in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.containers.engine import ROOT, Engine
from tests.waiting import wait_until

#: The user of the images.
_USER = 10001
#: Of this run alone: podman has one folder for the names in networks, whatever storage it is told to use.
PROJECT = f"tinytown-test-{os.getpid()}"
#: Seconds between two looks by `tt`: each takes a second of what the town needs itself.
_LOOK_SECS = 3.0
#: Services that run agents.
_ROLES = ("backend", "frontend", "reviewer")
#: A worker, with a folder for the journal of its scripted agent.
_WORKER = "mkdir -p /state/journal && exec town-worker"
_AGENT = ROOT / "tests/fakes/scripted_agent.py"
#: Long enough for a machine on which a dozen containers share two processors.
TIMING = {
    "tick_secs": 2,
    "lease_secs": 10,
    "heartbeat_secs": 2,
    "unclaimed_secs": 6,
    "kill_grace_secs": 3,
    "backoff_secs": 0.5,
}
_SETTINGS = """
name = "shop"
default_cli = "scripted"
[forge]
kind = "local"
repo = "shop"
base = "main"
[forge.local]
checks = ["test -e README.md"]
[policy]
max_parallel_items = 3
[sandbox]
kind = "{sandbox}"
[roles.backend]
[roles.frontend]
[agent_clis.scripted]
command = "/usr/bin/python3 -S /agent/scripted_agent.py"
env = {{ JOURNAL = "/state/journal/lines.jsonl" }}
readable = ["/agent"]
writable = ["/state/journal"]
[timing]
"""


@dataclass(frozen=True)
class Run:
    """A run of the scripted agent, as it noted itself."""

    container: str
    item: str
    purpose: str
    attempt: int
    at: float


class Stack:
    """See the module."""

    def __init__(self, engine: Engine, folder: Path, issues: Mapping[int, str], *, sandbox: str = "auto") -> None:
        self.engine = engine
        self.folder = folder
        folder.mkdir(parents=True)
        times = "".join(f"{name} = {value}\n" for name, value in TIMING.items())
        files = {f"issues/{number}.md": text for number, text in issues.items()}
        files["tinytown.toml"] = _SETTINGS.format(sandbox=sandbox) + times
        make_repository(folder / "project", files)
        subprocess.run([ROOT / "docker/secrets.sh", folder / "secrets"], check=True, capture_output=True)
        engine.knows(f"{PROJECT}_town")
        #: Services that have more than one worker.
        self._workers: dict[str, int] = {}
        #: Journals of containers that are gone.
        self._past: dict[str, list[dict[str, Any]]] = {}

    # -- commands --------------------------------------------------------------------------------

    def compose(self, *words: str, timeout: float = 120) -> str:
        """Type a `podman-compose` command on the compose file as it is, and what the test adds to it."""
        declared = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["secrets"]
        agent = f"{_AGENT.parent}:/agent:ro"
        # Values of variables do not travel from the town's settings to its hosts.
        journal = {"JOURNAL": "/state/journal/lines.jsonl"}
        worker = {"volumes": [agent], "command": ["sh", "-c", _WORKER], "environment": journal}
        overrides: dict[str, Any] = {
            "services": {
                "control": {"volumes": [agent, f"{self.folder}/project:/project:ro"]},
                **dict.fromkeys(_ROLES, worker),
            },
            "secrets": {name: {"file": self._secret(one["file"])} for name, one in declared.items()},
        }
        file = self.folder / "override.yaml"
        file.write_text(yaml.safe_dump(overrides))
        env = {
            "IMAGE_PREFIX": "localhost/tinytown-",
            "REPOSITORY": "/project",
            "CLI": "scripted",
            "PROC_OPTION": "unmask=ALL",
            "FLOWER_PORT": "127.0.0.1:",
            **{f"{service.upper()}_WORKERS": str(count) for service, count in self._workers.items()},
        }
        argv = [str(Path(sys.executable).with_name("podman-compose")), "--project-name", PROJECT]
        argv += ["--file", str(ROOT / "docker/compose.yaml"), "--file", str(file)]
        return self.engine.run(*argv, *words, env=env, timeout=timeout)

    def up(self, *services: str, workers: Mapping[str, int]) -> None:
        """Bring services up, some with several workers."""
        self._workers = dict(workers)
        self.compose("up", "--detach", "--no-build", *services)

    def tt(self, *words: str, check: bool = True) -> str:
        """Type a `tt` command in the home of the town."""
        return self.engine("exec", self.name("control"), "tt", *words, check=check)

    def json(self, *words: str) -> Any:
        return json.loads(self.tt(*words, "--json"))

    def _secret(self, declared: str) -> str:
        return str(self.folder / "secrets" / Path(declared).name)

    def add_worker(self, role: str, suffix: str) -> None:
        """One more worker, as `--scale` would add it, without a look at those that are there."""
        like = self.name(role)
        (found,) = json.loads(self.engine("inspect", like))
        settings = [word for one in found["Config"]["Env"] for word in ("--env", one) if "=" in one]
        hardened = [
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--security-opt",
            "unmask=ALL",
        ]
        secrets = [
            word
            for name in ("redis_password", "hub_key", "hub_known_hosts", "agent_environment")
            for word in ("--volume", f"{self.folder}/secrets/{name}:/run/secrets/{name}:ro")
        ]
        self.engine(
            "run", "--detach", "--name", f"{PROJECT}_{role}_{suffix}", "--network", f"{PROJECT}_town", *hardened,
            "--tmpfs", "/tmp:mode=1777", "--volume", "/town", "--volume", "/state",
            "--volume", f"{_AGENT.parent}:/agent:ro", *secrets, *settings,
            found["ImageName"], "sh", "-c", _WORKER,
        )  # fmt: skip

    @staticmethod
    def name(service: str, number: int = 1) -> str:
        """What podman-compose calls the container."""
        return f"{PROJECT}_{service}_{number}"

    def end(self) -> None:
        """Take everything down, volumes too."""
        self.engine.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- waiting ---------------------------------------------------------------------------------

    def wait_ready(self) -> None:
        """The home of the town is there, and its clock ticks."""

        def healthy() -> bool:
            done = subprocess.run(
                ["podman", "exec", self.name("control"), "town-healthy", "control"],
                env=self.engine.environment, capture_output=True, check=False,
            )  # fmt: skip
            return done.returncode == 0

        wait_until(healthy, timeout=120, description="the home of the town is ready", pause=1.0)

    def wait_agents(self, count: int) -> None:
        def idle() -> bool:
            said = self.tt("list", "--json", check=False)
            found = json.loads(said) if said.startswith("[") else []
            return sum(one["state"] in ("idle", "working") for one in found) >= count

        wait_until(idle, timeout=120, description=f"{count} agents are there", pause=_LOOK_SECS)

    def start(self, numbers: Sequence[int]) -> str:
        """Start a mission on these issues, and give its id."""
        words = ["mission", "start", *(str(number) for number in numbers), "--no-reviewer", "--no-base-check"]
        mission: str = self.json(*words)["id"]
        return mission

    def wait_completed(self, mission: str, *, timeout: float = 240) -> None:
        def ended() -> str:
            said = self.tt("mission", "status", "--run", mission, "--json", check=False)
            state = json.loads(said)["state"] if said.startswith("{") else ""
            return state if state in ("completed", "failed", "cancelled", "blocked") else ""

        try:
            state = wait_until(ended, timeout=timeout, description="the mission has ended", pause=_LOOK_SECS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report()}") from None
        assert state == "completed", f"{state}\n{self.report()}"

    def report(self) -> str:
        """All that helps to understand why something did not happen."""
        parts = [self.tt("mission", "status", "--work", check=False), self.tt("list", check=False)]
        parts += [self.tt("hosts", check=False), self.engine("ps", "--all", check=False)]
        for name in self.engine("ps", "--all", "--format", "{{.Names}}", check=False).split():
            done = subprocess.run(
                ["podman", "logs", "--tail", "25", name], env=self.engine.environment, check=False,
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            parts.append(f"== {name}\n{done.stdout}{done.stderr}")
        return "\n".join(parts)

    # -- the witness -----------------------------------------------------------------------------

    def workers(self) -> list[str]:
        """Names of the containers that run agents, ended ones too."""
        names = self.engine("ps", "--all", "--format", "{{.Names}}").split()
        return sorted(name for name in names if name.split("_")[1] in _ROLES)

    def keep_journal(self, container: str) -> None:
        """Read what the agents of a container noted, before it is removed."""
        self._past[container] = self._lines(container)

    def _lines(self, container: str) -> list[dict[str, Any]]:
        target = self.folder / f"{container}.jsonl"
        target.unlink(missing_ok=True)
        self.engine("cp", f"{container}:/state/journal/lines.jsonl", str(target), check=False)
        text = target.read_text() if target.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def journal(self) -> dict[str, list[dict[str, Any]]]:
        """By container: what its agents noted."""
        return {**self._past, **{name: self._lines(name) for name in self.workers()}}

    def runs(self) -> list[Run]:
        """Every run of an agent that began."""
        return [
            Run(container, line["item"], line["purpose"], line["attempt"], line["at"])
            for container, lines in self.journal().items()
            for line in lines
            if line["event"] == "start"
        ]

    def judge(self, mission: str, waits: Mapping[int, Sequence[int]]) -> dict[str, Any]:
        """Lost, twice and early, each with its witness: the journal, the mission's record and the merged history."""
        status = self.json("mission", "status", "--run", mission, "--work")
        files = self.engine(
            "exec", self.name("control"), "git", "-C", "/town", "ls-tree", "--name-only", "main"
        ).split()
        lost = [number for number in waits if f"{number}.txt" not in files]
        # An attempt goes on with what an earlier one left, so a file may well have a line of each; but one merge.
        merges = {
            number: self.engine(
                "exec", self.name("control"), "git", "-C", "/town", "log", "--first-parent", "--format=%h %s", "main",
                "--", f"{number}.txt",
            ).splitlines()
            for number in waits
        }  # fmt: skip
        twice = [f"#{number} merged as {found}" for number, found in merges.items() if len(found) > 1]
        begun = Counter((run.item, run.purpose, run.attempt) for run in self.runs())
        twice += [
            f"{item} {purpose} attempt {n} began {count} times"
            for (item, purpose, n), count in begun.items()
            if count > 1
        ]
        early = [
            f"{line['item']} did not see {line['name']}"
            for lines in self.journal().values()
            for line in lines
            if line["event"] == "show" and line["text"] is None
        ]
        # A witness that was not heard proves nothing.
        seen = {
            (line["item"].partition("#")[2], line["name"])
            for lines in self.journal().values()
            for line in lines
            if line["event"] == "show"
        }
        unheard = {(str(number), f"{other}.txt") for number, others in waits.items() for other in others} - seen
        early += [f"#{number} did not look at {name}" for number, name in sorted(unheard)]
        return {"status": status, "lost": lost, "twice": twice, "early": early}


def make_repository(folder: Path, files: Mapping[str, str]) -> None:
    """A repository with these files, which the containers' user may read."""
    for name, text in {"README.md": "# Shop\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    who = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _USER, _USER)


def issue(number: int, waits: Sequence[int], *, secs: float, role: str = "backend") -> str:
    """An issue that takes a while, shows that it sees what it waits for, and writes a line of its own."""
    shows = "".join(f"do: show {other}.txt\n" for other in waits)
    return (
        f'+++\nlabels = ["role:{role}"]\nblocked_by = {list(waits)}\n+++\n# Issue {number}\n\n'
        f"{shows}do: sleep {secs}\ndo: append {number}.txt {number}\n"
    )
