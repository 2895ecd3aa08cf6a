"""Whether containers work here as a sandbox: one is tried, once a process. And what is left of them after a crash."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tinytown import contract
from tinytown.errors import ConfigurationError
from tinytown.settings import SandboxSettings
from tinytown.town import Town
from tinytown_workers.container import carrier, engine
from tinytown_workers.container.engine import EngineError
from tinytown_workers.limits.quota import Limits
from tinytown_workers.sandbox import contained, seccomp
from tinytown_workers.sandbox.bubblewrap import Sandbox
from tinytown_workers.sandbox.identity import Identity

log = logging.getLogger(__name__)

#: How long the trial may take, in seconds.
TRIAL_SECS = 60.0
#: Limits that are tried: an engine that cannot keep these keeps none.
_TRIED = Limits(memory=256 << 20, processes=64)
#: Whether they are in force; some engines only warn that they are not.
_KEPT = f"""cd /sys/fs/cgroup || exit 3
cat pids.max pids/pids.max 2>/dev/null | grep -qx {_TRIED.processes} || exit 3
cat memory.max memory/memory.limit_in_bytes 2>/dev/null | grep -qx {_TRIED.memory} || exit 3
"""
_NOT_KEPT = 3
#: What was tried in this process, and worked.
_worked: set[Sandbox] = set()


def detect(settings: SandboxSettings, whom: Identity | None) -> Sandbox:
    """The sandbox of containers that the settings ask for; ``whom`` is the user that programs run as.

    Raises:
        ConfigurationError: it does not work here.
    """
    if whom is None and os.geteuid() == 0:
        raise ConfigurationError(
            "containers of root's need a user of their own for agents, and there is none here",
            remedy="name a user in `[sandbox] uid`",
        )
    try:
        found = engine.find(settings.engine)
    except EngineError as error:
        raise ConfigurationError(
            f'`[sandbox] kind = "container"`, but {error}',
            remedy='install podman, or set `kind = "auto"` under [sandbox]',
        ) from None
    rules = seccomp.program(ptrace=settings.ptrace)
    wanted = Sandbox("container", identity=whom, filter=rules, ptrace=settings.ptrace, engine=found)
    failure = attempt(wanted)
    if failure and not attempt(less := replace(wanted, keeps_limits=False, less=failure)):
        return less
    if failure:
        raise ConfigurationError(
            f'`[sandbox] kind = "container"`, but {failure}',
            remedy=f'see that `{found.name} run` works for this user, or set `kind = "auto"` under [sandbox]',
        )
    return wanted


def attempt(sandbox: Sandbox) -> str:
    """Why such containers cannot be used; empty if they can, which is tried once a process."""
    if sandbox in _worked:
        return ""
    failure = _attempt(sandbox)
    if not failure:
        _worked.add(sandbox)
    return failure


def forget() -> None:
    """Try again at the next occasion: a container did not start that should have, so something has changed."""
    _worked.clear()
    engine.forget()


def _attempt(sandbox: Sandbox) -> str:
    if sys.platform != "linux":
        return "containers need Linux here: elsewhere they run in a machine of their own, which has no files of ours"
    with tempfile.TemporaryDirectory(prefix="tt-trial-") as scratch:
        clone, home, tmp, programs = (Path(scratch, name) for name in ("clone", "home", "tmp", "bin"))
        for folder in (clone, home, tmp, programs):
            folder.mkdir()
        env = {"PATH": f"{programs}:{os.defpath}", "HOME": "/home/agent", "TINYTOWN_TOWN": scratch}
        try:
            tried = replace(sandbox, limits=_TRIED)
            argv = ["sh", "-c", _KEPT] if sandbox.keeps_limits else ["true"]
            command = tried.wrap(argv, env=env, clone=clone, home=home, tmp=tmp, shared_network=False)
            done = command.run(env, timeout=TRIAL_SECS)
        except ConfigurationError as error:
            return error.message
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"containers do not work here: {error}"
    if done.returncode == 0:
        return ""
    if done.returncode == _NOT_KEPT:
        return "the engine does not keep them for this user"
    said = done.stderr.strip().splitlines()
    return said[-1].removeprefix("tinytown: ") if said else f"a container ended with exit code {done.returncode}"


def sweep(town: Town) -> int:
    """Remove the town's containers on this machine whose run is over, after a crash; gives how many there were."""
    if town.settings.sandbox.kind != "container":
        return 0
    gone = []
    try:
        found = engine.find(town.settings.sandbox.engine)
        for name, run, stands in found.left_over(contained.town_label({contract.ENV_TOWN: str(town.root)})):
            pid, _, born = stands.partition(":")
            if not (pid.isdecimal() and carrier.born(int(pid)) == born):
                log.info("a container of %s is left: it is removed", run, extra={"container": name})
                gone.append(name)
    except EngineError as error:
        log.warning("containers that are left cannot be looked for: %s", error)
        return 0
    for name in gone:
        found.remove(name)
    return len(gone)
