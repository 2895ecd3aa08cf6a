"""The agent socket: what an agent may ask, what not, and that nothing it sends does harm. Real sockets, real ``tt``."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.builders import a_mission, an_item
from tests.waiting import patience, wait_until
from tinytown import contract
from tinytown.cli import inside
from tinytown.engine.plan.by_hand import Given
from tinytown.engine.plan.claims import Added
from tinytown.engine.views.backlog import EntryView
from tinytown.errors import NotFoundError, StateError, UnreachableError
from tinytown.missions.records.backlog import Entry
from tinytown.missions.states import Purpose
from tinytown_workers.run import agent_socket as module
from tinytown_workers.run.agent_socket import AgentSocket


class Town:
    """Answers like a town with two agents."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, bool]] = []
        self.entries: list[Entry] = []

    def task_current(self) -> Mapping[str, Any]:
        return {
            "key": "local/repo#2",
            "title": "Implement endpoints",
            "role": "backend",
            "purpose": "work",
            "note": None,
        }

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        if to == "nobody":
            raise NotFoundError("there is no agent `nobody`", remedy="see `tt list`")
        if to == "broken":
            raise RuntimeError("a fault of ours")
        self.sent.append((to, text, kind, urgent))
        return {"id": "1-0"}

    def inbox(self, *, everything: bool) -> Sequence[Mapping[str, Any]]:
        return [{"sender": "ann", "text": "hello"}] * (2 if everything else 1)

    def backlog(self, tag: str) -> Sequence[EntryView]:
        return [EntryView(one, "busy") for one in self.entries if not tag or tag in one.tags]

    def add_to_backlog(self, text: str, tags: Sequence[str]) -> Added:
        self.entries.append(Entry(id=f"b{len(self.entries) + 1}", text=text, tags=tuple(tags), by="ann", at=1.0))
        return Added(self.entries[-1], None, "busy")

    def claim(self, id_: str, agent: str) -> Given:
        if agent:
            raise StateError("an agent claims for itself alone")
        self.entries.pop()
        return Given(a_mission(), an_item(entry=id_, directed_to="ann"))


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def folder(machine: Path) -> Path:
    return machine / "run" / "sockets"


@pytest.fixture
def agent_socket(folder: Path, town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentSocket]:
    with AgentSocket(folder, town, purpose=Purpose.WORK) as agent_socket:
        for name, value in agent_socket.environment.items():
            monkeypatch.setenv(name, value)
        yield agent_socket


