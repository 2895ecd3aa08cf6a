"""Which sandbox this machine lets us have."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

from tinytown import programs
from tinytown.errors import ConfigurationError
from tinytown.settings import SandboxSettings
from tinytown.town import Town
from tinytown_workers.limits.quota import Limits
from tinytown_workers.network import netns
from tinytown_workers.sandbox import containers, identity, seccomp
from tinytown_workers.sandbox.bubblewrap import Sandbox

#: How long the trial may take, in seconds.
TRIAL_SECS = 10.0


def of_town(town: Town) -> Sandbox:
    """The sandbox that a town's settings ask for, as far as this machine can have it.

    Raises:
        ConfigurationError: one is demanded that does not work here.
    """
    wanted = town.settings.sandbox
    limits = Limits(memory=wanted.memory, processes=wanted.processes, open_files=wanted.open_files)
    found = replace(detect_for(wanted, town.place), limits=limits)
    return replace(found, shares_network=_shares_network(wanted, found)) if found.kind != "none" else found


def _shares_network(settings: SandboxSettings, found: Sandbox) -> str:
    """Why agents share the machine's network; empty if they have one of their own."""
    if settings.egress == "open":
        return "`[sandbox] egress`"
    failure = try_network(found)
    if failure and settings.required:
        raise ConfigurationError(
            f"`[sandbox] required = true`, but agents would share this machine's network: {failure}",
            remedy='set `egress = "open"` under [sandbox] if they may',
        )
    return failure


def detect(kind: str) -> Sandbox:
    """The sandbox for ``[sandbox] kind`` alone: ``auto``, ``bwrap``, ``container`` or ``none``.

    Raises:
        ConfigurationError: ``bwrap`` or ``container`` is demanded and does not work here.
    """
    return detect_for(SandboxSettings.model_validate({"kind": kind}), "")


def detect_for(settings: SandboxSettings, town: str) -> Sandbox:
    """See ``of_town``; each thing is tried once in a process."""
    if settings.kind == "none":
        return Sandbox("none", "switched off by `[sandbox] kind`")
    whom = identity.of_town(town, uid=settings.uid)
    if settings.required and whom is None and os.geteuid() == 0:
        raise ConfigurationError(
            "`[sandbox] required = true`, but agents would run as root", remedy="name a user in `[sandbox] uid`"
        )
    if settings.kind == "container":
        return containers.detect(settings, whom)
    wanted = Sandbox("bwrap", identity=whom, filter=seccomp.program(ptrace=settings.ptrace), ptrace=settings.ptrace)
    failure = try_bwrap(wanted)
    if not failure:
        return wanted
    for less in _less_than(wanted, failure) if not settings.required else ():
        if not try_bwrap(less):
            return less
    if settings.kind == "bwrap" or settings.required:
        key = "required = true" if settings.required else 'kind = "bwrap"'
        raise ConfigurationError(
            f"`[sandbox] {key}`, but {failure}", remedy='install bubblewrap, or set `kind = "auto"` without `required`'
        )
    return Sandbox("none", failure)


def _less_than(wanted: Sandbox, why: str) -> Iterator[Sandbox]:
    """Weaker sandboxes that a container may still allow, which are better than none."""
    if programs.find("bwrap") is not None:
        yield replace(wanted, filter=b"", less=why)
        if wanted.identity is not None:
            yield replace(wanted, identity=None, less=why)
            yield replace(wanted, identity=None, filter=b"", less=why)


@functools.cache
def try_bwrap(sandbox: Sandbox) -> str:
    """Why bubblewrap cannot be used; empty if it can."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if programs.find("bwrap") is None:
        return "bubblewrap isn't installed"
    if sandbox.identity is not None and not identity.may_become():
        return "`setpriv` of util-linux isn't installed"
    try:
        done = sandbox.trial().run({"PATH": os.defpath}, timeout=TRIAL_SECS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}"
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return f"bubblewrap does not work here: {said[-1] if said else f'exit code {done.returncode}'}"
    return ""


@functools.cache
def try_network(sandbox: Sandbox | None = None) -> str:
    """Why a sandbox can have no network of its own, where there is a sandbox; empty if it can. Tried once a process."""
    if sandbox is not None and sandbox.kind == "container":
        return ""  # It was tried when it was found.
    command = (sandbox or detect("auto")).trial(shared_network=False)
    # A process of its own, with one thread: only such a one may go into another user namespace.
    helper = [sys.executable, "-I", "-S", netns.__file__]
    try:
        done = replace(command, argv=[*helper, *command.argv]).run({"PATH": os.defpath}, timeout=2 * TRIAL_SECS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return done.stdout.strip()
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"
