"""How a person's git changes files between a commit and a checkout: filters, and their store of LFS contents.

This is written beside the mirror whenever that is brought up to date; clones are made and work is collected by it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinytown import files
from tinytown.forge import submodules
from tinytown.git import filters, lfs
from tinytown.git.filters import Attributes, Rules
from tinytown.git.repository import Git

#: File in a mirror: what is known of the person's repository.
FILE = "tinytown-contents.json"
#: Folder in a mirror: LFS contents that agents made.
STORE = "lfs"
#: Most names in a remark about files that nobody can change.
SHOWN = 3
#: Most bytes that are read of a file of attributes.
SIZE_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Contents:
    """See the module."""

    rules: Rules
    #: git-lfs is there, and called in its usual way.
    lfs: bool
    #: The person's store.
    store: Path
    #: Their repository's git directory and work tree, where copies of its submodules are.
    git_dir: Path | None = None
    root: Path | None = None
    #: Submodules that their configuration leaves out.
    inactive: tuple[str, ...] = ()

    def stores(self, mirror: Path) -> tuple[Path, ...]:
        """Where contents are looked for."""
        return (mirror / STORE, self.store)

    def handled(self, name: str) -> bool:
        """Whether files of this filter can be changed."""
        return name == lfs.FILTER and self.lfs


def of_person(users: Git, root: Path) -> Contents:
    """Read it from the person's own repository."""
    common = users.common
    usable = filters.program(users, root).usable
    return Contents(
        _rules(users, root), usable, _store(users, common), common, root.resolve(), submodules.inactive(users)
    )


def copy(users: Git, root: Path, mirror: Path) -> None:
    """Write it beside the mirror, if it changed."""
    found = of_person(users, root)
    if found != of_mirror(mirror):
        files.write_atomically(mirror / FILE, json.dumps(asdict(found), default=str))


def of_mirror(mirror: Path) -> Contents:
    """What was written beside a mirror; of one that is older than this, nothing is known."""
    values = files.read_json(mirror / FILE) or {}
    return Contents(
        Rules(**(values.get("rules") or {})),
        bool(values.get("lfs")),
        Path(values.get("store") or mirror / STORE),
        Path(values["git_dir"]) if values.get("git_dir") else None,
        Path(values["root"]) if values.get("root") else None,
        tuple(values.get("inactive") or ()),
    )


def remarks(users: Git, root: Path, tip: str) -> Iterator[str]:
    """What whoever starts a mission should know of the files of a commit, and of those of its submodules."""
    known = of_person(users, root)
    common = users.common
    yield from _remarks(known, common, tip)
    copies = submodules.Copies(common, root.resolve())
    for path, source, sha in submodules.filled(Git.own(common), copies, tip, known.inactive):
        with submodules.borrowed(source / "objects", sha) as own:
            git_dir = Path(own.line("rev-parse", "--absolute-git-dir"))
            yield from _in_module(known, git_dir, path, source, sha)


def _in_module(known: Contents, git_dir: Path, path: str, source: Path, sha: str) -> Iterator[str]:
    with Attributes(git_dir, sha, known.rules) as attributes:
        if not attributes.relevant:
            return
        objects = attributes.files()
        kept = [name for name, word in attributes.filters(objects).items() if word == lfs.FILTER]
    pointers = filters.pointers(Git.own(git_dir), (objects[name] for name in kept))
    stores = [source / STORE, known.store]
    named = [name for name in kept if objects[name] in pointers]
    absent = [name for name in named if not known.lfs or lfs.find(stores, pointers[objects[name]]) is None]
    if absent:
        remedy = f"run `git -C {path} lfs pull`" if known.lfs else "git-lfs is not installed here"
        yield (
            f"{_few([f'{path}/{name}' for name in absent])}: not in the LFS store of the submodule, so agents and "
            f"checks see a pointer: {remedy}"
        )


def _remarks(known: Contents, common: Path, tip: str) -> Iterator[str]:
    with Attributes(common, tip, known.rules) as attributes:
        if not attributes.relevant:
            return
        objects = attributes.files()
        named = attributes.filters(objects)
    for name in dict.fromkeys(named.values()):
        paths = [path for path, other in named.items() if other == name]
        if not known.handled(name):
            yield f"agents cannot change {_few(paths)}: {_why(name)}"
        elif missing := _missing(Git.own(common), {path: objects[path] for path in paths}, known.store):
            yield (
                f"{_few(missing)}: not in your LFS store, so agents see a pointer and cannot change it: "
                f"run `git lfs pull`"
            )


def hand_over(mirror: Path, store: Path, sha: str) -> None:
    """Copy LFS contents that agents made and a commit of the mirror needs into the person's store.

    Raises:
        StateError: the store may not be written, or a content is damaged.
        DiskFullError: no room.
    """
    ours = mirror / STORE
    if not ours.is_dir():
        return
    own = Git.own(mirror)
    theirs = [sha for name, sha in own.refs("refs/heads").items() if not name.startswith("refs/heads/tt/")]
    not_theirs = "".join(f"^{other}\n" for other in theirs)
    objects = own.line("rev-list", "--objects", "--no-object-names", "--stdin", input=f"{sha}\n{not_theirs}")
    for pointer in filters.pointers(own, objects.splitlines()).values():
        source = lfs.find([ours], pointer)
        if source is not None and not lfs.hand_over(pointer, source, store):
            raise files.write_error(source, OSError("its content is damaged"))


def _why(name: str) -> str:
    if name == lfs.FILTER:
        return "they are kept with git-lfs, which is not installed here or not called in its usual way"
    return f"they need the filter `{name}`, and tinytown never runs filters"


def _missing(own: Git, objects: dict[str, str], store: Path) -> list[str]:
    pointers = filters.pointers(own, objects.values())
    return [path for path, sha in objects.items() if sha in pointers and lfs.find([store], pointers[sha]) is None]


def _rules(users: Git, root: Path) -> Rules:
    home = os.environ.get("XDG_CONFIG_HOME") or f"{os.environ.get('HOME') or '/'}/.config"
    named = users.paths.get("core.attributesfile")
    person = root / named if named and named.strip() else Path(home) / "git/attributes"
    system = "" if os.environ.get("GIT_ATTR_NOSYSTEM") else _read(Path("/etc/gitattributes"))
    return Rules(system + _read(person), _read(users.common / "info/attributes"))


def _store(users: Git, common: Path) -> Path:
    return common / (users.paths.get("lfs.storage") or "lfs")


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                text = file.read(SIZE_LIMIT).decode(errors="surrogateescape")
            return text if not text or text.endswith("\n") else f"{text}\n"
    return ""


def _few(names: Sequence[str]) -> str:
    shown = [name.encode(errors="surrogateescape").decode(errors="backslashreplace") for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more files" if len(names) > SHOWN else ""
    return ", ".join(f"`{name}`" for name in shown) + more
