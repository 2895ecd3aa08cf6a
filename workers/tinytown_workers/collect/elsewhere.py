"""Work that an agent left elsewhere in its clone than on its branch: kept under refs of its own, and named.

On another branch, in a stash, in the index alone, in a linked work tree, in commits that no branch holds any more, or
in the files of an operation that it did not finish. It is found by the objects that the clone has and the mirror lacks
once it has the work of the branch, so nothing depends on where git notes what. The same rules hold as for all work:
what is too large or malformed is left behind and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinytown.git.repository import Git, GitError
from tinytown_workers.clone import clone
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect import content_policy, excluded, kept_refs, tree_size, unfinished_operations, worktrees
from tinytown_workers.collect.collect import INDEX, AgentClone
from tinytown_workers.collect.kept_refs import Kept
from tinytown_workers.collect.unfinished_operations import Operation

#: Most refs and unreferenced commits that are kept under a name each.
NAMED_LIMIT = 40
#: Most unreferenced commits among them, the newest first.
LOOSE_LIMIT = 5
#: Most further commits, which are kept under one name.
PARENTS_LIMIT = 1000
#: Most objects that belong to no commit and are kept.
PIECES_LIMIT = 100_000
#: Most things that are named although they are not kept.
UNKEPT_LIMIT = 20

_STASH = re.compile(r"^[0-9a-f]+ ([0-9a-f]{40}(?:[0-9a-f]{24})?) ", re.MULTILINE)


@dataclass
class _Finds:
    """Objects that only the clone holds."""

    commits: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    #: With their sizes.
    blobs: dict[str, int] = field(default_factory=dict)
    #: The path of a blob, as far as it is known.
    paths: dict[str, str] = field(default_factory=dict)
    refused: list[content_policy.Refusal] = field(default_factory=list)


@dataclass(frozen=True)
class Rest:
    """What was brought into the mirror besides the work of the branch."""

    kept: tuple[Kept, ...] = ()
    refused: tuple[content_policy.Refusal, ...] = ()
    #: Folders of the clone that were taken as linked work trees.
    linked: tuple[str, ...] = ()


def keep(
    source: AgentClone, place: str, *, operation: Operation | None, collected: str | None, away: bool = False
) -> Rest:
    """Bring into refs below ``place`` of the mirror what ``collected``, the work of the branch, does not hold.

    ``away`` says that the files in the folder are no part of that.
    """
    with clone.Foreign(source.folder / ".git") as foreign:
        if not foreign.present:
            return Rest()
        trees = worktrees.of(foreign, source.folder)
        taken = source.taken
        if taken.refused:
            return Rest(refused=(content_policy.Refusal("the objects of its git directory", taken.refused),))
        if not (taken.shas or taken.unread or trees or operation or away):
            return Rest()
        finds = _finds(source)
        names = _names(foreign, source, finds)
        indexed = _indexed(foreign, source, finds, trees) if finds.blobs else None
        head = foreign.commit("HEAD")
    tips = _sound(source, finds, names)
    if operation is not None and not operation.worktree:
        _files(source, f"unfinished/{operation.kind}", f"The files as {operation} left them\n", head, tips, finds)
    elif away:
        _files(source, "files", "Files that were not committed, on another branch\n", head, tips, finds)
    for tree in trees:
        _of_worktree(source, tree, tips, finds)
    if indexed is not None:
        _staged(source, indexed, head, tips, finds, collected)
    _pieces(source, tips, finds, collected)
    kept, failed = kept_refs.store(source.mirror, source.ledger, place, tips)
    finds.refused += [content_policy.Refusal(name, "it cannot be kept: its objects are malformed") for name in failed]
    linked = [tree.folder for tree in trees if tree.folder is not None and tree.folder.is_relative_to(source.folder)]
    return Rest(kept, tuple(finds.refused), tuple(f"{folder.relative_to(source.folder)}/" for folder in linked))


def _finds(source: AgentClone) -> _Finds:
    """The objects that the mirror does not have."""
    own, shas, unread = Git.own(source.ledger), source.taken.shas, source.taken.unread
    finds = _Finds()
    if not shas:
        return _unread(finds, unread)
    wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(shas))
    known = Git.own(source.mirror).line("cat-file", "--batch-check=", input=wanted).splitlines()
    new = [line.removesuffix(" missing") for line in known if line.endswith(" missing")]
    for line in own.line("cat-file", "--batch-check", input="".join(f"{sha}\n" for sha in new)).splitlines():
        sha, _, rest = line.partition(" ")
        kind, _, size = rest.partition(" ")
        if kind == "commit":
            finds.commits.add(sha)
        elif kind == "blob":
            finds.blobs[sha] = int(size)
        elif kind == "tag":
            finds.tags.add(sha)
        elif kind != "tree":
            unread += 1
    return _unread(finds, unread)


def _unread(finds: _Finds, number: int) -> _Finds:
    if number:
        finds.refused.append(
            content_policy.Refusal(f"{number} objects of its git directory", "cannot be read", content=False)
        )
    return finds


# -- commits ---------------------------------------------------------------------------------------


def _names(foreign: Foreign, source: AgentClone, finds: _Finds) -> dict[str, str]:
    """Commits that only the clone holds, by the names that its refs have for them."""
    if not finds.commits:
        return {}
    own = Git.own(source.ledger)
    refs = {ref: _peeled(own, sha, finds) for ref, sha in foreign.refs().items()}
    found = {kept_refs.label(ref, source.branch): sha for ref, sha in refs.items() if sha in finds.commits}
    stashes = _STASH.findall(foreign.text("logs/refs/stash", 1 << 20) or "")[::-1]
    found.update({f"stash/{number}": sha for number, sha in enumerate(stashes) if sha in finds.commits})
    if "stash/0" in found:
        found.pop("stash", None)
    head = foreign.commit("HEAD")
    if head in finds.commits and head not in found.values():
        found["head"] = head
    names = dict(list(found.items())[:NAMED_LIMIT])
    further = [sha for sha in _tips(own, finds.commits) if sha not in names.values()]
    loose = [sha for sha in further if sha not in found.values()]
    names.update({f"loose/{number}": sha for number, sha in enumerate(loose[:LOOSE_LIMIT], start=1)})
    if rest := [sha for sha in further if sha not in names.values()]:
        tree = own.tree(source.start)
        names[kept_refs.REST] = kept_refs.commit(
            source.ledger, tree, rest[:PARENTS_LIMIT], "Commits that no branch holds\n"
        )
    return names


def _peeled(own: Git, sha: str, finds: _Finds) -> str:
    """The commit that a new tag leads to; anything else as it is."""
    return (_commit(own, sha) or sha) if sha in finds.tags else sha


def _commit(own: Git, sha: str | None) -> str | None:
    """A commit that can be read; ``None`` for anything else."""
    try:
        return own.commit(sha) if sha is not None else None
    except GitError:
        return None


def _tips(own: Git, commits: Iterable[str]) -> list[str]:
    """Those commits that are no ancestors of others, the newest first."""
    wanted = "".join(f"{sha}\n" for sha in commits)
    try:
        lines = own.line("rev-list", "--no-walk=sorted", "--parents", "--stdin", input=wanted).splitlines()
    except GitError:
        return []
    parents = {parent for line in lines for parent in line.split()[1:]}
    return [sha for sha, _, _ in (line.partition(" ") for line in lines) if sha not in parents]


def _sound(source: AgentClone, finds: _Finds, names: dict[str, str]) -> dict[str, str]:
    """Those that may be kept as they are; the contents of the others are kept as pieces."""
    if not names:
        return {}
    own = Git.own(source.ledger)
    if not _refused(own, source.start, list(names.values())):
        return dict(names)
    good: dict[str, str] = {}
    for name, sha in names.items():
        refused = _refused(own, source.start, [sha])
        if not refused:
            good[name] = sha
            continue
        finds.refused += [one for one in refused if one not in finds.refused]
        finds.paths.update(_contents(own, source.start, sha))
    return good


def _refused(own: Git, start: str, heads: Sequence[str]) -> list[content_policy.Refusal]:
    """Why a history cannot be kept as it is; as strict as with the work of the branch."""
    try:
        if tree_size.too_many(own, start, heads):
            return [content_policy.Refusal("history", "it holds too many files", content=False)]
        limit = f"--max-count={content_policy.COMMITS_LIMIT + 1}"
        new = own.line("rev-list", limit, *dict.fromkeys(heads), f"^{start}").splitlines()
        return content_policy.refused_in_commits(own, start, new)
    except (GitError, ValueError):
        return [content_policy.Refusal("history", "its commits cannot be read", content=False)]


def _contents(own: Git, start: str, head: str) -> dict[str, str]:
    """Paths of the blobs that a history brings, as far as it can be read."""
    try:
        limit = f"--max-count={content_policy.COMMITS_LIMIT}"
        said = own.line("rev-list", limit, "--objects", head, f"^{start}").splitlines()
    except GitError:
        return {}
    return {sha: path for sha, _, path in (line.partition(" ") for line in said) if path}


# -- files and the index ---------------------------------------------------------------------------


def _files(source: AgentClone, label: str, message: str, head: str | None, tips: dict[str, str], finds: _Finds) -> None:
    """Keep the files in the folder as they were left, with all markers, on top of HEAD."""
    own = Git.own(source.ledger)
    head = _commit(own, head)
    parent = head if head is not None and not _refused(own, source.start, [head]) else source.start
    made, refused = worktrees.files_commit(source.ledger, source.folder, parent, message, seed=source.ledger / INDEX)
    finds.refused += refused
    if made != source.start and (made != parent or parent in finds.commits) and made not in tips.values():
        tips[label] = made


def _of_worktree(source: AgentClone, tree: worktrees.Worktree, tips: dict[str, str], finds: _Finds) -> None:
    own = Git.own(source.ledger)
    if tree.folder is None:
        why = (
            f"it is outside the clone, in {content_policy.shown(tree.where)}: its uncommitted files were not looked at"
        )
        finds.refused.append(content_policy.Refusal(f"worktree {tree.name}", why, content=False))
        return
    head = _commit(own, tree.head)
    if head is None or _refused(own, source.start, [head]):
        head = source.start
    made, refused = worktrees.files_commit(source.ledger, tree.folder, head, f"Files of the worktree {tree.name}\n")
    finds.refused += [content_policy.Refusal(f"{tree.name}/{one.path}", one.why, one.content) for one in refused]
    if made != head:
        tips[f"worktree/{tree.name}"] = made


def _indexed(foreign: Foreign, source: AgentClone, finds: _Finds, trees: Sequence[worktrees.Worktree]) -> Path | None:
    """Find the paths of the new blobs in the clone's indexes; gives a copy of the main one, if it can be read."""
    copy = source.ledger / "left.index"
    read = None
    for place in ["", *(f"worktrees/{tree.name}/" for tree in trees)][::-1]:
        if not foreign.copy(f"{place}index", copy, unfinished_operations.INDEX_LIMIT):
            read = None
            continue
        own = Git.own(source.ledger, index=copy)
        try:
            raw = own.names("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", source.start)
            unmerged = own.names("ls-files", "-u", "-z")
        except GitError:
            read = None
            continue
        for header, path in zip(raw[::2], raw[1::2], strict=False):
            finds.paths.setdefault(header.split(" ")[3], path)
        for entry in unmerged:
            finds.paths.setdefault(entry.split(" ")[1], entry.partition("\t")[2])
        read = copy
    return read