def raw(agent_socket: AgentSocket, data: bytes) -> bytes:
    """What comes back for these bytes, until the socket hangs up or has answered one line."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(agent_socket.path))
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        with peer.makefile("rb") as lines:
            return lines.readline()


def ask(agent_socket: AgentSocket, verb: object, args: object = None, *, token: object = None) -> dict[str, Any]:
    request = {
        "token": agent_socket.token if token is None else token,
        "verb": verb,
        "args": {} if args is None else args,
    }
    answer: dict[str, Any] = json.loads(raw(agent_socket, json.dumps(request).encode() + b"\n"))
    return answer


def tt(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from tinytown.cli.main import main; sys.exit(main())", *words],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_verbs_answer(agent_socket: AgentSocket, town: Town) -> None:
    assert inside.inside()
    assert inside.call("task.current")["key"] == "local/repo#2"
    inside.send("ann", "ready", kind="query", urgent=True)
    assert town.sent == [("ann", "ready", "query", True)]
    assert len(inside.inbox()) == 1
    assert len(inside.inbox(everything=True)) == 2


def test_what_the_agent_says_of_its_work_is_kept_and_the_last_word_counts(agent_socket: AgentSocket) -> None:
    assert (agent_socket.result, agent_socket.failure) == (None, None)
    inside.call("task.complete", result="halfway")
    inside.call("task.fail", why="it does not work")
    assert (agent_socket.result, agent_socket.failure) == ("halfway", "it does not work")
    inside.call("task.complete", result="it works after all")
    assert (agent_socket.result, agent_socket.failure) == ("it works after all", None)


def test_a_verdict_is_taken_in_a_review_only(
    agent_socket: AgentSocket, folder: Path, town: Town, monkeypatch: Any
) -> None:
    with pytest.raises(StateError, match="this attempt is not a review"):
        inside.call("review.approve")
    untouched = agent_socket.verdict
    assert untouched is None
    with AgentSocket(folder, town, purpose=Purpose.REVIEW) as review:
        for name, value in review.environment.items():
            monkeypatch.setenv(name, value)
        inside.call("review.approve")
        assert review.verdict == (True, "")
        inside.call("review.request_changes", why="no test")
        assert (review.verdict, review.approved) == ((False, "no test"), True)


def test_the_socket_is_the_users_alone_and_goes_with_the_attempt(folder: Path, town: Town, monkeypatch: Any) -> None:
    with AgentSocket(folder, town, purpose=Purpose.WORK) as agent_socket:
        assert stat.S_IMODE(agent_socket.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(str(agent_socket.path)) < 100
        for name, value in agent_socket.environment.items():
            monkeypatch.setenv(name, value)
    assert not agent_socket.path.exists()
    with pytest.raises(UnreachableError):
        inside.call("task.current")


def test_errors_of_the_town_reach_the_agent_as_they_are(
    agent_socket: AgentSocket, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotFoundError, match="there is no agent `nobody`") as caught:
        inside.send("nobody", "hello")
    assert caught.value.remedy == "see `tt list`"
    with caplog.at_level(logging.CRITICAL):
        assert ask(agent_socket, "send", {"to": "broken", "text": "x"})["error"] == "the worker could not answer"


@pytest.mark.parametrize("token", ["", "x", "ü", "\ud800", 5, None, [], "x" * 1000])
def test_a_wrong_token_opens_nothing(agent_socket: AgentSocket, town: Town, token: object) -> None:
    request = {"token": token, "verb": "send", "args": {"to": "ann", "text": "x"}}
    answer = json.loads(raw(agent_socket, json.dumps(request).encode() + b"\n"))
    assert answer["ok"] is False
    assert town.sent == []
    assert ask(agent_socket, "task.complete", {"result": "x"}, token="other")["code"] == 4
    assert agent_socket.result is None


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("", {}),
        ("task", {}),
        ("__class__", {}),
        ("merge", {}),
        (5, {}),
        ("task.current", []),
        ("task.current", "x"),
        ("task.fail", {}),
        ("task.fail", {"why": "  "}),
        ("task.fail", {"why": 5}),
        ("task.complete", {"result": ["x"]}),
        ("send", {"to": "ann"}),
        ("send", {"to": "ann", "text": "x", "kind": "order"}),
        ("send", {"to": "ann", "text": "x", "kind": ["info"]}),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    agent_socket: AgentSocket, town: Town, verb: object, args: object
) -> None:
    answer = ask(agent_socket, verb, args)
    assert answer["ok"] is False
    assert answer["code"] == 2
    assert (town.sent, agent_socket.result, agent_socket.failure) == ([], None, None)


@pytest.mark.parametrize(
    "data", [b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b'"x"\n', b"{\n"]
)
def test_what_is_no_request_is_answered_and_does_no_harm(agent_socket: AgentSocket, data: bytes) -> None:
    assert json.loads(raw(agent_socket, data))["error"] == "that is not a request"
    assert ask(agent_socket, "task.current")["ok"]


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_arguments_of_any_depth_are_answered_and_fill_no_log(
    agent_socket: AgentSocket, opened: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is a few bytes, and would be a quarter of a megabyte of a fault's story in the worker's log."""
    for depth in (3, *range(100, 1200, 100), 3000):
        nested = f"{opened * depth}1{']' * depth if opened == '[' else '}' * depth}"
        request = f'{{"token": "{agent_socket.token}", "verb": "task.complete", "args": {{"result": {nested}}}}}\n'
        assert json.loads(raw(agent_socket, request.encode()))["code"] == 2
    assert caplog.text == ""


def test_too_much_and_half_a_line_close_the_connection(agent_socket: AgentSocket) -> None:
    assert raw(agent_socket, b"half a line") == b""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(agent_socket.path))
        # It hangs up while we still send.
        with pytest.raises(OSError, match=r"[Pp]ipe|reset"):
            peer.sendall(b"x" * (4 << 20))
    assert ask(agent_socket, "task.current")["ok"]


def test_texts_are_cut_and_cleaned_of_what_cannot_be_stored(agent_socket: AgentSocket) -> None:
    assert ask(agent_socket, "task.complete", {"result": "x" * 70_000})["ok"]
    assert agent_socket.result == "x" * module.TEXT_CHARS
    assert ask(agent_socket, "task.fail", {"why": "a\ud800b"})["ok"]
    assert agent_socket.failure == "a?b"


def test_several_requests_go_through_one_connection_and_many_peers_at_once(
    agent_socket: AgentSocket, town: Town
) -> None:
    request = (
        json.dumps({"token": agent_socket.token, "verb": "send", "args": {"to": "ann", "text": "x"}}).encode() + b"\n"
    )

    def peer() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(agent_socket.path))
            with connection.makefile("rb") as lines:
                for _ in range(5):
                    connection.sendall(request)
                    assert json.loads(lines.readline())["ok"]

    peers = [threading.Thread(target=peer) for _ in range(20)]
    for thread in peers:
        thread.start()
    for thread in peers:
        thread.join(30)
    assert len(town.sent) == 100


