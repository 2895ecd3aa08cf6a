"""The built-in drivers pass the suite that plug-ins must pass, and know what their CLIs say."""

from __future__ import annotations

import dataclasses
import time
import tomllib
from pathlib import Path

import pytest

from tests.conformance import recorded as first
from tests.conformance import recorded_more as more
from tests.conformance.agents import DriverConformance
from tests.conformance.recorded import NOW, QUOTED, Recorded
from tests.waiting import patience
from tinytown import plugins
from tinytown.agents.driver import Driver, LoginCheck, Output
from tinytown.agents.drivers.custom import CustomDriver
from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings

BY_CLI = {**first.BY_CLI, **more.BY_CLI}
RECORDED = [pytest.param(cli, what, id=f"{cli}-{what}") for cli, known in BY_CLI.items() for what in known]
#: What every vendor's driver must have been shown.
WANTED = {"success", "not logged in", "rate limited", "unreachable", "permission denied"}


def vendor(name: str) -> Driver:
    driver: Driver = plugins.driver(name, AgentCliSettings())
    return driver


class TestCustom(DriverConformance):
    @pytest.fixture(params=["agent", "agent --file {prompt_file}", "agent 'do: {prompt}'", "agent {prompt} --quiet"])
    def driver(self, request: pytest.FixtureRequest) -> Driver:
        return CustomDriver("mine", AgentCliSettings.model_validate({"command": request.param}))


class TestVendors(DriverConformance):
    @pytest.fixture(params=list(BY_CLI))
    def driver(self, request: pytest.FixtureRequest) -> Driver:
        return vendor(request.param)


def test_every_vendor_enters_by_its_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][plugins.AGENTS].keys() == {*BY_CLI, "custom"}, "each has recorded runs here"
    assert {*BY_CLI, "custom"} <= set(plugins.names(plugins.AGENTS))
    assert all(set(known) >= WANTED for known in BY_CLI.values())


@pytest.mark.parametrize(("cli", "what"), RECORDED)
def test_a_recorded_run_is_understood(cli: str, what: str) -> None:
    recorded: Recorded = BY_CLI[cli][what]
    result = vendor(cli).result(recorded.output)
    assert result.outcome is recorded.outcome
    assert recorded.says in result.summary
    assert result.retry_after == recorded.retry_after
    assert result.session_lost is (what == "unknown session")
    for field in ("session", "tokens", "cost_usd", "silent"):
        expected = getattr(recorded, field)
        assert expected is None or getattr(result, field) == expected, field
    if what == "success":
        assert "I added the endpoint.\nAll tests pass." in result.text


@pytest.mark.parametrize("cli", BY_CLI)
@pytest.mark.parametrize(
    "stdout", ["", "\n\n", "done\n", "{", "[]", "null", '{"type": "result"', "{}\n" * 3, "\0\x1b[2J"]
)
def test_exit_code_zero_without_the_last_word_of_the_cli_is_no_success(cli: str, stdout: str) -> None:
    result = vendor(cli).result(Output(0, stdout, ""))
    assert result.outcome is Outcome.FAILED
    assert result.summary


@pytest.mark.parametrize("cli", BY_CLI)
def test_a_failure_is_never_a_success_because_of_its_exit_code(cli: str) -> None:
    for what, recorded in BY_CLI[cli].items():
        if recorded.outcome is not Outcome.SUCCEEDED:
            output = dataclasses.replace(recorded.output, exit_code=0)
            assert vendor(cli).result(output).outcome is not Outcome.SUCCEEDED, what
        else:
            output = dataclasses.replace(recorded.output, exit_code=1)
            assert vendor(cli).result(output).outcome is Outcome.FAILED, what


