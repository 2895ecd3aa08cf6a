"""A program of yours hears of what needs you, exactly once; what it does can harm nothing."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.repositories import a_town
from tests.waiting import wait_until
from tinytown import settings
from tinytown.engine.conductor import notices
from tinytown.engine.conductor.notices import Sender
from tinytown.engine.context import Context
from tinytown.engine.doctor.running import notify
from tinytown.errors import ConfigurationError
from tinytown.host.server import Server
from tinytown.missions.records.mission import Help, Mission
from tinytown.missions.states import MissionState
from tinytown.state.notices import Outbox

MISSION = Mission(id="0a1b2c3d-0000-4000-8000-000000000000", state=MissionState.RUNNING, objectives=("local/t#1",),
                  forge="local", repo="local/t", base="main", created_at=1.0,
                  help=Help(reasons=("Issue #1 failed: no",), since=1.0, asked=1))  # fmt: skip


class Bench:
    """A town with a command that writes down what it reads."""

    def __init__(self, folder: Path, url: str) -> None:
        self.heard = folder / "heard.jsonl"
        self.program = folder / "program"
        self.says("cat >> $HEARD; echo >> $HEARD")
        self.town = a_town(folder / "repository")
        self.town.folder.mkdir(parents=True)
        self.context = Context(self.town, url)
        self.context.catch_up = lambda: None  # type: ignore[method-assign]
        self.configure([str(self.program), "a b"])

    def says(self, script: str) -> None:
        self.program.write_text(f"#!/bin/sh\n{script}\n")
        self.program.chmod(0o755)

    def configure(self, command: list[str], *, accept: bool = True, timeout: float = 20) -> None:
        env = {"HEARD": str(self.heard)}
        values = {"notify": {"command": command, "env": env, "timeout": timeout}}
        self.town = replace(self.town, settings=settings.parse(values, source="a test"))
        self.context.town = self.town
        if accept:
            notices.accept(self.town)

    def announce(self, news: notices.News = "help_asked") -> None:
        change = self.context.store.change()
        notices.announce(self.context, change, news, MISSION, at=5.0)
        change.commit()

    def news(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.heard.read_text().splitlines()] if self.heard.exists() else []

    def doctor(self) -> tuple[str, str]:
        (finding,) = notify(self.context)
        return finding.status, finding.detail


@pytest.fixture
def bench(tmp_path: Path, server: Server) -> Iterator[Bench]:
    made = Bench(tmp_path, server.url)
    yield made
    # Its connection is not taken from a sender that still looks for news.
    wait_until(lambda: all(t.name != "notify" for t in threading.enumerate()), description="the senders have ended")
    client = made.context.store.client
    for key in list(client.scan_iter(match=f"{made.town.prefix}*")):
        client.delete(key)
    client.close()


def test_each_news_is_read_once_as_json(bench: Bench) -> None:
    """Also by a second sender, which finds nothing left."""
    for news in ("help_asked", "budget_reached", "mission_completed", "mission_failed", "mission_cancelled"):
        bench.announce(news)  # type: ignore[arg-type]
    for _ in range(2):
        sender = Sender(bench.context)
        sender.begin()
        wait_until(lambda: len(bench.news()) == 5, description="all was heard")
        sender.end()
    told = bench.news()
    assert [n["event"] for n in told] == [
        "help_asked", "budget_reached", "mission_completed", "mission_failed", "mission_cancelled"
    ]  # fmt: skip
    assert told[0]["text"] == f"Mission 0a1b2c3d of {bench.town.name} needs help: Issue #1 failed: no"
    assert told[0]["answer"].startswith("tt mission note 0a1b2c3d")
    assert (told[0]["mission"], told[0]["reasons"], told[2]["answer"]) == (MISSION.id, ["Issue #1 failed: no"], "")
    assert bench.doctor()[0] == "ok"


def test_what_a_crash_interrupted_is_sent_by_the_next(bench: Bench) -> None:
    """It was taken from the outbox, and its sender died."""
    bench.announce()
    box = Outbox(bench.context.store)
    assert box.take(seconds=1) is not None
    assert box.waiting() == 0
    sender = Sender(bench.context)
    sender.begin()
    wait_until(lambda: len(bench.news()) == 1, description="it was sent all the same")
    sender.end()
    assert (box.recover(), box.waiting()) == (0, 0)


def test_news_go_with_their_change_or_not_at_all(bench: Bench) -> None:
    change = bench.context.store.change()
    notices.announce(bench.context, change, "help_asked", MISSION, at=5.0)
    assert Outbox(bench.context.store).waiting() == 0
    bench.configure([])
    bench.announce()
    assert Outbox(bench.context.store).waiting() == 0, "nobody wants any"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no network >&2; exit 7", "exit code 7: no network"),
        ("sleep 60", "took longer than"),
        ("exec 0<&-; kill -9 $$", "exit code -9"),
        ("head -c 3000000 /dev/zero; exit 3", "exit code 3"),
    ],
)
def test_a_command_that_fails_is_told_of_and_stops_nothing(bench: Bench, script: str, why: str) -> None:
    """Nor does one that hangs, dies or floods; the next news that arrives ends the warning."""
    bench.configure([str(bench.program)], timeout=1)
    bench.says(script)
    sender = Sender(bench.context)
    began = time.monotonic()
    assert not sender.send("{}")
    assert time.monotonic() - began < 15
    status, detail = bench.doctor()
    assert (status, why in detail or "1" in detail) == ("warn", True), detail
    bench.says("cat >/dev/null")
    assert sender.send("{}")
    assert bench.doctor()[0] == "ok"


def test_only_a_command_that_a_person_saw_is_run(bench: Bench) -> None:
    """An agent's change could put another one into tinytown.toml."""
    evil = bench.program.with_name("evil")
    evil.write_text("#!/bin/sh\necho evil >> $HEARD\n")
    evil.chmod(0o755)
    bench.configure([str(evil)], accept=False)
    sender = Sender(bench.context)
    assert not sender.send("{}")
    assert not bench.heard.exists()
    assert "has changed, and does not run" in bench.doctor()[1]
    assert notices.accept(bench.town)
    assert not notices.accept(bench.town), "said once"
    assert sender.send("{}")


