"""Two machines that share no folder: a town's home, and a host that has nothing but its server and its hub."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.hosts import Host, a_host
from tests.acceptance.project import Project
from tests.fakes.git_server import GitServer, serving
from tests.fakes.repositories import Repository
from tests.integration.hub.bench import a_hub
from tests.waiting import wait_until
from tinytown.host.lifecycle import stop
from tinytown.missions.states import WaitReason

TOKEN = "hush-hush-hub"
ISSUES = {
    1: "+++\nlabels = ['role:backend']\n+++\n# Far\n\ndo: append far.txt 1\ndo: sh env > seen.txt\n",
    2: "+++\nlabels = ['role:frontend']\n+++\n# Near\n\nAfter #1\n\ndo: show far.txt\ndo: append near.txt 2\n",
    3: "+++\nlabels = ['role:backend']\n+++\n# Far again\n\nAfter #2\n\ndo: show near.txt\ndo: append far.txt 3\n",
    4: "+++\nlabels = ['role:backend']\n+++\n# Cut off at its end\n\ndo: wait go-4\ndo: append cut.txt 4\n",
    5: "+++\nlabels = ['role:backend']\n+++\n# Cut off at its beginning\n\ndo: append begun.txt 5\n",
    6: "+++\nlabels = ['role:backend']\n+++\n# Killed\n\ndo: wait go-6\ndo: first 1 append killed.txt 6\n",
    7: "+++\nlabels = ['role:frontend']\n+++\n# At home\n\ndo: append home.txt 7\n",
    8: "+++\nlabels = ['role:backend']\n+++\n# Late\n\ndo: wait go-8\ndo: first 1 append late.txt 8\n",
}


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
            host = a_host(home, folder / "elsewhere", far="backend", critic="reviewer")
            with contextlib.ExitStack() as ending:
                ending.enter_context(host.running())
                crew = home.context().crew
                wait_until(lambda: "near" in crew.alive(), timeout=20, description="near is there")
                yield Machines(home, host, server, hub)
        finally:
            stop(home.town)


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
    state = Path(host.environ["XDG_STATE_HOME"]) / "tinytown" / f"{home.town.id}-barn"
    assert [path.name for path in (state / "mirrors").glob("*.git")] == ["project.git"]
    work = state / "work" / mission[:8]
    wait_until(lambda: not list(work.glob("*/[0-9]*")), description="no clone is left")
    refs = machines.hub.git("for-each-ref", "--format=%(refname)").splitlines()
    assert refs
    assert all(ref.startswith(f"refs/tinytown/{home.town.id}/project/") for ref in refs)
    assert "+3" in home.tt("work", "show", "3", "--diff").stdout
    assert "TINYTOWN_ITEM=local/project#1" in home.git("show", "main:seen.txt")
    assert "HUB" not in home.git("show", "main:seen.txt")
    for logs in (home.town.logs, host.root.parent):
        assert not any(TOKEN in path.read_text(errors="replace") for path in logs.glob("*.log"))
    findings = {one["name"]: one for one in json.loads(home.tt("doctor", "--json", code=None).stdout)}
    assert findings["hub"]["status"] == "ok"
    assert "may be written" in findings["hub"]["detail"]


def test_a_start_says_that_a_hub_cannot_be_used(machines: Machines) -> None:
    home, server = machines.home, machines.server
    server.befall("denied")
    assert "hub" not in home.tt("start").stderr, "what is known to be there costs no network"
    # As if nothing had been brought there yet.
    Repository(home.town.mirrors / "project.git").git("update-ref", "-d", "refs/hub/base/main")
    warned = home.tt("start").stderr
    assert f"warning: the hub {server.url('town')} does not let this machine in" in warned
    assert "TINYTOWN_HUB_TOKEN" in warned
    server.befall("")
    assert "hub" not in home.tt("start").stderr


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


def test_home_goes_on_without_the_hub(machines: Machines) -> None:
    """What it did follows once the hub answers."""
    home, server = machines.home, machines.server
    server.befall("down")
    mission = home.start(7, options=("--no-reviewer",))
    home.wait_state(mission, "completed")
    base = f"refs/tinytown/{home.town.id}/project/base/main"
    assert machines.hub.rev(base) != home.git("rev-parse", "main")
    server.befall("")
    home.wait(mission, lambda: machines.hub.rev(base) == home.git("rev-parse", "main"), description="it has the base")
    kept = "work/attempts/" + mission[:8] + "/local-project-7/1"
    home.wait(mission, lambda: machines.hub.rev(base.replace("base/main", kept)), description="it has the work")


def test_an_attempt_that_lost_its_lease_moves_nobody(machines: Machines) -> None:
    """Its work arrives late, under its own number, and the next attempt goes on from it."""
    home, host = machines.home, machines.host
    mission = home.start(8)
    home.wait_runs(mission, 1, purpose="work", item=8)
    host.workers["far"].send_signal(signal.SIGSTOP)
    home.allow("go-8")
    home.wait_item(mission, 8, lambda item: item.attempt is None or item.attempt.number > 1, description="it is lost")
    host.workers["far"].send_signal(signal.SIGCONT)
    home.wait_state(mission, "completed")
    assert home.git("show", "main:late.txt") == "8"
    root = f"refs/tinytown/{home.town.id}/project/work"
    kept = machines.hub.git("for-each-ref", "--format=%(refname)", f"{root}/*/{mission[:8]}/*/1").splitlines()
    assert kept
    assert [run["attempt"] for run in home.runs(purpose="work", item=8)] == [1, 2]