@pytest.mark.parametrize("cli", BY_CLI)
@pytest.mark.parametrize("code", [1, 2, None])
def test_what_the_work_printed_is_never_taken_for_the_clis_own_fault(cli: str, code: int | None) -> None:
    """A failing test that says 429, a web application's own log-in page: only what the CLI says of itself counts."""
    success = BY_CLI[cli]["success"].output
    quoting = success.stdout.replace("I added the endpoint.", QUOTED.replace("\n", "\\n").replace('"', ""))
    for output in (
        Output(code, QUOTED, "", now=NOW),
        Output(code, "", QUOTED, now=NOW),
        Output(code, f"{QUOTED}\n{success.stdout}", f"{QUOTED}\n{success.stderr}", now=NOW),
        Output(code, quoting, "", now=NOW),
    ):
        result = vendor(cli).result(output)
        assert (result.outcome, result.retry_after) == (Outcome.FAILED, None)


@pytest.mark.parametrize("cli", BY_CLI)
def test_a_fault_that_the_user_described_is_known_of_a_vendors_cli_too(cli: str) -> None:
    settings = AgentCliSettings(exit_usage_limit=[75], unreachable="^proxy: no route")
    driver: Driver = plugins.driver(cli, settings)
    assert driver.result(Output(75, "", "")).outcome is Outcome.USAGE_LIMIT
    assert driver.result(Output(1, "", "proxy: no route to the gateway\n")).outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize("cli", BY_CLI)
def test_ten_megabytes_are_read_in_a_moment(cli: str) -> None:
    """Twenty times what reaches a driver in practice, as one line and as many."""
    success = BY_CLI[cli]["success"].output
    noise = '{"type": "noise", "text": "' + "x" * 4096 + '"}\n'
    for flood in ("x" * (10 << 20), noise * (10 << 8), "[" * (1 << 20), "\n{" * (1 << 18)):
        began = time.monotonic()
        result = vendor(cli).result(Output(1, f"{flood}\n{success.stdout}", success.stderr))
        assert result.outcome is Outcome.FAILED
        assert time.monotonic() - began < patience(4)


@pytest.mark.parametrize("cli", ["claude", "codex", "codex-mini", "copilot", "opencode", "qwen", "aider"])
def test_a_success_is_seen_at_the_end_of_a_flood(cli: str) -> None:
    success = BY_CLI[cli]["success"].output
    cut = "noise\n" * 1000 + "\n[50000000 bytes left out]\n" + '"cut": "off"}\n'
    assert vendor(cli).result(Output(0, cut + success.stdout, "")).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("cli", BY_CLI)
def test_bytes_that_are_no_text_are_no_reason_to_fail(cli: str) -> None:
    """As they arrive: replaced where they were no UTF-8, half an escape where JSON was cut."""
    success = BY_CLI[cli]["success"].output
    broken = b"\xff\xfe\x80\n".decode("utf-8", "replace")
    vendor(cli).result(
        Output(0, f'{broken}{{"type": "result", "result": "\\ud800", "session_id": "\\ud800"}}\n', broken)
    )
    if cli not in ("gemini", "auggie", "cursor", "vibe"):
        assert vendor(cli).result(Output(0, broken + success.stdout, broken)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("cli", BY_CLI)
@pytest.mark.parametrize("session", ["--last", "../../etc/passwd", "a b", "", "x" * 500, "\ud800", "a\n"])
def test_a_session_that_could_be_an_option_or_a_path_is_none(cli: str, session: str) -> None:
    for name in ("session_id", "thread_id", "sessionID", "sessionId"):
        for recorded in BY_CLI[cli].values():
            stdout = recorded.output.stdout.replace('"0d9c3b8e-5d64-4d3c-9a0b-1f5f3f7c2a11"', '"' + session + '"')
            result = vendor(cli).result(Output(0, stdout.replace(f"no-{name}", name), ""))
            assert result.session != session


def test_only_what_was_tried_tells_whether_anybody_is_logged_in() -> None:
    checks = {}
    for cli in BY_CLI:
        driver = vendor(cli)
        assert isinstance(driver, LoginCheck)
        if argv := driver.login_check():
            checks[cli] = list(argv)
    assert checks == {
        "auggie": ["auggie", "account", "status"],
        "claude": ["claude", "auth", "status"],
        "codex": ["codex", "login", "status"],
        "codex-mini": ["codex", "login", "status"],
    }
