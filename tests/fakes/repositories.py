"""Real repositories for tests, worked on as a person would: with plain git, whatever it is told to run."""

from __future__ import annotations

import shlex
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinytown import settings
from tinytown.forge.contract import Change
from tinytown.town import Town

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
