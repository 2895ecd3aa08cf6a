"""How a worker process stops reading its queues."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from tests.waiting import patience, wait_until
from tinytown.app import create_app, send_task
from tinytown.host.server import Server
from tinytown.state.database import connect
from tinytown_workers.worker import Unblock

#: Seconds for which the server would let the read wait.
LONG = 60


@pytest.mark.parametrize("arrives", [False, True])
def test_the_end_waits_for_no_message_and_loses_none(server: Server, arrives: bool) -> None:
    """The read that is on its way is answered at once; a message that came before that is delivered."""
    prefix = f"tt:{uuid.uuid4().hex}:"
    client: Any = connect(server.url)
    app: Any = create_app(server.url, prefix)
    app.conf.broker_transport_options["polling_interval"] = LONG
    with app.connection() as connection:
        channel = connection.default_channel
        taken: list[Any] = []
        with connection.Consumer(
            [app.amqp.queues.select_add("work")], on_message=taken.append, channel=channel
        ) as reader:
            step = Unblock(reader)
            step.start(SimpleNamespace(task_consumer=reader))
            channel.connection.cycle._register_BRPOP(channel)
            known = channel._in_poll.handshake_metadata
            number = known.get("id", known.get(b"id"))
            wait_until(
                lambda: "cmd=brpop" in str(client.execute_command("CLIENT", "LIST", "ID", number)),
                description="the server waits for a message",
            )
            if arrives:
                send_task(app, "any.task", (), queue="work")
            began = time.monotonic()
            step.shutdown(SimpleNamespace(connection=connection))
            channel.close()
            assert time.monotonic() - began < patience(LONG / 6)
    assert [message.headers["task"] for message in taken] == ["any.task"] * arrives
    for key in client.scan_iter(match=f"{prefix}*"):
        client.delete(key)
