"""A vendor's CLI that reviews: it reads, and starts nothing of what it judges, whatever its model asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.model_answers import SHELLS, offered
from tests.fakes.model_server import model_server
from tests.vendors.alone import run
from tests.vendors.services import CLIS, KEY, known_to, ports, require
from tests.vendors.test_real_clis import CLOSING
from tests.waiting import patience
from tinytown.missions.states import Outcome
from tinytown.missions.verdict import parse_verdict
from tinytown_workers import sandbox

#: Marks that code of the commit ran: a script of it, and a ``make`` that would run its recipes.
COMMAND = "date > /tmp/shell; sh -c 'date > here'; make -f /dev/null nothing; test $? = 127 || date > /tmp/make; true"

#: Those whose model is not even offered what starts or writes anything; vibe offers it and refuses it.
NOT_OFFERED = ("claude", "copilot", "gemini", "opencode", "pi", "qwen")
WRITING = ("write_file", "edit", "replace", "notebook_edit", "Write", "Edit", "write", "create")


@pytest.mark.skipif(sandbox.detect("auto").kind != "bwrap", reason="bubblewrap does not work here")
@pytest.mark.parametrize("cli", CLIS)
def test_in_a_review_it_answers_and_runs_nothing(cli: str, tmp_path: Path) -> None:
    require(cli)
    with model_server(key=KEY, command=COMMAND, closing=CLOSING) as model:
        env, known = known_to(cli, model.url), ports(cli, model.url)
        alone = run(cli, env, tmp_path, timeout=patience(120), patience=60, loopback=known, review=True)
    assert alone.result.outcome is Outcome.SUCCEEDED, str(alone)
    assert parse_verdict(alone.result.text) == (True, ""), str(alone)
    if cli in NOT_OFFERED:
        assert not {name for body in model.requests for name in offered(body)} & {*SHELLS, *WRITING}
    assert not (tmp_path / "clone" / "here").exists()
    assert not (tmp_path / "tmp" / "make").exists()
    # Codex reads files through a shell, and is given no other programs than those that read.
    assert (tmp_path / "tmp" / "shell").exists() == (cli == "codex"), str(alone)
