"""Merge two commits without a work tree, by the rules that a commit's ``.gitattributes`` state.

git's own drivers (``merge=union``, ``merge=binary``, ``-merge``) and the length of conflict markers count, as they
would in a checkout. A driver of another name is a program that somebody's configuration names: it is never run, the
file is merged as text, as git does where the driver is not configured, and the result names it. Pointers of git-lfs are
never merged as text, whatever the attributes say: where both sides have another one, that is a conflict.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinytown.git.repository import Git, require_merge_tree

#: Drivers that are part of git.
_BUILT_IN = frozenset({"text", "binary", "union"})
_FILE = ".gitattributes"
_LFS = "filter=lfs"
#: What a file of attributes must mention to matter in a merge, or to define a macro that does.
_RELEVANT = "merge|conflict-marker-size|binary|filter=lfs|\\[attr\\]"
_DRIVER = re.compile(r"(?:^|\s)merge=(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Merge:
    """A merge made without a work tree. Conflicting text files hold markers in ``tree``."""

    tree: str
    conflicts: tuple[str, ...]
    #: Files that both sides changed and whose driver was not run: ``path (merge=driver)``.
    undriven: tuple[str, ...] = ()
    #: Without ``keep``: the files of ``ours`` that it would change.
    altered: tuple[str, ...] = ()


def merge(git_dir: Path, ours: str, theirs: str, *, rules: str, keep: bool = True) -> Merge:
    """Merge ``theirs`` into ``ours``; nothing but objects is written, and none at all unless ``keep``.

    ``rules`` is the commit whose attributes count.

    Raises:
        StateError: this git is too old.
    """
    require_merge_tree()
    with tempfile.TemporaryDirectory(prefix="tt-merge-") as temporary:
        files, objects = Path(temporary, "files"), Path(temporary, "objects")
        files.mkdir()
        objects.mkdir()
        texts = _attributes(Git.own(git_dir), rules)
        for name, text in texts.items():
            (files / name).parent.mkdir(parents=True, exist_ok=True)
            (files / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        # git reads attributes from a checkout. This one holds nothing else.
        apart = None if keep else objects
        borrow = None if keep else git_dir / "objects"
        own = Git.own(git_dir, work_tree=files, cwd=files, objects=apart, borrow=borrow)
        if any(_LFS in text for text in texts.values()):
            _keep_pointers_whole(own, files, ours, theirs)
        done = own.run(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", "--allow-unrelated-histories",
            ours, theirs, ok=(0, 1),
        )  # fmt: skip
        tree, *names = done.stdout.split("\0")
        conflicts = () if done.ok else tuple(dict.fromkeys(name for name in names if name))
        drivers = {driver for text in texts.values() for driver in _DRIVER.findall(text)}
        undriven = _undriven(own, ours, theirs) if drivers - _BUILT_IN else ()
        flags = ("-r", "-z", "--no-renames", "--name-only")
        altered = () if keep else own.names("diff-tree", *flags, ours, tree.strip())
        return Merge(tree.strip(), conflicts, undriven, altered)


def _keep_pointers_whole(own: Git, files: Path, ours: str, theirs: str) -> None:
    """Write attributes below ``files`` by which LFS files are binary; those nearest to a file win."""
    fork = own.run("merge-base", ours, theirs, ok=(0, 1)).stdout.partition("\n")[0]
    if not fork:
        return
    # Of both sides, as one may have renamed what the other changed.
    changed = (own.names("diff-tree", "-r", "-z", "--no-renames", "--name-only", fork, side) for side in (ours, theirs))
    names = "".join(f"{name}\0" for name in dict.fromkeys(name for some in changed for name in some))
    said = own.names("check-attr", "-z", "--stdin", "filter", input=names) if names else ()
    for name in (name for name, value in zip(said[::3], said[2::3], strict=True) if value == "lfs"):
        if ".." in PurePosixPath(name).parts:
            continue
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        literal = "".join(f"\\{c}" if c in '\\*?[]"' else c for c in path.name)
        quoted = literal.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        with path.with_name(_FILE).open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f'\n"/{quoted}" merge=binary\n')


def _attributes(own: Git, commit: str) -> Mapping[str, str]:
    """The files of attributes of a commit by their paths; empty if none of them concerns merges."""
    where = ("--", f":(glob)**/{_FILE}")
    if not own.run("grep", "-q", "-E", "-e", _RELEVANT, commit, *where, ok=(0, 1)).ok:
        return {}
    # All of them: one that does not mention merges may use a macro that another one defines.
    found = own.run("grep", "-z", "-l", "-e", "", commit, *where, ok=(0, 1)).stdout.split("\0")
    names = [name.removeprefix(f"{commit}:") for name in found if name]
    inside = [name for name in names if ".." not in PurePosixPath(name).parts and not name.startswith("/")]
    return {name: own.run("cat-file", "blob", f"{commit}:{name}").stdout for name in inside}


def _undriven(own: Git, ours: str, theirs: str) -> tuple[str, ...]:
    """Files that both sides changed and that name a driver of somebody's own."""
    fork = own.run("merge-base", ours, theirs, ok=(0, 1)).stdout.partition("\n")[0]
    if not fork:
        return ()
    flags = ("-r", "-z", "--no-renames", "--name-only")
    theirs_changed = set(own.names("diff-tree", *flags, fork, theirs))
    both = [name for name in own.names("diff-tree", *flags, fork, ours) if name in theirs_changed]
    said = own.names("check-attr", "-z", "--stdin", "merge", input="".join(f"{name}\0" for name in both))
    drivers = zip(said[::3], said[2::3], strict=True)
    plain = _BUILT_IN | {"set", "unset", "unspecified"}
    return tuple(f"{name} (merge={driver})" for name, driver in drivers if driver not in plain)
