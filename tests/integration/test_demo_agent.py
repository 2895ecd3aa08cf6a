"""The demo agent on the briefs that tinytown writes: it really works, fails, mends and reviews."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tinytown.agents.driver import Output
from tinytown.agents.drivers.custom import CustomDriver
from tinytown.missions.brief import compose
from tinytown.missions.brief_inputs import BriefInputs
from tinytown.missions.records.attempt import FixReason
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Purpose
from tinytown.settings import AgentCliSettings
from tinytown_workers.demo import story
from tinytown_workers.run import environment
from tinytown_workers.run.agent_socket import AgentSocket

ISSUES = {
    1: (
        "Design auth API",
        (
            "Design the authentication API schema.\n\n- Define login/logout endpoints\n- Document token format\n"
            "- Specify error responses\n"
        ),
    ),
    2: (
        "Implement auth endpoints",
        (
            "Implement the authentication endpoints.\n\nDepends on #1.\n\n- Implement login endpoint\n"
            "- Implement logout endpoint\n- Add token validation\n"
        ),
    ),
    3: (
        "Write auth tests",
        (
            "Write comprehensive tests for auth API.\n\nAfter #2.\n\n- Unit tests for token validation\n"
            "- Integration tests for login flow\n- Error case coverage\n"
        ),
    ),
    7: ("Say it's “hello\\n”", "Anything."),
}


class Silent:
    """A town that an attempt asks for nothing."""

    def task_current(self) -> Mapping[str, Any]:
        return {}

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        raise NotImplementedError

    def inbox(self, *, everything: bool) -> Sequence[Mapping[str, Any]]:
        return []

    def backlog(self, tag: str) -> Sequence[Any]:
        return []

    def add_to_backlog(self, text: str, tags: Sequence[str]) -> Any:
        raise NotImplementedError

    def claim(self, id_: str, agent: str) -> Any:
        raise NotImplementedError


def brief(
    number: int, purpose: Purpose = Purpose.WORK, *, fix: FixReason | None = None, kind: str = "implement"
) -> str:
    title, body = ISSUES[number]
    key = f"local/repo#{number}"
    return compose(
        BriefInputs(
            mission=Mission(id="m", objectives=(key,), forge="local", repo="local/repo", base="main", created_at=0.0),
            item=Item(key=key, number=number, title=title, fix=fix, kind=kind),
            issue=Issue(key=key, number=number, title=title, body=body),
            purpose=purpose,
            fence="0123456789abcdef",
            diff="diff --git a/x b/x" if purpose is Purpose.REVIEW else "",
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    return folder


def run(folder: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    programs = environment.programs_folder(folder.parent / "bin")
    seen = {"PATH": f"{programs}:{os.environ['PATH']}", **env}
    return subprocess.run(
        [sys.executable, "-m", "tinytown_workers.demo.agent", "--pace", "0"],
        cwd=folder, env=seen, input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def checks(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", "unittest"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def review(folder: Path, number: int) -> tuple[bool, str] | None:
    with AgentSocket(folder.parent / "socket", Silent(), purpose=Purpose.REVIEW) as agent_socket:
        done = run(folder, brief(number, Purpose.REVIEW), **agent_socket.environment)
        assert done.returncode == 0, done.stderr
    return agent_socket.verdict


def test_the_three_issues_with_one_failing_check_and_one_refused_review(folder: Path) -> None:
    assert run(folder, brief(1)).returncode == 0
    assert checks(folder).returncode == 0
    assert "Token format" in (folder / "docs/auth-api.md").read_text()
    assert review(folder, 1) == (True, "")

    assert run(folder, brief(2)).returncode == 0
    failed = checks(folder)
    assert failed.returncode == 1
    assert "auth.schema.Refused: expired" in failed.stderr
    refusal = FixReason(gate="check", summary="`make test` failed with exit code 2", details=failed.stderr)
    mended = run(folder, brief(2, Purpose.FIX, fix=refusal))
    assert mended.returncode == 0, mended.stderr
    assert checks(folder).returncode == 0
    assert review(folder, 2) == (True, "")

    assert run(folder, brief(3)).returncode == 0
    assert checks(folder).returncode == 0
    verdict = review(folder, 3)
    assert verdict is not None
    assert verdict[0] is False
    assert "error case coverage" in verdict[1]
    refusal = FixReason(gate="review", summary="changes requested", details=verdict[1])
    assert run(folder, brief(3, Purpose.FIX, fix=refusal)).returncode == 0
    assert checks(folder).returncode == 0
    assert review(folder, 3) == (True, "")
    assert not list(folder.rglob("__pycache__"))


def test_the_error_cases_it_adds_find_the_mistake_it_made(folder: Path) -> None:
    for number in (1, 2, 3):
        assert run(folder, brief(number)).returncode == 0
    tests = folder / "tests/test_auth.py"
    tests.write_text(tests.read_text() + story.ERROR_CASES)
    assert "test_an_expired_token_is_refused" in checks(folder).stderr


def test_any_other_issue_gets_a_file_of_its_own_and_a_test(folder: Path) -> None:
    assert run(folder, brief(7)).returncode == 0
    assert sorted(path.name for path in folder.rglob("*.py")) == [
        "__init__.py", "issue_7_say_it_s_hello_n.py", "test_issue_7_say_it_s_hello_n.py",
    ]  # fmt: skip
    done = checks(folder)
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test" in done.stderr
    assert review(folder, 7) == (True, "")
    (folder / "issue_7_say_it_s_hello_n.py").write_text("TITLE = 'something else'\n")
    assert checks(folder).returncode == 1


def test_what_it_cannot_mend_it_says(folder: Path) -> None:
    assert run(folder, brief(7)).returncode == 0
    refusal = FixReason(gate="review", summary="I don't like it")
    done = run(folder, brief(7, Purpose.FIX, fix=refusal))
    assert (done.returncode, done.stderr) == (1, "it does not know how to fix this\n")


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (lambda f: (f / "auth/tokens.py").write_text("def broken(:\n"), "auth/tokens.py is not valid Python"),
        (lambda f: (f / "auth/endpoints.py").write_text("def login(): ...\n"), "asks for the logout endpoint"),
        (lambda f: [path.unlink() for path in f.glob("tests/*")], "there is no test"),
    ],
)
def test_a_reviewer_finds_what_is_wrong_in_the_files(folder: Path, break_it: Any, complaint: str) -> None:
    for number in (1, 2):
        assert run(folder, brief(number)).returncode == 0
    break_it(folder)
    verdict = review(folder, 2)
    assert verdict is not None
    assert verdict[0] is False
    assert complaint in verdict[1]


def test_without_its_socket_a_review_fails(folder: Path) -> None:
    done = run(folder, brief(1, Purpose.REVIEW))
    assert done.returncode == 1
    assert "the verdict was not taken" in done.stderr


def test_a_question_is_answered_without_touching_a_file(folder: Path) -> None:
    (folder / "a.py").write_text("")
    done = run(folder, brief(7, kind="research"))
    assert "1 Python files: a.py" in done.stdout
    assert [path.name for path in folder.iterdir()] == ["a.py"]


def test_its_report_is_understood(folder: Path) -> None:
    done = run(folder, brief(1))
    assert "The cost is simulated; no model was asked." in done.stdout
    driver = CustomDriver("demo", AgentCliSettings.model_validate({"command": "tt-demo-agent"}))
    result = driver.result(Output(done.returncode, done.stdout, done.stderr))
    assert result.cost_usd == json.loads(done.stdout.splitlines()[-1])["tinytown"]["cost_usd"] == 0.02
    assert result.text.startswith("Design auth API: wrote docs/auth-api.md")


def test_the_brief_may_be_a_file(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "brief.md"
    path.write_text("# Say hello\n\nplease")
    argv = [sys.executable, "-m", "tinytown_workers.demo.agent", "--pace", "0"]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run([*argv, str(path)], cwd=folder, env=env, capture_output=True, check=False)
    assert done.returncode == 0
    assert (folder / "issue_say_hello.py").is_file()
    done = subprocess.run([*argv, str(tmp_path / "none")], cwd=folder, env=env, capture_output=True, check=False)
    assert done.returncode == 2
