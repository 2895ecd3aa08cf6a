"""Checks of one commit: each in a clean clone, whatever the one before it left behind."""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.fakes.repositories import new_repository
from tinytown import contract, settings
from tinytown.engine.context import Context
from tinytown.engine.dispatch.claiming import Claim
from tinytown.forge.local.forge import LocalForge
from tinytown.missions.crew import CHECKS_ROLE
from tinytown.missions.records.attempt import Attempt
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Purpose
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.run.runner import Runner

REPO = "local/project"
KINDS = (
    "none",
    pytest.param("bwrap", marks=pytest.mark.skipif(sandbox.detect("auto").kind != "bwrap", reason="no bubblewrap")),
)


class Checks:
    """A town around a repository whose commits are tried as the checks worker does it."""

    def __init__(self, root: Path, kind: str, **workspace: Any) -> None:
        self.repository = new_repository(root / "project")
        values = {
            "forge": {"kind": "local", "repo": "project", "local": {"checks": []}},
            "sandbox": {"kind": kind},
            "workspace": workspace,
        }
        self.town = Town(
            root=self.repository.root, id=uuid.uuid4().hex[:12], settings=settings.parse(values, source="test")
        )
        self.runner = Runner()
        attempt = Attempt(
            id=f"m/{uuid.uuid4().hex}/1", number=1, purpose=Purpose.CHECK, queue=contract.QUEUE_CHECKS,
            role=CHECKS_ROLE, sent_at=0.0, token="one",
        )  # fmt: skip
        item = Item(key=f"{REPO}#1", number=1, title="One")
        mission = Mission(
            id="abcdef12" * 4, objectives=(), forge="local", repo=REPO, base="main", created_at=0.0
        )  # fmt: skip
        self.attempt = AttemptContext(
            engine=cast(Context, SimpleNamespace(town=self.town)),
            claim=Claim(mission, item, attempt, CHECKS_ROLE),
            cli="",
            role=CHECKS_ROLE,
            runner=self.runner,
            stop=threading.Event(),
            renew=lambda: True,
        )

    def run_checks(self, *commands: str, files: dict[str, str] | None = None) -> Verdict:
        sha = self.repository.commit("More", files or {"more.txt": uuid.uuid4().hex})
        check_runner = CheckRunner(
            self.attempt.execution, LocalForge(self.town).mirror(REPO), REPO, self.repository.rev("main")
        )
        return check_runner.run_checks(sha, commands).verdict


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    yield tmp_path
    assert not [p for p in tmp_path.glob("state/**/abcdef12/*/*") if "attempts" not in p.parts], "left behind"


@contextlib.contextmanager
def checks(root: Path, kind: str, **workspace: Any) -> Iterator[Checks]:
    made = Checks(root, kind, **workspace)
    try:
        yield made
    finally:
        made.attempt.leave()
        made.runner.close()


PLANT = """
echo 'exit 0' > test.sh
mkdir -p .git/hooks && echo 'exit 0' > .git/hooks/pre-commit && git config core.pager evil
ln -s /bin/true "$(dirname "$(command -v tt)")/make"
touch left.txt "$TMPDIR/left"
[ "$1" = bwrap ] && touch "$HOME/left"
exit 0
"""
LOOK = """
[ ! -e left.txt ] || { echo a file; exit 3; }
[ ! -e "$TMPDIR/left" ] || { echo a temporary file; exit 3; }
[ ! -e "$HOME/left" ] || { echo a file in the home; exit 3; }
[ "$(git config core.pager)" != evil ] || { echo configuration; exit 3; }
[ ! -e "$(dirname "$(command -v tt)")/make" ] || { echo a program; exit 3; }
git diff-index --quiet HEAD || { echo not clean; exit 3; }
exit 0
"""


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_check_leaves_is_not_there_for_the_next_one(place: Path, kind: str) -> None:
    """A rewritten test, a program on the PATH, files in the home and the temporary folder, git's configuration."""
    with checks(place, kind) as bench:
        files = {"test.sh": "echo really >&2; exit 7\n", "plant.sh": PLANT, "look.sh": LOOK}
        looked = bench.run_checks(f"sh plant.sh {kind}", "sh look.sh", f"sh plant.sh {kind}", "sh look.sh", files=files)
        assert (looked.why, looked.details) == ("", "")
        tested = bench.run_checks(f"sh plant.sh {kind}", "sh test.sh")
        assert tested.why == "`sh test.sh` failed with exit code 7"
        # Nor is it for those of another commit, nor for other items.
        assert bench.run_checks("sh look.sh").passed
        assert not list(bench.town.state.rglob("make"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_setup_made_is_there_for_every_check_and_made_once(place: Path, kind: str) -> None:
    setup = 'echo once >> "$1"; mkdir -p made/deep; pwd > made/where; ln -s "$PWD/made/where" link; touch "$TMPDIR/set"'
    count = place / "count"
    count.touch()
    if kind == "bwrap":
        setup = setup.replace('"$1"', "made-here; mkdir -p ~/.tool")
    look = 'test "$(cat link)" = "$PWD" && test -e "$TMPDIR/set" && rm -r made'
    look += " && test -d ~/.tool" if kind == "bwrap" else ""
    with checks(place, kind, setup=[f"sh setup.sh {count}"]) as bench:
        said = bench.run_checks(*["sh look.sh"] * 3, files={"setup.sh": f"{setup}\n", "look.sh": f"{look}\n"})
        assert (said.why, said.details) == ("", "")
    assert kind == "bwrap" or count.read_text() == "once\n"


def test_a_clone_that_cannot_be_copied_is_made_anew(place: Path) -> None:
    """Folders too deep for any path."""
    deep = "import os\\nfor _ in range(1200):\\n os.mkdir('d' * 40)\\n os.chdir('d' * 40)"
    with checks(place, "none", setup=["sh setup.sh"]) as bench:
        files = {"setup.sh": f'printf "{deep}" | python3 -\n', "test.sh": "test ! -e left && touch left\n"}
        said = bench.run_checks(*["sh test.sh"] * 3, files=files)
        assert (said.why, said.details) == ("", "")


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_one_check_may_do_what_needs_another(place: Path) -> None:
    """Products that two commands share are made in one check."""
    makefile = "build:\n\tmkdir build\ntest:\n\ttest -d build\n"
    with checks(place, "none") as bench:
        assert not bench.run_checks("make build", "make test", files={"Makefile": makefile}).passed
        assert bench.run_checks("make build test").passed
        assert bench.run_checks("sh -c 'make build && make test'").passed
