"""A project in which a test types ``tt`` and watches real processes: a town with quick timings and a scripted agent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psutil

from tests import typist
from tests.fakes.github.hub import GitHub
from tests.waiting import patience, wait_until
from tinytown.engine.context import Context
from tinytown.host.init import init
from tinytown.host.server import server_url
from tinytown.keys import key_slug
from tinytown.missions.agent_states import ENDED
from tinytown.missions.records.item import Item
from tinytown.missions.records.record import Waiting
from tinytown.state import duties
from tinytown.town import Town, open_town

R = TypeVar("R")

TT = Path(sys.executable).with_name("tt")
AGENT = Path(__file__).parents[1] / "fakes" / "scripted_agent.py"

#: Quick enough for tests on a slow machine, slow enough not to expire under load.
TIMING = {
    "tick_secs": 1,
    "lease_secs": 6,
    "heartbeat_secs": 1.5,
    "unclaimed_secs": 5,
    "kill_grace_secs": 1,
    "backoff_secs": 0.3,
}


@dataclass(frozen=True)
class Place:
    """A repository on a GitHub, the branch that changes go into, and the API's address unless it is github.com's."""

    clone_url: str
    repo: str
    base: str
    api: str

    @classmethod
    def on(cls, github: GitHub) -> Place:
        return cls(github.clone_url(), github.repo.name, github.repo.default, github.base_url)


class Project:
    """See the module. ``tt(...)`` types a command and checks its exit code."""

    #: All that there are now: the report of a failure has their logs.
    living: ClassVar[weakref.WeakSet[Project]] = weakref.WeakSet()

    def __init__(self, root: Path) -> None:
        self.living.add(self)
        self.root = root
        self.journal = root.parent / "journal.jsonl"
        #: What the commands that are typed here find in the environment besides.
        self.env: Mapping[str, str] = {}

    def found(
        self,
        issues: Mapping[int, str],
        *,
        checks: list[str] | None = None,
        clis: tuple[str, ...] = ("fake",),
        timing: Mapping[str, float] = TIMING,
        extra: str = "",
        sandbox: str = "none",
        files: Mapping[str, str] | None = None,
        loopback: Sequence[int] = (),
    ) -> None:
        """Make the repository, with ``files`` in it, and the town; ``loopback`` are ports that its sandbox lets in."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name, text in (files or {}).items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")
        (self.root / "issues").mkdir()
        for number, text in issues.items():
            (self.root / "issues" / f"{number}.md").write_text(text, encoding="utf-8")
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "Begin")
        init(self.root)
        checked = ("checks = []", f"checks = {json.dumps(checks or [])}")
        self._configure(checked, clis=clis, timing=timing, extra=extra, sandbox=sandbox, loopback=loopback)

    def found_at(
        self, there: Place, *, clis: tuple[str, ...] = ("fake",), timing: Mapping[str, float] = TIMING, extra: str = ""
    ) -> None:
        """Make a town in a clone of a repository on a GitHub, whose changes go there."""
        subprocess.run(["git", "clone", "-q", "-b", there.base, there.clone_url, str(self.root)], check=True)
        init(self.root)
        api = f'base_url = "{there.api}"\n' if there.api else ""
        forge = f'[forge]\nkind = "github"\nrepo = "{there.repo}"\n{api}base = "{there.base}"\n'
        file = self.root / "tinytown.toml"
        text = file.read_text(encoding="utf-8")
        begin, end = text.index("[forge]"), text.index("\n[", text.index("[forge]") + 1)
        file.write_text(text[:begin] + forge + text[end:], encoding="utf-8")
        self._configure(clis=clis, timing=timing, extra=extra)

    def _configure(
        self,
        *changes: tuple[str, str],
        clis: tuple[str, ...] = ("fake",),
        timing: Mapping[str, float] = TIMING,
        extra: str = "",
        sandbox: str = "none",
        loopback: Sequence[int] = (),
    ) -> None:
        file = self.root / "tinytown.toml"
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            text = text.replace(old, new)
        times = "\n".join(f"{name} = {value}" for name, value in timing.items())
        text = text.replace("[timing]\n", f"[timing]\n{times}\n")
        text = text.replace("[sandbox]\n", f'[sandbox]\nkind = "{sandbox}"\nloopback = {list(loopback)}\n')
        for name in clis:
            text += f'\n[agent_clis.{name}]\ncommand = "{sys.executable} -S {AGENT}"\n'
            text += f'env = {{ JOURNAL = "{self.journal}" }}\n'
        file.write_text(text + extra, encoding="utf-8")
        # Only now: its processes read the file once, when they start.
        self.tt("start")

    # -- commands --------------------------------------------------------------------------------

    def tt(self, *words: str, code: int | None = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """Type a command; another exit code than ``code`` fails the test."""
        env = {**os.environ, **self.env}
        done = typist.type_tt([str(TT), *words], cwd=self.root, env=env, timeout=patience(timeout))
        said = f"tt {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert code is None or done.returncode == code, said
        assert "Traceback" not in done.stderr, said
        return done

    def json(self, *words: str) -> Any:
        """The JSON answer of a command."""
        return json.loads(self.tt(*words, "--json").stdout)

    def git(self, *words: str) -> str:
        """Run git in the project."""
        done = subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self, *issues: int, options: tuple[str, ...] = (), base_check: bool = False) -> str:
        """Start a mission and give its id; most tests have checks that only a change makes pass."""
        words = [word for issue in issues for word in ("--issue", str(issue))]
        words += [] if base_check else ["--no-base-check"]
        # Not from `tt mission status`: beside another mission, one that is completed by then is not what it shows.
        mission: str = self.json("mission", "start", *words, *options)["id"]
        return mission

    def spawn(self, *names: str, cli: str = "fake") -> None:
        """Spawn agents and wait until they are there, or were: some stop soon where there is nothing to do."""
        for name in names:
            self.tt("spawn", name, "--cli", cli)
        crew = self.context().crew

        def came() -> bool:
            ended = {name for name, agent in crew.agents().items() if agent.state in ENDED}
            return crew.alive() | ended >= set(names)

        try:
            wait_until(came, timeout=60, description=f"{', '.join(names)} are there")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    # -- observing -------------------------------------------------------------------------------

    @property
    def town(self) -> Town:
        return open_town(self.root)

    def context(self) -> Context:
        """A look into the town's records."""
        return Context(self.town, server_url(self.town), retries=20)

    def status(self, mission: str) -> dict[str, Any]:
        """The mission as JSON."""
        view: dict[str, Any] = self.json("mission", "status", "--run", mission)
        return view

    def steps(self) -> list[tuple[str, str, str, str, str]]:
        """Who moved what, from where to where, and why, in order; a step that lacks any of it fails the test."""
        lines = [line for line in self.json("history", "--limit", "10000") if line["to"]]
        assert [line for line in lines if not (line["by"] and line["why"] and line["at"])] == []
        return [(line["item"] or line["agent"], line["from"], line["to"], line["by"], line["why"]) for line in lines]

    def wait_state(self, mission: str, *states: str, timeout: float = 120) -> dict[str, Any]:
        """Wait until the mission is in one of these states."""
        context = self.context()

        def there() -> bool:
            return context.store.mission(mission).record.state.value in states

        self.wait(mission, there, timeout=timeout, description=f"mission {mission} is {' or '.join(states)}")
        return self.status(mission)

    def item(self, mission: str, number: int | str) -> Item:
        """The record of an item, by its issue's number or its task's id."""
        items = self.context().store.items(mission).values()
        return next(v.record for v in items if v.record.typed == str(number))

    def wait(self, mission: str, holds: Callable[[], R], *, timeout: float = 60, description: str) -> R:
        """Wait until something holds; if it never does, tell all about the mission."""
        try:
            return wait_until(holds, timeout=timeout, description=description, pause=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.account(mission)}") from None

    def wait_duty(self, duty: str, count: int) -> None:
        """Wait until the clock has had a duty done so many times from now."""
        store = self.context().store
        for _ in range(count):
            before = duties.ticks(store).get(duty, 0.0)

            def done(before: float = before) -> bool:
                return duties.ticks(store).get(duty, 0.0) > before

            wait_until(done, description=f"{duty} is done again")

    def wait_runs(self, mission: str, count: int, *, purpose: str | None = None, item: int | None = None) -> list[Any]:
        """Wait until so many runs have begun, and give them."""

        def begun() -> list[Any] | None:
            runs = self.runs(purpose=purpose, item=item)
            return runs if len(runs) >= count else None

        words = f"{count} runs began ({purpose or 'any purpose'}, {f'#{item}' if item else 'any item'})"
        return self.wait(mission, begun, description=words) or []

    def wait_item(
        self, mission: str, number: int | str, holds: Callable[[Item], object], *, timeout: float = 60, description: str
    ) -> Item:
        """Wait until something holds for an item, and give it."""
        context = self.context()
        key = self.item(mission, number).key

        def look() -> Item | None:
            record = context.store.item(mission, key).record
            return record if holds(record) else None

        found = self.wait(mission, look, timeout=timeout, description=description)
        assert found is not None
        return found

    def wait_waiting(self, mission: str, number: int, reason: str, *, timeout: float = 60) -> Waiting:
        """Wait until an item waits for this reason, and give the whole of it."""
        item = self.wait_item(
            mission,
            number,
            lambda i: i.waiting is not None and i.waiting.reason == reason,
            timeout=timeout,
            description=f"#{number} waits: {reason}",
        )
        assert item.waiting is not None
        return item.waiting

    def account(self, mission: str) -> str:
        """Everything that is known, for a failed test."""
        context = self.context()
        events = [f"{e.at:.3f} {e.kind} {e.item} {e.data}" for _, e in context.store.events(mission, count=10_000)]
        items = [f"{v.record!r}" for v in context.store.items(mission).values()]
        return "\n".join([*events, *items, self.logs()])

    def logs(self) -> str:
        """The end of every log of the town."""
        logs = sorted((self.root / ".tt" / "logs").glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs)

    def events(self, mission: str, kind: str) -> list[Any]:
        """Events of one kind."""
        return [e for _, e in self.context().store.events(mission, count=10_000) if e.kind == kind]

    def runs(
        self, event: str = "start", *, purpose: str | None = None, item: int | None = None
    ) -> list[dict[str, Any]]:
        """Lines of the journal."""
        if not self.journal.exists():
            return []
        rows = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [
            r
            for r in rows
            if r["event"] == event
            and (purpose is None or r["purpose"] == purpose)
            and (item is None or r["item"].endswith(f"#{item}"))
        ]

    def brief(self, mission: str, number: int | str, attempt: int) -> str:
        """What an agent was told, in this attempt at an item."""
        folder = self.town.attempts / mission[:8] / key_slug(self.item(mission, number).key) / str(attempt)
        return (folder / "brief.md").read_text(encoding="utf-8")

    def allow(self, name: str) -> None:
        """Let agents go on that wait for this name."""
        (self.journal.parent / name).touch()

    def help(self) -> str:
        """What the conductor's mailbox holds, read or not."""
        return "\n".join(message.text for message in self.context().mail.read("conductor"))

    def pid(self, process: str) -> int:
        """Process id of one of the town's processes."""
        found: dict[str, Any] = json.loads(self.tt("status", "--json").stdout)
        return next(int(p["pid"]) for p in found["processes"] if p["name"] == process and p["pid"])

    def kill(self, process: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to one of the town's processes."""
        pid = self.pid(process)
        os.kill(pid, number)
        return pid

    def merges(self) -> list[str]:
        """Subjects of the merge commits on the base."""
        return self.git("log", "--merges", "--format=%s", "main").splitlines()


def run_of(row: dict[str, Any]) -> str:
    """The marker of a run, from its line in the journal."""
    return f"{row['mission']}/{row['item']}/{row['attempt']}"


def tree_of_run(run: str) -> list[int]:
    """Living processes that bear the marker of a run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TINYTOWN_RUN") == run and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
