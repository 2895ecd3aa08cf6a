"""What an agent left, brought into the mirror as one commit after another.

Its commits are taken as they are if they continue from the start and hold nothing that is refused; otherwise their
result is taken, as one commit. What it did not commit is committed by tinytown, from the ledger. See ``workspace``.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinytown.errors import ConflictError
from tinytown.git.repository import Git, GitError, branch_ref
from tinytown_workers.clone import clone, submodules
from tinytown_workers.collect import (
    branch_mismatch,
    content_policy,
    conversion,
    excluded,
    kept_refs,
    masks,
    quarantine,
    tree_size,
)
from tinytown_workers.collect.branch_mismatch import FinalHead
from tinytown_workers.collect.kept_refs import Kept
from tinytown_workers.collect.unfinished_operations import Operation

#: In the ledger: the files as they were before the agent began.
INDEX = "index"
#: In the ledger: what is to be fetched.
_COLLECTED = "refs/heads/collected"


@dataclass(frozen=True)
class AgentClone:
    """Where an agent worked."""

    folder: Path
    #: Tinytown's own git directory for the folder.
    ledger: Path
    mirror: Path
    start: str
    branch: str
    #: What git was in the middle of: then the files are not a result, and the branch counts as it was before that.
    operation: Operation | None = None
    #: The commit that holds what others did, which no work may silently undo.
    given: str = ""

    @functools.cached_property
    def taken(self) -> quarantine.Taken:
        """The objects of the agent's clone, copied into the ledger."""
        with clone.Foreign(self.folder / ".git") as foreign:
            return quarantine.take(foreign, self.mirror, self.ledger, length=len(self.start))


@dataclass(frozen=True)
class Collected:
    """What was brought into the mirror."""

    #: Newest commit, ``None`` if there is nothing on top of the start.
    head: str | None
    #: Files differ from the start. Commits that change nothing are kept but prove nothing.
    changed: bool
    commits: int = 0
    files: tuple[str, ...] = ()
    #: What was left behind, each with its reason.
    refused: tuple[str, ...] = ()
    #: What git was in the middle of, e.g. ``a rebase half done: file.txt``; else empty.
    operation: str = ""
    #: Work from elsewhere in the clone than its branch.
    kept: tuple[Kept, ...] = ()
    #: Files that hold conflict markers, whoever left them.
    unresolved: tuple[str, ...] = ()
    #: The same with their lines, e.g. `notes.md (lines 3, 5, 7)`.
    marked: tuple[str, ...] = ()
    #: Where the agent ended, if that was not on its branch and its files do not belong to the change.
    away: str = ""
    #: The ref that holds it.
    ref: str = ""


def collect(source: AgentClone, ref: str, message: str) -> tuple[Collected, list[content_policy.Refusal]]:
    """Bring all of it into ``ref`` of the mirror; see ``workspace.collect``."""
    try:
        return _collect(source, ref, message)
    except _RejectedError as rejected:
        # The agent's commits are malformed, but its files can still be taken.
        return _collect(source, ref, message, commits_refused=str(rejected))


class _RejectedError(Exception):
    """The mirror refused the agent's commits."""


@dataclass(frozen=True)
class _Commits:
    """The commits of an agent as far as they can be used."""

    #: The commit that the files are compared with and that the next one continues.
    parent: str
    #: How many they are.
    count: int = 0
    #: HEAD, if it is elsewhere and only looks at other commits; empty if it has no commit yet.
    elsewhere: str | None = None
    #: Where the agent ended, unless that seems to be its branch.
    end: FinalHead | None = None
    #: What its git showed instead of the commits that it began with.
    replacements: tuple[str, ...] = ()
    #: Paths of commits that are not taken.
    paths: tuple[str, ...] = ()
    refused: tuple[content_policy.Refusal, ...] = ()


