"""The commands of the documentation, typed as they stand there.

A block that begins with ```` ```sh run ```` is run, all blocks of a page one after the other in one shell. Every line
of a block ```` ```text printed ```` must have been printed, but for ids and times, and every line of a block
```` ```text on github ```` must stand on the GitHub that the page works on (``github_pages``). The
typist types it all (``tests/typist.py``), which takes a tenth of the time.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import typist
from tests.acceptance import github_pages
from tests.fakes.github.hub import GitHub
from tinytown.host.lifecycle import stop
from tinytown.town import open_town

ROOT = Path(__file__).parents[2]
PAGES = [str(page.relative_to(ROOT)) for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]]
RUN = re.compile(r"^```sh run\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PRINTED = re.compile(r"^```text printed\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ON_GITHUB = re.compile(r"^```text on github\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Seconds for all commands of one page.
PATIENCE = 240


def typed_pages() -> list[str]:
    return [page for page in PAGES if RUN.search((ROOT / page).read_text(encoding="utf-8"))]


@pytest.fixture
def home(machine: Path, tmp_path: Path) -> Iterator[Path]:
    """A home of its own; every town that is founded below it is stopped."""
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    for file in folder.rglob(".tt/town.json"):
        stop(open_town(file.parents[1]))


@pytest.mark.slow
@pytest.mark.parametrize("page", typed_pages())
def test_what_a_page_tells_to_type_works(page: str, home: Path, tmp_path: Path) -> None:
    """Every command succeeds, prints what the page shows, and leaves nothing running."""
    text = (ROOT / page).read_text(encoding="utf-8")
    script = "set -eu\ncd ~\n" + "\n".join(RUN.findall(text))
    typing = tmp_path / "typing"
    typing.mkdir()
    typist.the_typist().shim(typing, Path(sys.executable).with_name("tt"))
    programs = [str(typing), str(Path(sys.executable).parent), os.environ["PATH"]]
    variables = {"HOME": str(home), "PATH": os.pathsep.join(programs)}
    github: GitHub | None = None
    with contextlib.ExitStack() as stack:
        if github_pages.ADDRESS in script:
            github, more = stack.enter_context(github_pages.played(tmp_path, text))
            variables.update(more)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=home,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    said = done.stdout if github is None else done.stdout.replace(github.web, github_pages.WEB)
    printed = {comparable(line) for line in said.splitlines()}
    if github is not None:
        there = github_pages.standing(github)
        seen = [line for block in ON_GITHUB.findall(text) for line in block.splitlines()]
        assert [line for line in seen if comparable(line) not in {*map(comparable, there)}] == [], there
    shown = [line for block in PRINTED.findall(text) for line in block.splitlines()]
    assert [line for line in shown if comparable(line) not in printed] == [], done.stdout
    towns = [open_town(file.parents[1]) for file in home.rglob(".tt/town.json")]
    assert bool(towns) is ("tt init" in script)
    assert not [town for town in towns if town.runtime.exists()], "the page forgets `tt stop`"


def comparable(line: str) -> str:
    """A line without what differs from run to run."""
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", line)
    line = re.sub(r"\b[0-9a-f]{7,40}\b", "SHA", line)
    line = re.sub(r"^\d\d:\d\d:\d\d ", "", line)  # Events have the time of day before them; pages leave it out.
    return re.sub(r"\b\d+(s|m \d+s)\b", "TIME", line).rstrip()


def test_the_readme_is_typed() -> None:
    """So that the test above cannot lose its pages."""
    assert {"README.md", "docs/quickstart.md", "docs/tutorials/mission-mode.md"} <= set(typed_pages())
