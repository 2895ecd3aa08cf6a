"""``tt doctor``: look at the machine and the town, change nothing, name a remedy for each fault."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinytown import git, plugins, processes
from tinytown.engine import town as towns
from tinytown.errors import NotATownError, TinytownError
from tinytown.settings import AgentCliSettings, Settings
from tinytown.state import server
from tinytown.town import Town, open_town

#: Less free space than this is worth a warning: a clone and its build may take it.
DISK_WARNING = 1024**3
#: With less than this, work is bound to fail.
DISK_FAILURE = 64 * 1024**2
#: The kinds of separation that the sandbox of an agent needs.
SANDBOX_TRIAL = ("--unshare-all", "--share-net", "--die-with-parent", "--new-session", "--cap-drop", "ALL")


@dataclass(frozen=True)
class Finding:
    """What one check found: ``ok``, ``warn`` (it works, with less) or ``fail`` (it does not)."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""


def examine(start: Path | None = None) -> Iterator[Finding]:
    """All checks, one after the other; those about a town only where there is one."""
    yield _python()
    yield _guarded("git", _git)
    try:
        town = open_town(start)
    except TinytownError as error:
        yield Finding("town", "warn" if isinstance(error, NotATownError) else "fail", error.message, error.remedy)
        yield _sandbox("auto")
        return
    yield Finding("town", "ok", f"{town.name} at {town.root}")
    yield _guarded("server", lambda: _server(town))
    yield from _processes(town)
    yield _sandbox(town.settings.sandbox.kind)
    yield from _disks(town)
    yield from _clis(town.settings)


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except TinytownError as error:
        return Finding(name, "fail", error.message, error.remedy)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} at {sys.executable}")


def _git() -> Finding:
    found = git.version()
    git.require_merge_tree()
    return Finding("git", "ok", ".".join(map(str, found)))


def _server(town: Town) -> Finding:
    url = server.server_url(town)
    external = town.settings.redis.url is not None
    if not external and server.server_process(town) is None:
        return Finding("server", "fail", "the town's server is not running", "run `tt start`")
    found = server.look(town)
    wrong = server.persistence(town)
    detail = f"{found.engine} {found.version} at {server.public_url(url)}"
    if wrong:
        return Finding("server", "warn", f"{detail}: {'; '.join(wrong)}", "change its configuration")
    return Finding("server", "ok", f"{detail}, {'yours' if external else 'with an append-only file'}")


def _processes(town: Town) -> Iterator[Finding]:
    found = {status.name: status for status in towns.processes(town) if status.kind != "server"}
    for wish in towns.own_wishes():
        if wish.name not in found:
            yield Finding(f"process {wish.name}", "fail", "it was never started", "run `tt start`")
    for status in found.values():
        name = f"process {status.name}"
        if status.state != "running":
            last = f", last exit code {status.last_exit}" if status.last_exit is not None else ""
            remedy = "run `tt start`" if status.state == "stopped" else f"see {status.log}"
            yield Finding(name, "fail", f"{status.state}{last}", remedy)
        elif status.restarts:
            yield Finding(name, "warn", f"pid {status.pid}, restarted {status.restarts} times", f"see {status.log}")
        else:
            yield Finding(name, "ok", f"pid {status.pid}")


def _sandbox(kind: str) -> Finding:
    if kind == "none":
        return Finding("sandbox", "ok", "switched off by `[sandbox] kind`")
    failure = _try_bwrap()
    if not failure:
        return Finding("sandbox", "ok", "bubblewrap works")
    status: Literal["warn", "fail"] = "fail" if kind == "bwrap" else "warn"
    return Finding(
        "sandbox", status, f"{failure}: agents run without one", "install bubblewrap and allow user namespaces"
    )


def _try_bwrap() -> str:
    """Why bubblewrap can't be used; empty if it can."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    argv = ["bwrap", *SANDBOX_TRIAL, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "true"]
    try:
        processes.run(argv, cwd="/", env=processes.environment(), timeout=10)
    except processes.ProgramMissingError:
        return "bubblewrap is not installed"
    except TinytownError as error:
        return f"bubblewrap does not work here ({error.message})"
    return ""


def _disks(town: Town) -> Iterator[Finding]:
    seen = set()
    for folder in (town.root, town.state):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        detail = f"{free / 1024**3:.1f} GiB free at {place}"
        if not os.access(place, os.W_OK):
            yield Finding("disk", "fail", f"{place} is not writable", "check its permissions")
        elif free < DISK_WARNING:
            yield Finding("disk", "fail" if free < DISK_FAILURE else "warn", detail, "free some space")
        else:
            yield Finding("disk", "ok", detail)


def _clis(settings: Settings) -> Iterator[Finding]:
    """Every CLI that the configuration names; the built-in default is only missed, not wrong."""
    named = {role.cli for role in settings.roles.values() if role.cli} | set(settings.agent_clis)
    if "default_cli" in settings.model_fields_set:
        named.add(settings.default_cli)
    for name in sorted(named | {settings.default_cli}):
        check = f"cli {name}"
        try:
            program = str(plugins.driver(name, settings.agent_clis.get(name) or AgentCliSettings()).executable())
        except TinytownError as error:
            yield Finding(check, "fail" if name in named else "warn", error.message, error.remedy)
            continue
        found = shutil.which(program)
        if found:
            yield Finding(check, "ok", found)
        else:
            remedy = f"install it, or set `command` under [agent_clis.{name}] in tinytown.toml"
            yield Finding(check, "fail" if name in named else "warn", f"`{program}` was not found", remedy)
