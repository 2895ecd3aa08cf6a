"""Flower on a town: what it shows, and to whom."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from tests.acceptance.project import TT, Project
from tests.waiting import wait_until

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
    words = [str(TT), "flower", "--port", str(port)]
    with subprocess.Popen(words, cwd=project.root, stdout=subprocess.PIPE, text=True) as flower:
        try:
            assert flower.stdout is not None
            shown = re.fullmatch(
                rf"🌼 http://127\.0\.0\.1:{port} \(user tt, password (\S+)\)\n", flower.stdout.readline()
            )
            assert shown is not None

            def ask(path: str, *, user: str = f"tt:{shown[1]}", post: bool = False) -> tuple[int, str]:
                headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}{path}", headers=headers, data=b"" if post else None
                )
                try:
                    with urllib.request.urlopen(request, timeout=10) as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as error:
                    return error.code, ""
                except OSError:
                    return 0, ""

            def tasks() -> set[tuple[str, str]]:
                status, text = ask("/api/tasks")
                return {(t["name"], t["args"]) for t in json.loads(text).values()} if status == 200 else set()

            def states() -> dict[str, str]:
                found = json.loads(ask("/api/tasks")[1] or "{}").values()
                return {t["args"]: t["state"] for t in found if t["name"] == "tinytown.attempt"}

            # It asks the workers for their events, some time after it came up.
            wait_until(lambda: ("tinytown.dispatch", "()") in tasks(), description="it hears the clock")
            mission = project.start(1, 2, options=("--no-reviewer",))
            attempt = ("tinytown.attempt", f"(mission {mission[:8]} #1 worker work attempt 1, local/project#1)")
            wait_until(lambda: attempt in tasks(), description="it shows the attempt")
            # Its agent goes on with the other by itself: no queue and no event loop has seen that task.
            second = f"(mission {mission[:8]} #2 worker work attempt 1, local/project#2)"
            wait_until(lambda: states().get(second) == "SUCCESS", description="it shows the next, and how it ended")
            page = ask("/tasks")[1]
            columns = re.findall(r'data-column="(\w+)"', page)
            assert columns[:3] == ["args", "name", "state"], "the list shows what a task is about"
            for path in ("/", "/workers", "/tasks", "/broker", "/api/tasks", "/api/workers"):
                assert ask(path, user="tt:wrong")[0] == 401, path
            assert ask("/api/worker/shutdown/worker", post=True)[0] == 403
            assert ask("/api/task/async-apply/tinytown.sweep", post=True)[0] == 403
        finally:
            flower.terminate()
            flower.wait(timeout=20)
