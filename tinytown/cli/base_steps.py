"""The checks on a base, shown as a step while they run."""

from __future__ import annotations

import sys
import threading
import time

import click

from tinytown.cli.render import safe
from tinytown.engine.start.base_check import BaseVerdict

#: Lines of a failed check's log that are shown.
_LINES = 25


class BaseSteps:
    """Reports each base on stderr: a line when its checks begin, one when they end; on a terminal it counts seconds."""

    def __init__(self) -> None:
        self._began = 0.0
        self._over = threading.Event()

    def begins(self, repo: str, base: str, commit: str) -> None:
        """The checks begin to run on a base."""
        self._began = time.monotonic()
        self._over.clear()
        text = f"running the checks on {safe(base)} of {safe(repo)} ({commit[:7]}) once; --no-base-check skips this"
        click.echo(text, err=True)
        if sys.stderr.isatty():
            # A daemon: whoever interrupts the start does not wait for it.
            threading.Thread(target=self._count, daemon=True).start()

    def ended(self, verdict: BaseVerdict) -> None:
        """The checks on a base have ended."""
        self._over.set()
        took = time.monotonic() - self._began
        if verdict.passed:
            click.echo(f"the checks pass on {safe(verdict.base)} ({took:.1f} s)", err=True)
            return
        lines = verdict.details.splitlines()
        if len(lines) > _LINES:
            click.echo(f"[the last {_LINES} of {len(lines)} lines]", err=True)
        for line in lines[-_LINES:]:
            click.echo(f"  {safe(line)}", err=True)

    def _count(self) -> None:
        while not self._over.wait(1.0):
            click.echo(f"\r  {time.monotonic() - self._began:.0f} s\r", err=True, nl=False)
