"""Have the control worker of a running town look: it has loaded all that takes a command long to import.

It carries out commands of the table that only look, and only for its own town. Where it does not answer (the town is
stopped or was moved, or a variable of the environment may change what is shown), the command is carried out here.
Standard library only, until then.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from tinytown import contract
from tinytown.cli import options

#: Seconds in which the control worker must say that it looks, and those that it may look then: a list of all tasks may
#: take it longer, and to begin again here would take longer still.
PATIENCE, ANSWER_SECS = 1.0, 30.0


def ask(command: str, **arguments: object) -> dict[str, Any] | None:
    """What the control worker answers, as ``commands.show`` gives it; ``None``: it does not."""
    if options.speaks() or any(_decides(name) for name in os.environ):
        return None
    chosen = os.environ.get(contract.ENV_TOWN) or "."
    try:
        here = Path(chosen).resolve()
        root = next(one for one in (here, *here.parents) if _is_root(one))
        place = json.loads((root / ".tt" / "run" / contract.VIEWS_FILE).read_bytes())["socket"]
        asked = {"command": command, "arguments": arguments, "root": str(root), "home": os.environ.get("HOME")}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.settimeout(PATIENCE)
            server.connect(place)
            server.sendall(json.dumps({**asked, "schema": contract.SCHEMA_OF_VIEWS}).encode() + b"\n")
            begun = server.recv(1)
            server.settimeout(ANSWER_SECS)
            with server.makefile("rb") as answers:
                answer = json.loads(begun + answers.read())
        return {"now": answer["now"], "result": answer["result"]}
    except (OSError, ValueError, LookupError, TypeError, StopIteration, RecursionError):
        return None


def _is_root(folder: Path) -> bool:
    return (folder / "tinytown.toml").is_file() or (folder / ".tt" / "town.json").is_file()


def _decides(name: str) -> bool:
    """Whether a variable may be a setting, or name a server."""
    if name in contract.ENV_NOT_SETTINGS:
        return False
    return name == "REDIS_URL" or name.startswith("TINYTOWN_")


def see(command: str, **arguments: object) -> tuple[Any, float]:
    """What a command that only looks gives as JSON, and the server's time."""
    answer = ask(command, **arguments)
    if answer is None:
        from tinytown import commands
        from tinytown.cli.session import open_to_read

        answer = commands.show(commands.reader(open_to_read()), command, arguments)
    return answer["result"], answer["now"]
