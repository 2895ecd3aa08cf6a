"""Every CLI finds the proxy of its sandbox's network, by which alone it reaches its service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_server import model_server
from tests.vendors.alone import run
from tests.vendors.services import CLIS, KEY, known_to
from tests.waiting import patience
from tinytown.missions.states import Outcome
from tinytown_workers import sandbox
from tinytown_workers.network import dial

#: A public address of nobody's: what stands there is the model's server.
PUBLIC = "93.184.215.14"
LONGEST = 150.0
CLOSING = "made.txt\n```\n1\n```\n\nIt is there."


@pytest.mark.parametrize("cli", CLIS)
def test_its_service_is_reached_through_the_proxy(cli: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sandbox.detect("auto").kind == "none" or sandbox.try_network():
        pytest.skip("there is no sandbox with a network of its own here")
    opened = dial._open
    through = []

    async def open_here(host: str, port: int, context: Any = None) -> Any:
        through.append(host)
        return await opened("127.0.0.1" if host == PUBLIC else host, port, context)

    monkeypatch.setattr(dial, "_open", open_here)
    with model_server(key=KEY, command="date > made.txt", closing=CLOSING) as model:
        env = known_to(cli, model.url.replace("127.0.0.1", PUBLIC))
        alone = run(cli, env, tmp_path, timeout=patience(LONGEST), patience=30.0)
    assert alone.result.outcome is Outcome.SUCCEEDED, str(alone)
    assert PUBLIC in through
    assert (tmp_path / "clone" / "made.txt").exists()
