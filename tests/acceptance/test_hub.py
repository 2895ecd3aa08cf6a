"""Two machines that share no folder: a town's home, and a host that has nothing but its server and its hub."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.fakes.git_server import GitServer, serving
from tests.fakes.repositories import Repository
from tests.integration.hub.bench import a_hub
from tests.waiting import wait_until
from tinytown.host.lifecycle import stop
from tinytown.host.server import server_url
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import WaitReason

TOKEN = "hush-hush-hub"
ISSUES = {
    1: "+++\nlabels = ['role:backend']\n+++\n# Far\n\ndo: append far.txt 1\n",
    2: "+++\nlabels = ['role:frontend']\n+++\n# Near\n\nAfter #1\n\ndo: show far.txt\ndo: append near.txt 2\n",
    3: "+++\nlabels = ['role:backend']\n+++\n# Far again\n\nAfter #2\n\ndo: show near.txt\ndo: append far.txt 3\n",
    4: "+++\nlabels = ['role:backend']\n+++\n# Cut off at its end\n\ndo: wait go-4\ndo: append cut.txt 4\n",
    5: "+++\nlabels = ['role:backend']\n+++\n# Cut off at its beginning\n\ndo: append begun.txt 5\n",
    6: "+++\nlabels = ['role:backend']\n+++\n# Killed\n\ndo: wait go-6\ndo: first 1 append killed.txt 6\n",
}


@dataclass
class Host:
    """Another machine, as far as its folders go: a state folder of its own, and a town folder with no repository."""

    root: Path
    environ: dict[str, str]
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, agent: str) -> None:
        with (self.root.parent / f"{agent}.log").open("ab") as log:
            self.workers[agent] = subprocess.Popen(
                [sys.executable, "-P", "-m", "tinytown_workers", "--agent", agent],
                cwd=self.root, env=self.environ, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, agent: str, number: int = signal.SIGKILL) -> None:
        worker = self.workers.pop(agent)
        worker.send_signal(number)
        worker.wait(60)

    def log(self, agent: str) -> str:
        return (self.root.parent / f"{agent}.log").read_text(errors="replace")


@dataclass
class Machines:
    home: Project
    host: Host
    server: GitServer
    hub: Repository


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "served").mkdir()
    hub = a_hub(folder / "served" / "town.git")
    home = Project(folder / "project")
    with pytest.MonkeyPatch.context() as patch, serving(folder / "served", token=TOKEN) as server:
        patch.setenv("TINYTOWN_HUB_TOKEN", TOKEN)
        patch.setenv("TINYTOWN_HUB__URL", server.url("town"))
        try:
            home.found(ISSUES, checks=["ls README.md issues"], files={"README.md": "# Fruit\n"})
            home.tt("spawn", "near", "--cli", "fake", "--role", "frontend")
            host = a_host(home, folder / "elsewhere")
            with contextlib.ExitStack() as ending:
                ending.callback(lambda: [host.kill(name, signal.SIGTERM) for name in list(host.workers)])
                for name in ("far", "critic"):
                    host.run(name)
                crew = home.context().crew
                wait_until(lambda: crew.alive() >= {"near", "far", "critic"}, timeout=60, description="all are there")
                yield Machines(home, host, server, hub)
        finally:
            stop(home.town)


def a_host(home: Project, folder: Path) -> Host:
    root = folder / "town"
    for name in (".tt/logs", ".tt/run/agents"):
        (root / name).mkdir(mode=0o700, parents=True)
    shutil.copy(home.root / "tinytown.toml", root)
    about = json.loads((home.town.folder / "town.json").read_text())
    about |= {"host": "barn", "root": str(root), "server": "", "server_run": ""}
    (root / ".tt" / "town.json").write_text(json.dumps(about))
    crew, now = home.context().crew, home.context().store.now()
    for name, role in (("far", "backend"), ("critic", "reviewer")):
        crew.put(None, Agent(name=name, role=role, cli="fake", spawned_at=now))
    (folder / "run").mkdir(mode=0o700)
    environ = {
        **os.environ,
        "REDIS_URL": server_url(home.town),
        "TINYTOWN_TOWN": str(root),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "PYTHONSAFEPATH": "1",
    }
    return Host(root, environ)


@pytest.fixture(autouse=True)
def up(machines: Machines) -> Iterator[None]:
    yield
    machines.server.befall("")


def test_an_item_worked_on_a_host_is_gone_on_from_at_home_and_there_again(machines: Machines) -> None:
    """Each begins with what the one before left, is checked and merged at home, and the hub's branches stay as they
    are; nobody is shown the token."""
    home, host = machines.home, machines.host
    mission = home.start(1, 2, 3)
    home.wait_state(mission, "completed", timeout=90)
    runs = [run for run in home.runs(purpose="work") if run["mission"] == mission]
    assert [(run["item"][-1], run["agent"]) for run in runs] == [("1", "far"), ("2", "near"), ("3", "far")]
    assert {run["agent"] for run in home.runs(purpose="review")} == {"critic"}
    shown = [row["text"] for row in home.runs("show") if row["mission"] == mission]
    assert [text.split() for text in shown] == [["1"], ["2"]]
    assert home.git("show", "main:far.txt").split() == ["1", "3"]
    state = Path(host.environ["XDG_STATE_HOME"]) / "tinytown" / home.town.id
    assert [path.name for path in (state / "mirrors").glob("*.git")] == ["project.git"]
    work = state / "work" / mission[:8]
    wait_until(lambda: not list(work.glob("*/[0-9]*")), description="no clone is left")
    refs = machines.hub.git("for-each-ref", "--format=%(refname)").splitlines()
    assert refs
    assert all(ref.startswith(f"refs/tinytown/{home.town.id}/project/") for ref in refs)
    assert "+3" in home.tt("work", "show", "3", "--diff").stdout
    for logs in (home.town.logs, host.root.parent):
        assert not any(TOKEN in path.read_text(errors="replace") for path in logs.glob("*.log"))
    assert "hub" in {one["name"] for one in json.loads(home.tt("doctor", "--json", code=None).stdout)}


def test_work_whose_hub_is_away_waits_where_it_is(machines: Machines) -> None:
    """It is pushed once the hub answers, and nobody does it twice."""
    home, host, server = machines.home, machines.host, machines.server
    mission = home.start(4)
    home.wait_runs(mission, 1, purpose="work", item=4)
    server.befall("down")
    home.allow("go-4")
    waits = f"{mission}/local/project#4/1: its work waits on this machine"
    home.wait(mission, lambda: waits in host.log("far"), description="it waits")
    assert home.item(mission, 4).state == "running"
    server.befall("")
    home.wait_state(mission, "completed")
    assert len(home.runs(purpose="work", item=4)) == 1
    assert home.git("show", "main:cut.txt") == "4"


def test_an_item_of_a_host_without_its_hub_waits_and_costs_no_attempt(machines: Machines) -> None:
    home, server = machines.home, machines.server
    server.befall("busy")
    mission = home.start(5)
    waiting = home.wait_waiting(mission, 5, WaitReason.UNREACHABLE)
    assert waiting.remedy.startswith(f"the hub is away: {server.url('town')} does not answer")
    assert not home.runs(purpose="work", item=5)
    server.befall("")
    home.tt("mission", "retry", mission, "5", code=None)
    home.wait_state(mission, "completed")
    assert home.item(mission, 5).failures.get("work", 0) == 0


def test_work_of_a_killed_host_is_pushed_by_its_next_process(machines: Machines) -> None:
    """The clone of the dead process is saved, brought to the hub, and gone on from."""
    home, host = machines.home, machines.host
    mission = home.start(6)
    home.wait_runs(mission, 1, purpose="work", item=6)
    machines.server.befall("down")
    home.allow("go-6")
    waits = f"{mission}/local/project#6/1: its work waits on this machine"
    home.wait(mission, lambda: waits in host.log("far"), description="it waits")
    host.kill("far")
    machines.server.befall("")
    host.run("far")
    home.wait_state(mission, "completed", timeout=90)
    assert home.git("show", "main:killed.txt") == "6"
    assert len(home.runs(purpose="work", item=6)) == 2
