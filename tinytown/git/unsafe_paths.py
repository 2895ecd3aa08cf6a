"""What no change may bring into a tree, wherever it comes from and however it gets there.

In a folder that looks like a repository, git obeys its configuration: whoever types ``git status`` there runs the
programs that this names. It takes several files to make one, perhaps from several changes, so a folder is judged by
everything in it: what a change brings and what was there. A link that leads out of the tree shows whatever is at that
place on the machine of whoever checks it out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath

from tinytown import settings
from tinytown.git.repository import Git

#: Folders named on one command line.
_BATCH = 200
#: Why such a folder is not taken.
OWN_REPOSITORY = "a git repository of its own"

_LINK, _GONE = "120000", "000000"
_HEAD = "head"
#: Any name that could be read as HEAD; the names that git lists are then checked more closely.
_MAYBE_HEAD = ":(icase,glob)**/*h*e*a*d*"
_NOTHING = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
#: Characters that some file systems ignore in a name.
_UNSEEN = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


def repositories(brought: Collection[str], there: Collection[str] = ()) -> list[str]:
    """Folders, with a slash at the end, that git would take for a repository and in which something is brought.

    ``there`` are paths that were there before, in these folders at least. Names are compared as by the file system that
    ignores most differences. The top folder never counts, because git finds its ``.git`` first.
    """
    heads = {folder for folder in (_holder(path) for path in (*brought, *there)) if folder}
    if not heads:
        return []
    held: dict[str, set[str]] = {}
    touched = set()
    for paths, new in ((brought, True), (there, False)):
        for path in paths:
            for folder in _folders(path, heads):
                held.setdefault(folder, set()).add(_plain(path[len(folder) :].partition("/")[0]))
                if new:
                    touched.add(folder)
    return sorted(folder for folder in touched if _is_repository(held[folder]))


def there(own: Git, commit: str, brought: Collection[str]) -> list[str]:
    """The paths of a commit that count for what a change brings to it."""
    said = own.names(
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", _NOTHING[len(commit)], commit, "--", _MAYBE_HEAD
    )
    heads = [folder for folder in dict.fromkeys((*map(_holder, said), *map(_holder, brought))) if folder]
    touched = {folder for path in brought for folder in _folders(path, set(heads))} if heads else set()
    folders = [folder for folder in heads if folder in touched]
    found: list[str] = []
    for at in range(0, len(folders), _BATCH):
        some = folders[at : at + _BATCH]
        found += own.names("--literal-pathspecs", "ls-tree", "-z", "--name-only", "--full-tree", commit, *some)
    return found


def reserved(path: str) -> str:
    """Why nobody but the user may change what stands at this path; empty if anybody may."""
    if path == ".gitmodules":
        return "repositories within the repository are not taken"
    # Merged, it would decide for the town which programs run, and how. Some file systems know no capitals.
    if path.partition("/")[0].lower() in (settings.FILE_NAME, ".tt"):
        return "tinytown's own files are for people to change"
    return ""


def leaves(path: str, target: str) -> bool:
    """Whether a link at ``path`` could lead out of the tree, or into its git directory.

    Only leading ``..`` are counted: the link's own folders are real, what comes after a name may be a link.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return (
        target.startswith("/")
        or ups > path.count("/")
        or ".." in parts[ups:]
        or any(_plain(part) == ".git" for part in parts)
    )


def of_merge(own: Git, base: str, merged: str, head: str) -> list[str]:
    """What a merge would bring to ``base`` that its ``head`` alone does not, each as a sentence.

    Two changes can make a repository together, and where one of them moves a folder a link in it leads elsewhere.
    """
    flags = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv")
    raw = own.names("diff-tree", *flags, base, merged)
    entries = [(*header.split(" "), path) for header, path in zip(raw[::2], raw[1::2], strict=True)]
    brought = {path: (mode, sha) for _, mode, _, sha, _, path in entries if mode != _GONE}
    found = dict.fromkeys(repositories(brought, there(own, base, brought)), OWN_REPOSITORY)
    links = {path: sha for path, (mode, sha) in brought.items() if mode == _LINK}
    targets = dict(own.contents(links.values())) if links else {}
    for path, sha in links.items():
        if leaves(path, targets[sha].decode(errors="surrogateescape")):
            found[path] = "a link out of the tree"
    found |= {path: why for path in brought if (why := reserved(path))}
    # What the head itself holds was checked when it was made, or a person put it there.
    same = _entries(own, head, found) & _entries(own, merged, found) if found else set()
    return [f"{path}: {why}" for path, why in found.items() if path.rstrip("/") not in {name for _, name in same}]


def _entries(own: Git, tree: str, paths: Iterable[str]) -> set[tuple[str, str]]:
    """What stands at these paths, with its mode and object."""
    names = [path.rstrip("/") for path in paths][:_BATCH]
    entries = own.names("--literal-pathspecs", "ls-tree", "-z", "--full-tree", tree, *names)
    return {(header, name) for header, _, name in (entry.partition("\t") for entry in entries)}


def _is_repository(names: Iterable[str]) -> bool:
    held = set(names)
    return _HEAD in held and ({"objects", "refs"} <= held or "commondir" in held)


def _holder(path: str) -> str:
    """The folder in which a path is what git calls HEAD, with a slash at its end; empty for any other path."""
    name = PurePosixPath(path).name
    return path[: len(path) - len(name)] if _plain(name) == _HEAD else ""


def _folders(path: str, known: Collection[str]) -> Iterator[str]:
    """Those of the known folders that a path is in."""
    at = path.find("/") + 1
    while at:
        if path[:at] in known:
            yield path[:at]
        at = path.find("/", at) + 1


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name.translate(_UNSEEN)).casefold() if not name.isascii() else name.lower()
