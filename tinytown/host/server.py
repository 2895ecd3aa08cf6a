"""The town's own server: found, started, watched over and stopped.

``REDIS_URL`` or ``[redis] url`` wins: then nothing is started or stopped here. Otherwise the town runs a
Valkey (or Redis >= 7) of its own on a unix socket, with an append-only file under ``.tt/data``.

Three things would lose data in silence and are refused instead: two servers on one folder (a lock around
"answers already, else start"), an older engine on newer data (``engine.json`` beside the data), and a
database that is empty though the town was in use (the ``epoch`` key).
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import redis

from tinytown import files, processes
from tinytown.errors import StateError, UnreachableError
from tinytown.host import access, server_record
from tinytown.host.server_answer import connect, wait_for_answer
from tinytown.host.server_binary import OLDEST, choose, engine_of, write_engine
from tinytown.host.server_record import public_url, server_process, server_url
from tinytown.state import serving
from tinytown.state.epoch import ForeignDatabaseError, lost, prove_epoch
from tinytown.town import Town, read_identity

__all__ = [
    "STOP_SECS", "Server", "ensure_server", "persistence", "public_url", "running_server", "server_process",
    "server_url", "stop_server",
]  # fmt: skip

#: Names of processes that are servers.
_PROGRAMS = frozenset({"valkey-server", "redis-server"})
#: Seconds that a new server may take to answer, apart from loading its data.
START_SECS = 15.0
#: Seconds that a server may take to end cleanly.
STOP_SECS = 15.0


@dataclass(frozen=True)
class Server:
    """A server that answers. ``pid`` is ``None`` for one that isn't ours."""

    url: str
    pid: int | None
    created: float | None
    engine: str
    version: str
    #: Its ``run_id``: another one after each restart.
    run: str = ""
    #: It was started by this very call.
    started: bool = False


def ensure_server(town: Town) -> Server:
    """The town's server, started if it doesn't run; safe to call from many processes at once.

    Raises:
        UnreachableError: it doesn't answer or start, or its database isn't this town's.
        StateError: no program for it is installed, or only one too old for the data.
    """
    with _locked(town):
        server = None
        try:
            server = _external(town) if town.settings.redis.url else _running(town) or _start(town)
            prove_epoch(town, server.url)
        except UnreachableError as error:
            if server is not None and server.started:
                _stop(town)
            if isinstance(error, ForeignDatabaseError) and serving.elsewhere(town):
                raise serving.other(town) from None
            raise
        serving.note(town, server.run)
    return server


def stop_server(town: Town) -> bool:
    """Stop the town's own server, its data safe on disk; says whether there was one to stop."""
    if town.settings.redis.url or not town.folder.is_dir():
        return False
    with _locked(town):
        return _stop(town)


def running_server(town: Town) -> Server:
    """The server that answers now; nothing is started.

    Raises:
        UnreachableError: none does.
    """
    if town.settings.redis.url:
        return _external(town)
    url = server_url(town)
    client = connect(url)
    try:
        return _server(url, dict(client.info("server")), server_process(town))
    except redis.RedisError as error:
        raise UnreachableError(f"the town's server does not answer: {error}", remedy="run `tt start`") from None
    finally:
        client.close()


def persistence(town: Town) -> list[str]:
    """What is wrong with how the server keeps its data, a sentence each; empty if it is safe."""
    client = connect(server_url(town))
    try:
        found: dict[str, str] = client.config_get("appendonly", "maxmemory-policy")  # type: ignore[assignment]
        aof = client.info("persistence")
    except redis.ResponseError:
        return []  # hosted servers often refuse CONFIG
    except redis.RedisError as error:
        raise UnreachableError(f"the town's database does not answer: {error}", remedy="run `tt start`") from None
    finally:
        client.close()
    wrong = []
    if found.get("appendonly") == "no":
        wrong.append("it keeps no append-only file, so a crash loses missions: set `appendonly yes`")
    elif aof.get("aof_last_write_status", "ok") != "ok":
        wrong.append("its last write to the append-only file failed: is the disk full?")
    if found.get("maxmemory-policy", "noeviction") != "noeviction":
        wrong.append("it deletes keys when its memory is full: set `maxmemory-policy noeviction`")
    return wrong


def _locked(town: Town) -> contextlib.AbstractContextManager[None]:
    # Longer than any start or stop takes; beside the data, so that the town's every process finds the same one.
    return files.locked(town.folder / "server.lock", timeout=60, what="starting or stopping the town's server")


# -- finding one ---------------------------------------------------------------------------------


def _external(town: Town) -> Server:
    url = str(town.settings.redis.url)
    remedy = "check REDIS_URL and `[redis] url`, or remove them to use the town's own server"
    client = connect(url)
    try:
        info = client.info("server")
    except (redis.RedisError, OSError, ValueError) as error:
        raise UnreachableError(f"the server at {public_url(url)} does not answer: {error}", remedy=remedy) from None
    finally:
        client.close()
    engine = engine_of(info)
    if engine.version[:2] < OLDEST:
        raise UnreachableError(f"the server at {public_url(url)} is {engine}, too old", remedy="use version 7 or newer")
    if not town.settings.redis.insecure:
        access.require_password(url, public_url(url))
    return _server(url, dict(info))


