"""The names of what is in a running town, for the shell's completion.

Standard library only, and a fraction of a second at most: somebody has just pressed a key, and importing the client
would take longer than all the rest. Only the town's own server is asked, over its socket, and only if it runs.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tinytown import contract, keys
from tinytown.missions import role_names

#: Seconds for all of it.
PATIENCE = 0.2
#: Names given at most.
MOST = 50

#: A name, and a word about what it stands for.
Named = tuple[str, str]


def missions(start: Path) -> list[Named]:
    """Missions, the newest first, each with its state."""

    def question(ask: _Asking) -> list[Named]:
        ids = [str(one) for one in ask("ZREVRANGE", "missions", "0", str(MOST - 1))]
        return [(one[:8], str(_values(ask("HGET", f"mission:{one}", "head")).get("state", ""))) for one in ids]

    return _ask(start, question)


def items(start: Path) -> list[Named]:
    """Items of the live missions by number, or by the id of the task, each with its title."""

    def question(ask: _Asking) -> list[Named]:
        texts = [text for mission in ask("SMEMBERS", "live") for text in ask("HVALS", f"mission:{mission}:items")]
        found = {keys.typed(str(one.get("key", ""))): str(one.get("title", "")) for one in map(_values, texts)}
        return sorted(found.items(), key=lambda one: (len(one[0]), one[0]))[:MOST]

    return _ask(start, question)


def agents(start: Path) -> list[Named]:
    """Agents, each with its role."""

    def question(ask: _Asking) -> list[Named]:
        found = [_values(text) for text in ask("HVALS", "agents")]
        # The town's own workers are no agents for people.
        named = [(str(one.get("name", "")), str(one.get("role", ""))) for one in found]
        return sorted(one for one in named if one[1] not in contract.QUEUES_OF_TOWN)[:MOST]

    return _ask(start, question)


def hosts(start: Path) -> list[Named]:
    """Hosts of the town, each with its machine's name."""

    def question(ask: _Asking) -> list[Named]:
        found = [_values(text) for text in ask("HVALS", "hosts")]
        return sorted((str(one.get("name", "")), str(one.get("address", ""))) for one in found)

    return _ask(start, question)


def receivers(start: Path) -> list[Named]:
    """Whom a message can be sent to."""
    return [("conductor", "also called supervisor"), *agents(start)]


def tags(start: Path) -> list[Named]:
    """Tags of the items of the live missions."""

    def question(ask: _Asking) -> list[Named]:
        texts = [text for mission in ask("SMEMBERS", "live") for text in ask("HVALS", f"mission:{mission}:items")]
        found = {str(tag) for one in map(_values, texts) for tag in one.get("labels", ())}
        return [(tag, "") for tag in sorted(found)[:MOST]]

    return _ask(start, question)


def backlog(start: Path) -> list[Named]:
    """Entries of the backlog, each with its first line."""

    def question(ask: _Asking) -> list[Named]:
        places = ask("ZRANGE", "backlog:lines", "0", str(MOST - 1))
        ids = sorted({int(str(place).rpartition(" ")[2]) for place in places})
        texts = ask("HMGET", "backlog", *(f"b{number}" for number in ids)) if ids else []
        found = zip(ids, map(_values, texts), strict=True)
        return [(f"b{number}", str(one.get("text", "")).partition("\n")[0]) for number, one in found]

    return _ask(start, question)


def roles(start: Path) -> list[Named]:
    """The roles that every town has, and those of this one."""
    return [*((name, "") for name in role_names.BUILT_IN), *_configured(start, "roles")]


def clis(start: Path) -> list[Named]:
    """The agent CLIs that are known, and those of this town."""
    from importlib.metadata import entry_points

    known = sorted(one.name for one in entry_points(group="tinytown.agents"))
    return [*((name, "") for name in known), *_configured(start, "agent_clis")]


def states(start: Path) -> list[Named]:  # noqa: ARG001 - they are the same everywhere
    """The states of a task, as a plan names them."""
    from tinytown.plans.model import STATES

    return [(name, "") for name in STATES]


def _configured(start: Path, table: str) -> list[Named]:
    """The names under a table of the town's ``tinytown.toml``; nothing if it cannot be read."""
    import tomli

    with contextlib.suppress(OSError, ValueError, AttributeError):
        here = start.resolve()
        root = next((one for one in (here, *here.parents) if (one / "tinytown.toml").is_file()), here)
        file = root / "tinytown.toml"
        return [(str(name), "") for name in tomli.loads(file.read_text(encoding="utf-8")).get(table, {})]
    return []


def _values(text: Any) -> dict[str, Any]:
    """The fields of a record, with or without its version in front."""
    values = json.loads(str(text).partition("\n")[2] or "{}")
    return values if isinstance(values, dict) else {}


class _Asking:
    """One connection, with one deadline for all that is asked."""

    def __init__(self, server: socket.socket, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._until = time.monotonic() + PATIENCE
        self._answers: BinaryIO = server.makefile("rb")

    def __call__(self, command: str, key: str, *more: str) -> Any:
        words = [word.encode() for word in (command, self._prefix + key, *more)]
        request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self._server.settimeout(max(0.001, self._until - time.monotonic()))
        self._server.sendall(request)
        return self._read()

    def _read(self) -> Any:
        line = self._answers.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"$":
            return self._answers.read(int(rest) + 2)[:-2].decode("utf-8", "replace") if int(rest) >= 0 else ""
        if kind == b"*":
            return [self._read() for _ in range(max(0, int(rest)))]
        if kind in (b"+", b":"):
            return rest.decode()
        raise ValueError(line)


def _ask(start: Path, question: Callable[[_Asking], list[Named]]) -> list[Named]:
    """What the server of the town that ``start`` is in answers; nothing if anything is wrong or slow."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        here = start.resolve()
        root = next((one for one in (here, *here.parents) if (one / ".tt" / "town.json").is_file()), here)
        town = json.loads((root / ".tt" / "town.json").read_bytes())["id"]
        path = json.loads((root / ".tt" / "run" / "server.json").read_bytes())["socket"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.settimeout(PATIENCE)
            server.connect(str(path))
            return question(_Asking(server, f"tt:{town}:"))
    return []
