"""Open a town that runs: what every way of speaking to it does first."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.errors import UnreachableError
from tinytown.host import lifecycle, place, server
from tinytown.state import serving
from tinytown.town import Town


def open_running(town: Town, *, by: str) -> Context:
    """A running town, for ``by`` to act on; nothing is started.

    Raises:
        UnreachableError: it is stopped, or its database does not answer.
        OtherServerError: that database is another town's.
    """
    lifecycle.require_server(town)
    if town.settings.redis.url is None and server.server_process(town) is None:
        raise UnreachableError(f"{town.name} is not running", remedy="run `tt start`")
    context = Context(town, server.server_url(town), retries=1, by=by)
    serving.prove(town, context.url, context.store.client)
    return context


def require_same(context: Context) -> None:
    """Prove that a town that was opened a while ago is still the one in its folder, on its server; raises as above."""
    context.refresh()
    place.require(context.town)
    lifecycle.require_server(context.town)
    serving.prove(context.town, context.url, context.store.client)
