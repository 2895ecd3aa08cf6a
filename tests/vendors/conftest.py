"""The vendors' programs on the ``PATH``, and a home without any log-in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.conftest import project

__all__ = ["project"]

#: Where ``make vendors`` installs them.
PROGRAMS = Path(__file__).parents[2] / "build" / "vendors" / "node_modules" / ".bin"


@pytest.fixture(autouse=True)
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has the programs, and has never logged in."""
    if not PROGRAMS.is_dir():
        pytest.fail("the vendors' programs are not installed: run `make vendors`")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Dev\n\temail = dev@example.invalid\n", encoding="utf-8")
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")