def _collect(
    source: AgentClone, ref: str, message: str, *, commits_refused: str = ""
) -> tuple[Collected, list[content_policy.Refusal]]:
    ledger, start = source.ledger, source.start
    index = ledger / "collect.index"
    index.unlink(missing_ok=True)
    if (ledger / INDEX).exists():
        # Copied with its time, by which git tells whether a file may have changed since.
        shutil.copy2(ledger / INDEX, index)
    commits = _agents_commits(source, commits_refused)
    alone = commits.parent == start
    # What tinytown itself makes goes straight into the mirror; an agent's objects are checked on their way, by a fetch.
    objects = source.mirror / "objects" if alone else None
    own = Git.own(ledger, work_tree=source.folder, index=index, objects=objects)
    if not alone:
        # Keeps what the index knows of files that are the same in both.
        own.run("read-tree", "-m", "-i", commits.parent)
    if source.operation is not None:
        return _before(source, commits, ref)
    changes = content_policy.sort_files(source.folder, own, untouched=submodules.untouched(source.folder, ledger))
    personal = excluded.any_of_person(ledger)
    forced = excluded.among(own, commits.paths) if personal else []
    paths = [path for path in commits.paths if path not in set(forced)] if forced else commits.paths
    content_policy.sort_paths(source.folder, own, paths, changes)
    masked = masks.leave_out(source.folder, ledger, changes)
    if changes.remove:
        left_out = branch_mismatch.not_checked_out(source.folder, ledger)
        changes.remove = [path for path in changes.remove if path not in left_out or path in masked]
    changes.refused += commits.refused
    if personal:
        changes.refused += excluded.refusals([*forced, *excluded.lying_in(own, ledger)])
    # First the attributes that say which files are converted, then these files.
    rules = conversion.rules_among(changes)
    staged = stage(own, rules)
    place = conversion.Place(source.folder, ledger, source.mirror, start)
    staged |= conversion.convert(place, own, changes, rules, committed=not alone)
    staged |= stage(own, changes)
    if staged and (away := _away(source, own, commits)):
        return _before(source, commits, ref, away=away)
    refused = tuple(map(str, changes.refused))
    files = _changed_files(own, start) if staged or not alone else ()
    if alone and not files:
        return Collected(None, changed=False, refused=refused, ref=ref), changes.refused
    mirror = Git.own(source.mirror)
    present = mirror.commit(ref)
    head = _commit(own, commits, message, present) if staged else commits.parent
    if head == start:
        return Collected(None, changed=False, refused=refused, ref=ref), changes.refused
    if head != present and alone:
        _set(mirror, ref, head, present)
    elif head != present:
        _fetch(mirror, ledger, head, ref)
    if head == commits.parent and commits.elsewhere:
        files = _changed_files(own, start, head)
    collected = Collected(
        head=head,
        changed=bool(files),
        commits=commits.count + int(head != commits.parent),
        files=files,
        refused=refused,
        ref=ref,
    )
    return collected, changes.refused


def _before(
    source: AgentClone, commits: _Commits, ref: str, *, away: str = ""
) -> tuple[Collected, list[content_policy.Refusal]]:
    """The branch alone, without the files in the folder: as it was before the operation, or where HEAD left it."""
    refused = [] if away else list(commits.refused)
    named = tuple(map(str, refused))
    if commits.parent == source.start:
        return Collected(None, changed=False, refused=named, away=away, ref=ref), refused
    mirror = Git.own(source.mirror)
    if commits.parent != mirror.commit(ref):
        _fetch(mirror, source.ledger, commits.parent, ref)
    files = _changed_files(Git.own(source.ledger), source.start, commits.parent)
    collected = Collected(commits.parent, bool(files), commits.count, files, refused=named, away=away, ref=ref)
    return collected, refused