def test_peers_that_only_hold_on_are_let_go(folder: Path, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    before = threading.active_count()
    with AgentSocket(folder, town, purpose=Purpose.WORK) as agent_socket:
        idle = [socket.socket(socket.AF_UNIX) for _ in range(module.CONNECTIONS)]
        for peer in idle:
            peer.connect(str(agent_socket.path))
        assert ask(agent_socket, "task.current")["ok"]
    began = time.monotonic()
    for peer in idle:
        peer.close()
    wait_until(lambda: threading.active_count() <= before, description="no thread of the socket is left")
    assert time.monotonic() - began < patience(5)


def test_nobody_is_silenced_by_others_who_hold_on(folder: Path, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """By however many connections, or in half a line, code of a change could keep its reviewer from refusing it."""
    monkeypatch.setattr(module, "HELD", 0.05)
    with AgentSocket(folder, town, purpose=Purpose.REVIEW) as review, contextlib.ExitStack() as stack:
        for number in range(10 * module.CONNECTIONS):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.connect(str(review.path))
            if number % 2:
                peer.sendall(b'{"token": ')
        began = time.monotonic()
        assert ask(review, "review.request_changes", {"why": "no test"})["ok"]
        assert time.monotonic() - began < module.PATIENCE
        assert review.verdict == (False, "no test")


def test_leaving_does_not_wait_for_a_peer(folder: Path, town: Town) -> None:
    with AgentSocket(folder, town, purpose=Purpose.WORK) as agent_socket, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(agent_socket.path))
        peer.sendall(b'{"token": ')
        began = time.monotonic()
        agent_socket.__exit__()
        assert time.monotonic() - began < patience(3)


def test_there_is_an_end_to_requests(agent_socket: AgentSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUESTS", 3)
    assert [ask(agent_socket, "task.current")["ok"] for _ in range(5)] == [True, True, True, False, False]


def test_others_cannot_use_up_what_a_reviewer_may_say(
    folder: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUESTS", 3)
    with AgentSocket(folder, town, purpose=Purpose.REVIEW) as review:
        assert not all(ask(review, "task.current")["ok"] for _ in range(5))
        assert ask(review, "review.request_changes", {"why": "no test"})["ok"]
        assert review.verdict == (False, "no test")


def test_there_is_an_end_to_messages(agent_socket: AgentSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox is finite: a cry for help must not drown in what one agent sends."""
    monkeypatch.setattr(module, "MESSAGES", 2)
    args = {"to": "conductor", "text": "hello"}
    assert [ask(agent_socket, "send", args)["ok"] for _ in range(3)] == [True, True, False]
    assert ask(agent_socket, "task.complete", {"result": "done"})["ok"]


def test_there_is_an_end_to_what_one_attempt_adds_to_the_backlog(
    agent_socket: AgentSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENTRIES", 2)
    args = {"text": "one more"}
    assert [ask(agent_socket, "backlog.add", args)["ok"] for _ in range(3)] == [True, True, False]
    assert len(ask(agent_socket, "backlog.list")["result"]) == 2


class Ran:
    """Runs nothing, and says what it was asked."""

    def run(self, argv: Sequence[str]) -> Mapping[str, Any]:
        return {"code": 3, "stdout": " ".join(argv), "stderr": "no", "why": "it reached its time limit"}

    def end(self) -> None:
        pass


def test_a_command_is_run_for_a_review_alone(agent_socket: AgentSocket, folder: Path, town: Town) -> None:
    assert ask(agent_socket, "review.run", {"argv": ["true"]})["code"] == 4
    with AgentSocket(folder, town, purpose=Purpose.REVIEW, runs=Ran(), in_answer=True) as review:
        done = tt("review", "run", "--", "make", "-k", "test", env=review.environment)
        assert (done.returncode, done.stdout, done.stderr) == (3, "make -k test", "nott: it reached its time limit\n")
        for argv in (None, "true", [], [1], ["a\0b"]):
            assert ask(review, "review.run", {"argv": argv})["code"] == 2


# -- the command -----------------------------------------------------------------------------------


def test_tt_inside_an_attempt(agent_socket: AgentSocket, town: Town) -> None:
    env = agent_socket.environment
    shown = tt("task", "current", env=env)
    assert (shown.returncode, shown.stdout.splitlines()) == (
        0, ["key: local/repo#2", "title: Implement endpoints", "role: backend", "purpose: work"],
    )  # fmt: skip
    assert tt("task", "complete", "all done", env=env).returncode == 0
    assert tt("task", "fail", "not so", env=env).returncode == 0
    assert (agent_socket.result, agent_socket.failure) == ("all done", "not so")
    assert tt("send", "ann", "text", "--info", env=env).returncode == 0
    assert town.sent == [("ann", "text", "info", False)]
    refused = tt("review", "approve", env=env)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "this attempt is not a review" in refused.stderr


def test_the_backlog_inside_an_attempt(agent_socket: AgentSocket) -> None:
    """An agent adds, lists, and claims for itself; it neither removes nor gives to others."""
    env = agent_socket.environment
    assert tt("backlog", "list", env=env).stdout == "📋 Backlog is empty\n"
    assert tt("backlog", "add", "Explain it", "--tags", "docs,x", env=env).stdout.startswith(
        "📋 Added task to backlog: b1\n   Description: Explain it\n"
    )
    assert "   b1 - Explain it [docs,x] (ann)\n   b1: busy\n" in tt("backlog", "list", env=env).stdout
    assert tt("backlog", "list", "--tag", "y", env=env).stdout == "📋 Nothing in the backlog has this tag\n"
    assert tt("backlog", "claim", "b1", "bob", env=env).returncode == 4
    assert "Claimed b1 and assigned it to 'ann'" in tt("backlog", "claim", "b1", env=env).stdout
    for words in (("remove", "b1"), ("assign-all", "ann")):
        refused = tt("backlog", *words, env=env)
        assert (refused.returncode, refused.stdout) == (4, "")
        assert "cannot be used inside an agent's run" in refused.stderr


def test_tt_inside_a_review(folder: Path, town: Town) -> None:
    with AgentSocket(folder, town, purpose=Purpose.REVIEW) as review:
        assert tt("review", "request-changes", "no test", env=review.environment).returncode == 0
        assert review.verdict == (False, "no test")
        assert tt("review", "request-changes", env=review.environment).returncode == 2
        refused = tt("review", "approve", env=review.environment)
        assert (refused.returncode, review.verdict) == (4, (False, "no test"))
        assert "has requested changes already, and that stands" in refused.stderr


def test_a_refusal_stands_however_often_and_at_whatever_time_it_is_approved(folder: Path, town: Town) -> None:
    with AgentSocket(folder, town, purpose=Purpose.REVIEW) as review:

        def approve() -> None:
            for _ in range(20):
                ask(review, "review.approve")

        noise = [threading.Thread(target=approve) for _ in range(4)]
        for thread in noise:
            thread.start()
        assert ask(review, "review.request_changes", {"why": "no test"})["ok"]
        for thread in noise:
            thread.join(60)
        assert review.verdict == (False, "no test")
        assert ask(review, "review.approve")["code"] == 4
        assert ask(review, "review.request_changes", {"why": "no docs"})["ok"]
        assert review.verdict == (False, "no test\nno docs")


def test_where_the_answer_holds_the_verdict_no_command_does(folder: Path, town: Town) -> None:
    with AgentSocket(folder, town, purpose=Purpose.REVIEW, in_answer=True) as review:
        for words in (["approve"], ["request-changes", "no"]):
            refused = tt("review", *words, env=review.environment)
            assert (refused.returncode, review.verdict) == (4, None)
            assert "end your answer with the line `VERDICT: APPROVE`" in refused.stderr


def test_inside_an_attempt_there_is_nothing_else(agent_socket: AgentSocket) -> None:
    for words in (["mission", "list"], ["spawn", "x"], ["kill", "x"], ["stop"]):
        refused = tt(*words, env=agent_socket.environment)
        assert (refused.returncode, refused.stdout) == (4, "")
        assert f"`tt {words[0]}` cannot be used inside an agent's run" in refused.stderr


def test_without_its_worker_tt_says_so(tmp_path: Path) -> None:
    env = {contract.ENV_SOCKET: str(tmp_path / "gone"), contract.ENV_TOKEN: "x"}
    for words in (["task", "current"], ["review", "approve"]):
        refused = tt(*words, env=env)
        assert refused.returncode == 5
        assert "the worker of this attempt does not answer" in refused.stderr


def test_a_verdict_outside_an_attempt_is_refused() -> None:
    refused = tt("review", "approve", env={})
    assert refused.returncode == 4
    assert "only be given from inside a review" in refused.stderr


def test_the_client_waits_for_no_heavy_import() -> None:
    code = (
        "import sys; from tinytown.cli import inside, review, task, main\n"
        "print(sorted({'pydantic', 'celery', 'redis', 'rich', 'psutil'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={
        "PATH": os.environ["PATH"]})  # fmt: skip
    assert done.stdout == "[]\n"
