"""Whatever sequence of git commands an agent types, nothing that it ever committed, staged or stashed is lost, and no
conflict marker passes. More of it: ``GIT_EXAMPLES=500 pytest tests/integration/test_random_git.py``."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.fakes.repositories import BRANCH, Repository, a_town, new_repository
from tinytown.forge.local.forge import LocalForge
from tinytown_workers.attempt import earlier_work
from tinytown_workers.workspace import workspace

#: Sequences that are tried; a few in every run of the tests.
EXAMPLES = int(os.environ.get("GIT_EXAMPLES", "5"))
FILES = ("a.txt", "b.txt", "sub/c.txt", "forced.log")
BRANCHES = (BRANCH, "side", "other/deep")

files = st.sampled_from(FILES)
branches = st.sampled_from(BRANCHES)
tails = st.sampled_from([(), ("-m", "x")])

#: A step is an edit (``write``; ``stage`` adds it too, ``save`` commits it; ``remove``) or the words of a git command.
steps = st.one_of(
    st.tuples(st.just("write"), files),
    st.tuples(st.just("stage"), files),
    st.tuples(st.just("stage"), files),
    st.tuples(st.just("stage"), files),
    st.tuples(st.just("save"), files),
    st.tuples(st.just("save"), files),
    st.tuples(st.just("remove"), files),
    st.tuples(st.just("add"), st.just("-A")),
    st.tuples(st.just("add"), st.just("-f"), files),
    st.tuples(st.just("commit"), st.just("-q"), st.just("-am"), st.just("x")),
    st.tuples(st.just("commit"), st.just("-q"), st.just("--allow-empty"), st.just("-m"), st.just("y")),
    st.tuples(st.just("commit"), st.just("-q"), st.just("--amend"), st.just("-am"), st.just("z")),
    st.tuples(st.just("reset"), st.sampled_from(["--hard", "--soft", "--mixed"]), st.sampled_from(["HEAD", "HEAD~1"])),
    st.tuples(st.just("stash"), st.just("push"), st.sampled_from(["-u", "-k", "-a"])),
    st.tuples(st.just("stash"), st.sampled_from(["pop", "drop", "apply"])),
    st.tuples(st.just("switch"), branches),
    st.tuples(st.just("switch"), st.just("-C"), st.sampled_from(BRANCHES[1:])),
    st.tuples(st.just("branch"), st.just("-D"), st.sampled_from(BRANCHES[1:])),
    st.tuples(st.just("checkout"), st.just("--detach"), st.sampled_from(["HEAD", "HEAD~1"])),
    st.tuples(st.just("rebase"), branches),
    st.tuples(st.just("rebase"), st.just("--apply"), branches),
    st.tuples(st.just("merge"), st.just("-q"), branches),
    st.tuples(st.just("merge"), st.just("--squash"), branches),
    st.tuples(st.just("cherry-pick"), branches),
    st.tuples(st.just("revert"), st.just("--no-edit"), st.just("HEAD")),
    st.tuples(st.sampled_from(["rebase", "merge", "cherry-pick"]), st.sampled_from(["--abort", "--continue"])),
    st.tuples(st.just("tag"), st.just("-f"), st.just("-a"), st.just("-m"), st.just("t"), st.just("v1")),
    st.tuples(st.just("worktree"), st.just("add"), st.just("-f"), st.just("tree"), st.sampled_from(BRANCHES[1:])),
    st.tuples(st.just("in-tree"), files),
    st.tuples(st.just("gc"), st.just("-q")),
)


class Agent:
    """Types the steps; git may refuse any of them. Remembers every content that git was given to keep."""

    def __init__(self, folder: Path) -> None:
        self.copy = Repository(folder)
        self.kept: set[str] = set()
        self._number = 0
        self._blobs = folder / ".git/objects"

    def do(self, step: Sequence[str]) -> None:
        word, *rest = step
        if word in ("write", "stage", "save", "in-tree"):
            root = self.copy.root / ("tree" if word == "in-tree" else "")
            if root.is_dir():
                self._number += 1
                with contextlib.suppress(OSError):
                    Repository(root).write({rest[0]: f"content {self._number} of {word} {rest[0]}\n"})
                if word == "in-tree":
                    Repository(root).git("add", "-f", "-A", code=None)
                    Repository(root).git("commit", "-q", "-m", "in the tree", code=None)
                if word in ("stage", "save"):
                    self.copy.git("add", "-f", rest[0], code=None)
                if word == "save":
                    self.copy.git("commit", "-q", "-m", "saved", code=None)
        elif word == "remove":
            (self.copy.root / rest[0]).unlink(missing_ok=True)
        else:
            self.copy.git("-c", "core.editor=true", "-c", "gc.pruneExpire=never", word, *rest, code=None)
        self._remember()

    def _remember(self) -> None:
        """All contents in the objects of the clone, before any command can take one away."""
        said = self.copy.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
        self.kept.update(line.partition(" ")[0] for line in said.splitlines() if line.endswith(" blob"))


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A mirror, and the commit that every attempt starts from."""
    repository = new_repository(tmp_path_factory.mktemp("random") / "project")
    base = repository.commit("Base", {".gitignore": "*.log\n", "a.txt": "a\n", "b.txt": "b\n", "sub/c.txt": "c\n"})
    forge = LocalForge(a_town(repository.root))
    return forge.mirror(forge.repo), base


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(st.lists(steps, min_size=8, max_size=25))
def test_nothing_that_git_was_given_is_lost(origin: tuple[Path, str], typed: list[tuple[str, ...]]) -> None:
    source, base = origin
    with tempfile.TemporaryDirectory(prefix="tt-random-") as temporary:
        mirror = Path(temporary) / "mirror.git"
        shutil.copytree(source, mirror)
        prepared = workspace.prepare(mirror, Path(temporary) / "w/m/i/1", base_sha=base, branch=BRANCH)
        agent = Agent(prepared.folder)
        for step in typed:
            agent.do(step)
        ref = earlier_work.attempt_ref(prepared.folder)
        collected = workspace.collect(prepared, mirror=mirror, ref=ref, message="Work\n")
        note(f"{collected}")

        bare = Repository(mirror)
        reachable = {line.split(" ")[0] for line in bare.git("rev-list", "--objects", "--all").splitlines()}
        lost = agent.kept - reachable
        assert not lost, f"neither reachable nor refused: {lost}"
        assert not collected.refused or all(": " in reason for reason in collected.refused)
        head = collected.head or base
        marked = set(
            bare.git("grep", "-l", "-E", "^(<<<<<<<|>>>>>>>) ", head, code=None).replace(f"{head}:", "").split()
        )
        assert marked == set(collected.unresolved), "a file that holds markers never passes"
        assert workspace.collect(prepared, mirror=mirror, ref=ref, message="Work\n") == collected
        done = subprocess.run(["git", "fsck", "--strict"], cwd=mirror, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        start = earlier_work.find(mirror, prepared.folder.with_name("2"), head=None, salvage=collected.head)
        workspace.prepare(
            mirror,
            prepared.folder.with_name("2"),
            base_sha=base,
            branch=BRANCH,
            resume=start.head,
            kept=start.elsewhere,
        )
