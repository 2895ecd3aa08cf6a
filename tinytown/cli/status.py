"""``tt status``: the town at a glance."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tinytown.cli.render import ago, icon, plural, safe


@click.command()
@click.option("--deep", is_flag=True, help="Include the town's processes.")
@click.option("--json", "as_json", is_flag=True, help="Print the town as JSON.")
def status(deep: bool, as_json: bool) -> None:
    """Show the town: its server, processes, agents and missions."""
    from tinytown.cli.mail import show_questions
    from tinytown.cli.session import here, open_to_read
    from tinytown.commands import agents, missions, operator
    from tinytown.engine.conductor import questions
    from tinytown.engine.views.mailbox import question_json
    from tinytown.host import confinement
    from tinytown.host import lifecycle as towns

    town = here()
    processes = towns.processes(town)
    context = open_to_read(town)
    now = context.store.now()
    crew = agents.list_all(operator(context), agents.Everybody())
    asked = questions.open_questions(context)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "name": town.name,
                    "id": town.id,
                    "root": str(town.root),
                    "processes": [asdict(p) for p in processes],
                    "agents": agents.list_all.shape(crew),
                    "missions": missions.list_all.shape(
                        list(reversed(missions.list_all(operator(context), missions.Which())))
                    ),
                    "questions": [question_json(q) for q in asked],
                    "sandbox": {"weak": [asdict(one) for one in confinement.known(town)]},
                },
                default=str,
            )
        )
        return
    up = [p for p in processes if p.state == "running"]
    click.echo(f"🏘️  {safe(town.name)} at {town.root}")
    click.echo(f"   {len(up)} of {len(processes)} processes up" + ("" if deep else "; `--deep` lists them"))
    if deep:
        for process in processes:
            words = f"{process.state}, pid {process.pid}" if process.pid else process.state
            again = f", restarted {plural(process.restarts, 'time')}" if process.restarts else ""
            click.echo(
                f"   {icon('done' if process.state == 'running' else 'stopped')} {process.name:<20} {words}{again}"
            )
    for one in confinement.known(town):
        click.echo(f"⚠️  {safe(one.said)}; {safe(one.remedy)}")
    click.echo(f"🤖 Agents: {len(crew)}")
    for view in crew:
        doing = f": {view.purpose} {view.item} for {ago(now - view.since)}" if view.since else ""
        click.echo(f"   {icon(view.state)} {view.name} ({view.role}, {view.cli}) {view.state}{doing}")
    active = list(reversed(missions.summaries(operator(context), missions.Which())))
    click.echo(f"🚀 Missions: {len(active)} active")
    for mission in active:
        counts = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in mission.counts.items())
        click.echo(
            f"   {icon(mission.mission.state.value)} {mission.mission.short} {mission.mission.state.value}: {counts}"
        )
    show_questions(asked, now)
