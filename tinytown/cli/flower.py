"""``tt flower``: Flower on the town's tasks, closed to everybody else."""

from __future__ import annotations

import os
import secrets
import socket
from typing import Any

import click

from tinytown.contract import ENV_FLOWER_AUTH

#: The columns of the list of tasks. Only its arguments say what a task is about, and Flower leaves them out by default.
_COLUMNS = "args,name,state,received,runtime,worker,uuid"

#: Seconds after which it forgets a worker that gives no sign of life: each start of a process has another name.
_FORGET_SECS = 300


@click.command(
    epilog="""\b
    Examples:
      tt flower
      tt flower --port 5556
    """
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5555, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def flower(address: str, port: int) -> None:
    """Watch the town's tasks in a browser, read-only, until interrupted.

    Each start gets a new password, unless FLOWER_BASIC_AUTH sets users and passwords.
    """
    from tinytown.cli.session import here, reach, reach_started
    from tinytown.errors import StateError
    from tinytown.host import place
    from tinytown.host.process_specs import working_folder

    town = here()
    # One that runs in another container cannot be seen, nor started, from here.
    context = reach(town) if place.runs_out_of_sight(town) else reach_started()
    try:
        with socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET):
            pass
    except OSError as error:
        raise StateError(
            f"cannot listen on {address}:{port}: {error.strerror}", remedy="choose another with `--port`"
        ) from None
    # It runs the `flowerconfig.py` of its folder; in the repository anybody could have put one there.
    os.chdir(working_folder(context.town))
    words = ["flower", f"--address={address}", f"--port={port}", "--read_only", "--logging=warning"]
    words += [f"--tasks_columns={_COLUMNS}", f"--purge_offline_workers={_FORGET_SECS}"]
    if os.environ.get(ENV_FLOWER_AUTH):
        who = f"user and password from {ENV_FLOWER_AUTH}"
    else:
        password = secrets.token_urlsafe(12)
        words.append(f"--basic_auth=tt:{password}")
        who = f"user tt, password {password}"
    shown = f"[{address}]" if ":" in address else address
    click.echo(f"🌼 http://{shown}:{port} ({who})")
    app: Any = context.app
    app.start(argv=words)
