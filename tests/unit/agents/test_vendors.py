"""How the vendors' CLIs are called: with and without a sandbox, resumed, with their files moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import recorded, recorded_more
from tests.conformance.recorded import BY_CLI, SESSION
from tinytown import plugins
from tinytown.agents import causes
from tinytown.agents.driver import Driver, Invocation, LoginCheck, Output, Request
from tinytown.missions.states import Outcome
from tinytown.missions.verdict import parse_verdict
from tinytown.settings import AgentCliSettings

HOME = Path("/home/sam")


def invoke(
    cli: str,
    *,
    env: dict[str, str] | None = None,
    sandboxed: bool = False,
    resumed: bool = False,
    budget: float | None = None,
) -> Invocation:
    driver: Driver = plugins.driver(cli, AgentCliSettings(env=env or {}))
    return driver.invocation(
        Request(
            prompt="do it",
            prompt_file=Path("/state/brief.md"),
            workspace=Path("/state/work/r-1/2"),
            session=SESSION if resumed else None,
            session_workspace=Path("/state/work/r-1/1") if resumed else None,
            home=HOME,
            sandboxed=sandboxed,
            budget_usd=budget,
        )
    )


def test_claude_asks_nobody_and_says_so_truthfully() -> None:
    """As root it skips its questions only where it is told of a sandbox, so it is told of one where there is one."""
    inside, outside = invoke("claude", sandboxed=True), invoke("claude")
    assert "--dangerously-skip-permissions" in inside.argv
    assert inside.env["IS_SANDBOX"] == "1"
    assert "--dangerously-skip-permissions" not in outside.argv
    assert "IS_SANDBOX" not in outside.env
    assert "acceptEdits" in outside.argv
    assert inside.streams
    assert outside.streams


def test_claude_keeps_to_a_budget_by_itself() -> None:
    assert "--max-budget-usd" not in invoke("claude").argv
    for budget, told in ((3.5, "3.50"), (0.0, "0.01")):
        argv = list(invoke("claude", budget=budget).argv)
        assert argv[argv.index("--max-budget-usd") + 1] == told


def test_codex_leaves_the_isolation_to_the_sandbox_it_is_in() -> None:
    assert "--dangerously-bypass-approvals-and-sandbox" in invoke("codex", sandboxed=True).argv
    assert list(invoke("codex").argv)[-3:] == ["-s", "workspace-write", "-"]
    assert invoke("codex").stdin == "do it"
    assert "-m" not in invoke("codex").argv
    argv = list(invoke("codex-mini").argv)
    assert argv[0] == "codex"
    assert "mini" in argv[argv.index("-m") + 1]


def test_codex_hears_of_another_address_by_options() -> None:
    """As a provider of its own: for the built-in one it tries websockets first."""
    argv = list(invoke("codex", env={"OPENAI_BASE_URL": "http://localhost:1/v1", "OPENAI_API_KEY": "k"}).argv)
    options = [argv[at + 1] for at, word in enumerate(argv) if word == "-c"]
    assert 'model_provider="ours"' in options
    assert 'model_providers.ours.base_url="http://localhost:1/v1"' in options
    assert 'model_providers.ours.env_key="CODEX_API_KEY"' in options
    assert "model_providers.ours.stream_max_retries=3" in options
    logged_in = list(invoke("codex", env={"OPENAI_BASE_URL": "http://localhost:1/v1"}).argv)
    assert "model_providers.ours.requires_openai_auth=true" in logged_in
    assert not any("env_key" in word for word in logged_in)
    assert not any("model_provider" in word for word in invoke("codex").argv)


@pytest.mark.parametrize(
    ("cli", "words"),
    [
        ("claude", ["--resume", f"/home/sam/.claude/projects/-state-work-r-1-1/{SESSION}.jsonl"]),
        ("codex", ["resume", SESSION, "-"]),
        ("copilot", [f"--resume={SESSION}"]),
        ("auggie", ["--resume", SESSION]),
        ("gemini", []),
        ("qwen", []),
        ("opencode", []),
        ("aider", []),
        ("cursor", []),
    ],
)
def test_a_session_is_resumed_where_the_cli_can(cli: str, words: list[str]) -> None:
    """A clone is never used twice, so a CLI that knows sessions by their folder cannot, unless it takes their file."""
    plain, resumed = list(invoke(cli).argv), list(invoke(cli, resumed=True).argv)
    if words:
        at = resumed.index(words[0])
        assert resumed[at : at + len(words)] == words
    else:
        assert resumed == plain


@pytest.mark.parametrize("cli", BY_CLI)
def test_nothing_that_runs_outside_may_be_written(cli: str) -> None:
    """Settings can hold hooks and servers: only what keeps the CLI logged in is shared for writing, file by file."""
    invocation = invoke(cli, sandboxed=True)
    names = {path.name for path in invocation.writable}
    assert names <= {".credentials.json", "auth.json", "gemini-credentials.json", "oauth_creds.json", "session.json"}
    shared = [*invocation.readable, *invocation.writable, *invocation.sessions]
    assert HOME not in shared
    assert all(path.is_relative_to(HOME) or path == Path("/state/brief.md") for path in shared)


def test_files_that_were_moved_are_looked_for_there() -> None:
    assert list(invoke("claude", env={"CLAUDE_CONFIG_DIR": "/x/c"}).sessions) == [Path("/x/c")]
    assert Path("/x/d/auth.json") in invoke("codex", env={"CODEX_HOME": "/x/d"}).writable
    moved = invoke("opencode", env={"XDG_DATA_HOME": "/x/e", "OPENCODE_CONFIG": "/x/f.json"})
    assert Path("/x/e/opencode/auth.json") in moved.parts
    assert Path("/x/f.json") in moved.excerpts
    assert Path("/x/g/settings.json") in invoke("qwen", env={"QWEN_HOME": "/x/g"}).excerpts
    assert Path("/x/h/.gemini/settings.json") in invoke("gemini", env={"GEMINI_CLI_HOME": "/x/h"}).excerpts


def test_codex_takes_the_key_by_its_usual_name_too() -> None:
    """Which it ignores; a key by its own name comes with the rest of the configuration, and wins."""
    assert invoke("codex", env={"OPENAI_API_KEY": "sk-x"}).env["CODEX_API_KEY"] == "sk-x"
    assert "CODEX_API_KEY" not in invoke("codex", env={"CODEX_API_KEY": "sk-y"}).env


def test_codex_logs_its_waits_and_its_agent_runs_without_that_setting() -> None:
    """A user's own setting reaches both."""
    hidden = 'shell_environment_policy.set.RUST_LOG=""'
    assert invoke("codex").env["RUST_LOG"]
    assert hidden in invoke("codex").argv
    assert hidden not in invoke("codex", env={"RUST_LOG": "debug"}).argv


