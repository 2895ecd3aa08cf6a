"""``tt status``: the town at a glance."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import click

from tinytown.cli import limits, quick
from tinytown.cli.agents import remarks, several_hosts
from tinytown.cli.history import told
from tinytown.cli.questions import show_questions
from tinytown.cli.render import ago, icon, mail_counts, plural, safe
from tinytown.cli.task_counts import show_tasks

#: Events that `--deep` shows.
_RECENT = 8


@click.command(
    epilog="""\b
    Examples:
      tt status
      tt status --deep
      tt status --tasks
      tt status --json | jq -r '.agents[].name'
    """
)
@click.option("--deep", is_flag=True, help="Include the processes, the agents' runs, and what happened last.")
@click.option("--tasks", is_flag=True, help="Include how many tasks there are, by state, by tag and by agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the town as JSON.")
def status(deep: bool, tasks: bool, as_json: bool) -> None:
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
    several = several_hosts(crew)
    for agent in crew:
        since = agent["since"]
        doing = f": {agent['purpose']} {agent['item']} for {ago(now - since)}" if since else ""
        where = f", on {safe(agent['host'])}" if several and agent["host"] else ""
        who = f"{agent['name']} ({safe(agent['label'])}, {safe(agent['cli'])}{where})"
        mail = f", {mail_counts(agent['pending'], 'pending')}" if any(agent["pending"].values()) else ""
        if deep:
            mail += f", {plural(agent['rounds'], 'run')}, here for {ago(now - agent['spawned_at'])}"
            mail += _elsewhere(agent["worker"], view["host"], {process["pid"] for process in processes})
        more = mail + "".join(f"; {remark}" for remark in remarks(agent))
        click.echo(f"   {icon(agent['state'])} {who} {agent['state']}{doing}{more}")
    click.echo(f"🚀 Missions: {len(missions)} active")
    for mission in missions:
        counts = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in mission["counts"].items())
        click.echo(
            f"   {icon(mission['state'])} {mission['id'][:8]} {mission['state']}: {counts or safe(mission['reason'])}"
        )
    today = view["limits"]
    if limits.limited(today) or today["spent_usd"]:
        click.echo(f"💰 Today: {limits.used(today)}" + ("; nothing more begins" if today["reached"] else ""))
    show_tasks(view["tasks"], everything=tasks)
    if sum(view["inbox"].values()) > len(view["questions"]):
        click.echo(f"📬 conductor: {mail_counts(view['inbox'], 'new')}; `tt inbox` shows them")
    _show_backlog(view["backlog"])
    show_questions(view["questions"], now)
    if deep:
        _show_recent()


def _show_recent() -> None:
    lines, _ = quick.see("history", limit=_RECENT)
    if lines:
        click.echo("📜 Last:")
    for line in lines:
        click.echo(f"   {told(line)}")


def _show_backlog(backlog: Mapping[str, Any]) -> None:
    """How much is in it, and why that waits."""
    if not backlog["entries"]:
        return
    click.echo(f"📋 Backlog: {plural(backlog['entries'], 'task')}; `tt backlog list` lists them")
    for line in backlog["waiting"]:
        click.echo(f"   {line['entries']} for {safe(line['role']) or 'anybody'}: {safe(line['waits'])}")


def _elsewhere(worker: str, here: str, pids: Collection[int]) -> str:
    """Which process serves an agent, if none of the town's does: one in a terminal, or on another machine."""
    machine, _, pid = worker.rpartition("/")
    if not worker or (machine == here and int(pid) in pids):
        return ""
    where = "in a terminal" if machine == here else f"on {safe(machine)}"
    return f", {where}, pid {pid}"
