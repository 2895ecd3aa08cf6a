"""``tt limits``: what all missions used today, what they may use, and more for today."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from tinytown.cli import quick
from tinytown.cli.dollars import Dollars
from tinytown.cli.render import ago, money, plural, safe


@click.command(
    epilog="""\b
    Examples:
      tt limits
      tt limits --usd-today 40
      tt limits --tokens-today 50000000
      tt config limits.usd_per_day 20      for every day
    """
)
@click.option("--usd-today", type=Dollars(), metavar="USD", help="Limit for today alone, instead of the settings'.")
@click.option("--tokens-today", type=click.IntRange(min=1), metavar="N", help="The same in tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print today's use and limits as JSON.")
def limits(usd_today: float | None, tokens_today: int | None, as_json: bool) -> None:
    """Show what all missions used today against the town's limits, or change today's.

    A day is the server's day, and begins at midnight UTC. A limit that is reached lets what runs go on, and begins
    nothing more that day. Limits for today end at midnight UTC; those of every day are `[limits]` in tinytown.toml.
    """
    if usd_today is None and tokens_today is None:
        found, now = quick.see("limits")
    else:
        from tinytown.cli.session import reach_started
        from tinytown.commands import limits as commands
        from tinytown.commands import operator

        context = reach_started()
        found = dict(commands.set_today(operator(context), commands.ForToday(usd_today, tokens_today)))
        now = context.store.now()
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in lines(found, now):
        click.echo(line)


def lines(found: Mapping[str, Any], now: float) -> Iterator[str]:
    """All of it, for people."""
    left = ago(found["ends_at"] - now)
    yield f"💰 Today ({found['day']}, UTC; {left} left): {used(found)}, {plural(found['runs'], 'run')}"
    if found["usd_limit"] is None and found["tokens_limit"] is None:
        yield "   no limit a day: set one with `tt config limits.usd_per_day USD`"
    elif found["raised"]:
        yield "   these limits are for today alone"
    if found["reached"]:
        yield f"   🛑 {safe(found['reached'])}: nothing more begins today; `{safe(found['answer'])}` raises it"
    if found["untold_runs"]:
        who = ", ".join(map(safe, found["silent_clis"])) or "their CLIs"
        yield f"   {plural(found['untold_runs'], 'run')} told no cost in dollars ({who}): only tokens limit these"
    if (rate := found["starts_per_minute"]) is not None:
        yield f"⏱️  Starts: {rate:g} in a minute at the most"


def used(found: Mapping[str, Any]) -> str:
    """``$1.20 of $20.00, 3,400 of 5,000 tokens``."""
    cap, most = found["usd_limit"], found["tokens_limit"]
    dollars = money(found["spent_usd"]) + (f" of {money(cap)}" if cap is not None else "")
    tokens = f"{found['spent_tokens']:,}" + (f" of {most:,}" if most is not None else "")
    return f"{dollars}, {tokens} tokens"


def limited(found: Mapping[str, Any]) -> bool:
    """Whether there is a limit a day."""
    return found["usd_limit"] is not None or found["tokens_limit"] is not None
