"""What of an agent's folder and commits may enter a repository, and why the rest may not.

Refused by name: links that lead out of the tree, files too large for a repository, repositories within the
repository, changes of ``.gitmodules`` and of tinytown's own files, things that are no files, and more than anybody
would want at once: one object can be in ten thousand places and costs nothing until somebody checks it out. No link is
followed and nothing is opened.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinytown.git import unsafe_paths
from tinytown.git.repository import Git, GitError
from tinytown_workers.clone import mounts
from tinytown_workers.collect import tree_size

#: Largest file that is taken, in bytes; the common hosts of repositories refuse larger ones too.
FILE_LIMIT = 100 * 1024 * 1024
#: Bytes of all files that one attempt may bring; a content counts at each path that has it.
TOTAL_LIMIT = 1024 * 1024 * 1024
#: Largest commit object: its message, since its files are objects of their own.
COMMIT_LIMIT = 1024 * 1024
#: Longest target of a link that a system takes.
LINK_LIMIT = 4096
#: Most folders around a file: many programs recurse into them, and crash if there are very many.
DEPTH_LIMIT = 200
#: Most commits of one attempt that are taken as they are; of more only the result is taken, as one commit.
COMMITS_LIMIT = 2000
#: Most files that one attempt may add, apart from as many as there were.
FILES_LIMIT = 100_000
#: Places of other file systems that are named.
MOUNTS_NAMED = 20
_MOUNTED = "another file system is mounted there: it was left as it is"
#: Modes as git writes them.
_LINK, _GITLINK, _GONE = "120000", "160000", "000000"


@dataclass(frozen=True)
class Refusal:
    """Something that was left behind; ``content`` says that it would be lost with the folder."""

    path: str
    why: str
    content: bool = True
    #: It is too large for a repository.
    large: bool = False

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.why}"


@dataclass
class Sorted:
    """Paths to add, paths to remove, and what is refused; a refused path keeps its old content."""

    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    #: Bytes of what is to be added.
    bytes: int = 0
    #: How many files may be added.
    room: int = field(default_factory=lambda: FILES_LIMIT)


def shown(path: str) -> str:
    """A path as text for people and records: bytes that are not UTF-8 are escaped."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


# -- the folder ----------------------------------------------------------------------------------


def disarm(root: Path) -> list[str]:
    """Remove pipes, sockets and devices, which git might open and hang on; they have no content to lose.

    What is mounted in the folder belongs to somebody else.
    """
    special: list[str] = []
    mounted = set(mounts.below(root))
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}{entry.name}"
                    if path in mounted:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if path != ".git":
                            pending.append(f"{path}/")
                    elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                        special.append(path)
        except OSError:
            continue
    for path in special:
        with contextlib.suppress(OSError):
            (root / path).unlink()
    return special


def sort_files(root: Path, own: Git, *, untouched: Container[str] = ()) -> Sorted:
    """Compare the folder with the index of ``own`` and sort what differs.

    ``untouched`` are submodules that hold what they were filled with.
    """
    result = Sorted()
    special = _unignored(own, sorted(disarm(root)))
    result.refused += [Refusal(path, "not a file", content=False) for path in special]
    mounted = mounts.below(root)
    result.refused += [Refusal(path, _MOUNTED, content=False) for path in mounted[:MOUNTS_NAMED]]
    # With all entries of the index, to find the submodules among them.
    left_alone = (f"--exclude=/{_literal(path)}" for path in mounted)
    listed = own.names("ls-files", "-z", "-t", "-s", "-o", "-m", "-d", "--exclude-standard", *left_alone)
    result.room += sum(1 for entry in listed if entry[:1] == "H")
    others = [entry[2:] for entry in listed if entry[:1] == "?"]
    # A changed file that is gone is listed twice.
    tracked = list(dict.fromkeys(entry.partition("\t")[2] for entry in listed if entry[:1] in ("C", "R")))
    files = [path for path in others if not path.endswith("/")]
    nested = [path for path in others if path.endswith("/")]
    if nested:
        files += _unignored(own, sorted(path for one in nested for path in _nested_files(root, one, result)))
    # What stands where a submodule is recorded git looks into no further, and lists nowhere. Whether `.gitmodules`
    # names it, and whether the agent left that file there, is all the same.
    links = sorted({entry.partition("\t")[2] for entry in listed if entry.startswith(_GITLINK, 2)})
    links = [path for path in links if path not in untouched]
    full = [path for path in links if _is_real(root, path, {"": True}) and _holds_any(root / path)]
    result.refused += [Refusal(f"{path}/", "it is in a submodule") for path in full]
    gone = set(special)
    changed = [path for path in (*files, *tracked) if path not in gone]
    known = [entry.partition("\t")[2] for entry in listed if entry[:1] == "H"]
    bare = unsafe_paths.repositories(changed, known)
    result.refused += [Refusal(folder, unsafe_paths.OWN_REPOSITORY) for folder in bare]
    _sort(root, own, outside(changed, bare), result)
    return result


