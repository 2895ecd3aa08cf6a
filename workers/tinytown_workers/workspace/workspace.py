"""The workspace of an attempt: a private clone to work in, and how its work is brought into the mirror.

::

    prepare     a clone of the mirror, on the item's branch, with its dependencies' work merged in
    prepare_at  a clean clone of one exact commit, for checks and reviews
    collect     what the agent left, committed or not, into one ref of the mirror
    salvage     the same for an attempt that failed, under a ref of its own
    remove      the folder, once its content is proven to be in the mirror

The clone is never used as a repository by tinytown: hooks, monitors, filters or aliases that an agent plants
in it are text (see ``clone``). Beside each folder ``NAME`` lies its ledger ``.NAME.git``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tinytown import contract, files, set_aside, tracing
from tinytown.errors import ConfigurationError, ConflictError, DiskFullError, NotFoundError, StateError
from tinytown.forge import excludes
from tinytown.git import diffs, locks, unsafe_paths
from tinytown.git.repository import Git, branch_ref, is_ref_name, is_sha, time_limit
from tinytown_workers.clone import clone, index_file, lfs_files, mounts, submodules
from tinytown_workers.clone.remove_tree import mode_of
from tinytown_workers.collect import content_policy, elsewhere, kept_refs, quarantine, unfinished_operations
from tinytown_workers.collect.collect import INDEX, AgentClone, Collected
from tinytown_workers.collect.collect import collect as collect_into
from tinytown_workers.sandbox import lending
from tinytown_workers.sandbox.identity import Identity
from tinytown_workers.workspace import conflicts
from tinytown_workers.workspace.retire import (
    RECORD,
    discard,
    give_up,
    ledger_of,
    read_record,
    remove,
    waits,
    write_record,
)

__all__ = [
    "Collected", "Prepared", "collect", "diff", "discard", "folders", "give_up", "load", "prepare", "prepare_at",
    "remove", "salvage", "tree_of", "waits",
]  # fmt: skip

#: Refs of work that belongs to no branch.
SALVAGE = "refs/tinytown/salvage"
#: Seconds that bringing in the work of one attempt may take: far more than a repository of a million files needs.
COLLECT_SECS = 1800.0
#: Most different salvages of one attempt; more than two would be a surprise.
_SALVAGES = 9


@dataclass(frozen=True)
class Prepared:
    """A clone that is ready to be worked in."""

    folder: Path
    #: The commit that it begins at; the attempt's work is what comes on top.
    start_sha: str
    #: Files that hold conflict markers, from merging the heads.
    conflicts: tuple[str, ...] = ()
    #: Branch it is on; empty for a detached clone.
    branch: str = ""
    #: Files in conflict without markers, from this merge or one that no successful attempt has seen yet.
    unmarked: tuple[str, ...] = ()
    #: The base that its work is judged against; empty for a detached clone.
    base: str = ""
    #: The commit that holds what others had done before; the start may hold earlier work of the item besides.
    given: str = ""

    @property
    def ledger(self) -> Path:
        """Tinytown's own git directory for this folder."""
        return ledger_of(self.folder)


# -- before the work -------------------------------------------------------------------------------


