"""Whether a commit may write a message: only where Celery and the records use the same database of the server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import redis
from kombu import Connection

from tinytown.app import celery_url, shares_database


@pytest.mark.parametrize(
    "url",
    [
        "unix:///tmp/a.sock",
        "unix:///tmp/a.sock?db=2",
        "redis://localhost:6379",
        "redis://localhost:6379/3",
        "rediss://:word@localhost:6379/1",
    ],
)
def test_it_is_told_by_where_each_of_them_looks(url: str) -> None:
    ours = redis.Redis.from_url(url).connection_pool.connection_kwargs.get("db", 0)
    named = Connection(celery_url(url)).virtual_host.strip("/") if urlsplit(url).scheme != "unix" else ""
    celery = int(named or 0)
    assert shares_database(url) == (ours == celery)


def test_celery_keeps_the_password_of_a_server_at_a_socket() -> None:
    """Else records would be written and no message could be sent."""
    assert celery_url("unix://ann:a%3Ab@/run/s?db=0") == "redis+socket://ann:a%3Ab@/run/s?virtual_host=0"
    assert celery_url("unix:///run/s") == "redis+socket:///run/s?virtual_host=0"
