"""A mission is watched in a terminal and through a pipe, and its end is told by an exit code."""

from __future__ import annotations

import re
import signal
import subprocess

from tests.acceptance.project import TT, Project
from tests.acceptance.terminal import Terminal


def test_a_mission_is_followed_to_whatever_end(project: Project) -> None:
    project.found({1: "# One\n\ndo: first 3 fail\n", 2: "# Two\n\ndo: wait two\n"})
    project.spawn("worker", "helper")
    mission = project.start(1, 2, options=("--no-reviewer",))

    # In a terminal, until it asks.
    terminal = Terminal(project.root, "mission", "status", "--until-help")
    assert terminal.end() == 7
    assert "\x1b[" in terminal.said
    for words in ("🆘 Issue #1 failed", "answer: tt mission note", "work by", "0/2 "):
        assert words in terminal.said, words
    assert re.search(r"\d\d:\d\d:\d\d Help asked: Issue #1 failed", terminal.said)

    # Interrupted: it says that the mission goes on.
    terminal = Terminal(project.root, "mission", "status", mission[:6], "-f")
    terminal.wait_for("work by")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert (
        f"Mission {mission[:8]} continues; `tt mission status {mission[:8]} --follow` picks it up again"
        in terminal.said
    )

    # Through a pipe: plain lines, each with its time.
    words = [str(TT), "mission", "status", "--follow"]
    with subprocess.Popen(words, cwd=project.root, stdout=subprocess.PIPE, text=True) as piped:
        project.tt("mission", "retry", "1")
        project.allow("two")
        said, _ = piped.communicate(timeout=120)
    assert piped.returncode == 0
    lines = said.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in lines), said
    assert lines[-1].endswith("All done → Mission completed")
    assert "\x1b" not in said

    # Ended already, and cancelled.
    (project.root / "issues" / "3.md").write_text("# Three\n\ndo: wait never\n")
    third = project.start(3)
    project.tt("mission", "stop", "--force")
    assert project.tt("mission", "status", third[:8], "--follow", code=6).stdout.rstrip().endswith("Mission cancelled")
    assert project.tt("mission", "status", mission[:8], "--follow").stdout.rstrip().endswith("Mission completed")