def _staged(
    source: AgentClone,
    index: Path,
    head: str | None,
    tips: dict[str, str],
    finds: _Finds,
    collected: str | None,
) -> None:
    """Keep the index as a commit, if it holds what is nowhere else."""
    lost = _unheld(source, tips, finds, collected)
    own = Git.own(source.ledger, index=index)
    try:
        held = {entry.split(" ")[1] for entry in own.names("ls-files", "-s", "-z")}
        if not lost & held:
            return
        tree = own.line("write-tree")
        base = head if head is not None and head in {*tips.values(), collected, source.start} else source.start
        made = kept_refs.commit(
            source.ledger, tree, [base], "What was staged, and neither committed nor in the files\n"
        )
    except GitError:
        return  # It has unmerged entries, or names missing objects: the contents that are there are kept as pieces.
    if not _refused(own, source.start, [made]):
        tips["staged"] = made


def _unheld(source: AgentClone, tips: dict[str, str], finds: _Finds, collected: str | None) -> set[str]:
    """Blobs that neither a commit to be kept nor the work of the branch holds."""
    heads = [*tips.values(), *([collected] if collected else [])]
    if not heads or not finds.blobs:
        return set(finds.blobs)
    wanted = "".join(f"{sha}\n" for sha in [*heads, f"^{source.start}"])
    try:
        said = Git.own(source.ledger).line("rev-list", "--objects", "--no-object-names", "--stdin", input=wanted)
    except GitError:
        return set(finds.blobs)
    return set(finds.blobs) - set(said.splitlines())


