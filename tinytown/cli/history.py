"""``tt history`` and ``tt events``: what happened, from where to where, why, and who did it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from tinytown.cli import columns, quick
from tinytown.cli.render import safe

_AGENT = click.option("-a", "--agent", default="", metavar="AGENT", help="Only those that an agent has a part in.")
_MISSION = click.option("--mission", default="", metavar="RUN", help="Only those of a mission.")


@click.command(
    epilog="""\b
    Examples:
      tt history
      tt history -n 100 --agent backend
      tt history --json | jq -r '.[] | select(.to == "failed") | .item'
    """
)
@click.option("-n", "--limit", default=30, type=click.IntRange(min=1), help="Newest events to show (default: 30).")
@_AGENT
@_MISSION
@click.option("--json", "as_json", is_flag=True, help="Print the events as a JSON array.")
def history(limit: int, agent: str, mission: str, as_json: bool) -> None:
    """Show the newest events: what moved, from where to where, why, and who did it. The newest comes last."""
    found, _ = quick.see("history", limit=limit, agent=agent, mission=mission)
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in found:
        click.echo(told(line))
    if not found:
        click.echo("No events yet.")


@click.command(
    epilog="""\b
    Examples:
      tt events -c 5
      tt events --mission 0a1b2c3d -f
      tt events -f --json | jq -r 'select(.to == "failed") | .item'
    """
)
@click.option("-c", "--count", default=20, type=click.IntRange(min=0), help="Newest events to show (default: 20).")
@_AGENT
@_MISSION
@click.option("-f", "--follow", is_flag=True, help="Go on with those that come, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as a JSON array; with -f one object a line.")
def events(count: int, agent: str, mission: str, follow: bool, as_json: bool) -> None:
    """Show events with their kinds, the oldest first; `-f` goes on with those that come."""
    if follow:
        _follow(count, agent, mission, as_json=as_json)
        return
    found = quick.see("history", limit=count, agent=agent, mission=mission)[0] if count else []
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in found:
        click.echo(told(line, kind=True))
    if count and not found:
        click.echo("No events yet.")


def _follow(count: int, agent: str, mission: str, *, as_json: bool) -> None:
    from tinytown.cli.follow import answered
    from tinytown.cli.session import reach
    from tinytown.engine.views import history as past
    from tinytown.state import lookup

    context = reach()
    of = context.store.find_mission(mission) if mission else None
    only = past.named(context, agent)
    newest = lookup.events_before(context.store, of, count=1)
    position = newest[0][0] if newest else "-"
    lines = past.newest(context, count, agent=agent, mission=mission) if count else []
    # What came meanwhile is what comes next.
    lines = [line for line in lines if _is_within(line.id, position)]
    while True:
        for line in lines:
            shown = past.line_json(line)
            click.echo(json.dumps(shown) if as_json else told(shown, kind=True))
        sys.stdout.flush()
        look = partial(past.after, context, position, agent=only, mission=mission, block=1.0)
        position, lines = answered(look)


def _is_within(position: str, end: str) -> bool:
    """Whether a position of a stream is not behind another one; ``-`` is before all of them."""
    if end == "-":
        return False
    here, there = ([int(part) for part in place.split("-")] for place in (position, end))
    return here <= there


def told(line: Mapping[str, Any], *, kind: bool = False) -> str:
    """An event as one line."""
    step = f"{line['from'] or 'new'} → {line['to']}" if line["to"] else ""
    text = safe(line["text"])
    if line["to"] and text.startswith(line["to"]):
        text = text.removeprefix(line["to"]).removeprefix(": ")  # The step says so already.
    words = ": ".join(part for part in (step, text) if part)
    who = f", by {safe(line['by'])}" if line["by"] and line["by"] != "town" and line["by"] not in text else ""
    about = _about(line)
    named = f"[{line['kind']}] " if kind else ""
    return f"{columns.moment(line['at'])}  {named}{about + '  ' if about else ''}{words or safe(line['kind'])}{who}"


def _about(line: Mapping[str, Any]) -> str:
    mission = line["mission"][:8]
    if line["item"]:
        key = safe(line["item"])
        return f"{mission} #{key.rpartition('#')[2]}" if "#" in key else f"{mission} {key}"
    return f"mission {mission}" if mission else safe(line["agent"])
