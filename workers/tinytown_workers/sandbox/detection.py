"""Which sandbox this machine lets us have."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

from tinytown.errors import ConfigurationError
from tinytown_workers.sandbox import view
from tinytown_workers.sandbox.bubblewrap import ISOLATION, Sandbox

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
    argv = [program, *ISOLATION, *view.system(), "--", "true"]
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
