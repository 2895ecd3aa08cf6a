"""What the doctor says of agent CLIs, of GitHub, and of checks that hang or break."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import Answer
from tinytown import settings
from tinytown.engine.doctor import Finding, clis, machine, network, repository
from tinytown.engine.doctor.findings import Check, ago, carry_out
from tinytown.errors import StateError
from tinytown.settings import AgentCliSettings, SandboxSettings, WorkspaceSettings
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.doctor.rehearsal import rehearse

TOKEN = "ghp_hunter2hunter2"
Make = Callable[[str], Path]


def configured(town: Town, values: dict[str, object]) -> Town:
    return replace(town, settings=settings.parse(values, source="test"))


# -- agent CLIs ----------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a program `claude` that does this, the first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(clis, "PATIENCE", 0.5)

    def make(text: str) -> Path:
        path = folder / "claude"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        return path

    return make


def said_of(town: Town, name: str) -> Finding:
    (found,) = carry_out([check for check in clis.checks(town) if check.name == f"cli {name}"])
    return found


#: Where nothing is about the sandbox: a CLI is not tried in there first, which takes most of a second.
OUTSIDE = {"sandbox": {"kind": "none"}}
VERSION = 'if [ "$*" = --version ]; then echo "2.1.197 (Claude Code)"; exit; fi'


@pytest.mark.parametrize(
    ("script", "status", "says"),
    [
        (f'{VERSION}\n[ "$*" = "auth status" ]', "ok", "version 2.1.197, logged in"),
        (f"{VERSION}\nexit 1", "fail", "version 2.1.197, not logged in"),
        (f"{VERSION}\nsleep 60", "ok", "version 2.1.197, whether it is logged in: unknown"),
        ("exit 3", "fail", "version unknown, not logged in"),
        (f'{VERSION}\n[ "$SECRET" = "" ] && [ "$GIVEN" = key ]', "ok", "logged in"),
    ],
)
def test_a_cli_is_asked_who_it_is_and_never_to_work(
    town: Town, tmp_path: Path, program: Make, monkeypatch: pytest.MonkeyPatch, script: str, status: str, says: str
) -> None:
    """It sees what its runs will see: a key of this shell is not among that, one of the configuration is."""
    asked = tmp_path / "asked"
    path = program(f'echo "$*" >> {asked}\n{script}')
    monkeypatch.setenv("SECRET", "key")
    found = said_of(configured(town, {"agent_clis": {"claude": {"env": {"GIVEN": "key"}}}, **OUTSIDE}), "claude")
    assert (found.status, found.detail.partition(",")[0]) == (status, str(path)), found
    assert found.detail.endswith(says)
    assert found.remedy if status == "fail" else not found.remedy
    assert asked.read_text() == "--version\nauth status\n"


@pytest.mark.parametrize(
    ("cli", "files", "status", "says"),
    [
        ("gemini", {}, "fail", "not logged in"),
        ("gemini", {".gemini/settings.json": '{"security": {"auth": {}}}'}, "ok", "whether it is logged in: unknown"),
        ("codex", {}, "fail", "not logged in"),
        ("codex", {".codex/auth.json": '{"OPENAI_API_KEY": "k"}'}, "fail", "not logged in"),
        ("codex", {".codex/config.toml": 'model_provider = "x"\n'}, "ok", "whether it is logged in: unknown"),
        ("pi", {".pi/agent/auth.json": '{"anthropic": {}}'}, "ok", ", logged in"),
    ],
)
def test_what_its_files_say_is_what_an_attempt_goes_by(
    town: Town, tmp_path: Path, program: Make, monkeypatch: pytest.MonkeyPatch, cli: str, files: dict[str, str],
    status: str, says: str,
) -> None:  # fmt: skip
    """A CLI that knows more is asked only where they do not say no; codex does not know of every way in."""
    script = program("exit 1").with_name(cli)
    node = script.with_name("node")
    node.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/asked\nexit 1\n')
    script.write_text(f"#!{node}\n")
    for path in (node, script):
        path.chmod(0o700)
    for name, text in files.items():
        (tmp_path / "home" / name).parent.mkdir(parents=True)
        (tmp_path / "home" / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = said_of(configured(town, {"default_cli": cli, **OUTSIDE}), cli)
    assert (found.status, found.detail.endswith(says)) == (status, True), found
    asked = (tmp_path / "asked").read_text().split() if files else []
    assert asked == (["--version", *(["login"] if cli == "codex" else [])] if files else [])
    assert files or not (tmp_path / "asked").exists(), "a certain no needs no question"


def test_a_cli_that_is_missing(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in default is only missed; one that somebody named is wrong, and so is a name that nobody knows."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (said_of(town, "claude").status, said_of(town, "claude").detail) == ("warn", "`claude` was not found")
    named = configured(town, {"roles": {"backend": {"cli": "codex"}, "docs": {"cli": "cdx"}}, "default_cli": "claude"})
    assert [said_of(named, name).status for name in ("claude", "codex", "cdx")] == ["fail", "fail", "fail"]
    assert "did you mean `codex`" in said_of(named, "cdx").detail


def test_a_command_of_ones_own_is_never_called(town: Town, tmp_path: Path) -> None:
    """Nobody knows what it does with an option."""
    path = tmp_path / "own"
    path.write_text("#!/bin/sh\ntouch called\n")
    path.chmod(0o700)
    found = said_of(configured(town, {"agent_clis": {"own": {"command": f"{path} --go"}}}), "own")
    assert found == Finding("cli own", "ok", f"{path}, version unknown, whether it is logged in: unknown")
    assert not list(town.root.rglob("called"))


@pytest.mark.skipif(sandbox.detect("auto").kind != "bwrap", reason="there is no sandbox here")
def test_a_cli_that_does_not_start_in_the_sandbox_is_told(town: Town, tmp_path: Path, program: Make) -> None:
    """Found outside is not enough: what only a script calls is not shown, unless the configuration says so."""
    real = tmp_path / "elsewhere" / "real"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\necho 2.1.197\n")
    real.chmod(0o700)
    program(f'exec {real} "$@"')

    def named(**settings: object) -> Town:
        return configured(town, {"agent_clis": {"claude": settings}, "sandbox": {"kind": "auto"}})

    assert "elsewhere/real: not found" in rehearse(named(), "claude")
    assert rehearse(named(readable=[str(real.parent)]), "claude") == ""
    own = tmp_path / "own"
    own.write_text(f"#!{real}\ntouch called\n")
    own.chmod(0o700)
    assert rehearse(named(command=str(own)), "claude") == ""
    assert not list(tmp_path.rglob("called"))


def test_what_a_cli_is_to_be_shown_must_be_there(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "own"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    settings = {"command": str(path), "readable": [str(tmp_path / "missing")]}
    wanted = configured(town, {"agent_clis": {"own": settings}})
    found = [f for f in carry_out([c for c in clis.checks(wanted) if c.name == "cli own"]) if f.status == "warn"]
    assert [f.detail for f in found] == [f"{tmp_path / 'missing'}, which it should be able to read, does not exist"]
    wrong = configured(town, {"agent_clis": {"own": {**settings, "writable": [str(town.root)]}}})
    assert said_of(wrong, "own").status == "fail"


# -- GitHub --------------------------------------------------------------------------------------


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    github = GitHub(tmp_path / "github")
    github.issue(5)
    with github.running():
        yield github


def said_of_github(town: Town, github: GitHub) -> dict[str, tuple[str, str]]:
    values = {"kind": "github", "repo": "octo/site", "base": "main", "base_url": github.base_url}
    there = configured(town, {"forge": values})
    found = list(carry_out([Check("forge", lambda: repository.forge(there))]))
    assert all(one.remedy for one in found if one.status != "ok"), found
    return {one.name: (one.status, one.detail) for one in found}


def test_what_the_token_opens(town: Town, github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was found, what it may, and how many requests are left."""
    monkeypatch.setenv("GH_TOKEN", github.token("tinytown", value=TOKEN))

    def opens(push: bool, left: int) -> None:
        body = {"id": 7, "full_name": "octo/site", "url": f"{github.base_url}/repos/octo/site"}
        headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": "2000000000"}
        rights = {"permissions": {"admin": False, "push": push, "pull": True}}
        github.faults.clear()
        github.script("/repos/octo/site", Answer(body={**body, **rights}, headers=headers))

    opens(push=True, left=4990)
    found = said_of_github(town, github)
    assert found["token"] == ("ok", "found in GH_TOKEN")
    assert found["forge"] == ("ok", "octo/site can be read, and written to")
    assert found["rate limit"] == ("ok", "4990 requests left")
    opens(push=False, left=12)
    found = said_of_github(town, github)
    assert found["forge"] == ("fail", "octo/site can be read, but not written to")
    assert found["rate limit"] == ("warn", "12 requests left")
    assert TOKEN not in str(found)


