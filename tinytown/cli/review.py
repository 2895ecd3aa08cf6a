"""``tt review``: a reviewer's verdict, given from inside its run and bound to the commit it was shown."""

from __future__ import annotations

import click

from tinytown.cli import inside
from tinytown.errors import StateError


@click.group()
def review() -> None:
    """Give the verdict of this review (only inside a reviewer's run)."""


@review.command()
def approve() -> None:
    """Approve the change under review."""
    _give("review.approve")
    click.echo("Approved.")


@review.command("request-changes", short_help="Request changes, and say WHY.")
@click.argument("why")
def request_changes(why: str) -> None:
    """Request changes; WHY goes into the next brief of the author."""
    _give("review.request_changes", why=why)
    click.echo("Changes requested.")


def _give(verdict: str, **args: str) -> None:
    if not inside.inside():
        raise StateError(
            "a verdict can only be given from inside a review",
            remedy='to steer a mission use `tt mission note "…"`',
        )
    inside.call(verdict, **args)
