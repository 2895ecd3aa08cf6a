"""The hub: whether it answers, how fast, whether it may be written, and what waits to be brought there."""

from __future__ import annotations

from collections.abc import Iterator

from tinytown import plugins
from tinytown.engine.doctor.findings import Finding
from tinytown.errors import HubAwayError
from tinytown.forge.contract import Forge
from tinytown.forge.hub import places
from tinytown.forge.hub.probe import probe
from tinytown.town import Town

#: Seconds of one question from which on the hub is slow: each attempt asks a few.
SLOW_SECS = 3.0


def hub(town: Town) -> Iterator[Finding]:
    """That of the town's own repository."""
    forge: Forge = plugins.forge(town)
    found = places.hub_of(town, forge, forge.repo)
    waits = len(found.pending()) if found.folder.exists() else 0
    waiting = f"; refs that wait to be brought there: {waits}" if waits else ""
    try:
        took = probe(found)
    except HubAwayError as error:
        yield Finding("hub", "warn", f"{error.message}{waiting}", error.remedy)
        return
    said = f"{found.where} answers in {took * 1000:.0f} ms, and may be written{waiting}"
    if took > SLOW_SECS:
        yield Finding("hub", "warn", said, "nothing must be done, but each attempt waits for it a few times")
    else:
        yield Finding("hub", "ok", said)