def test_a_script_that_qwen_loads_is_named_as_node_reads_it(tmp_path: Path) -> None:
    """Whatever the folder is called in which the town keeps it."""
    brief = tmp_path / 'a "quoted" ü' / "brief.md"
    driver: Driver = plugins.driver("qwen", AgentCliSettings())
    invocation = driver.invocation(Request("do it", brief, tmp_path, home=tmp_path))
    (script,) = [path for path in invocation.files if path.suffix == ".cjs"]
    quoted = str(script).replace('"', '\\"')
    assert invocation.env["NODE_OPTIONS"] == f'--require="{quoted}"'


def test_opencode_may_write_into_the_folder_of_its_configuration() -> None:
    """It does at every start, and ends where it cannot: so of the user's it is shown the files, not the folder."""
    folder = HOME / ".config" / "opencode"
    invocation = invoke("opencode")
    shown = [*invocation.readable, *invocation.excerpts]
    assert folder / "opencode.json" in shown
    assert folder not in shown


def test_gemini_is_told_what_its_own_words_do_not_say() -> None:
    """With another address it wants a setting besides the key."""
    driver: Driver = plugins.driver("gemini", AgentCliSettings(env={"GOOGLE_GEMINI_BASE_URL": "http://localhost:1"}))
    said = '{"error": {"type": "Error", "message": "Invalid auth method selected.", "code": 41}}'
    result = driver.result(Output(41, "", said))
    assert result.outcome is Outcome.NOT_LOGGED_IN
    assert '"selectedType":"gemini-api-key"' in result.summary


def test_opencode_does_not_send_code_to_models_that_nobody_chose() -> None:
    assert '"disabled_providers": ["opencode"]' in invoke("opencode").env["OPENCODE_CONFIG_CONTENT"]


def test_a_key_in_the_environment_is_no_log_in_that_codex_could_check() -> None:
    driver = plugins.driver("codex", AgentCliSettings(env={"CODEX_API_KEY": "k"}))
    assert isinstance(driver, LoginCheck)
    assert driver.login_check() is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.FAILED),
        (401, Outcome.NOT_LOGGED_IN),
        (402, Outcome.USAGE_LIMIT),
        (403, Outcome.NOT_LOGGED_IN),
        (404, Outcome.FAILED),
        (408, Outcome.UNREACHABLE),
        (429, Outcome.USAGE_LIMIT),
        (500, Outcome.UNREACHABLE),
        (529, Outcome.UNREACHABLE),
        (10**30, Outcome.FAILED),
    ],
)
def test_a_status_means_the_same_for_every_cli(status: int, outcome: Outcome) -> None:
    assert causes.of_status(status) is outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Error: getaddrinfo ENOTFOUND api.example.org", Outcome.UNREACHABLE),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'setup.cfg'", None),
        ("litellm.RateLimitError: slow down", Outcome.USAGE_LIMIT),
        ("rate_limit_error", Outcome.USAGE_LIMIT),
        ("AssertionError: cannot generate limit 5", None),
        ("Connection broken: IncompleteRead(5 bytes read, 9 more expected)", Outcome.UNREACHABLE),
        ("Remote end closed connection without response", Outcome.UNREACHABLE),
        ("Response payload is not completed", Outcome.UNREACHABLE),
        ("SyntaxError: unexpected EOF while parsing", None),
    ],
)
def test_a_cause_is_not_read_out_of_other_words(said: str, outcome: Outcome | None) -> None:
    assert causes.of_words(said) is outcome


@pytest.mark.parametrize(
    "cli", ["aider", "claude", "codex", "pi", "kimi", "cline", "vibe", "opencode", "qwen", "gemini"]
)
def test_a_verdict_is_found_in_the_answer_of_every_cli(cli: str) -> None:
    """Whatever the CLI writes before and after it: its banner, its costs, its records."""
    known = {**recorded.BY_CLI, **recorded_more.BY_CLI}[cli]["success"]
    stdout = known.output.stdout.replace("All tests pass.", "VERDICT: REQUEST_CHANGES: add a test")
    driver: Driver = plugins.driver(cli, AgentCliSettings())
    result = driver.result(Output(0, stdout, known.output.stderr))
    assert result.text.startswith("I added the endpoint.")
    assert parse_verdict(result.text) == (False, "add a test")
