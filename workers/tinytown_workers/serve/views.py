"""Carries out commands that only look, for ``tt``: most of their time would go into loading what is loaded here.

They come over a socket in the town's private folder. Where there is no answer (the configuration cannot be read, the
database does not answer, this is not the town that was asked for), ``tt`` looks itself, and says why it cannot.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinytown import commands, contract, files
from tinytown.engine.context import Context
from tinytown.engine.running import require_same
from tinytown.errors import TinytownError

log = logging.getLogger(__name__)

#: Seconds in which a question must have been asked, or an answer read.
PATIENCE = 2.0


def show(context: Context) -> None:
    """Answer, for as long as this process lives."""
    path = files.private_folder(context.town.runtime) / "views.sock"
    try:
        path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(path))
        server.listen(16)
        record = json.dumps({"socket": str(path)}) + "\n"
        files.write_atomically(context.town.run / contract.VIEWS_FILE, record)
    except (OSError, TinytownError) as error:
        log.warning("`tt list` and `tt status` take longer: %s", error)
        return
    threading.Thread(target=_serve, args=(context, server), name="views", daemon=True).start()


def _serve(context: Context, server: socket.socket) -> None:
    while True:
        peer, _ = server.accept()
        with peer:
            try:
                peer.settimeout(PATIENCE)
                with peer.makefile("rb") as lines:
                    asked = json.loads(lines.readline())
                # Whoever asks waits longer once somebody looks; white space is no part of the answer.
                peer.sendall(b"\n")
                peer.sendall(json.dumps(_answer(context, asked)).encode())
            except (OSError, ValueError, LookupError, TypeError, TinytownError) as error:
                log.debug("nothing is shown: %s", error)


def _answer(context: Context, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, or nothing."""
    mine = os.path.samestat(Path(asked["root"]).stat(), context.town.root.stat())
    if not mine or asked["schema"] != contract.SCHEMA_OF_VIEWS or asked["home"] != os.environ.get("HOME"):
        return {}
    require_same(context)
    return commands.show(commands.reader(context), asked["command"], asked["arguments"])
