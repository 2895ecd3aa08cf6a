"""A vendor's CLI by its built-in driver: without a log-in it costs nobody an attempt, and after the remedy it goes on.

The program on the PATH is ours, and prints what the vendor's was seen to print.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.project import TIMING, Project
from tests.conformance.recorded import CLAUDE, CODEX, SESSION
from tinytown_workers.sandbox import detect, try_network

ISSUES = {1: "# Add an endpoint\n\nWrite it.\n"}
NOT_LOGGED_IN, SUCCESS = CLAUDE["not logged in"].output, CLAUDE["success"].output

PROGRAM = """#!{python} -S
import json, os, sys
from pathlib import Path
folder = Path({folder!r})
brief = sys.stdin.read()
names = ("CLAUDE_CODE_MAX_RETRIES", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "IS_SANDBOX", "ANTHROPIC_BASE_URL")
seen = {{"argv": sys.argv[1:], "brief": brief, "env": {{n: os.environ[n] for n in names if n in os.environ}}}}
with (folder / "runs").open("a") as runs:
    runs.write(json.dumps(seen) + "\\n")
if not (folder / "logged-in").exists():
    sys.stdout.write((folder / "refusal").read_text())
    sys.exit(1)
if "--resume" in sys.argv and (folder / "forgetful").exists():
    sys.stdout.write((folder / "lost").read_text())
    sys.exit(1)
if brief.startswith("# Task: fix"):
    Path("fixed").write_text("yes\\n")
Path("endpoint.py").write_text("def endpoint(): return 200\\n")
again = folder / "resumed"
sys.stdout.write((again if "--resume" in sys.argv and again.exists() else folder / "success").read_text())
"""

#: The same in the sandbox, where it has nothing but the system, its own files and the clone.
CAGED = """#!/bin/sh
cat > /dev/null
sessions=$HOME/.claude/projects/$(pwd | sed 's/[^A-Za-z0-9]/-/g')
for word in "$@"; do
  case $word in *.jsonl) test -f "$word" && echo "$word" > fixed ;; esac
done
mkdir -p "$sessions"
echo {{}} > "$sessions/{session}.jsonl"
echo 'def endpoint(): return 200' > endpoint.py
cat <<'END'
{success}
END
"""


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a ``claude`` that everybody finds, with the runs it had."""
    folder = tmp_path / "vendor"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "claude"
    program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
    program.chmod(0o755)
    (folder / "refusal").write_text(NOT_LOGGED_IN.stdout, encoding="utf-8")
    (folder / "success").write_text(SUCCESS.stdout, encoding="utf-8")
    (folder / "lost").write_text(CLAUDE["unknown session"].output.stdout, encoding="utf-8")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return folder


def runs(vendor: Path) -> list[dict[str, Any]]:
    """Every start of the program, in order."""
    return [json.loads(line) for line in (vendor / "runs").read_text(encoding="utf-8").splitlines()]


