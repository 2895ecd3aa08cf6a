"""Start one worker process: ``python -m tinytown_workers --role ROLE | --agent NAME | --checks | --forge | …``."""

from __future__ import annotations

import argparse
import functools
import importlib
import logging
import os
import sys
from typing import Any

from tinytown import contract, log, tracing

# Some settings are read while Celery is imported.
contract.forget_foreign(os.environ)

from tinytown import lean_imports

lean_imports.load()

from tinytown.engine.context import Context
from tinytown.errors import TinytownError
from tinytown.host import process_specs, renewal, seats, server, unattended, watchdog
from tinytown.missions.crew import CHECKS_ROLE, CONDUCTOR_ROLE, FORGE_ROLE, TOWN_ROLES
from tinytown.town import open_town
from tinytown_workers import tasks, worker
from tinytown_workers.serve import roster, sources
from tinytown_workers.serve.slots import Slots


def main(argv: list[str] | None = None) -> int:
    """The process; gives its exit code."""
    parser = argparse.ArgumentParser(prog="tinytown_workers", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--role", metavar="ROLE", help="the agents of this role that the town wants on this machine")
    what.add_argument("--agent", metavar="NAME", help="one agent, until it is interrupted")
    what.add_argument("--checks", action="store_true")
    what.add_argument("--forge", action="store_true", help="speak to the remote forge for the whole town")
    what.add_argument("--conductor", action="store_true")
    what.add_argument("--control", action="store_true")
    options = parser.parse_args(argv)
    log.to_stderr()
    try:
        town = open_town()
        if options.control or options.checks or options.forge or options.conductor or not town.home:
            watchdog.watch_over(town)
        context = Context(town, server.server_url(town), retries=10, away=not options.forge)
        if options.control:
            _control(context)
        elif options.checks:
            _serve_one(context, contract.QUEUE_CHECKS, CHECKS_ROLE, contract.QUEUE_CHECKS)
        elif options.forge:
            _forge(context)
        elif options.conductor:
            sources.find_cli(os.environ.pop(contract.ENV_CLI_FOLDER, ""))
            _serve_one(context, unattended.NAME, CONDUCTOR_ROLE, contract.QUEUE_CONDUCTOR)
        elif options.role:
            _serve_role(context, options.role)
        elif not _move_in(context, options.agent):
            role = context.crew.agent(options.agent).record.role
            _serve_one(context, options.agent, role, contract.role_queue(role))
    except TinytownError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _control(context: Context) -> None:
    # Only here, as what Looker needs is in `_forge`: there are many processes of agents, and each has what is above.
    from tinytown.engine.conductor.notices import Sender
    from tinytown.host import telling
    from tinytown_workers.serve import views

    tracing.begin("control")
    context.on_new_settings = lambda: telling.publish(context.town)
    # They may have changed since this process was ordered.
    context.on_new_settings()
    tasks.register_housekeeping(context.app, context)
    duties: Any = importlib.import_module(worker.DUTIES)
    duties.register(context.app, context)
    # A connection of its own, as it waits for the database while other threads use theirs.
    sender = Sender(Context(context.town, context.url, retries=1))
    views.show(Context(context.town, context.url, retries=1))
    if context.town.settings.metrics.listen:
        # Only here: what Prometheus is told with takes some megabytes of a process.
        from tinytown_workers.serve import metrics

        metrics.offer(Context(context.town, context.url, retries=1))
    renewal.watch(context.town)
    queues = [contract.QUEUE_CONTROL]
    node = worker.node_name("control", context.town.machine)
    worker.serve(context.app, node, queues, concurrency=2, on_ready=lambda _: sender.begin(), on_stop=sender.end)


def _forge(context: Context) -> None:
    from tinytown.engine.watch.due import Looker

    duties: Any = importlib.import_module(worker.DUTIES)
    duties.register(context.app, context, queue=contract.QUEUE_FORGE)
    looker = Looker(context)
    looker.begin()
    try:
        _serve_one(context, contract.QUEUE_FORGE, FORGE_ROLE, contract.QUEUE_FORGE)
    finally:
        looker.end()


def _move_in(context: Context, agent: str) -> bool:
    """Whether this is the process of a single agent, as towns had them: it then moves into that of its role."""
    process = seats.label(agent)
    folder = os.environ.pop(contract.ENV_CLI_FOLDER, "")
    if os.environ.get(process_specs.ENV_PROCESS) != process_specs.mark(context.town, process):
        sources.find_cli(folder)
        return False
    record = context.crew.agent(agent).record
    logging.getLogger(__name__).info("%s moves into the process of its role, %s", agent, record.role)
    seats.move_in(context.town, agent, record.role, cli_folder=folder)
    return True


def _serve_role(context: Context, role: str) -> None:
    process = seats.process_name(role)
    log.to_stderr(agents=context.town.logs)
    path = process_specs.specs_folder(context.town) / f"{process}.json"
    _attempts(context, process, role, contract.role_queue(role), sources.of_file(path), alone=False)


def _serve_one(context: Context, name: str, role: str, queue: str) -> None:
    _attempts(context, name, role, queue, sources.fixed(name), alone=role not in TOWN_ROLES)


def _attempts(context: Context, name: str, role: str, queue: str, source: sources.Source, *, alone: bool) -> None:
    from tinytown_workers.pipeline import Attempts

    tracing.begin(name)
    slots = Slots(queue)
    crew = roster.Roster(context, slots, source, role=role, alone=alone)
    with Attempts(context, slots, last_run=crew.last_run) as runs:
        tasks.register_attempts(context.app, runs, name=name, serves=lambda: (crew.queues, crew.names))

        def begin(consumption: worker.Consumption) -> None:
            runs.begin(consumption)
            crew.begin(consumption)

        def stop() -> None:
            crew.leave()
            runs.stop()

        supervised = os.environ.get(process_specs.ENV_PROCESS) == process_specs.mark(context.town, name)
        hand_over = functools.partial(crew.hand_over, name) if name == seats.process_name(role) and supervised else None
        renewal.watch(context.town, runs.idle, crew.step_out, hand_over)
        # Who speaks to the forge also looks there, while it writes.
        further = int(role == FORGE_ROLE)
        worker.serve(
            context.app,
            worker.node_name(role, context.town.machine),
            [queue],
            concurrency=lambda: slots.capacity + further,
            on_ready=begin,
            on_stop=stop,
        )
    crew.leave()


if __name__ == "__main__":
    sys.exit(main())
