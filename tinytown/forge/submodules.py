"""Submodules, from the copies that a person has of them: no network, and nothing of their configuration is read.

A submodule's commit is looked for in the folder of objects of each copy, through a repository of tinytown's own.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinytown.errors import StateError
from tinytown.git.repository import Git, GitError

FILE = ".gitmodules"
_LINK = "160000"
#: How deep submodules within submodules are followed.
DEPTH = 8


@dataclass(frozen=True)
class Copies:
    """Where a person has copies of the submodules of one repository."""

    #: Its git directory, with those of its submodules in ``modules``.
    git_dir: Path
    #: Its work tree.
    root: Path

    def within(self, link: Link, git_dir: Path) -> Copies:
        """Those of the submodules of a submodule."""
        return Copies(git_dir, self.root / link.path)


@dataclass(frozen=True)
class Link:
    """A submodule that a commit records."""

    path: str
    sha: str
    name: str
    #: It stays empty: `update = none`.
    optional: bool


def links(own: Git, commit: str) -> list[Link]:
    """The submodules of a commit, as far as its ``.gitmodules`` names them."""
    done = own.run("config", "--blob", f"{commit}:{FILE}", "-z", "--list", ok=(0, 1, 128, 255))
    if not done.ok:
        return []
    paths: dict[str, str] = {}
    unfilled: set[str] = set()
    for entry in done.stdout.split("\0"):
        key, _, value = entry.partition("\n")
        kind, _, rest = key.partition(".")
        name, _, setting = rest.rpartition(".")
        if kind == "submodule" and _is_safe(name):
            if setting == "path":
                paths[value] = name
            elif setting == "update" and value == "none":
                unfilled.add(name)
    if not paths:
        return []
    entries = (entry.partition("\t") for entry in own.names("ls-tree", "-r", "-z", "--full-tree", commit))
    found = {path: header.split(" ")[2] for header, _, path in entries if header.startswith(_LINK)}
    return [Link(path, sha, paths[path], paths[path] in unfilled) for path, sha in found.items() if path in paths]


def find(copies: Copies, link: Link) -> Path | None:
    """The git directory of a copy that has all of a submodule's commit; ``None`` if there is none."""
    for git_dir in dict.fromkeys(_candidates(copies, link)):
        if (git_dir / "objects").is_dir() and _has(git_dir / "objects", link.sha):
            return git_dir
    return None


def require(users: Git, root: Path, commit: str, *, left_out: Container[str] = ()) -> None:
    """Make sure that each submodule of a commit can be filled.

    Raises:
        StateError: one cannot; the remedy fetches it.
    """
    for path, _ in _walk(Git.own(users.common), Copies(users.common, root), commit, left_out, DEPTH):
        raise missing(path)


def filled(own: Git, copies: Copies, commit: str, left_out: Container[str]) -> Iterator[tuple[str, Path, str]]:
    """The submodules of a commit and those within them that have a copy: path, git directory of that, and commit."""
    yield from _filled(own, copies, commit, left_out, DEPTH)


def _filled(
    own: Git, copies: Copies, commit: str, left_out: Container[str], depth: int
) -> Iterator[tuple[str, Path, str]]:
    for link in links(own, commit):
        git_dir = None if link.optional or link.name in left_out else find(copies, link)
        if git_dir is None:
            continue
        yield link.path, git_dir, link.sha
        if depth:
            with borrowed(git_dir / "objects", link.sha) as inner:
                for path, further, sha in _filled(inner, copies.within(link, git_dir), link.sha, (), depth - 1):
                    yield f"{link.path}/{path}", further, sha


def missing(path: str) -> StateError:
    """The error for a submodule of which no copy is on this machine."""
    shown = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return StateError(
        f"the submodule {shown} is empty, or does not have the recorded commit",
        remedy=f"run `git submodule update --init --recursive {shown}` in your repository",
    )


def inactive(users: Git) -> tuple[str, ...]:
    """Names of the submodules that the person's own configuration leaves out."""
    out = {"active": ("false", "no", "off", "0"), "update": ("none",)}
    said = (
        (key.removeprefix("submodule.").rpartition("."), value)
        for key, value in users.settings
        if key.startswith("submodule.")
    )
    return tuple(name for (name, _, setting), value in said if name and value in out.get(setting, ()))


def _walk(own: Git, copies: Copies, commit: str, left_out: Container[str], depth: int) -> Iterator[tuple[str, Link]]:
    """Submodules that cannot be filled, by their whole paths."""
    for link in links(own, commit):
        if link.optional or link.name in left_out:
            continue
        git_dir = find(copies, link)
        if git_dir is None:
            yield link.path, link
        elif depth:
            with borrowed(git_dir / "objects", link.sha) as inner:
                for path, further in _walk(inner, copies.within(link, git_dir), link.sha, (), depth - 1):
                    yield f"{link.path}/{path}", further


@contextlib.contextmanager
def borrowed(objects: Path, sha: str) -> Iterator[Git]:
    """A repository of tinytown's own with nothing but somebody's objects."""
    with tempfile.TemporaryDirectory(prefix="tt-module-") as temporary:
        folder = Path(temporary)
        for name in ("objects/info", "refs"):
            (folder / name).mkdir(parents=True)
        sha256 = len(sha) == 64
        config = f"[core]\n\trepositoryformatversion = {int(sha256)}\n\tbare = true\n"
        config += "[extensions]\n\tobjectformat = sha256\n" if sha256 else ""
        (folder / "config").write_text(config, encoding="utf-8")
        (folder / "objects/info/alternates").write_text(f"{objects}\n", encoding="utf-8")
        (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        # Its history is not wanted, and need not be there.
        (folder / "shallow").write_text(f"{sha}\n", encoding="utf-8")
        yield Git.own(folder)


def _has(objects: Path, sha: str) -> bool:
    with borrowed(objects, sha) as own:
        try:
            own.run("rev-list", "--objects", "--quiet", "--max-count=1", sha)
        except GitError:
            return False
    return True


def _candidates(copies: Copies, link: Link) -> Iterator[Path]:
    yield copies.git_dir / "modules" / link.name
    inside = copies.root / link.path / ".git"
    if inside.is_dir():
        yield inside
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = inside.read_text(encoding="utf-8")
        if text.startswith("gitdir:"):
            yield (inside.parent / text.removeprefix("gitdir:").strip()).resolve()


def _is_safe(name: str) -> bool:
    """Whether git would take this name; it refuses those that would lead out of ``modules``."""
    return bool(name) and not name.startswith(("/", "-")) and ".." not in PurePosixPath(name).parts
