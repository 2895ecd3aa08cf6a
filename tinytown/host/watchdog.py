"""A supervisor that was killed is brought back by the processes it left at work.

Control, checks and beat look for it every two seconds. One that finds the town without a supervisor starts a new one.
The lock lets a single supervisor stay; one that comes after `tt stop` sees that the town shall not run, and ends.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping

from tinytown import contract, files, processes
from tinytown.errors import TinytownError
from tinytown.host import process_specs
from tinytown.host.process_logs import rotate
from tinytown.host.process_specs import working_folder
from tinytown.host.supervisor import LOCK, MODULE
from tinytown.town import Town

log = logging.getLogger(__name__)

#: Seconds between two checks.
PAUSE = 2.0
#: Longest pause after a new supervisor that did not stay.
PAUSE_MOST = 30.0
#: Seconds that a new supervisor may take to come up.
START_SECS = 10.0


def watch_over(town: Town) -> None:
    """Look after the supervisor for as long as this process lives, if one started it."""
    if os.environ.get(process_specs.ENV_PROCESS, "").startswith(process_specs.mark(town, "")):
        # The environment as it is now: the process adds to it later.
        arguments = (town, dict(os.environ))
        threading.Thread(target=_watch, args=arguments, name="revival", daemon=True).start()


def start_supervisor(town: Town, environ: Mapping[str, str], *, again: bool = False) -> processes.Identity:
    """Start a supervisor; ``again``: only for a town that is still wanted when it comes up."""
    path = town.logs / "supervisor.log"
    rotate(path)
    # With the variables of an agent's run, every process of the town would take itself for that run.
    kept = contract.for_processes(environ)
    kept.pop(process_specs.ENV_PROCESS, None)
    env = {**kept, contract.ENV_TOWN: str(town.root), "PYTHONSAFEPATH": "1"}
    argv = [sys.executable, "-m", MODULE, *(["--again"] if again else [])]
    return processes.start_detached(argv, cwd=working_folder(town), env=env, log=path)


def _watch(town: Town, environ: Mapping[str, str]) -> None:
    pause = PAUSE
    while True:
        time.sleep(pause)
        try:
            lost = _is_lost(town)
            if lost and _leaves_it_to_another(town, environ):
                time.sleep(2 * PAUSE)
            if lost and not _revive(town, environ):
                pause = min(2 * pause, PAUSE_MOST)
                continue
        except (TinytownError, OSError) as error:
            log.warning("the supervisor cannot be looked after: %s", error)
            lost = True
        pause = min(2 * pause, PAUSE_MOST) if lost else PAUSE


def _leaves_it_to_another(town: Town, environ: Mapping[str, str]) -> bool:
    """Whether the process that speaks to the forge goes first: a supervisor that it starts has the token again."""
    if not town.settings.forge.remote or not contract.ENV_TOKENS.isdisjoint(environ):
        return False
    forge = process_specs.read_states(town).get("forge")
    return forge is not None and forge.alive


def _is_lost(town: Town) -> bool:
    return process_specs.wanted(town) and process_specs.supervisor(town) is None


def _revive(town: Town, environ: Mapping[str, str]) -> bool:
    """Start a new one, unless another process does so or one lives without a record; returns whether one is there."""
    turn = files.try_lock(town.run / "revival.lock")
    if turn is None:
        return True
    try:
        held = files.try_lock(town.run / LOCK)
        if held is None or not _is_lost(town):
            return True
        os.close(held)
        log.warning("the supervisor is gone: starting another one")
        identity = start_supervisor(town, environ, again=True)
        deadline = time.monotonic() + START_SECS
        while process_specs.supervisor(town) is None:
            if time.monotonic() >= deadline or not processes.alive(*identity):
                return process_specs.supervisor(town) is not None
            time.sleep(0.05)
        return True
    finally:
        os.close(turn)
