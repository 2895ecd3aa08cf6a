"""A bare repository, worked on with plain git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: What a push of a branch that does not exist compares with.
NOTHING = "0" * 40

#: Refuses what GitHub refuses in a push: branches listed in `protected`, and workflows without the right to change
#: them.
_UPDATE_HOOK = """#!/bin/sh
case "$1" in refs/pull/*) echo "deny updating a hidden ref" >&2; exit 1;; esac
if grep -qxF "$1" protected 2>/dev/null; then
  echo "error: GH006: Protected branch update failed for $1." >&2
  echo "error: Changes must be made through a pull request." >&2
  exit 1
fi
case "$3" in *[!0]*) ;; *) exit 0;; esac
if [ -n "$FAKE_NO_WORKFLOWS" ]; then
  kind="$FAKE_NO_WORKFLOWS"
  file=$(git log --format= --name-only "$3" --not --all -- .github/workflows | head -n 1)
  if [ -n "$file" ]; then
    echo "refusing to allow $kind to create or update workflow \\`$file\\` without \\`workflow\\` scope" >&2
    exit 1
  fi
fi
"""

_SHA = re.compile("[0-9a-f]{40}")

#: For every git of this GitHub: without the settings of who runs the tests.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Merge:
    """What merging two commits gives: a tree, or the files that conflict."""

    tree: str
    conflicts: tuple[str, ...] = ()


class Bare:
    """See the module. Commits are named by their full hash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._merges: dict[tuple[str, str], Merge] = {}
        self._known: dict[tuple[str, ...], str] = {}

    def create(self, branch: str) -> None:
        self.path.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", branch)
        for setting in ("http.receivepack=true", "uploadpack.allowAnySHA1InWant=true", "gc.auto=0"):
            self.git("config", *setting.split("="))
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_UPDATE_HOOK)
        hook.chmod(0o755)

    def git(self, *arguments: str, code: int | None = 0, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments],
            cwd=self.path, input=stdin, capture_output=True, timeout=60, check=False, env=ENVIRONMENT,
        )  # fmt: skip
        said = done.stderr.decode(errors="replace")
        assert code is None or done.returncode == code, f"git {arguments}: {done.returncode} {said}"
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 or code is not None else ""

    def fact(self, *arguments: str) -> str:
        """What git says of commits that are named by their hashes: it never changes once it is known."""
        if not self._known.get(arguments):
            self._known[arguments] = self.git(*arguments, code=None)
        return self._known[arguments]

    def protect(self, branches: list[str]) -> None:
        """Branches that the next push must leave alone."""
        (self.path / "protected").write_text("".join(f"refs/heads/{one}\n" for one in branches))

    def branches(self) -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
        return dict(line.split(" ") for line in lines)

    def tip(self, branch: str) -> str | None:
        """The commit of a branch; asked so often that the ref's own file is read, as git writes it."""
        ref = f"refs/heads/{branch}"
        try:
            sha = (self.path / ref).read_text().strip()
        except OSError:
            sha = ""
        if _SHA.fullmatch(sha):
            return sha
        return self.resolve(ref) if (self.path / "packed-refs").exists() else None

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, a tag, a ref or (the beginning of) a hash stands for."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return (self.fact(*words) if _SHA.fullmatch(name) else self.git(*words, code=None)) or None

    def move(self, branch: str, new: str | None, *, old: str | None = None) -> bool:
        """Set or delete a branch, if it still is at ``old`` (where that is given); whether it was done."""
        ref = f"refs/heads/{branch}"
        words = ["delete", ref] if new is None else ["update", ref, new]
        change = " ".join([*words, *([old] if old else [])]) + "\n"
        done = subprocess.run(
            ["git", "update-ref", "--stdin"], cwd=self.path, input=change.encode(), check=False, env=ENVIRONMENT,
            capture_output=True,
        )  # fmt: skip
        return done.returncode == 0

    def point(self, ref: str, sha: str | None) -> None:
        """A ref that is no branch, as ``refs/pull/1/head``."""
        self.git("update-ref", *(("-d", ref) if sha is None else (ref, sha)))

    def contains(self, inner: str, outer: str) -> bool:
        """Whether ``inner`` is an ancestor of ``outer``, or is it."""
        return inner == outer or self.base_of(inner, outer) == inner

    def base_of(self, one: str, other: str) -> str | None:
        return self.fact("merge-base", one, other) or None

    def commits(self, base: str, head: str) -> list[str]:
        """What ``head`` has and ``base`` has not, oldest first."""
        return self.fact("rev-list", "--reverse", "--topo-order", head, f"^{base}").split()

    def merge(self, ours: str, theirs: str) -> Merge:
        """Merge without a work tree; the same pair is computed once."""
        if (ours, theirs) not in self._merges:
            done = subprocess.run(
                ["git", "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs],
                cwd=self.path, capture_output=True, check=False, env=ENVIRONMENT,
            )  # fmt: skip
            tree, *files = [one for one in done.stdout.decode(errors="replace").split("\0") if one]
            self._merges[ours, theirs] = Merge(tree, tuple(sorted(set(files))) if done.returncode else ())
        return self._merges[ours, theirs]

    def commit_tree(
        self, tree: str, parents: list[str], message: str, *, author: str, at: float, like: str = ""
    ) -> str:
        """A commit of a tree; ``like`` is a commit whose author is taken over."""
        who = f"{author} <{author}@users.noreply.github.example> {int(at)} +0000"
        written = self.fact("show", "-s", "--format=%an <%ae> %at +0000", like) if like else who
        lines = [f"tree {tree}", *(f"parent {one}" for one in parents), f"author {written}"]
        text = "\n".join([*lines, f"committer GitHub <noreply@github.example> {int(at)} +0000", "", message, ""])
        return self.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())

    def write(
        self, branch: str, files: Mapping[str, str | None], message: str, *, on: str | None, author: str, at: float
    ) -> str:
        """Commit files (``None`` deletes one) to a branch that begins at ``on``; gives the commit."""
        who = f"{author} <{author}@users.noreply.github.example> {int(at)} +0000"
        text = [f"commit refs/heads/{branch}\nauthor {who}\ncommitter {who}\n".encode(), _data(message)]
        if on:
            text.append(f"from {on}\n".encode())
        for name, content in files.items():
            if content is None:
                text.append(f"D {name}\n".encode())
            else:
                text.append(f"M 100644 inline {name}\n".encode() + _data(content))
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(text))
        tip = self.tip(branch)
        assert tip
        return tip

    def show(self, sha: str, path: str) -> str | None:
        """A file's content at a commit; nothing if there is none."""
        done = subprocess.run(
            ["git", "cat-file", "blob", f"{sha}:{path}"],
            cwd=self.path,
            capture_output=True,
            check=False,
            env=ENVIRONMENT,
        )
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def files(self, sha: str) -> list[str]:
        return [one for one in self.git("ls-tree", "-r", "--name-only", "-z", sha).split("\0") if one]


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)
