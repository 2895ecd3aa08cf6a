"""Views of a running town from its control worker, which has them ready: nothing is imported, nothing is connected.

It answers only who asks for the very town that it serves, with nothing in the environment that would change what is
shown. Whatever else there is to say (of a town that is stopped, was moved, or cannot be read) is said by the long way.
Standard library only.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from tinytown import contract
from tinytown.cli import options

#: Seconds for the whole answer.
PATIENCE = 1.0


def ask(view: str, *, whole: bool = False) -> dict[str, Any] | None:
    """The view; ``None`` where it has to be had by the long way."""
    if options.speaks() or any(_decides(name) for name in os.environ):
        return None
    chosen = os.environ.get(contract.ENV_TOWN) or "."
    try:
        here = Path(chosen).resolve()
        root = next(one for one in (here, *here.parents) if _is_root(one))
        place = json.loads((root / ".tt" / "run" / contract.VIEWS_FILE).read_bytes())["socket"]
        asked = {"view": view, "whole": whole, "root": str(root), "home": os.environ.get("HOME")}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.settimeout(PATIENCE)
            server.connect(place)
            server.sendall(json.dumps({**asked, "schema": contract.SCHEMA_OF_VIEWS}).encode() + b"\n")
            with server.makefile("rb") as answers:
                answer = json.loads(answers.read())
        return dict(answer["view"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration, RecursionError):
        return None


def _is_root(folder: Path) -> bool:
    return (folder / "tinytown.toml").is_file() or (folder / ".tt" / "town.json").is_file()


def _decides(name: str) -> bool:
    """Whether a variable may be a setting, or name a server."""
    if name in contract.ENV_NOT_SETTINGS:
        return False
    return name == "REDIS_URL" or name.startswith("TINYTOWN_")


def see(view: str, *, whole: bool = False) -> dict[str, Any]:
    """The view, by the short way or by the long one."""
    answer = ask(view, whole=whole)
    if answer is not None:
        return answer
    from tinytown.cli.session import open_to_read
    from tinytown.engine.views.town import VIEWS

    return VIEWS[view](open_to_read(), whole=whole)