def _away(source: AgentClone, own: Git, commits: _Commits) -> str:
    """Where the agent ended, if the files there do not belong to its branch."""
    given = source.given or source.start
    if commits.end is None and not commits.replacements:
        return ""
    tree = own.line("write-tree")
    if commits.end is not None:
        return branch_mismatch.sentence(source.ledger, commits.end, given=given, branch=commits.parent, tree=tree)
    return branch_mismatch.undone(source.ledger, commits.replacements, given=given, tree=tree)


def _agents_commits(source: AgentClone, refused_already: str) -> _Commits:
    start = source.start
    own = Git.own(source.ledger)
    with clone.Foreign(source.folder / ".git") as foreign:
        if not foreign.present:
            return _Commits(start, refused=(_history("its git directory was replaced"),))
        head, tip = foreign.commit("HEAD"), foreign.commit(branch_ref(source.branch) if source.branch else "HEAD")
        name = branch_mismatch.name_of_head(foreign, head)
        shown = branch_mismatch.replaced(foreign, start, source.given)
        if source.operation is not None and source.operation.before is not None:
            head = source.operation.before
        if head == start and tip == start and not shown:
            return _Commits(start)
        if source.taken.refused:
            return _Commits(start, refused=(_history(source.taken.refused),))
    try:
        # A tag is not a commit, though it leads to one.
        head, tip = (own.commit(sha) if sha and sha != start else sha for sha in (head, tip))
        if tree_size.too_many(own, start, [sha for sha in (head, tip) if sha]):
            return _Commits(start, refused=(_history("it holds too many files"),))
        found = {sha: _stands(own, start, sha) for sha in (head, tip) if sha}
    except (GitError, ValueError):
        found = {}
    # An agent that has checked out the start again has undone nothing.
    newest = next((sha for wanted in ("after", "start") for sha in found if found[sha] == wanted), None)
    unread = head is None or head not in found
    if unread and newest in (None, start):
        return _Commits(start, refused=(_history("its commits cannot be read"),), end=FinalHead("", name))
    new: list[str] = []
    if newest and newest != start:
        new = own.line("rev-list", f"--max-count={content_policy.COMMITS_LIMIT + 1}", f"{start}..{newest}").splitlines()
        refused = [_history(refused_already)] if refused_already else _refusals(source, own, newest, new)
        if refused:
            return _Commits(start, paths=_paths_between(own, start, newest), refused=tuple(refused))
        if shown and branch_mismatch.undone(source.ledger, shown, given=source.given or start, tree=own.tree(newest)):
            return _Commits(start, end=FinalHead(head or "", name, apart=True))
    return _ended(source, _Commits(newest or start, count=len(new), replacements=shown), found, head or "", name)


def _ended(source: AgentClone, commits: _Commits, found: Mapping[str, str], head: str, name: str) -> _Commits:
    """The commits of the branch, and where HEAD is if not on it."""
    start, ours = source.start, commits.parent != source.start
    standing = found.get(head)
    if standing is None:
        return replace(commits, elsewhere="", end=FinalHead("", name, apart=True, looking=True))
    if head == commits.parent:
        return commits
    # A commit of somebody else's is only being looked at; an unknown one holds the agent's own work.
    other = "start" in found.values() and _is_foreign(source, head)
    if standing == "apart" and not (ours or other):
        paths, why = _paths_between(Git.own(source.ledger), start, head), _history("it was rewritten")
        return _Commits(start, paths=paths, end=FinalHead(head, name), refused=(why,))
    # If HEAD is elsewhere: looking at another commit must not undo the work.
    return replace(commits, elsewhere=head, end=FinalHead(head, name, apart=ours or standing == "apart", looking=True))


def _is_foreign(source: AgentClone, head: str) -> bool:
    """Whether the mirror has this commit from somebody else, and not from an earlier collection of this clone."""
    mirror = Git.own(source.mirror)
    return mirror.commit(head) is not None and head not in mirror.refs(kept_refs.place(source.folder)).values()


