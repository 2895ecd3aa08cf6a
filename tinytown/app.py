"""The one way a Celery application is made, for every process of a town.

Each setting that differs from Celery's default has its reason beside it; they must be the same in every process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

from celery import Celery
from celery.backends.redis import RedisBackend
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from tinytown.errors import DatabaseFullError, NotSentError, UnreachableError

#: Seconds for which a join remembers its parts; a mission may take long.
CHORD_EXPIRES = 90 * 86400


class RetryingBackend(RedisBackend):
    """The result backend with a client that tries again.

    The stock one loses a chord's part that ends while the server restarts, and the join never completes.
    """

    def _create_client(self, **params: Any) -> Any:
        params["retry"] = Retry(ExponentialBackoff(cap=1.0, base=0.05), 8)
        params["retry_on_error"] = [RedisConnectionError, RedisTimeoutError]
        return super()._create_client(**params)  # type: ignore[misc]


def celery_url(url: str) -> str:
    """A ``redis`` URL as Celery's transports want it: they call a unix socket ``redis+socket``."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return f"redis+socket://{user}{parts.path}?virtual_host=0"


def shares_database(url: str) -> bool:
    """Whether queues and records are in the same database of the server, so that one commit can write both."""
    # By this word the client of the records finds another one, and Celery's transport does not.
    return "db=" not in urlsplit(url).query


def create_app(url: str, prefix: str, *, name: str = "tinytown") -> Celery:
    """The application of the town whose keys begin with ``prefix`` on the server at ``url``."""
    broker = celery_url(url)
    scheme = "socket" if broker.startswith("redis+socket") else ""
    backend = broker.replace("redis+socket", scheme, 1) if scheme else broker
    app = Celery(name, broker=broker, backend=f"tinytown.app:RetryingBackend+{backend}", set_as_current=False)
    app.conf.update(
        # Ids only travel; nothing that could be code is ever unpickled.
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        # The lease in our records says who runs what; a late acknowledgement would run live work twice.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # A prefetched message waits behind a long run while another worker sits idle.
        worker_disable_prefetch=True,
        # Three publications a task that nobody reads; Flower asks every worker for them, and keeps asking.
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=True,
        task_default_queue="control",
        task_create_missing_queues=True,
        result_chord_expires=CHORD_EXPIRES,
        result_expires=3600,
        result_backend_transport_options={"global_keyprefix": prefix},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "global_keyprefix": prefix,
            # Without priorities a queue is one list; the default would be to look into four.
            "priority_steps": [0],
            # Else every message is written a second time and removed again, for a redelivery that the tick has made
            # long before.
            "ack_emulation": False,
            # Else a half-open connection leaves a worker deaf for good, in silence. A unix socket is never half open.
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 60 if scheme else 5,
        },
        redis_socket_timeout=10.0,
        redis_backend_health_check_interval=15,
        task_publish_retry_policy={
            "max_retries": 10,
            "interval_start": 0.05,
            "interval_step": 0.2,
            "interval_max": 1.0,
        },
        timezone="UTC",
        enable_utc=True,
    )
    return app


@contextmanager
def sending() -> Iterator[None]:
    """Publish what is on record already: a broker that fails now costs a tick at most, and says so in our words.

    Raises:
        NotSentError: it could not be published, or not all of it.
    """
    try:
        yield
    except (KombuError, CeleryError, RedisError, OSError) as error:
        if "MISCONF" in str(error):
            raise NotSentError(DatabaseFullError()) from error
        gone = UnreachableError("the town's database does not answer", remedy="run `tt start`")
        raise NotSentError(gone) from error


def send_task(
    app: Celery, name: str, args: tuple[object, ...], *, queue: str, argsrepr: str = "", **options: Any
) -> None:
    """Publish a task by name; ``argsrepr`` is what Flower and the logs show."""
    task = cast(Any, app)
    task.send_task(name, args=args, queue=queue, argsrepr=argsrepr or None, ignore_result=True, **options)


def tell_workers(app: Celery, command: str, **arguments: object) -> None:
    """Have every worker of the town carry out a control command; nobody waits for answers.

    Raises:
        NotSentError: it could not be published.
    """
    control = cast(Any, app).control
    with sending():
        control.broadcast(command, arguments=arguments)


def ask_workers(app: Celery, command: str, *, most: int, seconds: float) -> list[dict[str, Any]]:
    """What the workers answer to a control command, until so many did or the time is over."""
    replies = cast(Any, app).control.broadcast(command, reply=True, timeout=seconds, limit=most) or []
    return [answer for reply in replies for answer in reply.values() if isinstance(answer, dict)]
