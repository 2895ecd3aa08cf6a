"""A new token for the process that speaks to a remote forge; nobody else is disturbed.

It is given to that process by the environment of the supervisor, which has that of whoever started it. So where the
environment has another token now, the supervisor is replaced as after a crash: the next one adopts what runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tinytown import files, processes
from tinytown.errors import UnreachableError
from tinytown.host import process_specs
from tinytown.host.process_specs import ProcessState
from tinytown.host.watchdog import start_supervisor
from tinytown.town import Town

#: The process that has the token.
_FORGE = "forge"
#: Seconds within which each process must have ended, or have come.
_SECS = 30.0


def renew(town: Town, environ: Mapping[str, str]) -> bool:
    """Have the forge's process begin anew if it works with another token than the one that there is by now.

    A shell without a token changes nothing.

    Raises:
        UnreachableError: it does not come up again.
    """
    forge = process_specs.read_states(town).get(_FORGE)
    if not town.settings.forge.remote or forge is None or not forge.alive:
        return False
    other = _other_in_environment(town, forge, environ)
    if not other and not _other_in_file(town, forge):
        return False
    if other:
        _replace_supervisor(town, environ)
    _signal(forge.pid, signal.SIGTERM)
    _wait(lambda: _came_after(town, forge), town, _FORGE)
    return True


def _other_in_environment(town: Town, forge: ProcessState, environ: Mapping[str, str]) -> bool:
    return process_specs.fingerprint(town, environ) not in ("", forge.tokens)


def _other_in_file(town: Town, forge: ProcessState) -> bool:
    """Whether the file that is configured was written since the process began."""
    name = town.settings.forge.github.token_file
    try:
        return bool(name) and Path(name or "").expanduser().stat().st_mtime > forge.started_at
    except OSError:
        return False


def _replace_supervisor(town: Town, environ: Mapping[str, str]) -> None:
    """Start another one, with this environment."""
    deadline = time.monotonic() + _SECS
    # Nobody else brings one back meanwhile, who would have the old token.
    while (turn := files.try_lock(town.run / "revival.lock")) is None:
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
    try:
        if (old := process_specs.supervisor(town)) is None:
            return
        # It must not take along what runs.
        _signal(old.pid, signal.SIGKILL)
        _wait(lambda: not processes.alive(*old), town, "supervisor")
        process_specs.write_supervisor(town, start_supervisor(town, environ))
    finally:
        os.close(turn)


def _came_after(town: Town, old: ProcessState) -> bool:
    now = process_specs.read_states(town).get(_FORGE)
    return now is not None and now.alive and (now.pid, now.created) != (old.pid, old.created)


def _signal(pid: int | None, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if pid is not None:
            os.kill(pid, number)


def _wait(done: Callable[[], bool], town: Town, name: str) -> None:
    deadline = time.monotonic() + _SECS
    while not done():
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"the town's process `{name}` did not begin anew",
                remedy=f"see {town.logs / name}.log, then run `tt start`",
            )
        time.sleep(0.05)
