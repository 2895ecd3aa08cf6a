"""A town of which every part is a container: brought up from nothing, put to work, hurt, and taken down."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.containers.engine import Engine
from tests.containers.stack import PROJECT, TIMING, Stack, issue
from tests.waiting import wait_until

#: Which issue waits for which: nine of them, some side by side, joined again.
SHAPE = {1: (), 2: (), 3: (), 4: (1, 2), 5: (2, 3), 6: (4,), 7: (5,), 8: (6, 7), 9: (8,)}
#: The same again, for the mission that is disturbed.
AGAIN = {number + 10: tuple(other + 10 for other in waits) for number, waits in SHAPE.items()}
#: Parts that are not agents.
OWN = ("redis", "hub", "control", "beat", "flower")
NETWORK = f"{PROJECT}_town"


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The compose file, up, with three workers of one role."""
    issues = {number: issue(number, waits, secs=0.5) for number, waits in SHAPE.items()}
    issues |= {number: issue(number, waits, secs=4) for number, waits in AGAIN.items()}
    made = Stack(engine, tmp_path_factory.mktemp("town") / "s", issues)
    try:
        made.up(*OWN, "backend", workers={"backend": 3})
        made.wait_ready()
        made.wait_agents(3)
        yield made
    finally:
        made.end()


def test_a_mission_over_three_workers_that_share_no_file_system(stack: Stack) -> None:
    """Nine issues that wait for each other: each done once, none before what it waits for, by all three."""
    mission = stack.start(list(SHAPE))
    stack.wait_completed(mission)
    found = stack.judge(mission, SHAPE)
    assert (found["lost"], found["twice"], found["early"]) == ([], [], [])
    runs = stack.runs()
    assert {run.item.partition("#")[2] for run in runs} == {str(number) for number in SHAPE}
    assert len({run.container for run in runs}) > 1, "the work was shared"
    hosts = stack.json("hosts")
    assert sorted(one["state"] for one in hosts if not one["home"]) == ["live"] * 3
    lines = [line for lines in stack.journal().values() for line in lines]
    assert {line["pid"] for line in lines} <= set(range(10)), "each run has processes of its own: its sandbox works"


def test_every_part_says_that_it_is_well(stack: Stack) -> None:
    """By the probes that compose and Kubernetes ask; none of them is root, and none can write its own system."""
    for service in (*OWN, "backend"):
        name = stack.name(service)
        probe = "worker" if service == "backend" else service
        assert stack.engine("exec", name, "town-healthy", probe) == ""
        assert stack.engine("exec", name, "id", "-u").strip() == "10001"
        assert "Read-only" in stack.engine("exec", name, "sh", "-c", "touch /x 2>&1 || true")
        (found,) = json.loads(stack.engine("inspect", name))
        for secret in ("redis_password", "flower_password"):
            assert (stack.folder / "secrets" / secret).read_text() not in json.dumps(found), "no secret is shown"
    (address,) = stack.engine("port", stack.name("flower"), "5555").split()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{address}/", timeout=10)
    with refused.value:
        assert refused.value.code == 401


def test_the_hub_is_open_to_its_key_alone_and_for_git_alone(stack: Stack) -> None:
    """Neither a shell nor a tunnel; no password; nobody without the key."""
    worker = stack.name("backend")

    def ssh(*words: str) -> str:
        script = '. town-environment; $GIT_SSH_COMMAND -p 2222 "$@" 2>&1 || true'
        return stack.engine("exec", worker, "sh", "-c", script, "sh", *words)

    assert "unrecognized command 'id'" in ssh("town@hub", "id")
    assert "refs/" in ssh("town@hub", "git-upload-pack '/srv/hub/town.git'")
    assert "Permission denied (publickey)" in ssh(
        "-o", "IdentityFile=/dev/null", "-o", "IdentityAgent=none", "root@hub"
    )


def test_a_mission_goes_on_whatever_becomes_of_its_hosts(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """One host is cut off, one stands still for longer than its lease, one is killed, one comes late, and the database
    is restarted, all in the midst of nine issues: all is done, nothing twice, nothing early.
    """
    engine = stack.engine
    before = len(stack.runs())
    mission = stack.start(list(AGAIN))
    wait_until(lambda: len(stack.runs()) >= before + 3, timeout=60, description="three agents are at work", pause=0.3)
    cut, paused, killed = (stack.name("backend", number) for number in (1, 2, 3))
    table = []

    def hurt(fault: str, *words: str) -> float:
        engine(*words)
        table.append(f"{fault:<34}{words[-1]}")
        return time.monotonic()

    hurt("killed", "kill", killed)
    hurt("cut off the network", "network", "disconnect", NETWORK, cut)
    since = hurt("stands still beyond its lease", "pause", paused)
    stack.add_worker("backend", "late")
    table.append(f"{'added late':<34}late")
    hurt("the database is restarted", "restart", "--time", "10", stack.name("redis"))
    # The late one alone works now; the others' leases run out.
    wait_until(
        lambda: any(run.container.endswith("late") for run in stack.runs()),
        timeout=120, description="the late one takes over", pause=0.5,
    )  # fmt: skip
    took = time.monotonic() - since
    wait_until(lambda: time.monotonic() - since > 2.5 * TIMING["lease_secs"], timeout=60, description="leases ran out")
    engine("unpause", paused)
    engine("network", "connect", NETWORK, cut)
    stack.wait_completed(mission, timeout=300)
    found = stack.judge(mission, AGAIN)
    runs = [run for run in stack.runs() if int(run.item.partition("#")[2]) > 10]
    with capsys.disabled():
        print(f"\n{len(runs)} runs for {len(AGAIN)} issues; taken over after {took:.1f} s")  # noqa: T201
        print("\n".join(table))  # noqa: T201
        print(f"lost {len(found['lost'])}, twice {len(found['twice'])}, early {len(found['early'])}")  # noqa: T201
    assert (found["lost"], found["twice"], found["early"]) == ([], [], [])
    hosts = {one["name"]: one["state"] for one in stack.json("hosts") if not one["home"]}
    assert sorted(hosts.values()) == ["away", "live", "live", "live"], "the killed one alone is away"


def test_each_part_ends_in_order_when_it_is_told_to(stack: Stack) -> None:
    """A worker leaves the town; every other part ends by itself, with exit code 0; and `down` leaves nothing of it."""
    engine = stack.engine
    leaver = stack.name("backend", 1)
    engine("stop", "--time", "60", leaver, timeout=90)
    hosts = {one["name"] for one in stack.json("hosts")}
    assert engine("inspect", "--format", "{{.Config.Hostname}}", leaver).strip() not in hosts
    for service in ("flower", "beat", "control", "hub", "redis"):
        name = stack.name(service)
        engine("stop", "--time", "60", name, timeout=90)
        assert engine("inspect", "--format", "{{.State.ExitCode}}", name).strip() == "0", service
    for name in stack.workers():
        if name.endswith("late"):
            engine("rm", "--force", "--time", "0", "--volumes", name)
    stack.compose("down", "--volumes")
    assert engine("ps", "--all", "--quiet") == ""
    assert "town" not in engine("network", "ls", "--format", "{{.Name}}")
    assert not [name for name in engine("volume", "ls", "--quiet").split() if name.startswith(PROJECT)]
