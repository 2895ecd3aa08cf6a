"""Flower on a town: what it shows, and to whom."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

from tests.acceptance.project import Project
from tests.acceptance.two_hosts import Home, Other, a_server
from tests.acceptance.watching import flower
from tests.waiting import wait_until
from tinytown.host.lifecycle import stop

#: This machine's own addresses.
_FAMILIES = [("::1", socket.AF_INET6)] if Path("/proc/net/if_inet6").exists() else []
_FAMILIES.append(("127.0.0.1", socket.AF_INET))


def test_it_shows_missions_to_those_who_know_the_password(project: Project) -> None:
    """Each task with its mission, item and role; nothing without the password, and nothing can be done with it."""
    project.found({1: "# One\n", 2: "# Two\n"})
    project.spawn("worker")
    # Flower would run it, if it looked for its configuration here.
    (project.root / "flowerconfig.py").write_text("raise SystemExit('ran code of the repository')\n")
    port = 0
    for address, family in _FAMILIES:
        with socket.create_server((address, 0), family=family) as taken:
            port = taken.getsockname()[1]
            said = project.tt("flower", "--address", address, "--port", str(port), code=4).stderr
            assert f"cannot listen on {address}:{port}: Address already in use" in said
    with flower(project, port) as shown:

        def tasks() -> set[tuple[str, str]]:
            return {(task["name"], task["args"]) for task in shown.json("/api/tasks").values()}

        def states() -> dict[str, str]:
            found = shown.json("/api/tasks").values()
            return {task["args"]: task["state"] for task in found if task["name"] == "tinytown.attempt"}

        # It asks the workers for their events, some time after it came up.
        wait_until(lambda: ("tinytown.dispatch", "()") in tasks(), description="it hears the clock")
        mission = project.start(1, 2, options=("--no-reviewer",))
        attempt = ("tinytown.attempt", f"(mission {mission[:8]} #1 worker work attempt 1, local/project#1)")
        wait_until(lambda: attempt in tasks(), description="it shows the attempt")
        # Its agent goes on with the other by itself: no queue and no event loop has seen that task.
        second = f"(mission {mission[:8]} #2 worker work attempt 1, local/project#2)"
        wait_until(lambda: states().get(second) == "SUCCESS", description="it shows the next, and how it ended")
        page = shown.ask("/tasks")[1]
        columns = re.findall(r'data-column="(\w+)"', page)
        assert columns[:3] == ["args", "name", "state"], "the list shows what a task is about"
        for path in ("/", "/workers", "/tasks", "/broker", "/api/tasks", "/api/workers"):
            assert shown.ask(path, password="wrong")[0] == 401, path
        assert shown.ask("/api/worker/shutdown/worker", post=True)[0] == 403
        assert shown.ask("/api/task/async-apply/tinytown.sweep", post=True)[0] == 403


def test_it_says_which_host_a_worker_is_of(tmp_path: Path) -> None:
    """By role and by the name that `tt hosts` shows, of hosts that joined as well; so does each task that ran there."""
    with a_server(tmp_path / "server") as url, contextlib.ExitStack() as ends:
        home = Home(tmp_path / "home" / "project", url)
        home.found({1: "# Docs: one\n\ndo: write one.txt 1\n"})
        ends.callback(stop, home.town)
        barn = Other(tmp_path / "barn" / "barn", url)
        ends.callback(barn.end)
        barn.tt("join", "--name", "barn")
        home.tt("spawn", "pat", "--role", "docs", "--cli", "fake", "--host", "barn")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        shown = ends.enter_context(flower(home, port))

        def there() -> set[str]:
            """Names without pids of the workers that give signs of life."""
            found = shown.json("/workers?json=1").get("data", ())
            return {one["hostname"].rpartition(":")[0] for one in found if one["status"]}

        wanted = {"docs@barn", f"control@{home.town.machine}", f"checks@{home.town.machine}"}
        wait_until(lambda: wanted <= there(), description="it shows roles and hosts", timeout=60)
        names = [one["hostname"] for one in shown.json("/workers?json=1")["data"]]
        [docs] = [name for name in names if name.startswith("docs@")]
        assert shown.ask(f"/worker/{docs}")[0] == 200, "and a page of each"
        # Flower asks whoever came after it for its events some time later.
        log = barn.town.logs / "role-docs.log"
        wait_until(
            lambda: "Events of group {task} enabled" in log.read_text(), description="the role tells of its tasks"
        )
        mission = home.start(1, options=("--no-reviewer",))
        home.wait_state(mission, "completed")

        def ran() -> set[str]:
            found = shown.json("/api/tasks").values()
            return {task["worker"] for task in found if f"mission {mission[:8]} #1 docs work" in task["args"]}

        wait_until(lambda: ran() == {docs}, description="it shows where the task ran")
