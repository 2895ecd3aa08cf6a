"""Which of a repository's files that configure agents take effect: none of the change under review, and none that an
earlier agent changed and that is not merged.

::

    hide    in a review's clone: all of them are taken away
    mask    in a clone for work: where the branch differs from the base, the files are replaced by the base's
            (when the work is collected, files that are still as they were put there count as unchanged: ``masks``)

A person has committed or approved what the base has, as every change of these files is a protected path (``guarded``).
A clone is written to through descriptors that follow no link, because a setup may have run in it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import files, plugins
from tinytown.forge import copies
from tinytown.forge.local import issue_files
from tinytown.git.repository import Git
from tinytown.missions.configuring import HOUSE_RULES, LAUNCHERS, Table, literal, named_in, patterns_of_roles
from tinytown.settings import FILE_NAME, Settings
from tinytown.town import Town
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.clone.remove_entry import inside, remove
from tinytown_workers.collect.collect import INDEX
from tinytown_workers.collect.masks import FILE, state_of
from tinytown_workers.prepare.setup import checkout_of
from tinytown_workers.workspace.workspace import Prepared

#: Most links of one tree that are followed, most files of configuration that are read, and the largest size of one.
LINKS = 5000
TEXTS = 500
#: Imports of imports: CLIs follow five.
IMPORTS = 6
TEXT_BYTES = 256 << 10
_LINK, _SUBMODULE = "120000", "160000"
#: Mode and object of each file of a tree.
Tree = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Masked:
    """A file of configuration that is in a clone as the base has it, and not as its branch does."""

    path: str
    #: The base has such a file.
    there: bool


def table_of(settings: Settings) -> Table:
    """What configures agents by its name."""
    return plugins.configuration(settings.agent_clis)


def tree_of(own: Git, commit: str) -> Tree:
    """The files of a commit."""
    found = {}
    for entry in own.names("ls-tree", "-r", "-z", "--full-tree", commit):
        words, _, path = entry.partition("\t")
        mode, _, sha = words.split(" ")
        found[path] = (mode, sha)
    return found


def linked(own: Git, tree: Tree, table: Table) -> Table:
    """The table with what links of a tree make part of it."""
    links = _links(own, tree)
    return table.with_links(links) if links else table


def _links(own: Git, tree: Tree) -> Mapping[str, str]:
    """Links of a tree and where each leads."""
    shown = dict(itertools.islice(((path, sha) for path, (mode, sha) in tree.items() if mode == _LINK), LINKS))
    if not shown:
        return {}
    targets = {sha: data.decode(errors="surrogateescape") for sha, data in own.contents(set(shown.values()))}
    return {path: targets[sha] for path, sha in shown.items() if sha in targets}


def widened(own: Git, tree: Tree, table: Table) -> Table:
    """The same with the files that its files of configuration import or run, and what those import in turn."""
    links, names = _links(own, tree), frozenset(tree)
    table = table.with_links(links) if links else table
    read: set[str] = set()
    for _ in range(IMPORTS):
        texts = {path: tree[path][1] for path in table(tree) if tree[path][0] not in (_LINK, _SUBMODULE)}
        texts = {path: sha for path, sha in texts.items() if path not in read}
        if not texts:
            break
        read |= texts.keys()
        known = {
            sha: data.decode(errors="replace") for sha, data in own.contents(_short(own, list(texts.values())[:TEXTS]))
        }
        found = [
            literal(place)
            for path, sha in texts.items()
            if sha in known
            for place in named_in(path, known[sha], names, links)
            if not table.holds(place)
        ]
        if not found:
            break
        table = Table((*table.patterns, *found))
    return table


def _short(own: Git, shas: Sequence[str]) -> set[str]:
    lines = own.line(
        "cat-file", "--batch-check=%(objectname) %(objectsize)", input="".join(f"{sha}\n" for sha in set(shas))
    ).splitlines()
    return {sha for sha, size in (line.split(" ") for line in lines) if size.isdigit() and int(size) <= TEXT_BYTES}


def guarded(town: Town, repo: str, mirror: Path, fork: str, head: str) -> Table:
    """What no agent changes without a person, whatever the policy says: ``fork`` is what it began with.

    The files that configure agents, the prompts of roles, the town's own settings, and issues that are files.
    """
    settings, own = town.settings, Git.own(mirror)
    patterns = [f"/{FILE_NAME}", "/.tt", *map(literal, HOUSE_RULES)]
    if settings.forge.kind == "local":
        patterns += [f"/{issue_files.FOLDER}/[0-9]*.md", *_of_git(checkout_of(town, repo))]
    if checkout_of(town, repo) == town.root:
        patterns += patterns_of_roles(role.prompt for role in settings.roles.values())
    table = Table((*table_of(settings).patterns, *patterns))
    return linked(own, tree_of(own, head), widened(own, tree_of(own, fork), table))


def _of_git(checkout: Path) -> list[str]:
    """What the user's git obeys or runs of the repository: what is merged there configures it, or runs as the user.

    The folder of its hooks, a file of configuration that it includes, and files that its settings name: a filter's or
    a merge driver's program, that of an alias.
    """
    git = Git.users(checkout)
    places: set[Path] = set()
    parts = git.run("config", "--list", "-z", "--show-origin", ok=(0, 128)).stdout.split("\0")
    for origin, entry in zip(parts[::2], parts[1::2], strict=False):
        key, _, value = entry.partition("\n")
        kind, _, file = origin.partition(":")
        if kind != "command" and key == "core.hookspath":
            said = git.run("config", "--get-all", "--type=path", key, ok=(0, 1, 128)).stdout
            places |= {Path(checkout, line) for line in said.splitlines()}
        if kind == "file" and key.startswith(("include.", "includeif.")):
            # Also one that is empty, or not there yet.
            places.add(Path(os.path.normpath(checkout / file / ".." / value)))
        words = [] if key.startswith(_NAMES_NO_FILES) else _WORDS.split(value)
        # Not by its first folder: a link there may lead out of the checkout, or into it.
        named = {word: Path(os.path.normpath(checkout / word)) for word in words if 0 < len(word) < _PATH_CHARS}
        # A bare word is a file's name if it looks like one: `main` is a branch.
        likely = {place for word, place in named.items() if "/" in word or ("." in word and place.is_file())}
        places |= {place for place in likely if not place.is_dir()}
    found = [str(place.relative_to(checkout)) for place in sorted(places) if checkout in place.parents]
    return [literal(path) for path in found if path.partition("/")[0] != ".git"]


#: Settings of git whose values name no files, and what stands around a file's name in the others.
_NAMES_NO_FILES = ("remote.", "branch.", "user.", "submodule.", "url.")
_WORDS = re.compile(r"[\s!;&|()<>='\"$`]+")
_PATH_CHARS = 1000


def changed(mirror: Path, base: str, sha: str, table: Table) -> list[str]:
    """The files of the table that a commit changed since it left the base."""
    own = Git.own(mirror)
    flags = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
    names = own.names("diff", *flags, f"{base}...{sha}")
    return linked(own, tree_of(own, sha), table)(names)


# -- reviews ---------------------------------------------------------------------------------------


def hide(prepared: Prepared, mirror: Path, table: Table) -> list[str]:
    """Remove all that configures agents from a clone for one review; gives the files of the commit among it."""
    own = Git.own(mirror)
    tree = tree_of(own, prepared.start_sha)
    table = linked(own, tree, table)
    for path in list(_found(prepared.folder, table)):
        remove(prepared.folder, path)
    hidden = table(tree)
    _show_as_clean(prepared, hidden)
    return hidden


# -- work ------------------------------------------------------------------------------------------


def mask(prepared: Prepared, mirror: Path, base: str, table: Table, *, ours: Collection[str] | None) -> list[Masked]:
    """Replace the branch's versions of such files by those of the base.

    ``ours`` are files and folders that the town put there for its user; ``None``: no setup ran, so there is nothing
    but the commit. What else a setup left goes too, but for what also a project itself needs, such as `.env`.
    """
    if ours is None and prepared.start_sha == base:
        return []
    own = Git.own(mirror)
    trusted, start = tree_of(own, base), tree_of(own, prepared.start_sha)
    table = linked(own, start, widened(own, trusted, table))
    differing = [p for p in sorted({*table(trusted), *table(start)}) if trusted.get(p) != start.get(p)]
    wanted = [path for path in differing if path in trusted and trusted[path][0] != _SUBMODULE]
    if ours is not None:
        for path in _left_by_setup(prepared.folder, table, {*trusted, *start}, ours):
            remove(prepared.folder, path)
        wanted = sorted({*wanted, *(p for p in table(trusted) if trusted[p][0] != _SUBMODULE)})
    for path in differing:
        remove(prepared.folder, path)
    _write(prepared, base, [path for path in wanted if copies.real_parents(prepared.folder, path)])
    with Foreign(prepared.folder) as folder:
        put = {path: state_of(folder, path) for path in differing}
    files.write_atomically(prepared.ledger / FILE, json.dumps(put))
    _show_as_clean(prepared, [path for path in differing if path in start])
    _exclude(prepared.folder, [path for path in wanted if path not in start])
    return [Masked(path, path in trusted) for path in differing]


def _left_by_setup(folder: Path, table: Table, tracked: Collection[str], ours: Collection[str]) -> list[str]:
    kept, mine = Table(LAUNCHERS), Table(map(literal, ours)) if ours else None
    folders = {""}
    for path in tracked:
        while (path := path.rpartition("/")[0]) not in folders:
            folders.add(path)
    return [
        path
        for path in _found(folder, table, within=folders)
        if path not in tracked and path not in folders and not kept.holds(path) and not (mine and mine.holds(path))
    ]


def _write(prepared: Prepared, base: str, paths: Sequence[str]) -> None:
    if not paths:
        return
    index = prepared.ledger / "trusted.index"
    index.unlink(missing_ok=True)
    own = Git.own(prepared.ledger, work_tree=prepared.folder, index=index)
    own.run("read-tree", base)
    own.run("checkout-index", "-f", "-q", "-z", "--stdin", input="".join(f"{path}\0" for path in paths))
    index.unlink(missing_ok=True)


# -- the clone as its git shows it -----------------------------------------------------------------


def _show_as_clean(prepared: Prepared, paths: Sequence[str]) -> None:
    """Have git in the clone show these files as unchanged, whatever is there."""
    if not paths or not (prepared.ledger / INDEX).exists():
        return
    index = prepared.ledger / "shown.index"
    shutil.copy2(prepared.ledger / INDEX, index)
    own = Git.own(prepared.ledger, work_tree=prepared.folder, index=index)
    own.run("update-index", "-z", "--skip-worktree", "--stdin", input="".join(f"{path}\0" for path in paths))
    with contextlib.suppress(OSError), inside(prepared.folder, ".git") as git_dir:
        with contextlib.suppress(FileNotFoundError):
            os.unlink("index", dir_fd=git_dir)
        descriptor = os.open("index", _NEW, 0o600, dir_fd=git_dir)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(index.read_bytes())
    index.unlink(missing_ok=True)


def _exclude(folder: Path, paths: Sequence[str]) -> None:
    """Have git in the clone not add these: they are none of its branch's."""
    lines = "".join(f"{literal(path)}\n" for path in paths if "\n" not in path)
    if not lines:
        return
    with contextlib.suppress(OSError), inside(folder, ".git/info") as info:
        descriptor = os.open("exclude", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=info)
        with open(descriptor, "a", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write(lines)


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _found(root: Path, table: Table, *, within: Collection[str] | None = None) -> Iterator[str]:
    """What of the table is in a folder, each with all that is in it; with ``within`` only in these folders."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with inside(root, folder) as descriptor, os.scandir(descriptor) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError:
            continue
        for name, is_folder in found:
            path = f"{folder}/{name}" if folder else name
            if path == ".git":
                continue
            if table.holds(path) and not (is_folder and within is not None and path in within):
                yield path
            elif is_folder and (within is None or path in within):
                pending.append(path)
