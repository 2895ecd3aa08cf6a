"""A world of its own for the tests: home, state and runtime folders, git identity, and nothing left behind."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from unittest import mock

import psutil
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as budget

from tests import typist
from tests.podman import docker, podman, thorough  # noqa: F401 - fixtures
from tests.waiting import patience, wait_until
from tinytown.cli.main import run
from tinytown.host.init import init
from tinytown.host.lifecycle import stop
from tinytown.host.server import Server, ensure_server, stop_server
from tinytown.town import Town
from tinytown_workers.limits import isolated

# Whoever is started in the background of a script ignores this, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing on a machine with other work.
# How many are tried: enough for a rule that is broken for good; ``make soak`` looks for the rare.
budget.register_profile("checks", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
budget.register_profile("soak", budget.get_profile("checks"), max_examples=1000)
budget.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "checks"))

#: Files with tests that take the longest: they begin first, so that no processor waits for the last of them.
LONG = (
    "test_readme.py", "test_bench.py", "test_updates.py", "test_survival.py", "test_refusals.py", "test_missions.py",
    "test_hostile_agents.py", "test_two_repositories.py", "test_random_dags.py", "test_doctor.py",
    "test_planted_programs.py", "test_github.py", "test_hub.py", "test_recovery.py", "test_lives.py",
    "test_canaries.py",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each of the processes that run tests its share of the long ones first."""
    count = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.path.name in LONG and "unit" not in item.path.parts]
    known = {*long}
    short = [item for item in items if item not in known]
    # Each begins with an equal part of the list, one after the other.
    size = len(items) // count
    items.clear()
    for number in range(count):
        share = long[number::count]
        room = max(0, size - len(share))
        items += [*share, *short[:room]]
        short = short[room:]
    items += short


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failure what the test's towns have logged, but for secrets of the environment."""
    report = yield
    module = sys.modules.get("tests.acceptance.project")
    if report.failed and module is not None:
        secrets = [
            text for name, text in os.environ.items() if re.search("TOKEN|PASSW|SECRET|KEY", name) and len(text) >= 8
        ]
        for project in sorted(module.Project.living, key=lambda one: str(one.root)):
            said = project.logs()
            for secret in secrets:
                said = said.replace(secret, "***")
            report.sections.append((f"logs of {project.root}", said or "none"))
    return report


@pytest.fixture(scope="session", autouse=True)
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Isolate the session from the user's machine; at its end no process of it may be left.

    The folder's path is short, because sockets live in it.
    """
    folder = Path(tempfile.mkdtemp(prefix="tt-", dir="/tmp"))
    folders = (folder, tmp_path_factory.getbasetemp())
    for name in ("home", "state", "run"):
        (folder / name).mkdir(mode=0o700)
    (folder / "gitconfig").write_text("[init]\n\tdefaultBranch = main\n", encoding="utf-8")
    variables = {
        "HOME": str(folder / "home"),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "XDG_CONFIG_HOME": str(folder / "home" / ".config"),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A Tester",
        "GIT_AUTHOR_EMAIL": "tester@example.org",
        "GIT_COMMITTER_NAME": "A Tester",
        "GIT_COMMITTER_EMAIL": "tester@example.org",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("TINYTOWN_", "GIT_")) or name in ("REDIS_URL", "GH_TOKEN", "GITHUB_TOKEN"):
                patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        typist.begin()
        typist.start_by_forks(patch)
        yield folder
        typist.end()
        isolated.close()
        try:
            wait_until(lambda: not left_behind(*folders), timeout=15, description="no process of the tests is left")
        except AssertionError:
            infos = [process.info for process in left_behind(*folders)]
            pytest.fail(f"processes of the tests are left: {infos}")
        finally:
            while left := left_behind(*folders):  # one may start another while it is ended
                for process in left:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            shutil.rmtree(folder, ignore_errors=True)


def left_behind(*folders: Path) -> list[psutil.Process]:
    """Living processes that work in one of these folders or name it, besides this one and those that started it."""
    found = []
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "ppid", "cmdline", "status"]):
        try:
            # A set, because the command line of a fork is followed by thousands of empty words.
            places = {process.cwd(), *process.cmdline(), *process.environ().values()}
            # With the slash, because ``pytest-1`` is how another session's ``pytest-10`` begins.
            ours = any(f"{folder}/" in f"{place}/" for folder in folders for place in places)
            if ours and process.pid not in spared:
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """What is logged is heard in each test: a Celery worker in the test's own process, for one, lets only errors by."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture(scope="session")
def server(machine: Path) -> Iterator[Server]:
    """A real embedded server for the whole session; use a key prefix of your own."""
    root = machine / "server"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    town = init(root).town
    yield ensure_server(town)
    stop_server(town)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A new git repository with one commit on `main`."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "README.md").write_text("# A project\n", encoding="utf-8")
    for argv in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *argv], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def town(checkout: Path) -> Iterator[Town]:
    """An initialised town, in which nothing runs yet; whatever a test starts in it is stopped."""
    town = init(checkout).town
    yield town
    stop(town)
    assert not town.runtime.exists()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Type a `tt` command into this very process, which is quick: gives exit code, stdout and stderr."""

    def type_command(*words: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        # With `-t` a command names its town to what it starts, in the environment.
        with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ):
            if cwd is not None:
                patch.chdir(cwd)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            capsys.readouterr()
            code = run(list(words))
            said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return type_command


@pytest.fixture
def tt() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Type a `tt` command: ``tt("init", cwd=folder, code=0)``; another exit code fails the test."""
    program = Path(sys.executable).with_name("tt")

    def type_command(
        *words: str, cwd: Path, code: int | None = 0, env: dict[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        done = typist.type_tt(
            [str(program), *words], cwd=cwd, env={**os.environ, **(env or {})}, timeout=patience(timeout)
        )
        assert code is None or done.returncode == code, (
            f"tt {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    return type_command
