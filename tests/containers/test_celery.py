"""The images as pytest-celery sees them, Celery's own means to test a broker and its workers in containers.

By podman's socket, which speaks as Docker's does.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.events.receiver import EventReceiver
from kombu.exceptions import OperationalError
from pytest_celery import (
    CeleryTestSetup,
    CeleryWorkerContainer,
    RedisContainer,
)
from pytest_docker_tools import container, fxtr, network
from redis import RedisError

import docker
from tests.containers.engine import Engine
from tests.containers.stack import PROJECT, make_repository
from tests.waiting import patience, wait_until
from tinytown import contract
from tinytown.app import create_app, send_task

PASSWORD = "pears"
NETWORK = f"{PROJECT}-celery"
IMAGE = "localhost/tinytown-control:latest"


class OurBroker(RedisContainer):
    """The database of a town."""

    @classmethod
    def prefix(cls) -> str:
        """What an address of it begins with."""
        return f"redis://:{PASSWORD}@"

    @property
    def port(self) -> int:
        """Where it is reached from here, also on a machine that has the files by which containers are known."""
        self.reload()
        found: list[int] = self.ports["6379/tcp"]
        return found[0]


class OurWorker(CeleryWorkerContainer):
    """The home of a town, whose process `control` serves the duties of the clock. The clock itself stays away."""

    @property
    def ready_prompt(self) -> str:
        return f"control@{self.attrs['Config']['Hostname']}:"

    @classmethod
    def initial_env(cls, celery_worker_cluster_config: dict[str, Any], **_: Any) -> dict[str, str]:
        (url,) = celery_worker_cluster_config["celery_broker_cluster_config"]["urls"]
        return {"REDIS_URL": url, "REPOSITORY": "/project"}


@pytest.fixture(scope="session")
def docker_client(engine: Engine) -> Iterator[docker.DockerClient]:
    engine.knows(NETWORK)
    with engine.docker_socket() as address:
        client = docker.DockerClient(base_url=address, timeout=round(patience(60)))
        try:
            yield client
        finally:
            client.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What the containers are given: a repository and the database's password."""
    make_repository(tmp_path / "project", {"tinytown.toml": '[forge]\nkind = "local"\n'})
    (tmp_path / "redis_password").write_text(PASSWORD)
    return tmp_path


@pytest.fixture
def broker_volumes(files: Path) -> dict[str, dict[str, str]]:
    return {f"{files}/redis_password": {"bind": "/run/secrets/redis_password", "mode": "ro"}}


@pytest.fixture
def worker_volumes(files: Path) -> dict[str, dict[str, str]]:
    return {f"{files}/project": {"bind": "/project", "mode": "ro"}}


@pytest.fixture
def default_redis_broker_cls() -> type[RedisContainer]:
    return OurBroker


@pytest.fixture
def default_worker_container_cls() -> type[CeleryWorkerContainer]:
    return OurWorker


default_pytest_celery_network = network(name=NETWORK)

default_redis_broker = container(
    image=IMAGE,
    command=["town-redis"],
    ports=fxtr("default_redis_broker_ports"),
    network="{default_pytest_celery_network.name}",
    volumes=fxtr("broker_volumes"),
    wrapper_class=OurBroker,
    timeout=60,
)

default_worker_container = container(
    image=IMAGE,
    command=["town-control", "--without", "beat"],
    environment=fxtr("default_worker_env"),
    network="{default_pytest_celery_network.name}",
    volumes=fxtr("worker_volumes"),
    wrapper_class=OurWorker,
    timeout=120,
)


@pytest.fixture
def celery_broker(celery_redis_broker: Any) -> Any:
    return celery_redis_broker


@pytest.fixture
def celery_backend_cluster() -> None:
    """A town keeps results nowhere but in its records."""


@pytest.fixture
def town_app(celery_setup: CeleryTestSetup) -> Iterator[Celery]:
    """The application that a process of this town on this machine would have."""
    town = json.loads(next(iter(celery_setup.worker.container.get_text("/town/.tt/town.json").values())))
    with create_app(celery_setup.app.conf.broker_url, f"tt:{town['id']}:") as app:
        yield app


def test_a_task_of_ours_is_done_and_another_after_the_broker_began_anew(
    celery_setup: CeleryTestSetup, town_app: Celery
) -> None:
    """Published on this machine, done in a container: its worker says so by Celery's own events."""
    assert celery_setup.ready(docker=True)
    wait_until(lambda: _control(town_app), timeout=60, description="the worker answers")
    assert _end_of_a_task(town_app) == "task-succeeded"
    celery_setup.broker.restart()
    wait_until(lambda: _control(town_app), timeout=60, description="the worker is back")
    assert _end_of_a_task(town_app) == "task-succeeded"


def _control(app: Celery) -> bool:
    """Whether the process that serves the duties answers."""
    try:
        answers = app.control.ping(timeout=2)
    except (OSError, OperationalError, RedisError):
        return False
    return any(name.startswith("control@") for answer in answers for name in answer)


class _Witness(EventReceiver):
    """Publishes a task as soon as it hears what workers say, and hears what becomes of it."""

    def __init__(self, connection: Any, app: Celery) -> None:
        super().__init__(connection, handlers={"*": self._hear}, app=app)
        self.ident = str(uuid.uuid4())
        self.heard: list[str] = []
        self._rounds = 0

    def on_iteration(self) -> None:
        """Before each look for events; only the first makes it listen."""
        self._rounds += 1
        if self._rounds == 2:
            send_task(self.app, contract.TASK_DISPATCH, (), queue=contract.QUEUE_CONTROL, task_id=self.ident)

    def _hear(self, event: dict[str, Any]) -> None:
        if event.get("uuid") == self.ident:
            self.heard.append(event["type"])
            self.should_stop = event["type"] in ("task-succeeded", "task-failed")


def _end_of_a_task(app: Celery) -> str:
    """Publish a task, and give the last that its worker says of it."""
    app.control.enable_events()
    with app.connection() as connection:
        witness = _Witness(connection, app)
        with contextlib.suppress(TimeoutError):
            witness.capture(limit=None, timeout=patience(60))
    return witness.heard[-1] if witness.heard else "nothing"
