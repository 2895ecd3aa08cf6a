"""How a command reaches its town."""

from __future__ import annotations

import logging

import click

from tinytown.cli.render import safe
from tinytown.engine import hubs
from tinytown.engine.conductor import notices
from tinytown.engine.context import Context
from tinytown.engine.running import open_running
from tinytown.host import confinement, place, server, visit
from tinytown.host import lifecycle as towns
from tinytown.town import Town, open_town

log = logging.getLogger(__name__)


def here(town: Town | None = None) -> Town:
    """The town, proven not to be a copy of one that still exists; prints a note if it was moved."""
    found = town or open_town()
    log.debug("the town %s at %s", found.id, found.root)
    if moved := place.settle(found):
        click.echo(f"note: {safe(moved)}", err=True)
    return found


def reach(town: Town | None = None) -> Context:
    """The running town; fails at once if it is stopped, or its database does not answer or is not the town's."""
    context = open_running(town or here(), by="operator")
    log.debug("its server at %s", server.public_url(context.url))
    return context


def open_to_read(town: Town | None = None) -> Context:
    """The town, to read from it. If it is stopped, only its server runs, and only as long as this command."""
    found = town or here()
    if visit.is_stopped(found):
        if server.server_process(found) is None:
            click.echo(
                f"note: {safe(found.name)} is stopped; its database runs only for this command; `tt start` starts it",
                err=True,
            )
        click.get_current_context().with_resource(visit.visit(found))
    return reach(found)


def reach_started() -> Context:
    """The town; whatever of it does not run yet is started, and named on stderr."""
    town = here()
    if started := towns.ensure_running(town):
        for name in started:
            click.echo(f"started {name}", err=True)
        say_weaknesses(town)
    accept_notify(town)
    return reach(town)


def say_weaknesses(town: Town) -> None:
    """Print what agents could do that they should not be able to, with the remedies."""
    for one in confinement.known(town):
        click.echo(f"warning: {safe(one.said)}; {safe(one.remedy)}", err=True)
    if town.settings.hub.url and (why := hubs.greet(Context(town, server.server_url(town), retries=0))) is not None:
        click.echo(f"warning: {safe(why.message)}; {safe(why.remedy)}", err=True)


def accept_notify(town: Town) -> None:
    """Allow the command of ``[notify]`` to run, and print it if it is another one than before."""
    if notices.accept(town):
        command = " ".join(town.settings.notify.command)
        click.echo(f"note: notifications go to `{safe(command)}` ([notify] command)", err=True)


def open_as_is() -> Context:
    """The town as it is: nothing is started, and its database may not answer."""
    town = here()
    return Context(town, server.server_url(town), retries=0, by="operator")
