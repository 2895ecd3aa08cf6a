"""``tt logs``: what an agent, the attempts at an item, or the town's processes said, and say."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinytown import contract
from tinytown.cli.render import safe
from tinytown.errors import NotFoundError, TinytownError
from tinytown.town import Town

if TYPE_CHECKING:
    from tinytown.engine.context import Context

#: Seconds between two looks at what is followed.
_PAUSE = 0.3
#: Bytes of each process's log that are shown when the logs of all are.
_GLIMPSE = 2 << 10


@click.command(
    epilog="""\b
    Examples:
      tt logs
      tt logs backend -f
      tt logs 12
    """
)
@click.argument("what", metavar="[AGENT|ITEM]", required=False)
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines, until interrupted.")
def logs(what: str | None, follow: bool) -> None:
    """Show the logs of an agent, of an item's attempts, or of the town's processes.

    Without a name, show the end of every process's log. The name of a process, such as `beat`, shows its log.
    """
    from tinytown.cli.session import here

    town = here()
    if what is None:
        _town(town, follow=follow)
    elif (name := _named(town, what)) is not None:
        _process(town, what, name, follow=follow)
    else:
        _item(what, follow=follow)


def _named(town: Town, what: str) -> str | None:
    """Name of the log of an agent or of a process, if there is one; an agent's process is called after it."""
    if not contract.is_name(what):
        return None
    from tinytown.host import seats

    # An agent first: it may have the same name as a process of the town.
    names = (seats.label(what), seats.processes(town).get(what, what), what)
    return next((name for name in names if (town.logs / f"{name}.log").is_file()), None)


def _town(town: Town, *, follow: bool) -> None:
    from tinytown.engine.views.items import Growth

    paths = sorted(town.logs.glob("*.log"))
    if not paths:
        click.echo("No logs yet: `tt start` starts the town.")
        return
    width = max(len(path.stem) for path in paths)
    grown = Growth(town.logs, keep=_GLIMPSE)
    while True:
        for path, text in grown.named_news():
            for line in text.splitlines():
                click.echo(f"{path.stem:<{width}} │ {safe(line, lines=True)}")
        if not follow:
            return
        time.sleep(_PAUSE)


def _process(town: Town, agent: str, name: str, *, follow: bool) -> None:
    """Show the log `name` of a process; for an agent also what its CLI says in the present run."""
    from tinytown.engine.views.items import LOG_TAIL, Growth

    places: dict[Path, Growth] = {}
    while True:
        for place in (town.logs / f"{name}.log", *_runs(town, agent)):
            if place not in places:
                places[place] = Growth(place, keep=LOG_TAIL)
                click.echo(f"── {place.relative_to(town.logs.parent) if place.is_relative_to(town.folder) else place}")
        for grown in places.values():
            for text in grown.news():
                click.echo(safe(text, lines=True), nl=False)
        if not follow:
            return
        time.sleep(_PAUSE)


def _runs(town: Town, agent: str) -> Iterator[Path]:
    """Folder of the run that an agent is at; none if the town's records cannot be read."""
    from tinytown.attempt_paths import paths_of
    from tinytown.cli.session import reach

    try:
        live = [a for a in reach(town).store.live_attempts() if a.claimed and a.agent == agent]
    except TinytownError:
        return
    for attempt in live:
        yield paths_of(town, attempt.mission, attempt.item, attempt.number).logs


def _on_another_host(context: Context, name: str, *, follow: bool) -> None:
    """Show what is kept of the run that an agent is at, on another host."""
    from tinytown.engine.views.items import KeptGrowth

    host = context.crew.agent(name).record.host
    click.echo(f"note: {name} is on {safe(host)}: the whole of its log is there", err=True)
    places: dict[str, KeptGrowth] = {}
    while True:
        for attempt in context.store.live_attempts():
            if attempt.claimed and attempt.agent == name and attempt.id not in places:
                places[attempt.id] = KeptGrowth(context, attempt.id)
                click.echo(f"── {attempt.purpose} {safe(attempt.item)}, attempt {attempt.number}, on {safe(host)}")
        for grown in places.values():
            for text in grown.news():
                click.echo(safe(text, lines=True), nl=False)
        if not follow:
            return
        time.sleep(_PAUSE)


def _item(what: str, *, follow: bool) -> None:
    from tinytown.cli import work
    from tinytown.cli.session import open_to_read
    from tinytown.engine.dispatch import placement
    from tinytown.engine.views import items as works
    from tinytown.host import seats

    context = open_to_read()
    try:
        mission = works.mission_with(context, what)
    except NotFoundError:
        with contextlib.suppress(NotFoundError):
            name = context.crew.find(what)
            if placement.is_elsewhere(context, context.crew.agent(name).record):
                _on_another_host(context, name, follow=follow)
            else:
                _process(context.town, name, seats.label(name), follow=follow)
            return
        raise NotFoundError(
            f"`{what[:80]}` is not an agent, a process or an item of a mission",
            remedy="see `tt list` and `tt work list`",
        ) from None
    view = works.work_view(context, mission, what)
    if not follow:
        work.show_logs(view)
        return
    past = {a.number: view.folders[a.number] for a in view.attempts}
    if past:
        work.show_logs(replace(view, folders=past))
    while not view.item.state.ended:
        if view.item.attempt is not None:
            work.follow_attempt(view)
        else:
            time.sleep(_PAUSE)
        view = works.work_view(context, mission, view.item.key)
