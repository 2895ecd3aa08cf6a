"""The record of a town's own server: which process it is and where its socket lies.

Whoever only wants to know whether it lives needs no client of it, which takes megabytes of a process.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tinytown import files, processes
from tinytown.town import Town


def server_url(town: Town) -> str:
    """Where the town's server is, or will be."""
    if town.settings.redis.url:
        return town.settings.redis.url
    record = files.read_json(path_of(town)) or {}
    return f"unix://{record.get('socket') or town.runtime / 'redis.sock'}"


def public_url(url: str) -> str:
    """The address without user and password, for people."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def server_process(town: Town) -> processes.Identity | None:
    """The town's own server judged by its process and its socket, without asking it."""
    record = None if town.settings.redis.url else read(town)
    if record is None or not record.socket.exists() or not processes.alive(*record.identity):
        return None
    return record.identity


@dataclass(frozen=True)
class Record:
    identity: processes.Identity
    socket: Path


def path_of(town: Town) -> Path:
    """The file of the record."""
    return town.run / "server.json"


def read(town: Town) -> Record | None:
    """What is on record; ``None`` where nothing is, or nothing that can be read."""
    values = files.read_json(path_of(town))
    if values is None:
        return None
    try:
        identity = processes.Identity(int(values["pid"]), float(values["created"]))
        return Record(identity, Path(values["socket"]))
    except (KeyError, TypeError, ValueError):
        return None


def write(town: Town, identity: processes.Identity, socket: Path) -> None:
    """Put a server on record; see ``files.write_atomically`` for the errors."""
    files.private_folder(town.run)
    files.write_atomically(
        path_of(town), json.dumps({"pid": identity.pid, "created": identity.created, "socket": str(socket)}) + "\n"
    )


def forget(town: Town, socket: Path | None) -> None:
    """Remove the record of a server that has ended, and its socket."""
    path_of(town).unlink(missing_ok=True)
    if socket is not None:
        with contextlib.suppress(OSError):
            socket.unlink()
