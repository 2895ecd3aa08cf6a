"""What the sessions of an item's attempts used so far, so that a resumed one is charged for what it did itself.

The figures lie beside an attempt's logs. If its worker died, they are read from the logs themselves.
"""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from tinytown import files
from tinytown.agents import meter
from tinytown.agents.driver import Driver, Output, Result
from tinytown.agents.meter import Reading
from tinytown.engine.dispatch.costs import Spent
from tinytown.errors import TinytownError
from tinytown_workers.run.run_spec import read_log

log = logging.getLogger(__name__)

#: File among an attempt's logs that says what the session of its CLI used so far, this attempt included.
USED_FILE = "used.json"
#: What an agent's run leaves in the folder of its logs.
LOGS = ("stdout.log", "stderr.log")


def before(logs: Path, session: str | None, driver: Driver) -> Reading | None:
    """What ``session`` had used before the attempt with these logs; ``None`` if it is new, or nobody knows."""
    if session is None or not logs.name.isdigit():
        return None
    found: list[Result] = []
    for number in range(int(logs.name) - 1, 0, -1):
        folder = logs.with_name(str(number))
        with contextlib.suppress(TinytownError):
            value = files.read_json(folder / USED_FILE)
            if value is not None:
                if (known := meter.loaded(value, session)) is not None:
                    return _on_top(known, found)
                continue
        # Its worker died, or it ran with a release without this file. Checks have logs, too, but no brief.
        if (folder / "brief.md").exists() and (result := last_result(folder, driver)).session == session:
            found.append(result)
    return _on_top(None, found)


def _on_top(known: Reading | None, found: list[Result]) -> Reading | None:
    for result in reversed(found):
        known = (known or Reading()) + meter.of_run(result, known)
    return known


def charge(logs: Path, result: Result, so_far: Reading | None) -> Spent:
    """What a run that has ended used itself; the figures of its session are kept for the next run."""
    used = meter.of_run(result, so_far)
    if result.session is not None and used:
        reading = meter.dumped(result.session, so_far + used if so_far else used)
        try:
            files.write_atomically(logs / USED_FILE, json.dumps(reading))
        except (TinytownError, OSError) as error:
            # The next run reads it from the logs.
            log.warning("what session %s used is not kept: %s", result.session, error)
    return Spent(used.cost_usd, used.tokens)


def last_result(logs: Path, driver: Driver) -> Result:
    """What the logs of an attempt say that its last run came to."""
    stdout, stderr = (read_log(logs / name) for name in LOGS)
    return driver.result(Output(None, stdout, stderr))
