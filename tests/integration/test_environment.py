"""A Celery user's shell: nothing that is meant for another Celery reaches a town."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tests.waiting import wait_until
from tinytown import contract
from tinytown.contract import for_processes
from tinytown.engine.context import Context
from tinytown.host import lifecycle as life
from tinytown.host.init import init
from tinytown.host.server import ensure_server, server_url, stop_server
from tinytown.state import duties
from tinytown.town import open_town

#: Whatever such a shell may hold; each of them drove a process elsewhere, or made it crash.
FOREIGN = {
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0",
    "CELERY_CONFIG_MODULE": "no.such.module",
    "CELERY_LOADER": "no.such.loader:Loader",
    "CELERY_CUSTOM_WORKER_POOL": "no.such.pool:Pool",
    "CELERY_TRACE_APP": "1",
    "CELERY_BENCH": "1",
    "CELERYD_CONCURRENCY": "7",
    "CELERYBEAT_SCHEDULE": "x",
    "C_STRICT_APP": "1",
    "AUTOSCALE_KEEPALIVE": "never",
    "PICKLE_PROTOCOL": "none",
    "C_BENCH_EVERY": "often",
    "KOMBU_LOG_DEBUG": "1",
    "FLOWER_PORT": "x",
    "DJANGO_SETTINGS_MODULE": "no.such.settings",
    "REMAP_SIGTERM": "SIGQUIT",
    "PYTHONSTARTUP": "/no/such/file.py",
    "PYTHONWARNINGS": "error",
}


@pytest.fixture
def elsewhere(machine: Path) -> Iterator[tuple[str, Path]]:
    """A second server that must hear nothing: its address, and the file that records all that it is told."""
    folder = machine / "elsewhere"
    folder.mkdir(exist_ok=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    town = init(folder).town
    server = ensure_server(town)
    yield server.url, folder
    stop_server(town)


def _commands_of(url: str) -> int:
    """How many commands the server has carried out, this one's own aside."""
    client = redis.Redis.from_url(url)
    try:
        return int(client.info("stats")["total_commands_processed"])  # type: ignore[index]
    finally:
        client.close()


def test_a_town_hears_nothing_of_another_celery(
    checkout: Path, elsewhere: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The town comes up, its workers take messages, and the other server is told nothing at all."""
    url = elsewhere[0]
    broker = url.replace("unix://", "redis+socket://")
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, broker)
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TINYTOWN_TIMING__TICK_SECS", "1")
    before = _commands_of(url)
    program = str(Path(sys.executable).with_name("tt"))

    def tt(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *words], cwd=checkout, capture_output=True, text=True, timeout=90, check=False)

    done = tt("init")
    assert done.returncode == 0, done.stderr
    town = open_town(checkout)
    try:
        # What the processes were started with, whoever starts them again.
        for status in life.processes(town):
            if status.pid is not None and status.name != "server":
                seen = psutil.Process(status.pid).environ()
                assert not [name for name in seen if contract.is_foreign(name)], status.name
        context = Context(town, server_url(town))
        wait_until(
            lambda: duties.ticks(context.store).get("dispatch"), timeout=60, description="the clock and control work"
        )
        assert tt("mission", "status").returncode == 3
        assert "Traceback" not in (town.logs / "control.log").read_text()
        assert all(status.restarts == 0 for status in life.processes(town))
    finally:
        stopped = tt("stop")
    assert stopped.returncode == 0, stopped.stderr
    # The look itself is one `INFO` and what a client says of itself.
    assert _commands_of(url) - before <= 8


def test_what_a_process_is_started_with(tmp_path: Path) -> None:
    """Nothing of a run, nothing of Celery's; a path for modules only if tinytown is found by it."""
    given = {"PATH": "/bin", "REDIS_URL": "redis://x", "TINYTOWN_RUN": "r", "TINYTOWN_TIMING__TICK_SECS": "3"}
    kept = {"PATH": "/bin", "REDIS_URL": "redis://x", "TINYTOWN_TIMING__TICK_SECS": "3"}
    foreign = {**FOREIGN, "FLOWER_BASIC_AUTH": "a:b", "CELERY_BROKER_URL": "redis://y"}
    assert for_processes({**given, **foreign, "PYTHONPATH": str(tmp_path)}) == kept
    home = str(Path(contract.__file__).parents[1])
    both = os.pathsep.join([str(tmp_path), home])
    assert for_processes({**given, "PYTHONPATH": both})["PYTHONPATH"] == both
    environ = dict(foreign)
    contract.forget_foreign(environ)
    assert environ == {"FLOWER_BASIC_AUTH": "a:b"}


def test_the_names_that_celery_reads_are_known() -> None:
    """Whatever a new release of it reads from the environment is looked at by a person."""
    known = {"HOME", "TERM", "ITERM_PROFILE", "NO_WORKER", "TEST_BROKER", "PWD", "NUMBER_OF_PROCESSORS"}
    # Other transports' own.
    known |= {"PUBSUB_EMULATOR_HOST", "SLMQ_ACCOUNT", "SL_USERNAME", "SL_API_KEY", "SLMQ_HOST", "SLMQ_PORT"}
    known |= {"SLMQ_SECURE"}
    found = set()
    for package in ("celery", "kombu", "billiard", "flower"):
        place = importlib.import_module(package).__file__
        assert place is not None
        for path in Path(place).parent.rglob("*.py"):
            text = path.read_text(encoding="utf-8", errors="replace")
            found |= set(re.findall(r"(?:environ(?:\.get|\.setdefault)?|getenv)[\[(]\s*['\"](\w+)['\"]", text))
    assert {name for name in found - known if not contract.is_foreign(name)} == set()
