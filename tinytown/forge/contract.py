"""What a forge is: where issues come from and where changes go.

A forge can wait: a merge may be on its way, be held up by rules, or have an answer that was lost, and what became of a
change is observed, whoever did it. There are two implementations, ``local`` and ``github``; a third one is found by the
entry point ``tinytown.forges``, and is correct when it passes ``tests/conformance/forges.py``. A forge knows nothing of
missions; it answers questions and does single, idempotent things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from tinytown.missions.evidence.schedule import Look
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.forge_evidence import ChangeEvidence
from tinytown.missions.records.issue import Issue
from tinytown.town import Town

IssueState = Literal["open", "completed", "not_planned", "unknown"]
StatusState = Literal["pending", "success", "failure", "error"]


@dataclass(frozen=True)
class Change:
    """A branch that wants to be merged, as tinytown has it."""

    key: str
    branch: str
    base: str
    head: str
    title: str
    body: str
    #: What people and the forge itself call it, once it was published (see ``Published``); empty before.
    name: str = ""
    id: str = ""
    #: The commit that tinytown last brought to the forge: only what is there since then is somebody else's.
    pushed: str | None = None
    #: Not to be merged or reviewed by people yet, where a forge can say so.
    draft: bool = False
    #: Names of the changes that are to be merged before it.
    waits_for: tuple[str, ...] = ()
    #: How to merge it where a forge knows several ways; empty for what it allows.
    method: Literal["", "merge", "squash", "rebase"] = ""


@dataclass(frozen=True)
class Published:
    """A change as its forge knows it."""

    #: What people call it: the branch, or the number of a pull request.
    name: str
    #: The forge's own name for it, which no renaming changes; empty where a branch is all there is.
    id: str = ""
    #: Its page, if it has one.
    url: str = ""
    #: What is otherwise than asked for: the forge has no drafts there.
    note: str = ""
    #: The newest commit of its branch, where somebody else went on from ``Change.head``; it is in the mirror.
    head: str = ""


@dataclass(frozen=True)
class Seen:
    """What became of a change, as seen just now.

    ``open``; ``merged`` (``sha`` is the commit of the base that holds it, which after a squash or a rebase is none of
    the branch's); ``closed`` by a person without a merge; ``gone``: its branch is not there any more, and the base
    does not hold it.
    """

    state: Literal["open", "merged", "closed", "gone"]
    sha: str | None = None
    #: The newest commit of its branch; ``None`` where that is gone or was not looked up.
    head: str | None = None
    #: The branch that it is to be merged into by now; empty where nobody can change that.
    base: str = ""
    #: ``head`` is an older commit of the change: somebody set its branch back.
    set_back: bool = False


@dataclass(frozen=True)
class MergeResult:
    """How a merge stands.

    - ``merged``: the base's commit ``sha`` holds the change.
    - ``pending``: it is on its way (queued, armed, being computed); ask again.
    - ``blocked``: the forge does not let it happen, for the reason in ``details``.
    - ``unknown``: the answer was lost. It may have happened: look, never repeat.
    - ``conflict``: it cannot be merged with the files in ``details``.
    - ``check_failed``: the checks fail on what the merge would make.
    - ``head_moved``: the branch has other commits than the one to be merged.
    - ``base_moved``: try again.
    - ``base_dirty``: the user's checkout stands in the way; wait and say so.
    - ``gone``: the base is missing.
    """

    status: Literal[
        "merged", "pending", "blocked", "unknown", "conflict", "check_failed", "head_moved", "base_moved",
        "base_dirty", "gone",
    ]  # fmt: skip
    sha: str | None = None
    #: Conflicting files, the log's tail, what stands in the way, or what is worth knowing of a merge.
    details: str = ""
    #: Seconds after which it is worth asking again, where the forge says so.
    again: float | None = None


class RunChecks(Protocol):
    """Runs the town's checks in a clean clone of this commit of the mirror and gives the verdict."""

    def __call__(self, mirror: Path, sha: str) -> Verdict: ...


@dataclass(frozen=True)
class Access:
    """What this town may do at its forge."""

    repo: str
    #: Where the token was found; ``None`` without one.
    token: str | None
    #: ``None`` where the forge does not tell.
    may_push: bool | None
    #: Of the rate limit, where there is one.
    requests_left: int | None


@runtime_checkable
class AccessCheck(Protocol):
    """What a forge may also offer: to tell what its token permits."""

    def access(self) -> Access:
        """Ask the forge once; raises what any other question may raise."""
        ...


@runtime_checkable
class Remote(Protocol):
    """What a forge offers that lies beyond a network: only one process of a town speaks to it."""

    def mirror_folder(self, repo: str) -> Path:
        """Where this machine's mirror of the repository is, or will be once it is fetched; asks nobody."""
        ...


@runtime_checkable
class FreeMerges(Protocol):
    """What a forge may also offer where people merge with git alone, in whatever way they like."""

    def resembling(self, repo: str, change: Change) -> str | None:
        """The commit of the base that most likely brought the change in another form, if there is one."""
        ...

    def on_base(self, repo: str, change: Change, revision: str) -> str | None:
        """The commit that ``revision`` means, if the change's base contains it."""
        ...


@runtime_checkable
class IssueList(Protocol):
    """What a forge may also offer: to list the open issues."""

    def open_issues(self) -> Sequence[str]:
        """Keys of the open issues of the town's own repository, by number; the errors are those of ``issue``."""
        ...


@runtime_checkable
class RemoteChanges(Protocol):
    """What a forge also offers where changes are judged and discussed; its answers may take long.

    Each write is looked for before it is done, so doing it again does no harm. ``about`` names what is said, e.g. the
    review of a commit: the same is said once.
    """

    def evidence(
        self, repo: str, changes: Sequence[Change], look: Look, *, seen_at: float, bots: Sequence[str] = ()
    ) -> Mapping[str, ChangeEvidence]:
        """What is seen of these changes, by ``Change.id``; those that do not exist any more are missing.

        ``bots`` are the logins of bots that are listened to; ``look`` and ``seen_at`` (seconds since the epoch) are
        written into the records.
        """
        ...

    def comment(self, repo: str, change: Change, text: str, *, about: str) -> None:
        """Say something to the people who look at a change."""
        ...

    def review(self, repo: str, change: Change, text: str, *, about: str) -> None:
        """Say what tinytown's reviewer found in ``change.head``."""
        ...

    def set_status(self, repo: str, sha: str, state: StatusState, text: str, *, url: str = "") -> None:
        """Show what tinytown's reviewer says of a commit beside its checks, as ``tinytown/review``."""
        ...

    def answer_thread(self, repo: str, thread: str, text: str, *, about: str, resolve: bool) -> bool:
        """Answer in a conversation, and resolve it where that is allowed; gives whether it is resolved then."""
        ...

    def run_again(self, repo: str, check: int, workflow_run: int) -> None:
        """Have a failed check run once more: the job of a workflow, or the check of an app that allows it.

        Raises:
            StateError: it cannot be run again.
        """
        ...

    def mark_ready(self, repo: str, change: Change) -> None:
        """Take a change out of the drafts."""
        ...

    def update_branch(self, repo: str, change: Change) -> str | None:
        """Merge the base into the change's branch; gives its head then, or ``None`` where they conflict."""
        ...

    def close_issue(self, key: str) -> None:
        """Close an issue as completed, if it is open."""
        ...

    def delete_branch(self, repo: str, change: Change) -> str:
        """Delete a merged change's branch; gives why it is kept, empty where it is gone.

        It goes only if the base is proven to hold all of it and no open change is to go into it.
        """
        ...


class Issues(Protocol):
    """Where issues come from."""

    def issue_key(self, reference: str) -> str:
        """The key of what a user typed (``2``, ``owner/repo#2``, a URL).

        Raises ``ConfigurationError`` if it is not a reference of this forge.
        """
        ...

    def issue(self, key: str) -> Issue:
        """Read an issue; raises ``NotFoundError``."""
        ...

    def issue_state(self, key: str) -> IssueState:
        """Whether an issue outside the mission is settled; ``unknown`` where it cannot be told."""
        ...


class Changes(Protocol):
    """Where changes go."""

    def publish(self, repo: str, change: Change) -> Published:
        """Bring the branch from the mirror to the repository and open or adopt its change.

        Idempotent: what is there already, or a newer head on top of it, is not touched.

        Raises:
            StateError: the branch has commits that are neither in ``change.head`` nor ``change.pushed``, which are
                never overwritten, or a person closed the change, which stays closed, or set the branch back to an older
                commit than ``change.pushed`` (``SetBackError``).
        """
        ...

    def observe(self, repo: str, change: Change) -> Seen:
        """What became of a published change, whoever did it; changes nothing."""
        ...

    def merge(self, repo: str, change: Change, *, checked_tree: str | None, checks: RunChecks | None) -> MergeResult:
        """Merge exactly ``change.head`` into the base.

        Looks first, so that what the base holds already is ``merged``, and calling it again does no harm. Then the
        mirror holds it, from which what depends on it is made by those who speak to no forge. Where the
        forge itself makes the merge from the mirror, ``checks`` run on the merged tree unless it is the tree
        ``checked_tree`` (already proven), and the base advances by compare-and-swap; elsewhere the forge's own rules
        decide, and both are ignored.
        """
        ...


class Forge(Issues, Changes, Protocol):
    """See the module. Every method may raise ``UnreachableError``."""

    kind: str

    def __init__(self, town: Town) -> None: ...

    @property
    def repo(self) -> str:
        """The town's own repository: ``owner/name`` or ``local/<slug>``."""
        ...

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:
        """Raise ``StateError`` if a mission could not work: no commits, a detached head, a missing base.

        Gives remarks for the one who starts it, e.g. of uncommitted changes. Without ``repo`` the town's own
        repository is meant.
        """
        ...

    def base_tip(self, repo: str, base: str) -> str:
        """Newest commit of the base branch.

        Raises:
            BaseGoneError: it is proven that there is no such branch.
            NotFoundError: the repository cannot be seen, which proves nothing.
        """
        ...

    def mirror(self, repo: str) -> Path:
        """This machine's bare mirror of the repository, brought up to date with it.

        Its objects are its own: no hard links, no alternates. Branches ``tt/…`` in it are ours and are
        never overwritten by an update.
        """
        ...

    def start_warnings(self) -> Sequence[str]:
        """Remarks on this forge for the one who starts a mission, e.g. that no checks are configured."""
        ...