def _pieces(source: AgentClone, tips: dict[str, str], finds: _Finds, collected: str | None) -> None:
    """Keep contents that no commit holds: they were staged and replaced, or belong to a history that is not kept."""
    entries: list[str] = []
    room = content_policy.TOTAL_LIMIT
    lost = _unheld(source, tips, finds, collected)
    if lost and excluded.any_of_person(source.ledger):
        # Files that the person's git ignores were left out and named already.
        own = Git.own(source.ledger, work_tree=source.folder, index=source.ledger / INDEX)
        alone = set(excluded.among(own, {finds.paths[sha] for sha in lost if sha in finds.paths}))
        lost = {sha for sha in lost if finds.paths.get(sha) not in alone}
    unkept: list[content_policy.Refusal] = []
    for sha in sorted(lost):
        size, path = finds.blobs[sha], finds.paths.get(sha, "")
        if size > content_policy.FILE_LIMIT or size > room or len(entries) >= PIECES_LIMIT:
            why = (
                f"larger than {content_policy.FILE_LIMIT >> 20} MB"
                if size > content_policy.FILE_LIMIT
                else "one too many"
            )
            unkept.append(
                content_policy.Refusal(path or f"object {sha[:10]}", f"{why}; it was staged or committed once")
            )
            continue
        room -= size
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", path)[-100:] or "content"
        entries.append(f"100644 blob {sha}\t{len(entries):04}-{plain}\n")
    named = {refusal.path for refusal in finds.refused}
    unkept = [refusal for refusal in unkept if refusal.path not in named]
    finds.refused += unkept[:UNKEPT_LIMIT]
    if len(unkept) > UNKEPT_LIMIT:
        finds.refused.append(content_policy.Refusal(f"{len(unkept) - UNKEPT_LIMIT} more", "staged or committed once"))
    if entries:
        own = Git.own(source.ledger)
        tree = own.line("mktree", input="".join(entries))
        # Without a parent: it is only to be looked at, not merged.
        tips["pieces"] = kept_refs.commit(source.ledger, tree, [], "Contents that no commit holds\n")
