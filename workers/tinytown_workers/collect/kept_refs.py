"""Where the mirror keeps what an attempt left beside its branch, and by which names the next clone has it.

::

    refs/tinytown/elsewhere/<mission>/<item>/<attempt>/<label>

A label begins with what it is: ``branch/side``, ``tag/v1``, ``ref/notes/x``, ``own`` (the item's own branch, where its
history was not taken), ``head``, ``stash/0``, ``worktree/x``, ``staged``, ``files`` (not committed, on another branch),
``unfinished/rebase``, ``loose/1`` (a commit that no branch holds), ``pieces`` (contents that no commit holds), ``rest``
(all further commits). The refs of attempts themselves are elsewhere, since there the name of an attempt is a ref and
cannot be a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tinytown.git.repository import EMAIL, NAME, Git, GitError, branch_ref, is_ref_name
from tinytown.missions.fences import calm
from tinytown_workers.clone import clone

ELSEWHERE = "refs/tinytown/elsewhere"
#: The label of commits that are too many to have a name each.
REST = "rest"
#: Things that are named in one sentence, and to the next agent.
NAMED = 8
#: Versions of one label that differ: an attempt is collected once, or twice when its worker dies.
_VERSIONS = 9

_FETCHED = "refs/heads/kept"
_REF = re.compile(
    rf"{ELSEWHERE}/[^/]+/[^/]+/(\d+)/((?:branch|tag|ref|own|head|stash|worktree|staged|files|unfinished|loose|pieces|rest)(?:/.+)?)"
)
_WORDS = {
    "own": "its own branch, whose history could not be taken",
    "head": "a detached HEAD",
    "staged": "its index",
    "files": "files that it did not commit, on another branch",
    "pieces": "contents that no commit holds",
    REST: "further commits that no branch holds",
}


@dataclass(frozen=True)
class Kept:
    """One thing that is kept."""

    label: str
    #: Where the mirror has it.
    ref: str
    sha: str

    @property
    def attempt(self) -> int:
        """The attempt that left it."""
        found = _REF.fullmatch(self.ref)
        return int(found[1]) if found else 0

    @property
    def is_work(self) -> bool:
        """Whether somebody put it there for later; the others are versions that were left behind."""
        return self.label.partition("/")[0] not in ("loose", "pieces", REST)

    def __str__(self) -> str:
        kind, _, name = calm(self.label).partition("/")
        match kind:
            case "branch" | "tag" | "ref" | "worktree":
                return f"{kind} `{name}`"
            case "stash":
                return "a stash" if name in ("", "0") else f"stash {name}"
            case "unfinished":
                return f"the files of its unfinished {name}"
            case "loose":
                return f"commit {self.sha[:10]}, which no branch holds"
            case _:
                return _WORDS[kind]


def place(folder: Path) -> str:
    """The refs of the attempt whose clone is ``folder``, or of all attempts at its item, if that is given."""
    name = "/".join(folder.parts[-3:])
    return f"{ELSEWHERE}/{quote(name, safe='/').replace('.', '%2E').replace('~', '%7E')}"


def label(ref: str, own_branch: str) -> str:
    """What a ref of a clone is called here."""
    if own_branch and ref == branch_ref(own_branch):
        return "own"
    for prefix, kind in (("refs/heads/", "branch/"), ("refs/tags/", "tag/")):
        if ref.startswith(prefix):
            return kind + ref.removeprefix(prefix)
    return "stash" if ref == "refs/stash" else "ref/" + ref.removeprefix("refs/")


def commit(ledger: Path, tree: str, parents: Sequence[str], message: str) -> str:
    """A commit in the ledger that is the same whenever it is made again."""
    when = int((ledger / "HEAD").stat().st_mtime)
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in dict.fromkeys(parents))]
    lines += [f"{role} {NAME} <{EMAIL}> {when} +0000" for role in ("author", "committer")]
    text = "\n".join([*lines, "", message])
    return Git.own(ledger).line("hash-object", "-t", "commit", "-w", "--stdin", input=text)


# -- into the mirror -------------------------------------------------------------------------------


def store(mirror: Path, ledger: Path, where: str, tips: Mapping[str, str]) -> tuple[tuple[Kept, ...], list[str]]:
    """Bring commits of the ledger into refs below ``where``; gives what is kept, and the labels that were refused."""
    if not tips:
        return (), []
    own = Git.own(mirror)
    present = own.refs(where)
    taken = dict(present)
    kept = [Kept(name, _free(f"{where}/{_spelt(name)}", sha, taken), sha) for name, sha in tips.items()]
    new = [one for one in kept if present.get(one.ref) != one.sha]
    try:
        _fetch(own, ledger, new)
    except GitError:
        failed = [one for one in new if not _fetches(own, ledger, one)]
        return tuple(one for one in kept if one not in failed), [str(one) for one in failed]
    return tuple(kept), []


def _free(ref: str, sha: str, taken: dict[str, str]) -> str:
    """A ref for this commit that is free and no folder of other refs; it counts as taken from then on."""
    name = ref
    for number in range(2, _VERSIONS):
        blocked = any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in taken)
        if not blocked and taken.get(name, sha) == sha:
            break
        # A shorter name may itself be a ref, so that nothing can be below it.
        head, _, tail = ref.rpartition("/") if blocked else (ref, "", "")
        name = f"{head}-{tail}-{number}" if blocked else f"{ref}-{number}"
    taken.setdefault(name, sha)
    return name


def _spelt(name: str) -> str:
    return name if is_ref_name(f"refs/{name}") and len(name) < 150 else quote(name[:60], safe="/").replace(".", "%2E")


def _fetch(own: Git, ledger: Path, kept: Sequence[Kept]) -> None:
    specs = []
    for number, one in enumerate(kept):
        clone.write_ref(ledger, f"{_FETCHED}/{number}", one.sha)
        specs.append(f"+{_FETCHED}/{number}:{one.ref}")
    if specs:
        own.run(
            "fetch", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
            "--no-prune", "--update-shallow", "--", str(ledger), *specs,
        )  # fmt: skip


def _fetches(own: Git, ledger: Path, one: Kept) -> bool:
    try:
        _fetch(own, ledger, [one])
    except GitError:
        return False
    return True


# -- for the next attempt --------------------------------------------------------------------------


def of_item(own: Git, folder: Path, *, newest: str | None, since: int) -> tuple[Kept, ...]:
    """What attempts from number ``since`` on left beside their branches and ``newest`` does not hold.

    ``folder`` is the clone of any attempt at the item. Of attempt ``since`` itself, which ended well, only what
    somebody put there for later.
    """
    where = place(folder).rpartition("/")[0]
    unmerged = [f"--no-merged={newest}"] if newest else []
    lines = own.line("for-each-ref", "--format=%(objectname) %(refname)", *unmerged, where).splitlines()
    found = []
    for sha, _, ref in (line.partition(" ") for line in lines):
        if matched := _REF.fullmatch(ref):
            one = Kept(matched[2], ref, sha)
            if one.attempt > since or (one.attempt == since and one.is_work):
                found.append(one)
    return tuple(sorted(found, key=lambda one: (-one.attempt, not one.is_work, one.label)))


def in_clone(kept: Iterable[Kept], own_branch: str) -> list[tuple[Kept, str]]:
    """The refs by which a clone has these: its own name for a branch, a tag and the stash, where that is free."""
    taken = {branch_ref(own_branch): ""} if own_branch else {}
    placed = []
    for one in kept:
        if one.label == REST:
            continue
        kind, _, name = one.label.partition("/")
        wanted = {"branch": f"refs/heads/{name}", "tag": f"refs/tags/{name}"}.get(kind, "")
        if kind == "stash" and name in ("", "0") and "refs/stash" not in taken:
            wanted = "refs/stash"
        if not wanted or _free(wanted, one.sha, dict(taken)) != wanted:
            wanted = f"refs/heads/attempt-{one.attempt}/{one.label}"
        placed.append((one, _free(wanted, one.sha, taken)))
    return placed


def put(git_dir: Path, kept: Iterable[Kept], own_branch: str) -> None:
    """Write these refs into a clone that nobody uses yet."""
    for one, ref in in_clone(kept, own_branch):
        clone.write_ref(git_dir, ref, one.sha)
        if ref == "refs/stash":
            # `git stash list` reads nothing but this.
            log = git_dir / "logs/refs/stash"
            log.parent.mkdir(parents=True, exist_ok=True)
            who = "tinytown <tinytown@localhost> 0 +0000"
            log.write_text(f"{'0' * len(one.sha)} {one.sha} {who}\tAttempt {one.attempt} left this\n", encoding="utf-8")


def told(kept: Iterable[Kept], own_branch: str) -> tuple[str, ...]:
    """What an agent is told about these, a line each."""
    lines = []
    for one, ref in in_clone(kept, own_branch)[: 2 * NAMED]:
        name = (
            "`git stash`" if ref == "refs/stash" else f"`{ref.removeprefix('refs/heads/').removeprefix('refs/tags/')}`"
        )
        lines.append(f"{name}: {one} of attempt {one.attempt}")
    return tuple(lines)


def sentence(kept: Sequence[Kept]) -> str:
    """The part of an outcome's sentence about work elsewhere; empty if there is none."""
    if not kept:
        return ""
    shown = ", ".join(str(one) for one in kept[:NAMED])
    more = f" and {len(kept) - NAMED} more" if len(kept) > NAMED else ""
    return f"also kept: {shown}{more} (in the mirror: {kept[0].ref.removesuffix(kept[0].label)}…)"
