"""Whether a base holds a change already, however somebody brought it there: merged, squashed, rebased or picked.

What counts is content. A commit of the base holds a change if merging the change into it would alter nothing, except
files that it holds word for word with another mode or, new in the base, by another name; or if each of the change's
commits has an equal patch in the base. If a person changed it while they brought it there, it cannot be recognised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tinytown.git import merge
from tinytown.git.repository import Git

#: Commits of the base that are tried, the newest first.
LIMIT = 200
#: A file by another name counts as the same from so many bytes on: short ones are equal by chance.
TELLING = 32
#: Contents of a change that are looked for by other names.
CONTENTS_LIMIT = 50
_FLAGS = ("-r", "-z", "--no-renames")


def holder(own: Git, head: str, tip: str) -> str:
    """The first commit on the base's own line that contains ``head``; ``tip`` contains it."""
    lines = own.line("rev-list", "--parents", "--ancestry-path", f"{head}..{tip}").splitlines()
    parents = {commit: before for commit, *before in (line.split() for line in lines)}
    found = tip
    while found in parents:
        before = parents[found]
        if before[0] != head and before[0] not in parents:
            return found
        found = before[0]
    return found


def find(mirror: Path, head: str, tip: str, *, looked_at: str | None = None) -> str | None:
    """The commit of the base up to ``tip`` that brought ``head``'s content, ``None`` if none did.

    ``looked_at`` is a tip at which it was not there yet; what that one held is not tried again.
    """
    own = Git.own(mirror)
    if own.is_ancestor(head, tip):
        return holder(own, head, tip)
    fork = own.run("merge-base", tip, head, ok=(0, 1)).stdout.partition("\n")[0]
    if not fork or own.tree(fork) == own.tree(head):
        return None  # Every commit would hold a change that changes nothing.
    files = _files(own, fork, head)
    since = [tip, f"^{fork}", *([f"^{looked_at}"] if looked_at else [])]
    return (
        _first(mirror, fork, head, files, _touching(own, since, files))
        or _by_patches(own, head, tip)
        or _first(mirror, fork, head, files, _bringing(own, since, files))
    )


def resembling(mirror: Path, head: str, tip: str) -> str | None:
    """The commit on the base's own line that changed most of the files of ``head``'s change since it began."""
    own = Git.own(mirror)
    fork = own.run("merge-base", tip, head, ok=(0, 1)).stdout.partition("\n")[0]
    files = _files(own, fork, head) if fork else {}
    best, most = None, 0
    for commit in _touching(own, [tip, f"^{fork}"], files)[:CONTENTS_LIMIT] if files else ():
        same = len(files.keys() & {*own.names("diff-tree", *_FLAGS, "--name-only", f"{commit}^1", commit)})
        if same > most:
            best, most = commit, same
    return best


def _files(own: Git, fork: str, head: str) -> dict[str, str]:
    """The files of a change with their blobs; an empty one for a file that it removed."""
    raw = own.names("diff-tree", *_FLAGS, "--raw", "--no-abbrev", fork, head)
    entries = ((header.split(" "), path) for header, path in zip(raw[::2], raw[1::2], strict=True))
    return {path: "" if fields[4] == "D" else fields[3] for fields, path in entries}


def _touching(own: Git, since: Sequence[str], files: Iterable[str]) -> list[str]:
    """Commits on the base's own line that touch the same files: only those can have brought it by these names."""
    return own.run(
        "--literal-pathspecs", "rev-list", "--first-parent", f"--max-count={LIMIT}", "--stdin",
        input="".join(f"{word}\n" for word in (*since, "--", *_sayable(tuple(files)))),
    ).stdout.split()  # fmt: skip


def _bringing(own: Git, since: Sequence[str], files: Mapping[str, str]) -> list[str]:
    """Commits on the base's own line that bring one of the contents by whatever name."""
    wanted = [f"--find-object={blob}" for blob in dict.fromkeys(filter(None, files.values()))][:CONTENTS_LIMIT]
    if not wanted:
        return []
    flags = ("--first-parent", "-m", "--no-renames", "--no-patch", "--format=%H", f"--max-count={LIMIT}")
    return own.line("log", *flags, *wanted, *since, "--").split()


def _first(mirror: Path, fork: str, head: str, files: Mapping[str, str], commits: Iterable[str]) -> str | None:
    """The oldest commit of the unbroken row, from the newest one back, that holds a change."""
    found = None
    for commit in commits:
        holds = _holds(mirror, commit, head, fork, files)
        if found and not holds:
            break
        found = commit if holds else found
    return found


def _sayable(paths: tuple[str, ...]) -> list[str]:
    """Paths, a line each; nothing if one of them cannot be written so: then all commits are looked at."""
    return [] if any("\n" in path for path in paths) else list(paths)


def _holds(mirror: Path, commit: str, head: str, fork: str, files: Mapping[str, str]) -> bool:
    merged = merge.merge(mirror, commit, head, rules=commit, keep=False)
    unproven = {*merged.conflicts, *merged.altered}
    if not unproven:
        return True
    if not unproven <= files.keys():
        return False
    own = Git.own(mirror)
    there, before = _blobs(own, commit), {*_blobs(own, fork).values()}
    elsewhere = {blob for path, blob in there.items() if blob not in before and path not in files}
    return all(
        there.get(path, "") == files[path] or (files[path] in elsewhere and _is_telling(own, files[path]))
        for path in unproven
    )


def _blobs(own: Git, commit: str) -> dict[str, str]:
    entries = (entry.partition("\t") for entry in own.names("ls-tree", "-r", "-z", "--full-tree", commit))
    return {path: header.split(" ")[2] for header, _, path in entries}


def _is_telling(own: Git, blob: str) -> bool:
    return int(own.line("cat-file", "-s", blob)) >= TELLING


def _by_patches(own: Git, head: str, tip: str) -> str | None:
    """The newest of the base's commits that are equal to the change's, if every one of the change's has such a twin."""
    if own.line("rev-list", "--merges", "--max-count=1", f"{tip}..{head}"):
        return None  # No patch shows how a merge was resolved.
    if own.line("rev-list", "--cherry-pick", "--right-only", "--max-count=1", f"{tip}...{head}"):
        return None
    marked = own.line("rev-list", "--cherry-mark", "--left-only", "--no-merges", f"{tip}...{head}").splitlines()
    twin = next((line[1:] for line in marked if line.startswith("=")), None)
    return None if twin is None else holder(own, twin, tip)