def outside(paths: Iterable[str], folders: Iterable[str]) -> list[str]:
    """The paths that are in none of these folders, whose names end with a slash; fast also for very many."""
    shut = frozenset(folders)
    inside = {"": False}

    def is_in(folder: str) -> bool:
        return _spread(folder, inside, lambda one, above: above or f"{one}/" in shut)

    return [path for path in paths if not (shut and is_in(path.rpartition("/")[0]))]


def _spread(folder: str, known: dict[str, bool], judge: Callable[[str, bool], bool]) -> bool:
    """A property of each folder, derived from that of the folder above it; without recursion, however deep they are."""
    unknown = []
    while folder not in known:
        unknown.append(folder)
        folder = folder.rpartition("/")[0]
    said = known[folder]
    for one in reversed(unknown):
        said = known[one] = judge(one, said)
    return said


def sort_paths(root: Path, own: Git, paths: Iterable[str], into: Sorted) -> None:
    """Sort further paths that the comparison doesn't name, e.g. ignored files that an agent committed."""
    known = {*into.add, *into.remove, *(refusal.path for refusal in into.refused)}
    folders = [path for path in known if path.endswith("/")]
    _sort(root, own, outside((path for path in paths if path not in known), folders), into)


def _sort(root: Path, own: Git, paths: Sequence[str], into: Sorted) -> None:
    real: dict[str, bool] = {"": True}
    gitlinks: set[str] | None = None
    mounted = tuple(f"{path}/" for path in mounts.below(root))
    beyond = 0
    for path in paths:
        if f"{path}/".startswith(mounted):
            continue
        try:
            found = (root / path).lstat() if _is_real(root, path.rpartition("/")[0], real) else None
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if found is None:
            into.remove.append(path)
        elif stat.S_ISDIR(found.st_mode):
            # A file that became a folder is gone; an entry for a repository stays as it is.
            gitlinks = _gitlinks(own) if gitlinks is None else gitlinks
            if path not in gitlinks:
                into.remove.append(path)
        elif refusal := _refusal(root, path, found, into.bytes):
            into.refused.append(refusal)
        elif len(into.add) >= into.room:
            beyond += 1
        else:
            into.bytes += found.st_size
            into.add.append(path)
    if beyond:
        into.refused.append(Refusal(f"{beyond} more files", f"more than {into.room} files at once"))


def _literal(path: str) -> str:
    """A pattern that matches only this path."""
    return "".join(f"\\{character}" if character in "\\*?[ " else character for character in path)


def _is_real(root: Path, folder: str, known: dict[str, bool]) -> bool:
    """Whether a path leads to a folder without a link on the way."""

    def judge(one: str, above: bool) -> bool:
        try:
            return above and stat.S_ISDIR((root / one).lstat().st_mode)
        except OSError:
            return False

    return _spread(folder, known, judge)


def _refusal(root: Path, path: str, found: os.stat_result, already: int) -> Refusal | None:
    if why := unsafe_paths.reserved(path) or _too_deep(path):
        return Refusal(path, why)
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(root / path)  # noqa: PTH115
        return (
            Refusal(path, f"a link out of the tree, to {shown(target)}", content=False)
            if unsafe_paths.leaves(path, target)
            else None
        )
    if not stat.S_ISREG(found.st_mode):
        return Refusal(path, "not a file", content=False)
    if found.st_size > FILE_LIMIT:
        return Refusal(path, f"larger than {FILE_LIMIT >> 20} MB", large=True)
    if already + found.st_size > TOTAL_LIMIT:
        return Refusal(path, f"all files together are larger than {TOTAL_LIMIT >> 20} MB")
    if not os.access(root / path, os.R_OK):
        return Refusal(path, "may not be read")
    return None


def _too_deep(path: str) -> str:
    return f"in more than {DEPTH_LIMIT} folders within each other" if path.count("/") > DEPTH_LIMIT else ""


