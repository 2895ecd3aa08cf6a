"""A task as it stands in its queue, for those who put it there in the same commit as what it tells of.

Celery would publish it after the commit: a second round trip, on the way of every hand-off, and a message that is lost
if the process dies in between. A test compares what is made here with what Celery itself puts into a queue, and fails
when a new Celery changes that.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from uuid import uuid4

#: How a task with neither links nor joins says so.
_ALONE = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def message(name: str, args: tuple[object, ...], *, queue: str, shown: str) -> str:
    """The task ``name`` for ``queue``, whose result nobody wants; ``shown`` is what Flower and the logs show of it."""
    task = str(uuid4())
    body = json.dumps([args, {}, _ALONE]).encode()
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": name,
                "id": task,
                "shadow": None,
                "eta": None,
                "expires": None,
                "group": None,
                "group_index": None,
                "retries": 0,
                "timelimit": [None, None],
                "root_id": task,
                "parent_id": None,
                "argsrepr": shown,
                "kwargsrepr": "{}",
                "origin": f"gen{os.getpid()}@{socket.gethostname()}",
                "ignore_result": True,
                "replaced_task_nesting": 0,
                "stamped_headers": None,
                "stamps": {},
            },
            "properties": {
                "correlation_id": task,
                "reply_to": "",
                "argsrepr": shown,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
    )
