"""Which sandbox this machine lets us have."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

from tinytown.errors import ConfigurationError
from tinytown_workers import netns
from tinytown_workers.sandbox import view
from tinytown_workers.sandbox.bubblewrap import ISOLATION, SHARED_NETWORK, Sandbox

#: How long the trial may take, in seconds.
TRIAL_SECS = 10.0


def detect(kind: str) -> Sandbox:
    """The sandbox for ``[sandbox] kind``: ``auto``, ``bwrap`` or ``none``. Tries it once a process.

    Raises:
        ConfigurationError: ``bwrap`` is demanded and does not work here.
    """
    if kind == "none":
        return Sandbox("none", "switched off by `[sandbox] kind`")
    failure = try_bwrap()
    if not failure:
        return Sandbox("bwrap")
    if kind == "bwrap":
        raise ConfigurationError(
            f'`[sandbox] kind = "bwrap"`, but {failure}', remedy='install bubblewrap, or set `kind = "auto"`'
        )
    return Sandbox("none", failure)


@functools.cache
def try_bwrap() -> str:
    """Why bubblewrap cannot be used; empty if it can."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap isn't installed"
    argv = [program, *ISOLATION, *SHARED_NETWORK, *view.system(), "--", "true"]
    try:
        done = subprocess.run(
            argv,
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}"
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"bubblewrap does not work here: {said[-1] if said else f'exit code {done.returncode}'}"
    return ""


@functools.cache
def try_network() -> str:
    """Why a sandbox can have no network of its own, where there is a sandbox; empty if it can. Tried once a process."""
    argv = [shutil.which("bwrap") or "bwrap", *ISOLATION, *view.system(), "--", "true"]
    try:
        done = subprocess.run(
            # A process of its own, with one thread: only such a one may go into another user namespace.
            [sys.executable, "-I", "-S", netns.__file__, *argv],
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=2 * TRIAL_SECS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return done.stdout.strip()
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"
