"""``tt start --foreground``: stay with the town, for a service manager or a container that wants one process.

What the town's processes log goes to stdout. SIGTERM and SIGINT stop the town as ``tt stop`` does.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

import click

from tinytown.cli.render import safe
from tinytown.town import Town

#: Seconds between two looks at the logs.
_PAUSE = 0.3
#: Seconds without a supervisor after which the town is started anew; before, its own processes bring one back.
_LOST_SECS = 20.0


class Attendance:
    """What is seen of the town from the foreground; made before it is started, so that nothing is missed."""

    def __init__(self, town: Town) -> None:
        from tinytown.engine.views.items import Growth

        self._town = town
        self._over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._grown = Growth(town.logs)
        for _ in self._grown.named_news():
            continue  # It was logged in an earlier life.

    @property
    def is_supervised(self) -> bool:
        """Whether somebody keeps the town's processes alive."""
        from tinytown.host import process_specs

        return process_specs.supervisor(self._town) is not None

    def stay(self) -> None:
        """Print the logs until a signal comes, then stop the town; or until it is stopped by somebody else."""
        from tinytown.host import lifecycle as towns
        from tinytown.host import process_specs

        lost = 0.0
        while not self._over.wait(_PAUSE):
            self._say_logs()
            if not process_specs.wanted(self._town):
                click.echo("the town was stopped", err=True)
                return
            lost = 0.0 if self.is_supervised else lost + _PAUSE
            if lost > _LOST_SECS:
                click.echo("the supervisor is gone and did not come back: starting the town anew", err=True)
                towns.start(self._town)
                lost = 0.0
        towns.stop(self._town, self._say_end)
        self._say_logs()

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._over.set()

    def _say_end(self, said: str) -> None:
        self._say_logs()
        click.echo(said, err=True)

    def _say_logs(self) -> None:
        for path, text in self._grown.named_news():
            for line in text.splitlines():
                click.echo(f"{path.stem} │ {safe(line, lines=True)}")


def run_one(town: Town, name: str) -> None:
    """Become one of the town's own processes; its log goes to stderr, and a signal ends it as it would there."""
    from tinytown.host import lifecycle as towns
    from tinytown.host.process_specs import working_folder

    argv, env = towns.foreground(town, name)
    os.chdir(working_folder(town))
    os.execve(argv[0], argv, env | {"PYTHONSAFEPATH": "1"})  # noqa: S606 - its own argv, without a shell
