"""Start the clock: ``python -m tinytown_beat``. Plain beat, a process of its own, restarted by the supervisor."""

from __future__ import annotations

import os
import sys
from typing import Any, cast

from tinytown import contract, log

# Some settings are read while Celery is imported.
contract.forget_foreign(os.environ)

from tinytown import lean_imports

lean_imports.load()

from tinytown.app import create_app
from tinytown.errors import TinytownError
from tinytown.host import renewal, server, watchdog
from tinytown.town import open_town
from tinytown_beat.schedule import beat_schedule


def main() -> int:
    """The process; gives its exit code."""
    log.to_stderr()
    try:
        town = open_town()
        watchdog.watch_over(town)
        renewal.watch(town)
        app = create_app(server.server_url(town), town.prefix)
        app.conf.beat_schedule = beat_schedule(town.settings)
        folder = town.run / "beat"
        folder.mkdir(parents=True, exist_ok=True)
        beat = cast(Any, app).Beat(schedule=str(folder / "schedule"), loglevel="INFO", quiet=True)
        beat.run()
    except TinytownError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