def _running(town: Town) -> Server | None:
    """The server that runs already; one that can't be spoken to any more is stopped."""
    record, patience = server_record.read(town), 2.0
    if record is not None and processes.alive(*record.identity):
        # A socket that was deleted comes back only if the server is just starting.
        patience = START_SECS if record.socket.exists() else patience
    elif (record := _unrecorded(town)) is not None:
        patience = START_SECS
    url = f"unix://{record.socket}" if record else f"unix://{town.runtime / 'redis.sock'}"
    try:
        info = wait_for_answer(url, record.identity if record else None, patience)
    except redis.TimeoutError:
        raise UnreachableError(
            "the town's server does not answer", remedy="run `tt doctor`, or `tt stop` and `tt start`"
        ) from None
    except redis.ConnectionError:
        if record is not None:
            # Alive without a socket: something deleted that. The server saves its data when it is told to end.
            processes.stop(*record.identity, STOP_SECS)
        return None
    identity = record.identity if record else _adopt(town, url, info)
    return _server(url, info, identity)


def _unrecorded(town: Town) -> server_record.Record | None:
    """A server that works on our data, though whoever started it died before it could say so: it may not answer yet."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            # One that it forked to write its data leads no session.
            leads = process.name() in _PROGRAMS and os.getsid(process.pid) == process.pid
            if leads and Path(process.cwd()).samefile(town.data):
                created = processes.start_time(process.pid)
                identity = processes.Identity(process.pid, created or 0.0)
                server_record.write(town, identity, town.runtime / "redis.sock")
                return server_record.Record(identity, town.runtime / "redis.sock")
    return None


def _adopt(town: Town, url: str, info: dict[str, Any]) -> processes.Identity:
    """A server that answers and is on no record is ours if it works on our data."""
    client = connect(url)
    try:
        folder = client.config_get("dir").get("dir")
    except redis.RedisError:
        folder = None
    finally:
        client.close()
    created = processes.start_time(int(info["process_id"]))
    if created is None or folder is None or not town.data.is_dir() or not Path(folder).samefile(town.data):
        raise UnreachableError(
            f"a server that isn't this town's answers at {url}", remedy="stop it, or set XDG_RUNTIME_DIR elsewhere"
        )
    identity = processes.Identity(int(info["process_id"]), created)
    server_record.write(town, identity, Path(url.removeprefix("unix://")))
    return identity


# -- starting and stopping -----------------------------------------------------------------------


def _start(town: Town) -> Server:
    identity = read_identity(town.root)
    if identity.initialised and not (town.data / "appendonlydir").is_dir():
        raise lost()
    for folder in (town.data, town.logs, town.run):
        files.private_folder(folder)
    engine = choose(town.data)
    socket = files.private_folder(town.runtime) / "redis.sock"
    log = town.logs / "server.log"
    length = log.stat().st_size if log.exists() else 0
    # Written before the first byte of data, so that after a crash it is never older than the data.
    write_engine(town.data, engine)
    process = processes.start_detached(
        [str(engine.path), *_flags(town, socket)], cwd=town.data, env=processes.environment(), log=log
    )
    server_record.write(town, process, socket)
    url = f"unix://{socket}"
    try:
        info = wait_for_answer(url, process, START_SECS)
    except redis.RedisError:
        processes.stop(*process, STOP_SECS)
        server_record.forget(town, socket)
        raise UnreachableError(
            f"the town's server did not start{_last_words(log, length)}", remedy=f"see {log}"
        ) from None
    return replace(_server(url, info, process), started=True)


def _flags(town: Town, socket: Path) -> list[str]:
    flags = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(town.data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [word for name, value in flags.items() for word in (f"--{name}", value)]


def _stop(town: Town) -> bool:
    record = server_record.read(town)
    url = server_url(town)
    identity = record.identity if record and processes.alive(*record.identity) else None
    if identity is None:
        try:
            identity = _adopt(town, url, wait_for_answer(url, None, 1.0))
        except (redis.RedisError, UnreachableError):
            server_record.forget(town, record.socket if record else None)
            return False
    client = connect(url)
    try:
        client.shutdown()
    except redis.RedisError:
        pass  # it is told by signal below
    finally:
        client.close()
    _wait_for_end(identity)
    if not processes.stop(*identity, STOP_SECS):
        raise StateError(f"the town's server (pid {identity.pid}) does not stop", remedy="check that process")
    server_record.forget(town, Path(url.removeprefix("unix://")))
    return True


def _wait_for_end(identity: processes.Identity) -> None:
    deadline = time.monotonic() + STOP_SECS
    while processes.alive(*identity) and time.monotonic() < deadline:
        time.sleep(0.01)


def _last_words(log: Path, since: int) -> str:
    """Why it ended, from what the log says since ``since``."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    # "123:M 21 Nov 2025 02:30:00.000 # words": keep the words of the last warning, or of the last line.
    words = [re.sub(r"^\d+:\w .*? [#*.-] ", "", line) for line in lines if line.strip()]
    return f": {words[-1]}" if words else ""


def _server(url: str, info: dict[str, Any], identity: processes.Identity | None = None) -> Server:
    engine = engine_of(info)
    return Server(
        url=url,
        pid=identity.pid if identity else None,
        created=identity.created if identity else None,
        engine=engine.name,
        version=".".join(map(str, engine.version)),
        run=str(info.get("run_id", "")),
    )
