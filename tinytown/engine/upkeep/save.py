"""Save a town into one file: its records at one moment, what its missions have in the mirrors, and its settings.

The town goes on meanwhile. The records come first: what they name was brought into the mirrors before, and nothing is
removed there that a base does not hold.
"""

from __future__ import annotations

import json
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tinytown import archive, contract, settings, settings_file
from tinytown.engine.context import Context
from tinytown.engine.upkeep import scratch
from tinytown.forge import bundles
from tinytown.missions.crew import TOWN_ROLES
from tinytown.state.snapshot import Line, Snapshots
from tinytown.town import Town

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Saved:
    """A town that was saved."""

    file: str
    #: Bytes.
    size: int
    missions: int
    items: int
    agents: int
    #: Runs that were under way: each is done again after a restore.
    running: int
    #: Settings that may hold secrets, which are not in the file.
    left_out: tuple[str, ...] = ()


def save(context: Context, file: Path, *, force: bool = False) -> Saved:
    """Write the town into ``file``, which is there only if it is whole.

    Raises:
        StateError: the file exists, and ``force`` is not given; or it cannot be written.
        UnreachableError: the database does not answer.
        DiskFullError: no room. Nothing is left behind in any of these cases.
    """
    town = context.town
    text, left_out = settings_file.without_secrets((town.root / settings.FILE_NAME).read_bytes().decode())
    counts: Counter[str] = Counter()
    with archive.Writer(file, force=force) as out:
        out.put(archive.MANIFEST, json.dumps(_manifest(context, left_out), indent=2))
        out.put(archive.SETTINGS, text)
        with Snapshots(context.url, town.prefix).taken() as lines, out.member(archive.RECORDS) as member:
            for line in _counted(lines, counts):
                member.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
        log.debug("%d items, %d missions, %d agents", counts["items"], counts["missions"], counts["agents"])
        _mirrors(town, out)
        log.debug("reading it back")
        size = out.finish()
    return Saved(
        file=str(file),
        size=size,
        missions=counts["missions"],
        items=counts["items"],
        agents=counts["agents"],
        running=counts["running"],
        left_out=tuple(left_out),
    )


def _manifest(context: Context, left_out: list[str]) -> dict[str, Any]:
    town = context.town
    return {
        "form": archive.FORM,
        "schema": contract.SCHEMA,
        "tinytown": version("tinytown"),
        "saved_at": context.store.now(),
        "host": socket.gethostname(),
        "town": {"id": town.id, "name": town.name, "root": str(town.root)},
        "left_out": left_out,
    }


def _counted(lines: Iterator[Line], counts: Counter[str]) -> Iterator[Line]:
    for line in lines:
        count(line, counts)
        yield line


def count(line: Line, counts: Counter[str]) -> None:
    """Count what people would count of a line of records."""
    key, values = str(line["key"]), line["values"]
    if key == "missions":
        counts["missions"] += len(values)
    elif key == "agents":
        ours = [f'"role":"{role}"' for role in TOWN_ROLES]
        counts["agents"] += sum(not any(one in text for one in ours) for _, text in values)
    elif key == "attempts":
        # The token of whoever claimed it stands before the first line's end.
        counts["running"] += sum(not text.startswith("\n") for _, text in values)
    elif key.startswith("mission:") and key.endswith(":items"):
        counts["items"] += len(values)


def _mirrors(town: Town, out: archive.Writer) -> None:
    with scratch.folder(town) as folder:
        for mirror in sorted(town.mirrors.glob("*.git")):
            name = mirror.stem
            log.debug("the work in %s", mirror)
            bundle = folder / f"{name}.bundle"
            if bundles.write(mirror, bundle):
                out.put_file(archive.bundle_name(name), bundle)
                bundle.unlink()
            for oid, path in bundles.lfs_contents(mirror):
                out.put_file(archive.content_name(name, oid), path)