def test_without_a_token_and_with_a_wrong_one(
    town: Town, github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first can read what is public; the second nothing."""
    kept = tmp_path / "bin"
    kept.mkdir()
    (kept / "git").symlink_to("/usr/bin/git")
    monkeypatch.setenv("PATH", str(kept))  # without `gh`, which may know a token
    found = said_of_github(town, github)
    assert found["token"][0] == "warn"
    assert found["forge"] == ("ok", "octo/site can be read")
    monkeypatch.setenv("GH_TOKEN", TOKEN)  # which nobody was given
    found = said_of_github(town, github)
    assert found["forge"][0] == "fail"
    assert "GH_TOKEN" in found["forge"][1]


# -- how checks run ------------------------------------------------------------------------------


def test_checks_run_side_by_side_and_none_stops_another() -> None:
    """One that hangs, one that breaks and one that is refused are findings like any other, in their order."""
    hanging = threading.Event()

    def hang() -> list[Finding]:
        hanging.wait(30)
        return []

    def refuse() -> list[Finding]:
        raise StateError("no", remedy="do")

    checks = [
        Check("a", hang),
        Check("b", lambda: [Finding("b1", "ok", ""), Finding("b2", "ok", "")]),
        Check("c", refuse),
        Check("d", lambda: {}["x"]),  # type: ignore[typeddict-item]
    ]

    def late() -> Iterator[Finding]:
        yield Finding("e1", "ok", "")
        hang()

    found = list(carry_out([*checks, Check("e", late)], deadline=0.3))
    hanging.set()
    assert [(one.name, one.status) for one in found] == [
        ("a", "warn"), ("b1", "ok"), ("b2", "ok"), ("c", "fail"), ("d", "fail"), ("e1", "ok"), ("e", "warn"),
    ]  # fmt: skip
    assert found[3] == Finding("c", "fail", "no", "do")


def test_spans_of_time_are_told_in_fitting_units() -> None:
    assert [ago(seconds) for seconds in (-1, 0.4, 95, 150, 7300, 86400 * 3)] == [
        "0 s", "0 s", "95 s", "2 min", "2 h", "3 days",
    ]  # fmt: skip


def test_disks_that_are_full_or_closed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk is told of once."""
    monkeypatch.setattr(machine, "DISK_WARNING", 1 << 60)
    assert {one.status for one in machine.disks(town)} == {"warn"}
    monkeypatch.setattr(machine, "DISK_FAILURE", 1 << 60)
    (found, *_) = machine.disks(town)
    assert (found.status, "free some space" in found.remedy) == ("fail", True)


def test_what_agents_reach_on_this_machine_is_told(town: Town) -> None:
    """Where they share its network every port that listens for them; else what they are not let to."""

    def told(**settings: object) -> str:
        changed = replace(town, settings=town.settings.model_copy(update=settings))
        return "\n".join(f"{one.status}: {one.detail}" for one in network.network(changed))

    with socket.create_server(("127.0.0.1", 0)) as mine:
        port = mine.getsockname()[1]
        assert port in network.listening()
        off = told(sandbox=SandboxSettings(kind="none"))
        assert off.startswith("warn: agents share this machine's: the sandbox is switched off; they reach")
        assert told(sandbox=SandboxSettings(egress="open")).startswith("warn: agents share this machine's: `[sandbox]")
    assert port not in network.listening()
    if sandbox.detect("auto").kind == "none" or sandbox.try_network():
        return
    workspace = WorkspaceSettings(
        env={"DATABASE_URL": "postgres://me@localhost:5432/x", "OTHER": "http://a.example:80"}
    )
    own = told(workspace=workspace, agent_clis={"mine": AgentCliSettings(egress="open")})
    lines = own.splitlines()
    assert lines[0] == "ok: agents have their own, which reaches public hosts"
    assert lines[1].startswith("warn: DATABASE_URL of `[workspace] env` leads to port 5432")
    assert lines[2].startswith("warn: agents of mine share this machine's")
    named = told(workspace=workspace, sandbox=SandboxSettings(loopback=[5432], egress="strict"))
    assert named == (
        "ok: agents have their own, which reaches the service of their CLI, and `hosts`, and this machine's ports 5432"
    )
