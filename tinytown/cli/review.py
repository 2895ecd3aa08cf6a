"""``tt review``: a reviewer's verdict, given from inside its run and bound to the commit it was shown."""

from __future__ import annotations

import click

from tinytown.cli import inside
from tinytown.errors import StateError


@click.group()
def review() -> None:
    """Give the verdict of this review (only inside a reviewer's run)."""


@review.command(
    short_help="Approve the change under review.",
    epilog="""\b
    Examples:
      tt review approve
    """,
)
def approve() -> None:
    """Approve the change under review.

    It counts from the reviewer's CLI alone. Have programs of the change run by `tt review run`: one that the CLI starts
    itself could take the place of this command.
    """
    _give("review.approve")
    click.echo("Approved.")


@review.command(
    "request-changes",
    short_help="Request changes, and say WHY.",
    epilog="""\b
    Examples:
      tt review request-changes "the new endpoint has no test"
    """,
)
@click.argument("why")
def request_changes(why: str) -> None:
    """Request changes; WHY goes into the next brief of the author. It stands, whatever approves besides."""
    _give("review.request_changes", why=why)
    click.echo("Changes requested.")


@review.command(
    short_help="Have COMMAND run in a clean clone of the commit.",
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
    Examples:
      tt review run -- make test
    """,
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Have COMMAND run in a clean clone of the commit under review, away from the reviewer and as a check is.

    No shell reads it. What it prints and its exit code are what it leaves.
    """
    _require_review()
    done = inside.call("review.run", inside.WITHOUT_END, argv=list(command))
    click.echo(done["stdout"], nl=False)
    click.echo(done["stderr"], nl=False, err=True)
    if done["why"]:
        click.echo(f"tt: {done['why']}", err=True)
    click.get_current_context().exit(done["code"])


def _give(verdict: str, **args: str) -> None:
    _require_review()
    inside.call(verdict, **args)


def _require_review() -> None:
    if not inside.inside():
        raise StateError(
            "a verdict can only be given from inside a review",
            remedy='to steer a mission use `tt mission note "…"`',
        )
