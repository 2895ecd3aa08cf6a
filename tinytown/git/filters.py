"""Which files of a commit go through a filter, by the attributes of the commit and those of the person.

A file of attributes names a filter, and somebody's configuration says which program that is. No such program is ever
run: LFS is handled without git-lfs (see ``lfs``), only in the person's own checkout may git-lfs itself run, and files
of any other filter are left as they are.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tinytown import programs
from tinytown.git import lfs
from tinytown.git.repository import Git

FILE = ".gitattributes"
#: What a file of attributes must mention to name a filter.
_RELEVANT = "filter"
#: What `git lfs install` writes, with and without `--skip-smudge`.
_STANDARD = {
    "clean": ("git-lfs clean -- %f",),
    "smudge": ("git-lfs smudge -- %f", "git-lfs smudge --skip -- %f"),
    "process": ("git-lfs filter-process", "git-lfs filter-process --skip"),
    "required": ("true", "1", "yes", "on", "false", "0", "no", "off", ""),
}


@dataclass(frozen=True)
class Rules:
    """The attributes of a person besides those of a commit, as text."""

    #: For all of their repositories; the weakest rules.
    person: str = ""
    #: For this repository; the strongest rules.
    repository: str = ""


class Attributes:
    """The attributes of one tree for any path. Use as a context manager; costs one command where none is relevant."""

    def __init__(self, git_dir: Path, tree: str, rules: Rules) -> None:
        """``tree``, or a commit, is in the repository ``git_dir``."""
        self._git_dir = git_dir
        self._tree = tree
        self._rules = rules
        self._temporary = tempfile.TemporaryDirectory(prefix="tt-attributes-")
        self._own: Git | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    @property
    def relevant(self) -> bool:
        """Whether any file could have a filter at all."""
        if _RELEVANT in self._rules.person or _RELEVANT in self._rules.repository:
            return True
        own = Git.own(self._git_dir)
        where = ("--", f":(glob)**/{FILE}")
        return own.run("grep", "-q", "-e", _RELEVANT, self._tree, *where, ok=(0, 1)).ok

    def files(self) -> dict[str, str]:
        """All files of the tree with the object of each, without links and submodules."""
        entries = (entry.partition("\t") for entry in self._git().names("ls-files", "-s", "-z"))
        return {path: header.split(" ")[1] for header, _, path in entries if header.startswith("100")}

    def filters(self, paths: Iterable[str]) -> dict[str, str]:
        """The filters of those paths that have one; they need not exist."""
        return self.values("filter", paths)

    def values(self, attribute: str, paths: Iterable[str]) -> dict[str, str]:
        """The value of one attribute, for those paths for which it has one that is a word."""
        wanted = "".join(f"{path}\0" for path in paths)
        if not wanted:
            return {}
        where = ("-c", f"core.attributesFile={self._temporary.name}/person")
        said = self._git().names(*where, "check-attr", "--cached", "-z", "--stdin", attribute, input=wanted)
        found = zip(said[::3], said[2::3], strict=True)
        return {path: value for path, value in found if value not in ("unspecified", "unset", "set", "")}

    def _git(self) -> Git:
        """A repository with nothing in it but an index of the tree and the person's rules."""
        if self._own is None:
            folder = Path(self._temporary.name)
            git_dir = folder / "git"
            for name in ("objects/info", "refs", "info"):
                (git_dir / name).mkdir(parents=True)
            sha256 = len(self._tree) == 64
            config = f"[core]\n\trepositoryformatversion = {int(sha256)}\n\tbare = true\n"
            config += "[extensions]\n\tobjectformat = sha256\n" if sha256 else ""
            (git_dir / "config").write_text(config, encoding="utf-8")
            (git_dir / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
            for path, text in (
                (folder / "person", self._rules.person),
                (git_dir / "info/attributes", self._rules.repository),
            ):
                path.write_text(text, encoding="utf-8", errors="surrogateescape")
            own = Git.own(git_dir, index=folder / "index", objects=self._git_dir / "objects")
            own.run("read-tree", self._tree)
            self._own = own
        return self._own


@dataclass(frozen=True)
class Program:
    """git-lfs on this machine, as the person's git calls it."""

    path: str = ""
    #: Their configuration calls it in the usual way, or not at all.
    usual: bool = False

    @property
    def usable(self) -> bool:
        """Whether LFS files can be changed, because it is known what git-lfs makes of them."""
        return bool(self.path) and self.usual


def program(users: Git, root: Path) -> Program:
    """git-lfs, unless it is a file of the repository itself."""
    found = programs.find("git-lfs")
    if found is None or any(path.is_relative_to(root.resolve()) for path in (found, found.resolve())):
        return Program()
    return Program(str(found), usual=_usual(_configured(users).get("lfs", {})))


def for_checkout(users: Git, root: Path) -> dict[str, str]:
    """Settings under which no filter but git-lfs is run in the person's own checkout."""
    configured = _configured(users)
    known = program(users, root)
    options: dict[str, str] = {}
    for name, values in configured.items():
        if name == lfs.FILTER and known.usable:
            call = shlex.quote(known.path)
            options |= {
                f"filter.{name}.{key}": value.replace("git-lfs", call, 1)
                for key, value in values.items()
                if key in ("clean", "smudge", "process")
            }
            continue
        options |= {f"filter.{name}.{key}": "" for key in ("clean", "smudge", "process")}
        options[f"filter.{name}.required"] = "false"
    return options


def pointers(own: Git, shas: Iterable[str]) -> dict[str, lfs.Pointer]:
    """Those of some objects that are pointers, by their names."""
    lines = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
    if not lines:
        return {}
    said = own.line("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", input=lines).splitlines()
    parts = [line.split(" ") for line in said]
    small = [part[0] for part in parts if part[1:2] == ["blob"] and int(part[2]) < lfs.POINTER_LIMIT]
    found = {sha: lfs.parse(data) for sha, data in own.contents(small)}
    return {sha: pointer for sha, pointer in found.items() if pointer is not None}


def _usual(values: Mapping[str, str]) -> bool:
    return all(value in _STANDARD.get(key, ()) for key, value in values.items())


def _configured(users: Git) -> dict[str, dict[str, str]]:
    """What the person's configuration says of each filter; the last of several values counts."""
    found: dict[str, dict[str, str]] = {}
    for name, value in users.settings:
        parts = re.fullmatch(r"filter\.(.+)\.([^.]+)", name, re.DOTALL)
        if parts:
            found.setdefault(parts[1], {})[parts[2]] = value
    return found
