"""Rules of a custom command: how it is split, what it gets, how its end is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tinytown.agents.driver import Invocation, Output, Request
from tinytown.agents.drivers.custom import CustomDriver
from tinytown.errors import ConfigurationError
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings, parse


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
    "said",
    [
        "Not logged in · Please run /login",
        "429 Too Many Requests: rate limit exceeded, try again in 45 minutes",
        "litellm.AuthenticationError: bad key",
        "connect ECONNREFUSED 127.0.0.1:443",
        "Error: 529 overloaded",
        "",
    ],
)
def test_nothing_is_guessed_from_words_that_may_be_the_works(said: str) -> None:
    """The log of a failing test and the page of a web application read like a CLI's own faults."""
    for output in (Output(1, said, "", now=NOW), Output(1, "worked on it", said, now=NOW)):
        result = custom("agent").result(output)
        assert (result.outcome, result.retry_after) == (Outcome.FAILED, None)


NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC).timestamp()
FAULTY = {
    "command": "agent",
    "usage_limit": r"^agent: limit reached, back (?:at (?P<until>.+)|in (?P<after>.+)|(?:soon|later))",
    "not_logged_in": "^agent: log in first",
    "unreachable": "^agent: no answer",
    "exit_usage_limit": [75, 76],
    "exit_not_logged_in": [77],
    "exit_unreachable": [69],
}


@pytest.mark.parametrize(
    ("code", "said", "outcome", "after"),
    [
        (1, "agent: limit reached, back at 4:38pm (UTC)", Outcome.USAGE_LIMIT, 16680),
        (1, "AGENT: limit reached, back in 2 hours 13 minutes", Outcome.USAGE_LIMIT, 7980),
        (1, "agent: limit reached, back in 90", Outcome.USAGE_LIMIT, 90),
        (1, "agent: limit reached, back soon, resets in 5 minutes", Outcome.USAGE_LIMIT, 300),
        (1, "agent: limit reached, back later", Outcome.USAGE_LIMIT, None),
        (1, "agent: log in first", Outcome.NOT_LOGGED_IN, None),
        (3, "agent: no answer", Outcome.UNREACHABLE, None),
        (75, "whatever", Outcome.USAGE_LIMIT, None),
        (76, "retry after 90 seconds", Outcome.USAGE_LIMIT, 90),
        (77, "whatever", Outcome.NOT_LOGGED_IN, None),
        (69, "whatever", Outcome.UNREACHABLE, None),
        (1, "E  agent: log in first", Outcome.FAILED, None),
        (1, "agent: log in first" + "\nline" * 9, Outcome.FAILED, None),
        (0, "agent: log in first", Outcome.SUCCEEDED, None),
    ],
)
def test_faults_look_as_the_configuration_says(code: int, said: str, outcome: Outcome, after: float | None) -> None:
    driver = CustomDriver("mine", AgentCliSettings.model_validate(FAULTY))
    for output in (Output(code, f"worked\n{said}\n", "", now=NOW), Output(code, "worked", said, now=NOW)):
        result = driver.result(output)
        assert (result.outcome, result.retry_after) == (outcome, after)


def test_a_failed_run_may_name_its_fault_in_its_report() -> None:
    said = '{"tinytown": {"fault": "usage_limit", "retry_after": 60}}'
    result = custom("agent").result(Output(1, said, ""))
    assert (result.outcome, result.retry_after) == (Outcome.USAGE_LIMIT, 60)
    assert custom("agent").result(Output(0, said, "")).outcome is Outcome.SUCCEEDED
    assert custom("agent").result(Output(1, said.replace("usage_limit", "lost"), "")).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("usage_limit", "(a+)+$", "repeats a group"),
        ("unreachable", "(", "not a regular expression"),
        ("exit_usage_limit", [0], "greater than or equal to 1"),
    ],
)
def test_a_description_that_cannot_work_is_refused_when_it_is_read(key: str, value: object, why: str) -> None:
    with pytest.raises(ConfigurationError, match=r"agent_clis\.mine") as caught:
        parse({"agent_clis": {"mine": {"command": "agent", key: value}}}, source="tinytown.toml")
    assert why in caught.value.message


def test_a_report_tells_cost_session_and_result() -> None:
    report = '{"tinytown": {"cost_usd": 0.25, "tokens": 1200, "session": "s-1", "result": "Done.\\nVERDICT: APPROVE"}}'
    result = custom("agent").result(Output(0, f"working\n{report}\n", ""))
    assert (result.cost_usd, result.tokens, result.session) == (0.25, 1200, "s-1")
    assert result.text == "Done.\nVERDICT: APPROVE"
    # A reviewer ends with its verdict: what it cost is not lost for that.
    for more, text in (("", "working\nVERDICT: APPROVE"), (', "result": "Fine."', "Fine.\nVERDICT: APPROVE")):
        said = f'working\n{{"tinytown": {{"cost_usd": 0.02{more}}}}}\n\nVERDICT: APPROVE\n'
        result = custom("agent").result(Output(0, said, ""))
        assert (result.cost_usd, result.text) == (0.02, text)
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