@tracing.step("prepare a clone")
def prepare(
    mirror: Path,
    folder: Path,
    *,
    base_sha: str,
    branch: str,
    heads: Sequence[str] = (),
    resume: str | None = None,
    proven: str | None = None,
    kept: Sequence[kept_refs.Kept] = (),
    agent: str = "agent",
) -> Prepared:
    """Clone the mirror into ``folder``, on ``branch`` at ``resume`` (earlier work) or else ``base_sha``.

    Each of ``heads`` that isn't contained yet is merged in, in order, by the attributes of the base. A conflict is
    committed with its markers, for the agent to resolve. What earlier attempts left in conflict is named too, unless
    ``proven``, the newest commit of an attempt that ended well, holds it. The clone has no remote and shares no file
    with anything; what earlier attempts left elsewhere, ``kept``, is in refs of its own. ``agent`` signs what is
    committed in it.

    Raises:
        NotFoundError: one of the commits is not in the mirror.
        StateError: the folder exists already, or git is too old.
        DiskFullError: no room; nothing is left behind.
    """
    ref = branch_ref(branch, ours=True)
    own = Git.own(mirror)
    start = _known(own, resume or base_sha)
    for head in heads:
        if own.is_ancestor(_known(own, head), start):
            continue
        start = conflicts.merge(mirror, start, head, rules=base_sha)
    base = _known(own, base_sha) if start != base_sha else base_sha
    left = conflicts.left(own, start, base=base, proven=proven)
    given = own.run("merge-base", start, base_sha, ok=(0, 1)).stdout.partition("\n")[0] if resume else start
    prepared = Prepared(folder, start, left.marked, branch, left.unmarked, base_sha, given)
    name = agent if contract.is_name(agent) else "agent"
    identity = f"[user]\n\tname = {name}\n\temail = {name}@localhost\n"
    _build(mirror, prepared, head=ref, identity=identity, disposable=False, kept=kept)
    return prepared


@tracing.step("prepare a clone")
def prepare_at(mirror: Path, folder: Path, sha: str) -> Prepared:
    """A clean, detached clone of exactly this commit; what happens in it is never collected.

    Raises:
        NotFoundError: the commit is not in the mirror.
        StateError: the folder exists already.
        DiskFullError: no room; nothing is left behind.
    """
    prepared = Prepared(folder, _known(Git.own(mirror), sha))
    _build(mirror, prepared, head=sha, identity="", disposable=True)
    return prepared


def lend(prepared: Prepared, whom: Identity) -> None:
    """Give a fresh clone, in which nothing has run, to the user that will work in it."""
    lending.lend(prepared.folder, whom)
    # The owner is among what git compares to see whether a file may have changed.
    for git_dir, place in ((prepared.ledger, prepared.folder), *submodules.ledgers(prepared.folder, prepared.ledger)):
        for index in (git_dir / INDEX, place / ".git/index"):
            if index.is_file():
                index_file.remember(index, place)
                os.chown(index, *((whom.uid, whom.gid) if index.is_relative_to(prepared.folder) else (-1, -1)))


def exists(folder: Path) -> bool:
    """Whether anything of a workspace is there."""
    return bool(mode_of(folder) or mode_of(ledger_of(folder)))


def load(folder: Path) -> Prepared | None:
    """The clone that an earlier process prepared in this folder; ``None`` if it never got that far."""
    record = read_record(folder)
    if not record.get("ready"):
        return None
    return Prepared(
        folder,
        str(record["start_sha"]),
        tuple(record["conflicts"]),
        str(record["branch"]),
        tuple(record.get("unmarked") or ()),
        str(record.get("base") or ""),
        str(record.get("given") or ""),
    )


def mirror_of(folder: Path) -> Path | None:
    """The mirror that a folder was prepared from, as its ledger says."""
    record = read_record(folder)
    return Path(record["mirror"]) if record.get("mirror") else None


def folders(work_root: Path) -> list[Path]:
    """All workspaces ``<work root>/<mission>/<item>/<name>`` that were begun and are not removed yet.

    Only there: deeper folders may be an agent's, and so may be whatever looks like a ledger in them.
    """
    found = (_folder(path) for path in work_root.glob("*/*/.*.git") if (path / RECORD).is_file())
    return sorted(folder for folder in found if not set_aside.is_aside(folder))


