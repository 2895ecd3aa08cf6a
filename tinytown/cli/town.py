"""``tt init|start|stop|doctor``: the town itself."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tinytown.cli.options import chosen_folder
from tinytown.cli.render import plural, safe
from tinytown.errors import EXIT_FAILED, UnreachableError


@click.command(
    epilog="""\b
    Examples:
      tt init
      tt init --name shop
    """
)
@click.option("-n", "--name", metavar="TEXT", help="Name of the town (default: the folder's name).")
@click.option("--no-start", is_flag=True, help="Only set it up; `tt start` starts it. For containers and services.")
@click.option("--json", "as_json", is_flag=True, help="Print the town as JSON.")
def init(name: str | None, no_start: bool, as_json: bool) -> None:
    """Set up a town in this git repository, and start it.

    Writes tinytown.toml, for you to edit and commit, and .tt/, which git ignores.
    """
    from tinytown.cli.session import say_weaknesses
    from tinytown.host import init as initialising
    from tinytown.host import lifecycle as towns

    done = initialising.init(chosen_folder(), name=name)
    town = done.town
    if as_json:
        if not done.existed and not no_start:
            _say_started(towns.start(town))
        made = {"name": town.name, "id": town.id, "root": str(town.root), "created": list(done.created)}
        click.echo(json.dumps(made))
        if not no_start:
            say_weaknesses(town)
        return
    if done.existed:
        click.echo(f"{safe(town.name)} is already a town: nothing was changed")
        return
    forge = town.settings.forge
    click.echo(f"🏘️  Town {safe(town.name)} in {safe(str(town.root))}")
    click.echo(f"   {forge.kind} forge, repository {safe(str(forge.repo))}, base {safe(str(forge.base))}")
    click.echo(f"   created {', '.join(done.created)}")
    for remark in done.remarks:
        click.echo(f"note: {safe(remark)}", err=True)
    if no_start:
        click.echo("   next: `tt start` starts it", err=True)
        return
    _say_started(towns.start(town))
    say_weaknesses(town)
    click.echo("   next: `tt spawn NAME --cli CLI` starts an agent; `tt doctor` says what is missing", err=True)


@click.command(
    epilog="""\b
    Examples:
      tt start
      tt start --no-agents
      tt start --foreground
    """
)
@click.option(
    "--no-agents",
    is_flag=True,
    help="Do not start agents, nor the unattended conductor; the next `tt start` starts them.",
)
@click.option(
    "--foreground",
    is_flag=True,
    help="Stay, and print what the town logs; SIGTERM or an interrupt stops the town. For containers and services.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["beat", "checks", "forge"]),
    help="With --foreground: leave this process to somebody who runs it with --only.",
)
@click.option(
    "--only",
    type=click.Choice(["beat", "checks", "control", "forge"]),
    help="Be this one process of the town, and no more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was started as JSON.")
def start(no_agents: bool, foreground: bool, without: tuple[str, ...], only: str | None, as_json: bool) -> None:
    """Start whatever is not running: the server, control, checks, beat and agents."""
    from tinytown.cli.session import accept_notify, here, say_weaknesses
    from tinytown.host import elsewhere
    from tinytown.host import lifecycle as towns

    _check_start(foreground=foreground, without=without, only=only, no_agents=no_agents, as_json=as_json)
    town = here()
    if only is not None:
        from tinytown.cli.foreground import run_one

        run_one(town, only)
    attendance = None
    if foreground:
        from tinytown.cli.foreground import Attendance

        elsewhere.leave(town, without)
        attendance = Attendance(town)
    try:
        started = towns.start(town, agents=not no_agents, new_token=True)
    except UnreachableError as error:
        if attendance is None or not attendance.is_supervised:
            raise
        # The supervisor goes on trying, which is quicker on a busy machine than to begin again.
        click.echo(f"error: {safe(str(error))}", err=True)
        attendance.stay()
        return
    accept_notify(town)
    if as_json:
        click.echo(json.dumps({"name": town.name, "started": started, "held": len(towns.held_agents(town))}))
        say_weaknesses(town)
        return
    _say_started(started)
    held = len(towns.held_agents(town))
    lacking = [f"its {plural(held, 'agent')}"] if held else []
    lacking += ["the unattended conductor"] if towns.holds_conductor(town) else []
    more = f", without {' and '.join(lacking)}: `tt start` starts them" if lacking else ""
    click.echo(f"{safe(town.name)} is running{'' if started else ' already'}{more}")
    say_weaknesses(town)
    if attendance is not None:
        attendance.stay()


def _check_start(
    *, foreground: bool, without: tuple[str, ...], only: str | None, no_agents: bool, as_json: bool
) -> None:
    """Raise ``UsageError`` for options of `tt start` that say different things."""
    if without and not foreground:
        raise click.UsageError("--without needs --foreground")
    if foreground and as_json:
        raise click.UsageError("--foreground prints logs, so --json does not go with it")
    if only is not None and (foreground or no_agents or as_json):
        raise click.UsageError("--only goes with no other option")


@click.command(
    epilog="""\b
    Examples:
      tt stop
      tt -t ~/shop stop
    """
)
@click.option("--json", "as_json", is_flag=True, help="Print whether anything was running as JSON.")
def stop(as_json: bool) -> None:
    """Stop everything the town runs; the next `tt start` brings its agents back."""
    from tinytown.cli.session import here
    from tinytown.host import lifecycle as towns
    from tinytown.town import open_to_stop

    town = here(open_to_stop())
    going_on = towns.other_hosts(town)
    stopped = towns.stop(town, lambda said: click.echo(said, err=True))
    if going_on:
        click.echo(f"note: the agents on {', '.join(going_on)} go on; `tt stop` there stops them", err=True)
    said = f"{safe(town.name)} is {'stopped' if stopped else 'not running'}"
    click.echo(json.dumps({"name": town.name, "stopped": bool(stopped)}) if as_json else said)


@click.command(
    epilog="""\b
    Examples:
      tt doctor
      tt doctor --sandbox claude
    """
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the findings as a JSON array: name, status, detail, remedy, host."
)
@click.option(
    "--quarantine",
    is_flag=True,
    help="Move aside, unchanged, messages that crash workers and missions with damaged records.",
)
@click.option("--here", is_flag=True, help="Check this host alone, and ask no other host of the town.")
@click.option("--sandbox", "cli", metavar="CLI", help="List what an agent of this CLI can read, write and reach.")
@click.pass_context
def doctor(context: click.Context, as_json: bool, quarantine: bool, here: bool, cli: str | None) -> None:
    """Check this machine and the town, and suggest a fix for each problem. Changes nothing.

    The other hosts of the town are asked, too, and what they find names them. Exit code 1 if anything fails; warnings
    do not count. --quarantine moves malformed messages and unreadable missions aside, unchanged, and does nothing else;
    without it they are only reported. --sandbox checks nothing: it lists what an agent CLI finds in the sandbox; with
    --json as one object.
    """
    if cli is not None:
        _say_inside(cli, as_json=as_json)
        return
    from tinytown.engine.doctor import examine

    signs = {"ok": "✅", "warn": "⚠️ ", "fail": "❌"}
    findings = []
    for finding in examine(quarantine=quarantine, alone=here or quarantine):
        findings.append(finding)
        if not as_json:
            where = f"{safe(finding.host)}: " if finding.host else ""
            click.echo(f"{signs[finding.status]} {where}{finding.name}: {safe(finding.detail)}")
            if finding.remedy and finding.status != "ok":
                click.echo(f"   {safe(finding.remedy)}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.status == "fail" for finding in findings):
        context.exit(EXIT_FAILED)


def _say_inside(cli: str, *, as_json: bool) -> None:
    from tinytown.engine.doctor import inside
    from tinytown.town import open_town

    answer = inside.inside(open_town(), cli)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for line in inside.lines(answer):
        indent = "  " if line.startswith(" ") else ""
        click.echo(f"{indent}{safe(line)}")


def _say_started(names: list[str]) -> None:
    for name in names:
        click.echo(f"started {name}", err=True)
