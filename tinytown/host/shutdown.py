"""End the processes of a town in order, each with the time that it needs to save its work."""

from __future__ import annotations

import logging
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tinytown import processes
from tinytown.host import process_specs
from tinytown.host.process_specs import ProcessState
from tinytown.host.server_record import server_url
from tinytown.town import Town

log = logging.getLogger("tinytown.supervisor")

#: Seconds that a worker needs on top of its agent's own grace: to save the work and release the lease.
WORKER_GRACE = 5.0
#: And for each further agent that it serves: their work is saved at the same time, by the same processors.
FURTHER_GRACE = 0.5


def grace(town: Town, state: ProcessState) -> float:
    """Seconds from SIGTERM to SIGKILL."""
    if state.kind not in ("agent", "checks", "forge", "conductor"):
        return town.settings.timing.kill_grace_secs
    spec = process_specs.read_spec(process_specs.specs_folder(town) / f"{state.name.partition('.')[0]}.json")
    further = max(0, len(spec.agents) - 1) if spec is not None else 0
    return town.settings.timing.kill_grace_secs + WORKER_GRACE + further * FURTHER_GRACE


def wind_down(town: Town) -> list[str]:
    """End all processes of the town in order, then its server; gives the names of those that lived.

    Only whoever holds the supervisor's lock may call it.
    """
    # The supervisor has it loaded only from here on.
    from tinytown.host.server import stop_server

    living = {state.name: state for state in process_specs.read_states(town).values() if state.alive}
    for name, identity in process_specs.marked(town):
        if name not in living:
            living[name] = ProcessState(name, "agent", "", identity.pid, identity.created)
    ended = []
    for kinds in process_specs.STOP_ORDER:
        group = [state for state in living.values() if state.kind in kinds]
        end_together(town, group)
        ended += [state.name for state in group]
    for name in process_specs.read_states(town):
        process_specs.remove_state(town, name)
    runtimes = {town.runtime}
    if not town.settings.redis.url:
        runtimes.add(Path(server_url(town).removeprefix("unix://")).parent)
    if stop_server(town):
        ended.append("server")
    for folder in runtimes:
        shutil.rmtree(folder, ignore_errors=True)
    return ended


def end_together(town: Town, group: Sequence[ProcessState]) -> None:
    """End these at the same time; whoever is not done after the longest grace among them is killed."""
    for state in group:
        processes.send_signal(state.pid or 0, state.created, signal.SIGTERM)
    deadline = time.monotonic() + max((grace(town, state) for state in group), default=0.0)
    while any(state.alive for state in group) and time.monotonic() < deadline:
        time.sleep(0.02)
    for state in group:
        if state.alive:
            log.warning("%s (pid %s) did not end in time: killed", state.name, state.pid)
        processes.stop(state.pid or 0, state.created, 0)
        log.info("ended %s (pid %s)", state.name, state.pid)