def _holds_any(folder: Path) -> bool:
    """Whether anything is in the folder of a submodule, which is empty when an agent begins."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _gitlinks(own: Git) -> set[str]:
    return {entry.partition("\t")[2] for entry in own.names("ls-files", "-s", "-z") if entry.startswith(_GITLINK)}


def _nested_files(root: Path, nested: str, into: Sorted) -> list[str]:
    """The files of a repository that the agent began inside the tree; one it cloned from elsewhere is refused."""
    git_dir = root / nested / ".git"
    if not _begun_here(git_dir):
        into.refused.append(Refusal(nested, unsafe_paths.OWN_REPOSITORY))
        return []
    found: list[str] = []
    mounted = set(mounts.below(root))
    pending = [nested]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}{entry.name}"
                    if path in mounted:
                        continue
                    if entry.name.lower() == ".git":
                        if path != f"{nested}.git":
                            into.refused.append(Refusal(folder, unsafe_paths.OWN_REPOSITORY))
                    elif entry.is_dir(follow_symlinks=False):
                        pending.append(f"{path}/")
                    else:
                        found.append(path)
        except OSError:
            into.refused.append(Refusal(folder, "may not be read"))
    return found


def _begun_here(git_dir: Path) -> bool:
    """A plain git directory without a remote: somebody typed ``git init``."""
    try:
        config = git_dir / "config"
        if not stat.S_ISDIR(git_dir.lstat().st_mode) or not stat.S_ISREG(config.lstat().st_mode):
            return False
        return config.lstat().st_size < FILE_LIMIT and b"[remote" not in config.read_bytes().lower()
    except OSError:
        return False


def _unignored(own: Git, paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    # The dot keeps a name that begins with a colon from being read as more than a name.
    names = "".join(f"./{path}\0" for path in paths)
    ignored = set(own.run("check-ignore", "-z", "--stdin", "--no-index", input=names, ok=(0, 1)).stdout.split("\0"))
    return [path for path in paths if f"./{path}" not in ignored]


# -- the commits ---------------------------------------------------------------------------------


def refused_in_commits(own: Git, start: str, commits: Sequence[str]) -> list[Refusal]:
    """What would be refused in any of these commits on top of ``start``, whether or not the last still has it.

    A history that cannot be read is refused as a whole.
    """
    if len(commits) > COMMITS_LIMIT:
        return [Refusal("history", f"more than {COMMITS_LIMIT} commits", content=False)]
    try:
        raw = own.names(
            "diff-tree", "--stdin", "-z", "-r", "-m", "--root", "--raw", "--no-renames", "--no-abbrev",
            "--no-commit-id", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none",
            input="".join(f"{commit}\n" for commit in commits),
        )  # fmt: skip
        entries = [(*header.split(" "), path) for header, path in zip(raw[::2], raw[1::2], strict=True)]
        new = [(mode, sha, path) for _, mode, _, sha, _, path in entries if mode != _GONE]
        return _refused_entries(own, start, commits, new)
    except (GitError, ValueError) as error:
        return [Refusal("history", f"cannot be read: {error}", content=False)]


def _refused_entries(
    own: Git, start: str, commits: Sequence[str], entries: Sequence[tuple[str, str, str]]
) -> list[Refusal]:
    refused = [
        Refusal(
            path, unsafe_paths.reserved(path) or _too_deep(path) or "repositories within the repository are not taken"
        )
        for mode, _, path in entries
        if mode == _GITLINK or unsafe_paths.reserved(path) or _too_deep(path)
    ]
    brought = {path for *_, path in entries}
    folders = unsafe_paths.repositories(brought, unsafe_paths.there(own, start, brought))
    refused += [Refusal(folder, unsafe_paths.OWN_REPOSITORY) for folder in folders]
    blobs = [entry for entry in entries if entry[0] != _GITLINK]
    sizes = _sizes(own, [*(sha for _, sha, _ in blobs), *commits])
    if any(sizes[commit] > COMMIT_LIMIT for commit in commits):
        refused.append(Refusal("history", f"a commit is larger than {COMMIT_LIMIT >> 20} MB", content=False))
    if sum(sizes[sha] for _, sha, _ in blobs) > TOTAL_LIMIT:
        why = f"all files together are larger than {TOTAL_LIMIT >> 20} MB"
        refused.append(Refusal("history", why, content=False))
    refused += [
        Refusal(path, f"larger than {FILE_LIMIT >> 20} MB") for _, sha, path in blobs if sizes[sha] > FILE_LIMIT
    ]
    links = [(sha, path) for mode, sha, path in blobs if mode == _LINK]
    short = [sha for sha, _ in links if sizes[sha] <= LINK_LIMIT]
    targets = {sha: content.decode(errors="surrogateescape") for sha, content in tree_size.contents(own, short)}
    for sha, path in links:
        target = targets.get(sha)
        if target is None:
            refused.append(Refusal(path, "a broken link", content=False))
        elif unsafe_paths.leaves(path, target):
            refused.append(Refusal(path, f"a link out of the tree, to {shown(target[:200])}", content=False))
    return list(dict.fromkeys(refused))


def _sizes(own: Git, shas: Iterable[str]) -> dict[str, int]:
    wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
    if not wanted:
        return {}
    lines = own.line("cat-file", "--batch-check=%(objectname) %(objectsize)", input=wanted).splitlines()
    # If an object is missing or broken, the history is refused as a whole.
    return {sha: int(size) for sha, size in (line.split(" ") for line in lines)}
