"""Real repositories for tests, worked on as a person would: with plain git, whatever it is told to run."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytown import settings
from tinytown.forge.contract import Change
from tinytown.town import Town

if TYPE_CHECKING:  # few tests need one
    from tests.fakes.github.hub import GitHub

#: A branch of a work item.
BRANCH = "tt/abcdef12/local-project-1"


class Repository:
    """A folder with git in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str, code: int | None = 0, env: Mapping[str, str] | None = None) -> str:
        """Run plain git, hooks and configuration and all; gives what it says, stripped."""
        done = subprocess.run(
            # Also where its files are another user's, as those of a sandboxed agent of root's.
            ["git", "-c", "safe.directory=*", *arguments], cwd=self.root, capture_output=True, text=True,
            errors="replace", timeout=60, check=False, env=env,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"git {shlex.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "Work", files: Mapping[str, str | bytes] | None = None) -> str:
        """Commit everything, an empty commit if there is nothing; gives its name."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def rev(self, name: str) -> str:
        """The object a name stands for; empty if there is none."""
        return self.git("rev-parse", "--verify", "--quiet", name, code=None)

    def show(self, revision: str) -> str:
        return self.git("show", revision)

    def files(self, revision: str) -> list[str]:
        """Names of all files of a commit."""
        return [name for name in self.git("ls-tree", "-r", "--name-only", "-z", revision).split("\0") if name]


def new_repository(root: Path, *options: str) -> Repository:
    """A repository on ``main`` with one commit."""
    root.mkdir(parents=True, exist_ok=True)
    repository = Repository(root)
    repository.git("init", "-q", "-b", "main", *options)
    repository.commit("Begin", {"README.md": "# A project\n", "src/app.py": "print('hello')\n"})
    return repository


def a_town(root: Path, **forge: Any) -> Town:
    """A town of its own around a repository; nothing runs in it. Keywords are ``[forge.local]``."""
    values = {"forge": {"kind": "local", "repo": forge.pop("repo", None), "local": {"checks": [], **forge}}}
    return Town(root=root, id=uuid.uuid4().hex[:12], settings=settings.parse(values, source="test"))


def a_github_town(root: Path, github: GitHub) -> Town:
    """A town that works on a repository of this GitHub; nothing runs in it."""
    root.mkdir(parents=True, exist_ok=True)
    values = {"forge": {"kind": "github", "repo": github.repo.name, "base": "main", "base_url": github.base_url}}
    return Town(root=root, id=uuid.uuid4().hex[:12], settings=settings.parse(values, source="test"))


def work_in_mirror(mirror: Path, files: Mapping[str, str], *, branch: str, on: str) -> str:
    """A commit with these files on top of ``on``, on a branch of a bare mirror, as a worker brings it there."""
    bare = Repository(mirror)
    index = {**os.environ, "GIT_INDEX_FILE": str(mirror / f"index-{uuid.uuid4().hex}")}
    bare.git("read-tree", on, env=index)
    for name, content in files.items():
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
            file.write(content)
            file.flush()
            blob = bare.git("hash-object", "-w", file.name)
        bare.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", env=index)
    sha = bare.git("commit-tree", "-p", on, "-m", "Work", bare.git("write-tree", env=index))
    Path(index["GIT_INDEX_FILE"]).unlink()
    bare.git("update-ref", f"refs/heads/{branch}", sha)
    return sha


def a_change(head: str, *, key: str = "local/project#1", branch: str = "tt/abcdef12/local-project-1") -> Change:
    """A change that wants ``head`` on ``main``."""
    return Change(key=key, branch=branch, base="main", head=head, title="Say hello", body="")


def work_in(folder: Path, files: Mapping[str, str | bytes | None], *, commit: Sequence[str] = ()) -> Repository:
    """What an agent does: write files (``None`` deletes one), then commit everything once per message."""
    clone = Repository(folder)
    clone.write({name: content for name, content in files.items() if content is not None})
    for name, content in files.items():
        if content is None:
            (folder / name).unlink()
    for message in commit:
        clone.commit(message)
    return clone