def _build(
    mirror: Path, prepared: Prepared, *, head: str, identity: str, disposable: bool, kept: Sequence[kept_refs.Kept] = ()
) -> None:
    folder, ledger, sha = prepared.folder, prepared.ledger, prepared.start_sha
    if folder.exists() or ledger.exists():
        raise StateError(f"{folder} exists already", remedy="each attempt has a folder of its own")
    record: dict[str, Any] = {
        **asdict(prepared), "folder": folder.name, "mirror": str(mirror), "disposable": disposable
    }  # fmt: skip
    try:
        # The ledger comes first: a folder without one is never ours.
        ledger.mkdir(parents=True, mode=0o700)
        write_record(ledger, record)
        folder.mkdir(mode=0o700)
        patterns = excludes.of_mirror(mirror)
        clone.make_git_dir(ledger, head=sha, sha=sha, excludes=patterns, borrow_from=mirror)
        Git.own(ledger, work_tree=folder, index=ledger / INDEX).run("read-tree", "--reset", "-u", sha)
        filled = lfs_files.fill(folder, ledger, ledger / INDEX, mirror=mirror, sha=sha)
        git_dir = folder / ".git"
        extra = identity + lfs_files.configuration(mirror) + submodules.fill(folder, ledger, mirror=mirror, sha=sha)
        clone.make_git_dir(git_dir, head=head, sha=sha, extra=extra, excludes=patterns)
        if not disposable:
            lfs_files.copy_contents(folder, filled, git_dir)
        clone.copy_objects(mirror, git_dir)
        quarantine.give(ledger, git_dir)
        if head.startswith("refs/"):
            clone.write_ref(git_dir, head, sha)
        kept_refs.put(git_dir, kept, prepared.branch)
        if (ledger / INDEX).exists():
            # Copied with its time, by which git tells whether a file may have changed since.
            shutil.copy2(ledger / INDEX, git_dir / "index")
        write_record(ledger, {**record, "ready": True})
    except BaseException as error:
        discard(folder)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no space for a clone in {folder}", remedy="free some space, then retry") from None
        raise


# -- after the work --------------------------------------------------------------------------------


def collect(prepared: Prepared, *, mirror: Path, ref: str, message: str) -> Collected:
    """Bring what the agent left into the mirror as ``ref``, the only ref that moves.

    Its commits travel as they are if they continue from the start and hold nothing that is refused; else their
    result does, as one commit. What is not committed is committed by tinytown with ``message``. Doing it again
    changes nothing.

    Raises:
        ConflictError: ``ref`` holds commits that this work doesn't contain.
        DiskFullError: no room in the mirror or the ledger.
        GitError: the work cannot be taken; a ``GitLimitError`` says that there is too much of it.
        NotFoundError: the folder is gone.
        ProgramTimeoutError: it would take too long.
        StateError: something is mounted on the folder.
    """
    if not is_ref_name(ref) or not ref.startswith(("refs/heads/tt/", "refs/tinytown/")):
        raise ConfigurationError(f"{ref!r} is not a ref of tinytown", remedy="collect into a branch `tt/…`")
    if not stat.S_ISDIR(mode_of(prepared.folder)) or not (prepared.ledger / RECORD).is_file():
        raise NotFoundError(f"{prepared.folder} is no workspace", remedy="it was removed, or never prepared")
    if not mounts.is_folder(prepared.folder):
        raise StateError(f"something is mounted on {prepared.folder}", remedy="unmount it; the work is below it")
    # Who collects holds the folder: what an earlier one locked and did not unlock is nobody's.
    locks.clear(prepared.ledger)
    for name in (ref, kept_refs.place(prepared.folder)):
        locks.clear_ref(mirror, name)
    with _disk_full(prepared.folder), time_limit(COLLECT_SECS):
        found = unfinished_operations.under_way(prepared.folder / ".git", prepared.ledger)
        here = found if found is not None and not found.worktree else None
        source = AgentClone(
            prepared.folder, prepared.ledger, mirror, prepared.start_sha, prepared.branch, here, prepared.given
        )
        collected, refusals = collect_into(source, ref, message)
        collected, refusals = _with_the_rest(source, collected, refusals, found)
        if prepared.base:
            head = collected.head or prepared.start_sha
            places = conflicts.places(Git.own(mirror), head, base=prepared.base)
            shown = tuple(f"{path} ({lines})" for path, lines in places.items())
            collected = replace(collected, unresolved=tuple(places), marked=shown)
        record = files.read_json(prepared.ledger / RECORD) or {}
        left = [str(refusal) for refusal in refusals if refusal.content]
        before = record.get("kept") or {}
        # Work that has been here for long does not become new by being collected again.
        since = before.get("at", 0) if before.get("left") == left else time.time()
        besides = [(one.label, one.ref, one.sha) for one in collected.kept]
        kept = {"head": collected.head, "ref": ref, "left": left, "at": since, "elsewhere": besides}
        write_record(prepared.ledger, {**record, "mirror": str(mirror), "kept": kept})
    return collected


