"""The tasks of a town in numbers, as ``tt status`` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tinytown.cli import columns
from tinytown.cli.render import safe

#: Rows of a table; the rarest are left out.
_ROWS = 30


def show_tasks(tasks: Mapping[str, Any], *, everything: bool) -> None:
    """How many tasks are in each state; with ``everything`` also by where they come from, by tag, and whose they are.

    A town that never had a task is not told of them, unless somebody asks.
    """
    if not tasks["total"]:
        if everything:
            click.echo("📋 Tasks: none; give one with `tt assign`, or bring a plan with `tt sync push`")
        return
    hint = "" if everything else "; `--tasks` shows them by tag and agent"
    click.echo(f"📋 Tasks: {tasks['total']}: {_counts(tasks['states'])}{hint}")
    if not everything:
        return
    for name, counts in (("the plan", tasks["plan"]), ("by hand", tasks["by_hand"])):
        if counts:
            click.echo(f"   {name}: {_counts(counts)}")
    _table("TAG", tasks["tags"], tasks["states"])
    _table("AGENT OR ROLE", tasks["whose"], tasks["states"])
    click.echo("   `tt task list --tag TAG`, `--state STATE` or `--agent AGENT` lists them")


def _table(title: str, rows: Mapping[str, Mapping[str, int]], states: Mapping[str, int]) -> None:
    if not rows:
        return
    most = sorted(rows, key=lambda name: (-sum(rows[name].values()), name))[:_ROWS]
    lines = [(safe(name), *(str(rows[name].get(state, "-")) for state in states), "") for name in most]
    click.echo()
    columns.show((title, *(_word(state) for state in states), ""), lines)
    if len(rows) > _ROWS:
        click.echo(f"… and {len(rows) - _ROWS} more; `--json` has all of them")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_word(state)}" for state, count in counts.items())


def _word(state: str) -> str:
    return state.replace("_", " ")
