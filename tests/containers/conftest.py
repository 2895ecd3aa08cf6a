"""One podman for all tests of the folder; skipped, with the reason, where there is none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Engine, obstacle


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Podman with the images built. Its folder is short, because sockets live in it."""
    if why := obstacle():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="ttc-", dir="/var/tmp"))
    made = Engine(folder / "e")
    try:
        made.build()
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)