def _with_the_rest(
    source: AgentClone,
    collected: Collected,
    refusals: list[content_policy.Refusal],
    operation: unfinished_operations.Operation | None,
) -> tuple[Collected, list[content_policy.Refusal]]:
    """Also bring in what is elsewhere in the clone."""
    where = kept_refs.place(source.folder)
    rest = elsewhere.keep(source, where, operation=operation, collected=collected.head, away=bool(collected.away))
    # What is in the mirror from an earlier time is not new.
    before = (files.read_json(source.ledger / RECORD) or {}).get("kept") or {}
    kept = tuple(dict.fromkeys((*(kept_refs.Kept(*one) for one in before.get("elsewhere") or ()), *rest.kept)))
    refusals = [one for one in refusals if one.path not in rest.linked or one.why != unsafe_paths.OWN_REPOSITORY]
    refusals += [one for one in rest.refused if one not in refusals]
    said = str(operation) if operation is not None else ""
    return replace(collected, refused=tuple(map(str, refusals)), operation=said, kept=kept), refusals


def salvage(prepared: Prepared, *, mirror: Path, attempt: str, message: str = "") -> Collected:
    """Keep what a failed attempt left under ``refs/tinytown/salvage/…``, so that a retry can go on from it."""
    ref = salvage_ref(attempt)
    text = message or f"Salvaged from attempt {attempt}\n"
    for number in range(1, _SALVAGES + 1):
        try:
            return collect(prepared, mirror=mirror, ref=ref if number == 1 else f"{ref}-{number}", message=text)
        except ConflictError:
            if number == _SALVAGES:
                raise
    raise AssertionError("unreachable")


def salvage_ref(attempt: str) -> str:
    """Where the salvaged work of an attempt is kept, or that of many, below the beginning of their names."""
    return f"{SALVAGE}/{quote(attempt, safe='/').replace('.', '%2E').replace('~', '%7E')}"


# -- looking ---------------------------------------------------------------------------------------


def tree_of(mirror: Path, sha: str) -> str:
    """The tree of a commit."""
    own = Git.own(mirror)
    return own.tree(_known(own, sha))


def diff(mirror: Path, base: str, head: str, *, limit: int = diffs.LIMIT, only: Sequence[str] | None = None) -> str:
    """What ``head`` changes since it left ``base``; see ``diffs``."""
    own = Git.own(mirror)
    done = own.run("merge-base", base, head, ok=(0, 1, 128)) if is_sha(base) and is_sha(head) else None
    if done is None or done.code == 128:
        base, head = _known(own, base), _known(own, head)
    fork = (done.stdout.partition("\n")[0] if done else "") or base
    return diffs.diff(own, fork, head, limit=limit, only=only)


# -- inside ----------------------------------------------------------------------------------------


def _known(own: Git, sha: str) -> str:
    if not is_sha(sha) or own.commit(sha) is None:
        raise NotFoundError(f"commit {sha[:64]!r} is not in the mirror", remedy="collect it on this machine first")
    return sha


def _folder(ledger: Path) -> Path:
    return ledger.with_name(ledger.name[1 : -len(".git")])


@contextlib.contextmanager
def _disk_full(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no space to collect {folder}", remedy="free some space, then retry") from None
        raise
