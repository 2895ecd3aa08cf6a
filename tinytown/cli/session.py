"""How a command reaches its town."""

from __future__ import annotations

import click

from tinytown.engine import town as towns
from tinytown.engine.context import Context
from tinytown.errors import UnreachableError
from tinytown.state import server
from tinytown.town import Town, open_town


def reach(town: Town | None = None) -> Context:
    """The running town; fails fast where it is stopped, or its database does not answer."""
    found = town or open_town()
    if found.settings.redis.url is None and server.server_process(found) is None:
        raise UnreachableError(f"{found.name} is not running", remedy="run `tt start`")
    return Context(found, server.server_url(found), retries=1)


def reach_started() -> Context:
    """The town, with what it lacks started and said."""
    town = open_town()
    for name in towns.ensure_running(town):
        click.echo(f"started {name}", err=True)
    return reach(town)


def glance() -> Context:
    """The town as it is: nothing is started, and its database may not answer."""
    town = open_town()
    return Context(town, server.server_url(town), retries=0)
