"""``tt metrics``: the town in numbers, for Prometheus and for scripts."""

from __future__ import annotations

import json

import click

from tinytown.cli import quick


@click.command(
    epilog="""\b
    Examples:
      tt metrics
      tt metrics | grep wanted_workers
      tt metrics --json | jq '.[].name'
    """
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def metrics(as_json: bool) -> None:
    """Show the town in numbers, in the text format of Prometheus.

    Gauges say what is now. Counters count what the history still holds. `[metrics] listen` has the control process
    offer the same to Prometheus, at `/metrics`.
    """
    found, _ = quick.see("metrics")
    click.echo(json.dumps(found["metrics"]) if as_json else found["text"], nl=as_json)
