"""Whether a hub answers, how fast, and whether it may be written, found out without a mirror."""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path
from typing import Final

from tinytown.forge import mirror
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub
from tinytown.git import transport
from tinytown.git.repository import time_limit
from tinytown.git.transport import Move

#: Seconds that it may take.
SECS: Final = 8.0


def probe(hub: Hub) -> float:
    """Reach the hub, and make and remove a ref there; gives the seconds that one question takes.

    Raises:
        HubAwayError: it does not answer.
        ConfigurationError: it cannot be used as it is.
    """
    ref = f"{hub.root}probe/{secrets.token_hex(8)}"
    form = hub.own.line("rev-parse", "--show-object-format") if hub.folder.exists() else "sha1"
    with tempfile.TemporaryDirectory(prefix="tt-probe-") as temporary, time_limit(SECS):
        # Apart from the mirror, which may not be there yet.
        folder = Path(temporary, "probe.git")
        mirror.make(folder, form)
        own = transport.git(folder, hub.address)
        began = time.monotonic()
        hub.ask(lambda: transport.refs(own, hub.address, hub.root + names.TOWN))
        took = time.monotonic() - began
        blob = own.line("hash-object", "-w", "--stdin", input="probe\n")
        hub.ask(lambda: transport.push(own, hub.address, [Move(ref, "", blob)]))
        hub.ask(lambda: transport.push(own, hub.address, [Move(ref, blob, "")]))
    return took
