"""What every driver of an agent CLI must do, built-in or plug-in.

Derive a class from ``DriverConformance`` in a test module, give it a ``driver`` fixture, and pytest runs the suite.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tests.examples import examples
from tests.fakes.repositories import a_town, new_repository
from tinytown import plugins
from tinytown.agents.arguments import ARGUMENT_BYTES
from tinytown.agents.driver import Configured, Driver, Invocation, Output, ReadsRules, Request, Result, SortsLines
from tinytown.agents.drivers.custom import CustomDriver
from tinytown.errors import ConfigurationError
from tinytown.forge.local.forge import LocalForge
from tinytown.missions.configuring import Table
from tinytown.missions.states import Outcome
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.workspace import workspace

#: A brief that a shell, a format string or a template would stumble over.
AWKWARD = "do it; $(touch x) `id` {prompt_file} {prompt} {0} %s \"quoted\" 'single' \\ \n\n--flag\n-\nünï"

_JSON_LINES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
).map(json.dumps)
_OUTPUT = st.lists(st.text(max_size=60) | _JSON_LINES, max_size=5).map("\n".join)


class DriverConformance:
    """The suite."""

    def invocation(
        self, driver: Driver, tmp_path: Path, *, prompt: str = AWKWARD, session: str | None = None
    ) -> Invocation:
        prompt_file = tmp_path / "brief.md"
        prompt_file.write_text(prompt, encoding="utf-8")
        return driver.invocation(
            Request(prompt=prompt, prompt_file=prompt_file, workspace=tmp_path / "clone", session=session)
        )

    def test_it_gives_a_list_of_arguments_that_begins_with_its_program(self, driver: Driver, tmp_path: Path) -> None:
        argv = list(self.invocation(driver, tmp_path).argv)
        assert argv
        assert all(isinstance(part, str) for part in argv)
        assert Path(argv[0]).name == Path(driver.executable()).name

    def test_the_brief_reaches_the_cli_once_and_unchanged(self, driver: Driver, tmp_path: Path) -> None:
        invocation = self.invocation(driver, tmp_path)
        file = str(tmp_path / "brief.md")
        ways = [
            invocation.stdin is not None and AWKWARD in invocation.stdin,
            any(AWKWARD in part for part in invocation.argv),
            any(file in part.replace(AWKWARD, "") for part in invocation.argv),
        ]
        assert ways.count(True) == 1

    @pytest.mark.parametrize("size", [ARGUMENT_BYTES // 3 - 1, ARGUMENT_BYTES // 3 + 1, 82_000])
    def test_a_brief_longer_than_an_argument_goes_another_way_or_is_refused(
        self, driver: Driver, tmp_path: Path, size: int
    ) -> None:
        """The kernel counts bytes, and one character may have four of them."""
        brief = "漢" * size
        try:
            invocation = self.invocation(driver, tmp_path, prompt=brief)
        except ConfigurationError as error:
            refused = error
        else:
            refused = None
        if refused is not None:
            assert str(ARGUMENT_BYTES) in refused.message
            assert refused.remedy
            return
        assert all(len(part.encode()) <= ARGUMENT_BYTES for part in invocation.argv)
        file = str(tmp_path / "brief.md")
        ways = [invocation.stdin == brief, *(brief in part or file in part for part in invocation.argv)]
        assert ways.count(True) == 1

    def test_a_file_that_the_cli_must_read_is_named_for_the_sandbox(self, driver: Driver, tmp_path: Path) -> None:
        invocation = self.invocation(driver, tmp_path)
        file = tmp_path / "brief.md"
        if any(str(file) in part for part in invocation.argv):
            assert file in [*invocation.readable, *invocation.writable]

    def test_its_settings_lie_beside_the_brief(self, driver: Driver, tmp_path: Path) -> None:
        files = self.invocation(driver, tmp_path).files
        assert all(path.parent == tmp_path and path.name != "brief.md" for path in files)

    def test_it_says_which_files_of_a_repository_configure_its_cli(self, driver: Driver) -> None:
        """As an attribute of its class, since it counts whichever CLI runs; a command says it in its settings."""
        if isinstance(driver, CustomDriver):
            return
        assert isinstance(driver, Configured)
        assert driver.configures
        assert tuple(type(driver).configures) == tuple(driver.configures)
        table = Table(driver.configures)
        rules = driver.house_rules if isinstance(driver, ReadsRules) else ()
        assert all(table.holds(path) for path in rules), "what it reads by itself is out of force in a review too"
        assert not table.holds("src/app.py")
        whole = plugins.configuration({})
        for pattern in driver.configures:
            assert whole.holds(pattern.strip("/").replace("*", "x"))

    def test_none_of_them_is_in_a_review(self, driver: Driver, tmp_path: Path) -> None:
        if isinstance(driver, CustomDriver):
            return
        assert isinstance(driver, Configured)
        names = [pattern.strip("/").replace("*", "x") for pattern in driver.configures]
        project = new_repository(tmp_path / "project")
        sha = project.commit("Plant", {f"{name}/plant" if "." not in name[1:] else name: "x" for name in names})
        forge = LocalForge(a_town(project.root))
        mirror = forge.mirror(forge.repo)
        prepared = workspace.prepare_at(mirror, tmp_path / "work/mission/item/1", sha)
        assert all((prepared.folder / name).exists() for name in names)
        assert agent_configuration.hide(prepared, mirror, plugins.configuration({}))
        assert not any((prepared.folder / name).exists() for name in names)
        assert (prepared.folder / "src/app.py").exists()

    def test_a_review_is_asked_for_as_any_run(self, driver: Driver, tmp_path: Path) -> None:
        prompt_file = tmp_path / "brief.md"
        request = Request(prompt=AWKWARD, prompt_file=prompt_file, workspace=tmp_path / "clone")
        work, review = driver.invocation(request), driver.invocation(replace(request, review=True))
        assert review.argv[0] == work.argv[0]
        assert (review.stdin, review.readable, review.writable) == (work.stdin, work.readable, work.writable)

    def test_the_same_request_gives_the_same_invocation(self, driver: Driver, tmp_path: Path) -> None:
        assert self.invocation(driver, tmp_path) == self.invocation(driver, tmp_path)

    def test_a_brief_cannot_open_a_file_to_the_cli(self, driver: Driver, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("secret", encoding="utf-8")
        invocation = self.invocation(driver, tmp_path, prompt=str(secret))
        assert secret not in [*invocation.readable, *invocation.writable]

    def test_a_session_to_resume_is_no_reason_to_fail(self, driver: Driver, tmp_path: Path) -> None:
        assert self.invocation(driver, tmp_path, session="0d9c3b8e-5d64-4d3c-9a0b-1f5f3f7c2a11").argv

    @given(_OUTPUT)
    @budget(
        max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    def test_what_an_agent_works_on_is_no_trouble_of_the_cli(self, driver: Driver, output: str) -> None:
        if not isinstance(driver, SortsLines):
            return
        for line in ["...", "error: 429 Too Many Requests", "FAILED tests/x.py::test_1", "not json {", "{}", "[1]"]:
            assert driver.sort(line) == "work"
        for line in output.split("\n"):
            assert driver.sort(line) in ("work", "frame", "trouble", "wait")

    @pytest.mark.parametrize("exit_code", [1, 2, 126, 127, 130, 137, -9, None])
    def test_a_run_that_failed_in_silence_did_not_succeed(self, driver: Driver, exit_code: int | None) -> None:
        result = driver.result(Output(exit_code, "", ""))
        assert result.outcome is not Outcome.SUCCEEDED
        assert result.summary

    @given(code=st.none() | st.integers(-64, 255), stdout=_OUTPUT, stderr=_OUTPUT)
    @budget(
        max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    def test_whatever_the_output_is_it_becomes_a_result(
        self, driver: Driver, code: int | None, stdout: str, stderr: str
    ) -> None:
        result = driver.result(Output(code, stdout, stderr))
        assert isinstance(result, Result)
        assert isinstance(result.outcome, Outcome)
        assert result.cost_usd is None or 0 <= result.cost_usd < float("inf")
        assert result.tokens is None or result.tokens >= 0
        assert result.retry_after is None or 0 <= result.retry_after < float("inf")
        assert "\n" not in result.summary