def _refusals(source: AgentClone, own: Git, newest: str, new: Sequence[str]) -> list[content_policy.Refusal]:
    """Why commits cannot travel as they are."""
    if refused := content_policy.refused_in_commits(own, source.start, new):
        return refused
    place = conversion.Place(source.folder, source.ledger, source.mirror, source.start)
    if whys := conversion.refused_in_commits(place, own, newest, new):
        return [_history(why) for why in whys]
    if excluded.any_of_person(source.ledger):
        ours = Git.own(source.ledger, work_tree=source.folder, index=source.ledger / INDEX)
        if excluded.added(ours, source.start, newest):
            return [_history("it adds files that your own git excludes name")]
    return []


def _stands(own: Git, start: str, sha: str) -> str:
    """Where a commit is: at the ``start``, ``after`` it, ``before`` it, or ``apart``."""
    if sha == start:
        return "start"
    if own.is_ancestor(start, sha):
        return "after"
    return "before" if own.is_ancestor(sha, start) else "apart"


def _history(why: str) -> content_policy.Refusal:
    return content_policy.Refusal("history", f"{why}; its files were collected as one commit", content=False)


def _paths_between(own: Git, old: str, new: str) -> tuple[str, ...]:
    """Paths that differ, as far as the trees can be read."""
    try:
        return own.names("diff-tree", "-r", "-z", "--no-renames", "--name-only", old, new)
    except GitError:
        return ()


def stage(own: Git, changes: content_policy.Sorted) -> bool:
    """Bring the changes into the index; gives whether there were any."""
    # Removals first: a file may have become a folder, or a folder a file.
    if changes.remove:
        own.run("update-index", "-z", "--force-remove", "--stdin", input=_joined(changes.remove))
    if changes.add:
        done = own.run("update-index", "-z", "--add", "--stdin", input=_joined(changes.add))
        for line in done.stderr.splitlines():
            if line.startswith("Ignoring path "):
                changes.refused.append(
                    content_policy.Refusal(line.removeprefix("Ignoring path "), "not a name for a file")
                )
    return bool(changes.add or changes.remove)


def _joined(paths: Sequence[str]) -> str:
    return "".join(f"{path}\0" for path in paths)


def _commit(own: Git, commits: _Commits, message: str, present: str | None) -> str:
    """A commit of what was not committed; if the ref already holds an equal one, that one."""
    tree = own.line("write-tree")
    known = (commits.parent if commits.count else None, commits.elsewhere)
    if tree in (own.tree(sha) for sha in known if sha):
        return commits.parent
    if present:
        shown = own.line("rev-list", "--no-walk", "--no-commit-header", "--format=%T %P", present)
        if shown.split() == [tree, commits.parent]:
            return present
    return own.commit_tree(tree, [commits.parent], message)


def _set(mirror: Git, ref: str, head: str, present: str | None) -> None:
    if present and not mirror.is_ancestor(present, head):
        raise _conflict(ref)
    try:
        mirror.run("update-ref", ref, head, present or "0" * len(head))
    except GitError:
        if mirror.commit(ref) != present:
            raise _conflict(ref) from None
        raise


def _fetch(mirror: Git, ledger: Path, head: str, ref: str) -> None:
    clone.write_ref(ledger, _COLLECTED, head)
    try:
        mirror.run(
            "fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
            "--no-prune", "--update-shallow", "--", str(ledger), f"{_COLLECTED}:{ref}",
        )  # fmt: skip
    except GitError as error:
        if "[rejected]" in error.stderr:
            raise _conflict(ref) from None
        raise _RejectedError(error.message) from None


def _conflict(ref: str) -> ConflictError:
    return ConflictError(f"`{ref}` has commits that this work does not contain", remedy="salvage the work instead")


def _changed_files(own: Git, start: str, head: str = "--cached") -> tuple[str, ...]:
    """Each file that differs from the start, in the index or in ``head``."""
    flags = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")
    names = own.names("diff", *flags, *(("--cached", start) if head == "--cached" else (start, head)))
    return tuple(map(content_policy.shown, names))
