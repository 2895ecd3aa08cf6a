"""``tt status``: the town at a glance."""

from __future__ import annotations

import json

import click

from tinytown.cli import quick
from tinytown.cli.agents import remarks
from tinytown.cli.questions import show_questions
from tinytown.cli.render import ago, icon, plural, safe


@click.command()
@click.option("--deep", is_flag=True, help="Include the town's processes.")
@click.option("--json", "as_json", is_flag=True, help="Print the town as JSON.")
def status(deep: bool, as_json: bool) -> None:
    """Show the town: its server, processes, agents and missions."""
    view, now = quick.see("status", whole=as_json)
    if as_json:
        click.echo(json.dumps(view))
        return
    processes, crew, missions = view["processes"], view["agents"], view["missions"]
    up = [p for p in processes if p["state"] == "running"]
    click.echo(f"🏘️  {safe(view['name'])} at {view['root']}")
    click.echo(f"   {len(up)} of {len(processes)} processes up" + ("" if deep else "; `--deep` lists them"))
    for process in processes if deep else ():
        words = f"{process['state']}, pid {process['pid']}" if process["pid"] else process["state"]
        again = f", restarted {plural(process['restarts'], 'time')}" if process["restarts"] else ""
        sign = icon("done" if process["state"] == "running" else "stopped")
        click.echo(f"   {sign} {process['name']:<20} {words}{again}")
    for one in view["sandbox"]["weak"]:
        click.echo(f"⚠️  {safe(one['said'])}; {safe(one['remedy'])}")
    click.echo(f"🤖 Agents: {len(crew)}")
    for agent in crew:
        since = agent["since"]
        doing = f": {agent['purpose']} {agent['item']} for {ago(now - since)}" if since else ""
        who = f"{agent['name']} ({safe(agent['label'])}, {safe(agent['cli'])})"
        more = "".join(f"; {remark}" for remark in remarks(agent))
        click.echo(f"   {icon(agent['state'])} {who} {agent['state']}{doing}{more}")
    click.echo(f"🚀 Missions: {len(missions)} active")
    for mission in missions:
        counts = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in mission["counts"].items())
        click.echo(f"   {icon(mission['state'])} {mission['id'][:8]} {mission['state']}: {counts}")
    show_questions(view["questions"], now)
