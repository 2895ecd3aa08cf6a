"""`tt doctor`, typed where everything goes wrong that it shall find; and what it is asked to move."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.acceptance.project import TIMING, Project
from tests.waiting import wait_until
from tinytown import contract
from tinytown.app import create_app, send_task
from tinytown.engine.doctor import Finding, examine, running
from tinytown.host import process_specs
from tinytown.host.server import server_url
from tinytown.state import duties
from tinytown.state.database import connect

ISSUES = {1: "# One\n\ndo: write one.txt 1\n", 2: "# Two\n\ndo: sleep 60\n"}


def poison(project: Project) -> bytes:
    """An envelope of Celery's own making, spoilt in one place: it ends whichever worker takes it, and comes back."""
    prefix = "tt:poison:"
    url = server_url(project.town)
    send_task(create_app(url, prefix), contract.TASK_ATTEMPT, ("m", "local/project#1", 1), queue="role.worker")
    client: Any = connect(url, decode=False)
    envelope = json.loads(client.rpop(f"{prefix}role.worker"))
    envelope["headers"]["task"] = []
    return json.dumps(envelope).encode()


def test_poison_ends_workers_until_the_quarantine_has_it(project: Project) -> None:
    """Without the flag nothing is moved; with it the message is kept, and the mission completes."""
    project.found(ISSUES)
    project.spawn("worker")
    town = project.town
    client: Any = connect(server_url(town), decode=False)
    queue, aside = f"{town.prefix}role.worker", f"{town.prefix}quarantine:role.worker"
    bad = poison(project)
    client.rpush(queue, bad, b"garbage")

    def restarts() -> int:
        return process_specs.read_states(town)["role-worker"].restarts

    wait_until(lambda: restarts() >= 3, timeout=60, description="one worker after the other ends")
    mission = project.start(1, options=("--no-reviewer",))
    # More than workers could die of before the quarantine comes.
    for _ in range(20):
        client.rpush(queue, b"\xff\x00 garbage")
    done = project.tt("doctor", code=1)
    assert "❌ messages: " in done.stdout
    assert "they would crash a worker\n   run `tt doctor --quarantine`" in done.stdout
    assert not client.exists(aside)

    def moved() -> list[bytes]:
        # A worker may be dying of it in this very moment; then it comes back to its queue.
        project.tt("doctor", "--quarantine", code=None)
        kept = client.lrange(aside, 0, -1) + client.lrange(f"{town.prefix}quarantine:unacked", 0, -1)
        return [message for message in kept if json.loads(bad)["headers"]["id"].encode() in message]

    wait_until(moved, timeout=60, description="the quarantine has it")
    project.wait_state(mission, "completed")
    kept = client.lrange(aside, 0, -1)
    assert b"\xff\x00 garbage" in kept
    assert len(moved()) == 1
    assert project.runs(purpose="work")
    assert [f["status"] for f in look(project) if f["name"] == "messages"] == ["ok"]


def look(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.tt("doctor", "--json", code=None).stdout)
    return found


def finding(where: Project | list[Finding], name: str, status: str, *says: str) -> Finding:
    """The finding of this name and status, which says all this."""
    everything = list(examine(where.root)) if isinstance(where, Project) else where
    found = [f for f in everything if f.name == name and f.status == status]
    text = "\n".join(f"{f.status} {f.name}: {f.detail} -> {f.remedy}" for f in everything)
    assert found, text
    one = next((f for f in found if all(word in f"{f.detail} {f.remedy}" for word in says)), None)
    assert one is not None, text
    assert status == "ok" or one.remedy
    return one


