"""All checks, in the order in which their findings are printed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tinytown.engine.context import Context
from tinytown.engine.doctor import clis, database, hub, machine, network, queues, repository, running
from tinytown.engine.doctor.findings import Check, Finding, Status, carry_out
from tinytown.engine.doctor.hosts import OtherHosts
from tinytown.errors import NotATownError, TinytownError
from tinytown.host import place, server
from tinytown.town import Town, open_town


def examine(start: Path | None = None, *, quarantine: bool = False, alone: bool = False) -> Iterator[Finding]:
    """All checks; those about a town only where there is one.

    ``alone``: only what is about this host; otherwise the town's other hosts are asked, too.

    With ``quarantine``, messages that crash workers and missions whose records are damaged are moved aside.
    """
    general = [
        Check("python", machine.python),
        Check("path", machine.path),
        Check("git", machine.git_program),
        Check("traces", machine.traces),
    ]
    try:
        town = open_town(start)
        place.require(town)
    except TinytownError as error:
        status: Status = "warn" if isinstance(error, NotATownError) else "fail"
        yield from carry_out(general)
        yield Finding("town", status, error.message, error.remedy)
        yield from carry_out([Check("sandbox", partial(machine.sandbox, None))])
        return
    if quarantine:
        yield from carry_out([Check("quarantine", partial(_quarantine, town))])
    context = _context(town)
    others = OtherHosts(context) if context is not None and not alone and _may_have_others(town) else None
    yield from carry_out(
        [
            *general,
            Check("town", lambda: [Finding("town", "ok", f"{town.name} at {town.root}")]),
            Check("server", partial(database.server_of, town)),
            Check("processes", partial(running.processes_of, town)),
            *(_of_the_town(context) if context is not None and not (alone and not quarantine) else ()),
            Check("sandbox", partial(machine.sandbox, town)),
            Check("network", partial(network.network, town)),
            Check("disk", partial(machine.disks, town)),
            Check("left", partial(machine.left, town)),
            *([Check("forge", partial(repository.forge, town))] if town.home else []),
            *([Check("hub", partial(hub.hub, town))] if town.settings.hub.url else []),
            *([Check("locks", partial(repository.locks, town))] if town.home else []),
            *clis.checks(town),
        ]
    )
    if others is not None:
        yield from others.findings()


def _may_have_others(town: Town) -> bool:
    """Whether other hosts could have joined."""
    return not town.home or town.settings.redis.url is not None


def _of_the_town(context: Context) -> Iterator[Check]:
    """What is on record, and the workers on all hosts; left out if the database cannot be read."""
    answers = running.WorkerAnswers(context)
    yield Check("records", partial(database.records, context))
    yield Check("clock", partial(running.clock, context))
    yield Check("workers", partial(running.workers, context, answers))
    yield Check("notify", partial(running.notify, context))
    yield Check("conductor", partial(running.conductor, context))
    yield Check("messages", partial(queues.messages, context, answers))


def _context(town: Town) -> Context | None:
    if town.settings.redis.url is None and server.server_process(town) is None:
        return None
    return Context(town, server.server_url(town), retries=0) if database.is_this_towns(town) else None


def _quarantine(town: Town) -> list[Finding]:
    context = Context(town, server.running_server(town).url, retries=0)
    return [*queues.quarantine(context), *database.quarantine(context)]
