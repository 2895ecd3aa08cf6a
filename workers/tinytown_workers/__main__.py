"""Start one worker process: ``python -m tinytown_workers --agent NAME | --checks | --control``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Any

from tinytown import contract, log

# Some of it is read while Celery is imported.
contract.forget_foreign(os.environ)

from tinytown.engine.conductor.notices import Sender
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts
from tinytown.engine.dispatch.advance import advance_all
from tinytown.errors import TinytownError
from tinytown.host import process_identity, renewal, server, watchdog
from tinytown.town import open_town
from tinytown_workers import tasks, worker


def main(argv: list[str] | None = None) -> int:
    """The process; gives its exit code."""
    parser = argparse.ArgumentParser(prog="tinytown_workers", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--agent", metavar="NAME")
    what.add_argument("--checks", action="store_true")
    what.add_argument("--control", action="store_true")
    options = parser.parse_args(argv)
    log.to_stderr()
    try:
        _find_cli()
        town = open_town()
        if options.agent is None:
            watchdog.watch_over(town)
        context = Context(town, server.server_url(town), retries=10)
        if options.control:
            _control(context)
        else:
            identity = (
                worker.checks_identity()
                if options.checks
                else worker.agent_identity(context.crew.agent(options.agent).record)
            )
            _attempts(context, identity)
    except TinytownError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _find_cli() -> None:
    """Have the agent's CLI found where it was when the agent was spawned, last of all places."""
    folder = os.environ.pop(contract.ENV_CLI_FOLDER, "")
    path = os.environ.get("PATH") or os.defpath
    if folder and folder not in path.split(os.pathsep):
        os.environ["PATH"] = f"{path}{os.pathsep}{folder}"


def _control(context: Context) -> None:
    tasks.register_housekeeping(context.app, context)
    duties: Any = importlib.import_module(worker.DUTIES)
    duties.register(context.app, context)
    # A view of its own: it waits for the database while others ask it.
    sender = Sender(Context(context.town, context.url, retries=1))
    renewal.watch()
    worker.serve(context.app, worker.CONTROL, concurrency=2, on_ready=sender.begin, on_stop=sender.end)


def _attempts(context: Context, identity: worker.Identity) -> None:
    from tinytown_workers.pipeline import Attempts

    presence = worker.Presence(context, identity, queues=identity.queues)
    with Attempts(context, identity) as runs:
        tasks.register_attempts(context.app, runs, name=identity.name, queues=identity.queues)

        def stop() -> None:
            presence.leave()
            runs.stop()

        def ready() -> None:
            attempts.abandon(context, identity.name, ended=process_identity.ended)
            presence.begin()
            advance_all(context, context.store.mission_ids(live=True))

        renewal.watch(runs.idle, presence.step_out)
        worker.serve(context.app, identity, concurrency=1, on_ready=ready, on_stop=stop)
    presence.leave()


if __name__ == "__main__":
    sys.exit(main())