def test_each_fault_is_found_and_has_a_remedy(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a town that is well, nothing fails; then one thing after the other goes wrong."""
    project.found(ISSUES, timing={**TIMING, "heartbeat_secs": 1})
    project.spawn("worker")
    project.wait_duty("dispatch", 1)
    context = project.context()
    store, client, keys = context.store, context.store.client, context.store.keys
    well = list(examine(project.root))
    assert [f for f in well if f.status == "fail"] == []
    finding(well, "worker worker", "ok", "present")
    finding(well, "worker control", "ok", "present")
    finding(well, "clock", "ok", "the last tick was")
    finding(well, "database", "ok", "this town")
    finding(well, "issues", "ok", "2 in")
    finding(well, "mirror", "ok")
    finding(well, "cli fake", "ok", "version unknown", "logged in: unknown")
    assert {f.name for f in well} >= {"git", "server", "sandbox", "disk", "forge", "locks", "records"}

    # A release that differs, a schema that differs, one that is deaf, one that is absent.
    monkeypatch.setattr(running, "_version", lambda: "9.9")
    finding(project, "worker worker", "warn", "9.9", "same release")
    monkeypatch.setattr(contract, "SCHEMA", 99)
    finding(project, "worker worker", "fail", "schema 99")
    monkeypatch.undo()
    client.zadd(keys.alive, {"ghost": 9e15})
    client.hset(keys.agents, "ghost", client.hget(keys.agents, "worker").replace('"worker"', '"ghost"', 1))
    finding(project, "worker ghost", "warn", "does not answer")
    client.zrem(keys.alive, "ghost")
    finding(project, "worker ghost", "warn", "no process runs", "tt kill ghost")
    client.hdel(keys.agents, "ghost")

    # Messages for nobody.
    send_task(context.app, contract.TASK_ATTEMPT, ("m", "local/project#1", 1), queue="role.docs")
    finding(project, "queue role.docs", "warn", "1 message waits", "no worker is taking from it", "tt spawn docs")
    client.delete(f"{project.town.prefix}role.docs")

    # A damaged record: its mission is set aside with all it has, and its issue is free for another one.
    mission = project.start(2, options=("--no-reviewer",))
    project.wait_runs(mission, 1, item=2)
    items = keys.items(mission)
    field = client.hkeys(items)[0]
    client.hset(items, field, "1\n{not a record")
    finding(project, "records", "fail", f"mission {mission[:8]}", "is damaged", "--quarantine")
    assert [one["state"] for one in project.json("mission", "list")] == ["unreadable"]
    assert mission in project.tt("doctor", "--quarantine", code=None).stdout
    finding(project, "records", "ok", "1 set aside")
    assert (client.hget(items, field), client.zrange(keys.damaged, 0, -1)) == ("1\n{not a record", [mission])
    assert (store.mission_ids(live=False), store.live_attempts(), project.json("mission", "list")) == ([], [], [])
    project.tt("mission", "stop", "--force", project.start(2))

    # Git's locks, left behind; the repository unfit.
    lock = project.root / ".git" / "index.lock"
    lock.touch()
    finding(project, "locks", "ok")
    os.utime(lock, (1, 1))
    finding(project, "locks", "fail", str(lock), f"rm {lock}")
    lock.unlink()
    project.git("branch", "-m", "main", "trunk")
    finding(project, "repository", "fail", "no branch `main`", "forge.base")
    project.git("branch", "-m", "trunk", "main")

    # The clock stopped, and was not just started.
    (process_specs.specs_folder(project.town) / "beat.json").unlink()
    wait_until(lambda: "beat" not in process_specs.read_states(project.town), description="beat is gone")
    wait_until(
        lambda: store.now() - duties.ticks(store)["dispatch"] > running.LATE_TICKS * TIMING["tick_secs"],
        description="the last tick is long ago",
    )
    finding(project, "clock", "fail", "the last tick was", "beat.log")
    finding(project, "process beat", "fail", "never started", "tt start")

    # A database that is lost, and one that was always empty, are not the same.
    epoch = client.get(keys.epoch)
    client.set(keys.epoch, "another")
    finding(project, "database", "fail", "an earlier setup", "backup")
    client.delete(keys.epoch)
    finding(project, "database", "fail", "lost", "REDIS_URL")
    client.set(keys.epoch, epoch)
    client.config_set("maxmemory-policy", "allkeys-lru")
    finding(project, "server", "warn", "noeviction")