@pytest.mark.parametrize("where", ["notify.sh", "./notify.sh", "{root}/notify.sh", "../repository/notify.sh"])
def test_no_program_of_the_repository_is_run(bench: Bench, where: str) -> None:
    """Agents' merged work lies there."""
    program = bench.town.root / "notify.sh"
    program.write_text("#!/bin/sh\necho evil >> $HEARD\n")
    program.chmod(0o755)
    bench.configure([where.format(root=bench.town.root)])
    assert not Sender(bench.context).send("{}")
    assert not bench.heard.exists()
    assert bench.doctor()[0] == "warn"


def test_the_command_is_a_list_or_words_and_never_a_shells() -> None:
    def command(value: object) -> list[str]:
        return settings.parse({"notify": {"command": value}}, source="a test").notify.command

    assert command("say 'a b' $HOME; rm") == ["say", "a b", "$HOME;", "rm"]
    assert command(["say", "a b"]) == ["say", "a b"]
    with pytest.raises(ConfigurationError, match="no closing quotation"):
        command("say 'a")


def test_it_sees_no_secret_of_the_town(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GH_TOKEN", "REDIS_URL", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("DISPLAY", ":7")
    code = "import json, os, sys; open(os.environ['HEARD'], 'w').write(json.dumps(dict(os.environ)))"
    bench.configure([sys.executable, "-c", code])
    assert Sender(bench.context).send("{}")
    (seen,) = bench.news()
    assert "secret" not in seen.values()
    assert (seen["DISPLAY"], seen["TINYTOWN_TOWN"]) == (":7", str(bench.town.root))
