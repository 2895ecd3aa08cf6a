"""The machine: Python, git, the sandbox, the disks."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tinytown import programs, set_aside, tracing
from tinytown.engine.doctor.findings import Finding
from tinytown.git import repository
from tinytown.host import confinement
from tinytown.host.room import Room
from tinytown.town import Town

#: Less free space than this is worth a warning: a clone and its build may take it.
DISK_WARNING = 1024**3
#: With less than this, work is bound to fail.
DISK_FAILURE = 64 * 1024**2


def python() -> Iterator[Finding]:
    """The interpreter that runs this."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", f"{version} at {sys.executable}")


def traces() -> Iterator[Finding]:
    """Whether traces can be sent, where the environment says where to."""
    if found := tracing.missing(os.environ):
        yield Finding("traces", "warn", *found)
    elif tracing.wanted(os.environ):
        yield Finding("traces", "ok", "sent by OpenTelemetry, as the variables `OTEL_…` say")


def path() -> Iterator[Finding]:
    """Where tinytown looks for its own programs."""
    left_out = programs.dropped()
    own = {str(Path(sys.executable).parent), sysconfig.get_path("scripts")}
    told = [f"{place or '(an empty entry)'} ({why})" for place, why in left_out.items() if place not in own]
    if any(not Path(place).is_absolute() for place in left_out):
        remedy = "remove what is relative from your PATH: a file of a repository could be run as any command"
        yield Finding("path", "warn", f"tinytown runs no program of its own from {'; '.join(told)}", remedy)
    elif told:
        yield Finding("path", "ok", f"tinytown runs no program of its own from {'; '.join(told)}")


def git_program() -> Iterator[Finding]:
    """It must merge without a work tree."""
    found = repository.version()
    repository.require_merge_tree()
    yield Finding("git", "ok", ".".join(map(str, found)))


def sandbox(town: Town | None) -> Iterator[Finding]:
    """Whether agents are kept from the rest of the machine."""
    weak = confinement.weaknesses(town)
    for one in weak:
        yield Finding("sandbox", "warn", one.said, one.remedy)
    if not weak:
        contained = town is not None and town.settings.sandbox.kind == "container"
        yield Finding("sandbox", "ok", "containers work" if contained else "bubblewrap works")


def disks(town: Town) -> Iterator[Finding]:
    """Free space for the town's files, its server's data and the clones; each disk is listed once."""
    seen, room = set(), Room(town)
    own = [town.data] if town.settings.redis.url is None else []
    for folder in (town.state, *own, town.folder, town.runtime.parent):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        device = place.stat().st_dev
        free = shutil.disk_usage(place).free
        missing = room.missing_at(folder, town.settings.limits.disk_free) if folder in (town.data, town.state) else ""
        detail = f"{free / 1024**3:.1f} GiB free at {place}"
        if not os.access(place, os.W_OK):
            yield Finding("disk", "fail", f"{place} is not writable", "check its permissions")
        elif device in seen:
            continue
        elif free < DISK_FAILURE:
            yield Finding("disk", "fail", detail, "free some space: what waits for it continues by itself")
        elif missing:
            remedy = "free some space, or lower `limits.disk_free`: what waits for it continues by itself"
            yield Finding("disk", "fail", f"nothing is begun: {missing}", remedy)
        elif free < DISK_WARNING and place != town.runtime.parent:
            yield Finding("disk", "warn", detail, "free some space")
        else:
            yield Finding("disk", "ok", detail)
        seen.add(device)


def left(town: Town) -> Iterator[Finding]:
    """Work folders that could not be cleaned up; no finding if there are none."""
    for one in set_aside.entries(town.work):
        yield Finding("left", "warn", f"{one.place}: {one.why}", "fetch what you need of it, then remove it by hand")
