"""Rules of a custom command: how it is split, what it gets, how its end is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytown.agents.custom import CustomDriver
from tinytown.agents.driver import Invocation, Output, Request
from tinytown.errors import ConfigurationError
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings


def custom(command: str | None) -> CustomDriver:
    return CustomDriver("mine", AgentCliSettings.model_validate({"command": command}))


def invoke(command: str, prompt: str = "do it") -> Invocation:
    request = Request(prompt=prompt, prompt_file=Path("/state/brief.md"), workspace=Path("/state/clone"))
    return custom(command).invocation(request)


def test_without_a_placeholder_the_brief_is_its_stdin() -> None:
    invocation = invoke("agent --model 'large one' -x")
    assert invocation.argv == ["agent", "--model", "large one", "-x"]
    assert invocation.stdin == "do it"
    assert not invocation.streams


def test_placeholders_are_replaced_where_they_stand_and_only_once() -> None:
    invocation = invoke("agent --in={prompt_file} 'say {prompt}!' {prompt}", prompt="{prompt_file} and {prompt}")
    assert invocation.argv == [
        "agent",
        "--in=/state/brief.md",
        "say {prompt_file} and {prompt}!",
        "{prompt_file} and {prompt}",
    ]
    assert invocation.stdin is None
    assert list(invocation.readable) == [Path("/state/brief.md")]


def test_files_that_the_command_names_are_for_it_to_read() -> None:
    assert list(invoke("python3 /opt/agent.py {prompt}", prompt="/home/me/.netrc").readable) == [Path("/opt/agent.py")]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("agent 'unbalanced", "`agent_clis.mine.command` has unbalanced quotes: agent 'unbalanced"),
        ("", "`agent_clis.mine.command` is empty"),
        ("   ", "`agent_clis.mine.command` is empty"),
        ("''", "`agent_clis.mine.command` is empty"),
        (None, "`agent_clis.mine.command` is missing"),
    ],
)
def test_a_command_that_cannot_work_is_refused_by_its_key(command: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        custom(command)
    assert caught.value.message == message
    assert "[agent_clis.mine]" in caught.value.remedy


def test_exit_code_zero_is_success_whatever_it_says() -> None:
    result = custom("agent").result(Output(0, "Wrote a test for `rate limit` and 401 Unauthorized\n\nDone.\n", "warn"))
    assert (result.outcome, result.summary) == (Outcome.SUCCEEDED, "Done.")
    assert result.cost_usd is None


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Not logged in · Please run /login", Outcome.NOT_LOGGED_IN),
        ("Error: No authentication information found.", Outcome.NOT_LOGGED_IN),
        ("Please set an Auth method in your settings", Outcome.NOT_LOGGED_IN),
        ("litellm.AuthenticationError: bad key", Outcome.NOT_LOGGED_IN),
        ("unexpected status 401 Unauthorized", Outcome.NOT_LOGGED_IN),
        ("exceeded retry limit, last status: 429 Too Many Requests", Outcome.USAGE_LIMIT),
        ("You've hit your usage limit", Outcome.USAGE_LIMIT),
        ("litellm.RateLimitError", Outcome.USAGE_LIMIT),
        ("API Error: Unable to connect to API (ConnectionRefused)", Outcome.UNREACHABLE),
        ("We're currently experiencing high demand", Outcome.UNREACHABLE),
        ("connect ECONNREFUSED 127.0.0.1:443", Outcome.UNREACHABLE),
        ("status 529 overloaded_error", Outcome.UNREACHABLE),
        ("AssertionError: 2 != 3", Outcome.FAILED),
        ("", Outcome.FAILED),
    ],
)
def test_a_failure_is_told_by_its_last_lines(said: str, outcome: Outcome) -> None:
    for output in (Output(1, said, ""), Output(1, "worked on it", said)):
        assert custom("agent").result(output).outcome is outcome


def test_what_it_worked_on_is_not_taken_for_the_cause() -> None:
    log = "\n".join(["HTTP 429 Too Many Requests", *["..."] * 25, "2 tests failed"])
    result = custom("agent").result(Output(1, log, ""))
    assert (result.outcome, result.summary) == (Outcome.FAILED, "exit code 1: 2 tests failed")


@pytest.mark.parametrize(
    ("said", "secs"),
    [
        ("Rate limit reached. Try again in 20s", 20),
        ("rate limit; retry after 90 seconds", 90),
        ("usage limit reached, try again in 5 minutes", 300),
        ("usage limit reached, try again in 2 hours", 7200),
        ("rate limit", None),
    ],
)
def test_when_to_try_again_is_read_where_it_is_said(said: str, secs: float | None) -> None:
    assert custom("agent").result(Output(1, "", said)).retry_after == secs


def test_a_report_tells_cost_session_and_result() -> None:
    report = '{"tinytown": {"cost_usd": 0.25, "tokens": 1200, "session": "s-1", "result": "Done.\\nVERDICT: APPROVE"}}'
    result = custom("agent").result(Output(0, f"working\n{report}\n", ""))
    assert (result.cost_usd, result.tokens, result.session) == (0.25, 1200, "s-1")
    assert result.text == "Done.\nVERDICT: APPROVE"
    result = custom("agent").result(Output(1, 'working\n{"tinytown": {"cost_usd": 1}}', ""))
    assert (result.cost_usd, result.text, result.summary) == (1.0, "working", "exit code 1: working")


@pytest.mark.parametrize(
    "last",
    [
        '{"tinytown": {"cost_usd": -1, "tokens": "many", "session": 5, "result": ["x"]}}',
        '{"tinytown": {"cost_usd": NaN, "tokens": Infinity}}',
        '{"tinytown": {"cost_usd": true, "tokens": 1e999}}',
        f'{{"tinytown": {{"cost_usd": {"9" * 400}}}}}',
    ],
)
def test_a_wrong_report_reports_nothing(last: str) -> None:
    result = custom("agent").result(Output(0, f"done\n{last}", ""))
    assert (result.cost_usd, result.tokens, result.session, result.text) == (None, None, None, "done")


@pytest.mark.parametrize("last", ['{"tinytown": 5}', "{broken", "[]", '{"other": {"cost_usd": 1}}', "{" * 5000])
def test_what_is_no_report_is_output(last: str) -> None:
    result = custom("agent").result(Output(0, f"done\n{last}", ""))
    assert result.cost_usd is None
    assert result.text == f"done\n{last}"
