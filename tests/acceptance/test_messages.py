"""Messages that make agents work, with real processes: ``tt send``."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from tests.acceptance.project import Project
from tests.waiting import patience, wait_until

#: An agent that always writes to the other one.
_PLAYER = """
import os, subprocess, sys
sys.stdin.read()
other = "bob" if os.environ["TINYTOWN_AGENT_NAME"] == "ann" else "ann"
print(subprocess.run(["tt", "send", other, "your turn"], capture_output=True, text=True))
"""


def answers(project: Project, name: str = "conductor") -> list[dict[str, Any]]:
    """What came into a mailbox in answer to something."""
    return [m.model_dump() for m in project.context().mail.read(name) if m.reply_to]


def wait_answer(project: Project, to: str, name: str = "conductor") -> dict[str, Any]:
    """Wait for the answer to a message."""

    def there() -> dict[str, Any] | None:
        return next((one for one in answers(project, name) if one["reply_to"] == to), None)

    try:
        found = wait_until(there, timeout=60, description=f"{to} is answered")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{project.logs()}") from None
    assert found is not None
    return found


def test_an_idle_agent_answers_and_agents_ask_each_other(project: Project) -> None:
    project.found({1: "# One\n"})
    project.tt("config", "policy.reviewer_required", "false")
    project.spawn("ann", "bob")
    begun = time.time()
    sent = json.loads(project.tt("send", "ann", "Which one?\ndo: say the blue one", "--query", "--json").stdout)
    answer = wait_answer(project, sent["id"])
    assert answer["sender"] == "ann"
    assert "the blue one" in answer["text"]
    assert project.runs()[0]["at"] - begun < patience(3), "it waited for no tick"
    assert "the blue one" in project.tt("inbox").stdout
    assert "the blue one" in project.tt("task", "show", sent["task"]).stdout

    # From inside a run; what only tells something waits for a brief, and a change is merged like a task's.
    project.tt("send", "bob", "the sky is green", "--info")
    asked = json.loads(project.tt("send", "ann", 'do: tt send bob --query "do: write sky.txt green"', "--json").stdout)
    wait_answer(project, asked["id"])
    (of_bob,) = [m for m in project.context().mail.read("bob") if m.kind == "query"]
    assert (of_bob.sender, of_bob.depth) == ("ann", 1)
    told = wait_answer(project, of_bob.id, "ann")
    assert told["sender"] == "bob"
    assert project.git("show", "main:sky.txt") == "green"
    mission = project.json("task", "show", of_bob.task)["mission"]
    brief = project.brief(mission, of_bob.task, 1)
    assert f"Message {of_bob.id} from ann (query):" in brief
    assert "the sky is green" in brief
    assert project.context().mail.pending("bob") == []
    assert [m.id for m in project.context().mail.pending("ann")] == [told["id"]]


def test_agents_that_write_to_each_other_for_ever_are_asked_about(project: Project) -> None:
    player = project.root.parent / "player.py"
    player.write_text(_PLAYER, encoding="utf-8")
    project.found(
        {1: "# One\n"},
        extra=f'\n[agent_clis.player]\ncommand = "{sys.executable} -S {player}"\n',
    )
    project.tt("config", "messages.max_depth", "2")
    project.spawn("ann", "bob", cli="player")
    project.tt("send", "ann", "your turn")
    wait_until(lambda: "again and again" in project.help(), timeout=60, description="a person is asked")
    (task,) = [row["id"] for row in project.json("task", "list") if row["state"] == "ready"]
    assert f"`tt task retry {task}` lets it go on" in project.tt("inbox").stdout
    rows = project.json("task", "list")
    assert [row["state"] for row in rows] == ["done", "done", "done", "ready"]
    project.tt("task", "cancel", task)
    assert {row["state"] for row in project.json("task", "list")} == {"done", "cancelled"}
    assert any("was cancelled" in m.text for m in project.context().mail.pending("ann"))
