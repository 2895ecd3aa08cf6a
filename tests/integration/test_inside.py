"""What ``tt doctor --sandbox CLI`` says, held against what a program in the sandbox really finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tinytown import contract, settings
from tinytown.engine.doctor import clis, inside
from tinytown.engine.doctor.findings import carry_out
from tinytown.errors import ConfigurationError
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.doctor import inventory

Typed = Callable[..., tuple[int, str, str]]

needs_bwrap = pytest.mark.skipif(sandbox.detect("auto").kind != "bwrap", reason="there is no sandbox here")


def configured(town: Town, values: dict[str, object]) -> Town:
    return replace(town, settings=settings.parse({"sandbox": {"kind": "auto"}, **values}, source="test"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    for name, text in {
        ".claude.json": json.dumps({"primaryApiKey": "k", "mcpServers": {}}),
        ".claude/settings.json": "{",
        ".claude/.credentials.json": "{}",
        ".claude/skills/one/SKILL.md": "be kind",
        ".claude/skills/one/.env": "A=1",
        "tools/agent": "#!/bin/sh\n",
        "tools/.env": "A=1",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "tools/agent").chmod(0o755)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@needs_bwrap
def test_it_lists_what_is_read_written_hidden_and_left_out(town: Town, home: Path) -> None:
    told = inventory.inventory(
        configured(town, {"agent_clis": {"claude": {"readable": [str(home / "tools")]}}}), "claude"
    )
    entries = {entry["path"]: (entry["access"], entry["what"]) for entry in told["entries"]}
    assert entries[str(home / ".claude.json")] == ("read", "only the fields that it needs")
    assert entries[str(home / ".claude/.credentials.json")] == ("write", "only the fields that it needs")
    assert entries[str(home / ".claude")] == ("write", "a private one")
    assert entries[str(home / ".claude/skills")] == ("read", "all of it")
    assert entries[str(home / ".claude/skills/one/.env")] == ("none", "hidden")
    assert entries[str(home / "tools")] == ("read", "all of it")
    assert entries["its clone"] == ("write", "its own")
    assert [one["path"] for one in told["left_out"]] == [str(home / ".claude/settings.json")]
    assert not any(str(home / name) in entries for name in (".ssh", ".claude/hooks", ".claude/settings.json"))
    text = "\n".join(inside.lines(told))
    assert f"  {home}/.claude.json (only the fields that it needs)" in text
    assert "It can reach " in text


@needs_bwrap
def test_it_says_where_nothing_tells_which_providers_key_an_agent_needs(town: Town, home: Path) -> None:
    kept = home / ".pi/agent/auth.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"anthropic": {"key": "k"}, "openai": {"key": "k"}}')
    told = inventory.inventory(configured(town, {}), "pi")
    said = "the keys of several providers, since nothing tells which of anthropic, openai a run uses: "
    assert f"  {kept} ({said}" in "\n".join(inside.lines(told))
    (kept.parent / "settings.json").write_text('{"defaultProvider": "openai"}')
    assert f"  {kept} (only the fields that it needs)" in "\n".join(
        inside.lines(inventory.inventory(configured(town, {}), "pi"))
    )


@needs_bwrap
def test_of_a_command_it_lists_the_program_alone(town: Town, home: Path) -> None:
    made = configured(town, {"agent_clis": {"own": {"command": f"{home}/tools/agent"}}})
    paths = {entry["path"] for entry in inventory.inventory(made, "own")["entries"]}
    assert f"{home}/tools/agent" in paths
    assert not paths & {f"{home}/tools", f"{home}/tools/.env"}


@needs_bwrap
def test_the_doctor_warns_of_a_file_of_which_no_excerpt_can_be_made(
    town: Town, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "bin").mkdir()
    (home / "bin/claude").write_text("#!/bin/sh\necho 2.1.197\n")
    (home / "bin/claude").chmod(0o755)
    argv = [sys.executable, "-P", "-m", "tinytown_workers.doctor.rehearsal", "claude"]
    env = {**os.environ, contract.ENV_TOWN: str(town.root), "PATH": f"{home}/bin:{os.environ['PATH']}"}
    (town.root / "tinytown.toml").write_text('[sandbox]\nkind = "auto"\n')
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    trouble, *left_out = done.stdout.splitlines()
    assert trouble == ""
    assert [line.partition(" ")[0] for line in left_out] == [f"{home}/.claude/settings.json"]
    monkeypatch.setenv("PATH", env["PATH"])
    found = list(carry_out([check for check in clis.checks(town) if check.name == "cli claude"]))
    assert any(one.status == "warn" and "no excerpt" in one.detail for one in found), found


def test_without_a_sandbox_it_says_so(town: Town, home: Path) -> None:
    told = inventory.inventory(
        replace(town, settings=settings.parse({"sandbox": {"kind": "none"}}, source="x")), "claude"
    )
    assert list(inside.lines(told))[-2:] == [
        "It can read, write and reach all that you can.",
        "In a review it approves by its final answer alone",
    ]


@pytest.mark.parametrize(("value", "said"), [("cli", "tt review run"), ("self", "own process alone"), ("any", "any")])
def test_it_says_who_approves_in_a_review(town: Town, value: str, said: str) -> None:
    values = {"agent_clis": {"own": {"command": "/bin/cat", "verdict_by": value}}, "sandbox": {"kind": "none"}}
    told = inventory.inventory(replace(town, settings=settings.parse(values, source="x")), "own")
    assert said in list(inside.lines(told))[-1]


def test_a_cli_that_nobody_knows_is_an_error_with_a_remedy(town: Town, typed: Typed) -> None:
    with pytest.raises(ConfigurationError, match="no agent CLI `nope`") as refused:
        inside.inside(town, "nope")
    assert refused.value.remedy
    assert typed("doctor", "--sandbox", "nope", cwd=town.root)[0] == refused.value.exit_code


def test_the_command_prints_an_object_or_lines(town: Town, typed: Typed) -> None:
    code, printed, _ = typed("doctor", "--sandbox", "claude", "--json", cwd=town.root)
    assert (code, json.loads(printed)["cli"]) == (0, "claude")
    code, printed, _ = typed("doctor", "--sandbox", "claude", cwd=town.root)
    assert (code, printed.startswith("An agent of claude (")) == (0, True)
