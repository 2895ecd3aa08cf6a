"""The vendors' programs on the ``PATH``, and a home without any log-in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.conftest import project

__all__ = ["project"]

#: Where ``make vendors`` installs them; ``make vendors-newest`` names another folder.
BUILD = Path(__file__).parents[2] / "build" / os.environ.get("VENDORS_FOLDER", "vendors")
PROGRAMS = BUILD / "node_modules" / ".bin"
#: Those that no npm installs, and a node that is new enough for all.
OTHERS = BUILD / "bin"


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
    # What is in a repository is looked for last, and an older node of the system would run them.
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in [*OTHERS.glob("*"), *PROGRAMS.iterdir()]:
        if not (programs / program.name).is_symlink():
            (programs / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