def test_without_a_log_in_the_item_is_parked_and_the_remedy_lets_it_go_on(
    project: Project, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parked with its reason, help asked at once, nothing used up; then completed, with cost and session."""
    env = '\n[agent_clis.claude]\nenv = { ANTHROPIC_BASE_URL = "http://localhost:1", CLAUDE_CODE_MAX_RETRIES = "1" }\n'
    # So long a pause that it is a person's word, and not the clock, which lets it go on.
    # The town comes up without it, and is told of it by the one who spawns the agent.
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", path.removeprefix(f"{vendor / 'bin'}{os.pathsep}"))
    project.found(ISSUES, clis=(), timing={**TIMING, "backoff_secs": 600}, extra=env)
    monkeypatch.setenv("PATH", path)
    project.spawn("worker", cli="claude")
    mission = project.start(1, options=("--no-reviewer",))

    heard: list[str] = []

    def asked() -> bool:
        heard.append(project.tt("inbox", "conductor").stdout)
        return "not logged in" in "".join(heard)

    project.wait(mission, asked, description="the conductor is asked for help")
    remedy = f"log in to claude on this machine, then `tt mission retry {mission[:8]} 1`"
    assert f"Please run /login; {remedy}" in "".join(heard)
    (item,) = project.status(mission)["items"]
    assert item["waiting"]["reason"] == "not_logged_in"
    assert item["state"] == "ready"
    record = project.item(mission, 1)
    assert (record.failures, record.faults, record.cost_usd) == ({}, 1, 0)

    (vendor / "logged-in").touch()
    project.tt("mission", "retry", mission, "1")
    project.wait_state(mission, "completed")
    record = project.item(mission, 1)
    assert (record.cost_usd, record.session) == (CLAUDE["success"].cost_usd, SESSION)
    assert not any(record.failures.values())
    assert project.git("show", "main:endpoint.py") == "def endpoint(): return 200"
    assert len(runs(vendor)) == 2
    for run in runs(vendor):
        assert run["argv"][:5] == ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode"]
        assert "Add an endpoint" in run["brief"]
        # What the town says wins over what the driver would; the rest is as the driver wants it.
        assert run["env"] == {
            "ANTHROPIC_BASE_URL": "http://localhost:1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }


#: Its interpreter has the name that those of the vendors' scripts have.
INTERPRETER = """#!/bin/sh
case $2 in exec) ;; *) exit 1 ;; esac
echo "$*" >> {folder}/starts
cat > /dev/null
echo 'def endpoint(): return 200' > endpoint.py
cat <<'END'
{success}
END
"""


def test_a_cli_that_is_certainly_not_logged_in_is_not_started(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by an attempt nor by the doctor, which says the same; with a log-in it is."""
    folder, home = tmp_path / "bin", tmp_path / "home"
    for made in (folder, home / ".codex"):
        made.mkdir(parents=True)
    for name, text in {
        "node": INTERPRETER.format(folder=tmp_path, success=CODEX["success"].output.stdout.strip()),
        "codex": f"#!{folder / 'node'}\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(home))
    project.found(ISSUES, clis=(), timing={**TIMING, "backoff_secs": 600})
    project.spawn("worker", cli="codex")
    mission = project.start(1, options=("--no-reviewer",))
    waiting = project.wait_waiting(mission, 1, "not_logged_in")
    remedy = f"log in to codex on this machine, then `tt mission retry {mission[:8]} 1`"
    assert waiting.remedy == f"codex was not started: it is not logged in; {remedy}"
    project.wait(mission, lambda: remedy in project.help(), description="the conductor is asked for help")
    record = project.item(mission, 1)
    assert (record.state.value, record.failures, record.faults, record.cost_usd) == ("ready", {}, 1, 0)
    assert "Add an endpoint" in project.tt("work", "show", "1", "--brief").stdout
    assert "not logged in" in project.tt("doctor", code=None).stdout
    assert not (tmp_path / "starts").exists()

    (home / ".codex" / "auth.json").write_text('{"OPENAI_API_KEY": "sk-1"}', encoding="utf-8")
    project.tt("mission", "retry", mission, "1")
    project.wait_state(mission, "completed")
    assert len((tmp_path / "starts").read_text(encoding="utf-8").splitlines()) == 1
    assert project.git("show", "main:endpoint.py") == "def endpoint(): return 200"


def resumed_output(*, sums: bool) -> str:
    """What it prints of a run that took half of the first one; ``sums``: as what the session took so far."""
    *before, last = SUCCESS.stdout.strip().splitlines()
    result, share = json.loads(last), 1.5 if sums else 0.5
    result["total_cost_usd"] *= share
    for used in (result["usage"], *result["modelUsage"].values()):
        used.update({name: int(count * share) for name, count in used.items()})
    return "\n".join([*before, json.dumps(result)]) + "\n"


@pytest.mark.parametrize("kind", ["it tells the run's cost", "it tells the session's cost", "its session is lost"])
def test_a_fix_round_goes_on_in_the_session_of_the_work(project: Project, vendor: Path, kind: str) -> None:
    """In another clone, so by the session's file; where it is lost, the same agent begins anew at once.

    Each run is charged for what it cost itself.
    """
    forgetful, cost = kind == "its session is lost", CLAUDE["success"].cost_usd or 0.0
    (vendor / "logged-in").touch()
    if not forgetful:
        (vendor / "resumed").write_text(resumed_output(sums="session" in kind), encoding="utf-8")
    if forgetful:
        (vendor / "forgetful").touch()
    project.found(ISSUES, clis=(), checks=["test -f fixed"])
    project.spawn("worker", cli="claude")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    resumed = [run["argv"][run["argv"].index("--resume") + 1] for run in runs(vendor) if "--resume" in run["argv"]]
    assert len(resumed) == 1
    assert resumed[0].endswith(f"-1/{SESSION}.jsonl")
    assert len(runs(vendor)) == (3 if forgetful else 2)
    record = project.item(mission, 1)
    assert (record.attempts, record.fix_rounds) == (2, 1)
    assert record.cost_usd == pytest.approx(2 * cost if forgetful else 1.5 * cost)
    assert project.status(mission)["spent_usd"] == pytest.approx(record.cost_usd)
    assert not any(record.failures.values())


def test_in_the_sandbox_a_cli_keeps_its_sessions_and_sees_no_other_home(project: Project, vendor: Path) -> None:
    """The fix round finds the session of the work, although its home is made anew for each run.

    What its checks may not reach by the network is named.
    """
    cage = detect("auto")
    if cage.kind == "none":
        pytest.skip(cage.reason)
    text = CAGED.format(session=SESSION, success=SUCCESS.stdout.strip())
    (vendor / "bin" / "claude").write_text(text, encoding="utf-8")
    metadata = "sh -c 'curl -s http://169.254.169.254/latest/ || true'"
    project.found(ISSUES, clis=(), checks=[metadata, "test -f fixed"], sandbox="bwrap")
    project.spawn("worker", cli="claude")
    mission = project.start(1, options=("--no-reviewer",))
    project.wait_state(mission, "completed")
    assert project.git("show", "main:fixed").endswith(f"{SESSION}.jsonl")
    assert not (Path.home() / ".claude" / "projects" / Path(project.git("show", "main:fixed")).parent.name).exists()
    if not cage.shares_network and not try_network(cage):
        assert "its network refused: 169.254.169.254 (link-local)" in project.tt("work", "show", "1").stdout
        log = project.tt("work", "show", "1", "--log").stdout
        assert "tinytown: the sandbox's network refused 169.254.169.254: link-local" in log


def test_a_usage_limit_is_waited_out_and_a_fallback_takes_over(project: Project, vendor: Path) -> None:
    """Parked until the end that the CLI named, as often as it comes, without a person; or another CLI takes the run."""
    (vendor / "refusal").write_text("", encoding="utf-8")
    program = vendor / "bin" / "claude"
    text = program.read_text(encoding="utf-8")
    limited = LIMITED.format(session=SESSION)
    program.write_text(
        text.replace('    sys.stdout.write((folder / "refusal").read_text())\n', limited), encoding="utf-8"
    )
    project.found({**ISSUES, 2: "# Another\n\nDepends on #1.\n"}, clis=("fake",))
    project.spawn("worker", cli="claude")
    mission = project.start(1, 2, options=("--no-reviewer",))
    project.wait(mission, lambda: project.item(mission, 1).limits >= 2, description="it was limited twice")
    record = project.item(mission, 1)
    assert (record.faults, record.failures) == (0, {})
    assert project.status(mission)["help"] is None
    assert {a.report.outcome.value for a in project.context().store.finished_attempts(mission)} == {"usage_limit"}

    toml = project.root / "tinytown.toml"
    toml.write_text(toml.read_text() + '\n[roles.worker]\nfallback = ["fake"]\n', encoding="utf-8")
    project.wait_state(mission, "completed")
    ended = project.context().store.finished_attempts(mission)
    assert [a.cli for a in ended if a.purpose == "work" and a.report.head] == ["fake", "fake"]
    assert "with fake" in project.tt("work", "show", "1").stdout


def test_an_empty_answer_fails_neither_the_work_nor_the_review(project: Project, vendor: Path) -> None:
    """Its model said not a word, and the CLI calls that a success: each is tried again, and uses no attempt."""
    program = vendor / "bin" / "claude"
    begin = 'if "--resume" in sys.argv and (folder / "forgetful")'
    text = program.read_text(encoding="utf-8").replace(begin, f"{SILENT}{begin}", 1)
    program.write_text(text, encoding="utf-8")
    (vendor / "logged-in").touch()
    (vendor / "success").write_text(SUCCESS.stdout.replace("All tests pass.", "VERDICT: APPROVE"), encoding="utf-8")
    project.found(ISSUES, clis=())
    project.spawn("worker", "reviewer", cli="claude")
    mission = project.start(1)
    project.wait_state(mission, "completed")
    ended = project.context().store.finished_attempts(mission)
    told = [(a.purpose.value, a.report.outcome.value) for a in ended if a.purpose in ("work", "review")]
    assert told == [(what, how) for what in ("work", "review") for how in ("unreachable", "succeeded")]
    assert not any(project.item(mission, 1).failures.values())


#: The first run for the work and that for the review.
SILENT = """
first = folder / ("silent-review" if "review" in brief[:40] else "silent-work")
if not first.exists():
    first.touch()
    print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "", "total_cost_usd": 0}))
    sys.exit(0)
"""

#: A limit that ends seconds from now, again and again.
LIMITED = """
    import time
    end = time.time() + (2 if sum(1 for _ in (folder / "runs").open()) < 3 else 600)
    info = {{"status": "rejected", "resetsAt": end}}
    print(json.dumps({{"type": "rate_limit_event", "rate_limit_info": info}}))
    print(json.dumps({{"type": "result", "subtype": "success", "is_error": True, "session_id": "{session}",
                       "result": "You've hit your limit", "total_cost_usd": 0}}))
"""
