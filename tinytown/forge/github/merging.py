"""What became of a change at GitHub, merging it, and what is left to do then.

GitHub's answer to a merge is not trusted either way: it has refused what it then did, and failed after it was done. The
base decides, as git has it: what it holds is merged.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from github import GithubException
from pydantic import BaseModel

from tinytown.errors import UnclearError
from tinytown.forge import landed
from tinytown.forge.contract import Change, MergeResult, Seen
from tinytown.forge.github.api import Api
from tinytown.forge.github.copy import WRITE_RIGHT, Copy
from tinytown.forge.github.pulls import Pull
from tinytown.forge.github.repositories import Repository
from tinytown.forge.github.rules import BranchRules
from tinytown.git import merge as merging
from tinytown.git.repository import branch_ref

#: Seconds after which to ask again what GitHub is still computing, and what it may have done.
COMPUTING: Final = 5.0
UNCLEAR: Final = 10.0
#: Seconds for which a mirror that was brought up to date counts as that for a mere look.
FRESH: Final = 5.0
#: In the order of what is taken where several are allowed.
METHODS: Final = ("merge", "squash", "rebase")


class _Merged(BaseModel):
    sha: str
    merged: bool


class _RefusedError(Exception):
    """GitHub refused the merge, or says that it did."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Merging:
    """The changes of one town. Safe in many threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        #: Changes that their base did not hold, each with the tip of the base at which that was last found.
        self._not_in: dict[tuple[int, str, str], str] = {}
        #: Until when a mirror counts as up to date for a look.
        self._fresh_until: dict[int, float] = {}

    # -- looking -----------------------------------------------------------------------------------

    def observe(self, repo: str, change: Change) -> Seen:
        """See ``Changes.observe``."""
        return self._api.repositories.do(repo, lambda place: self._observe(place, change))

    def _observe(self, place: Repository, change: Change, *, fresh: bool = False) -> Seen:
        pull = self._api.pulls.find(place, change)
        copy = self._api.copy(place)
        # Many changes are looked at in a row.
        fresh |= time.monotonic() >= self._fresh_until.get(place.id, 0.0)
        if fresh:
            copy.update()
            self._fresh_until[place.id] = time.monotonic() + FRESH
        if sha := self._merged(place, copy, change, pull):
            return Seen("merged", sha=sha, base=change.base)
        if pull is not None and pull.open:
            back = self._set_back(copy, change, pull.head.sha)
            return Seen("open", head=pull.head.sha, base=pull.base.ref, set_back=back)
        if pull is not None and pull.merged and not fresh:
            return self._observe(place, change, fresh=True)  # The mirror may be older than the merge.
        head = copy.head(branch_ref(change.branch, ours=True))
        if pull is None:
            return Seen("gone" if head is None else "open", head=head)
        if pull.merged:
            raise UnclearError(
                f"pull request #{pull.number} is merged, but `{change.base}` does not hold {change.head[:10]}",
                remedy=f"look at {pull.html_url}",
            )
        return Seen("closed", head=head, base=pull.base.ref)

    def _set_back(self, copy: Copy, change: Change, head: str) -> bool:
        """Whether the branch is at an older commit of the change; GitHub's own word may be behind git's."""
        own = copy.own
        if head == change.head or own.commit(head) is None or not own.is_ancestor(head, change.head):
            return False
        return copy.head(branch_ref(change.branch, ours=True)) == head

    def _merged(self, place: Repository, copy: Copy, change: Change, pull: Pull | None) -> str | None:
        """The base's commit that holds the change, as the mirror has it."""
        own = copy.own
        tip = own.commit(branch_ref(change.base))
        if tip is None:
            return None
        sha = pull.merge_commit_sha if pull is not None and pull.merged and pull.head.sha == change.head else None
        if sha and own.commit(sha) is not None and own.is_ancestor(sha, tip):
            return sha
        return self._landed(place, copy, change, tip)

    def _landed(self, place: Repository, copy: Copy, change: Change, tip: str) -> str | None:
        name = (place.id, change.base, change.head)
        with self._lock:
            looked_at = self._not_in.get(name)
        if looked_at == tip or copy.own.commit(change.head) is None:
            return None
        found = landed.find(copy.folder, change.head, tip, looked_at=looked_at)
        if found is None:
            with self._lock:
                self._not_in[name] = tip
        return found

    # -- merging -----------------------------------------------------------------------------------

    def merge(self, repo: str, change: Change) -> MergeResult:
        """See ``Changes.merge``."""
        return self._api.repositories.do(repo, lambda place: self._merge(place, change))

    def _merge(self, place: Repository, change: Change) -> MergeResult:
        pull = self._api.pulls.find(place, change)
        copy = self._api.copy(place)
        copy.update()
        if sha := self._merged(place, copy, change, pull):
            return MergeResult("merged", sha=sha)
        if copy.own.commit(branch_ref(change.base)) is None:
            return MergeResult("gone", details=f"{place.full_name} has no branch `{change.base}`")
        if pull is None:
            return MergeResult("blocked", details=f"`{change.branch}` has no pull request")
        if pull.merged:
            return MergeResult("pending", details="GitHub says that it is merged; its base follows", again=COMPUTING)
        if not pull.open:
            who = self._api.pulls.closer(place, pull.number)
            return MergeResult("blocked", details=f"pull request #{pull.number} was closed by {who}")
        pull = self._api.pulls.get(place, pull.number)
        if held := self._held(copy, pull, change):
            return held
        rules = self._api.rules.of(place, change.base)
        if rules.queue:
            why = (
                f"`{change.base}` merges by a queue, which tinytown does not use yet: add #{pull.number} to it by hand"
            )
            return MergeResult("blocked", details=why)
        method = method_of(change.method, place, rules)
        if not method:
            return MergeResult("blocked", details=f"{place.full_name} allows no way of merging that is known")
        return self._do(place, copy, pull, change, method)

    def _held(self, copy: Copy, pull: Pull, change: Change) -> MergeResult | None:
        """Why it is not to be merged now, as GitHub has it."""
        if pull.base.ref != change.base:
            return MergeResult("blocked", details=f"a person directed #{pull.number} to `{pull.base.ref}`")
        if pull.head.sha != change.head:
            if copy.head(branch_ref(change.branch, ours=True)) == change.head:
                return MergeResult("pending", details="GitHub has not seen its newest commit yet", again=COMPUTING)
            return MergeResult("head_moved", details=f"`{change.branch}` is at {pull.head.sha[:10]} by now")
        if pull.draft:
            return MergeResult("blocked", details=f"pull request #{pull.number} is a draft")
        if pull.mergeable is None:
            return MergeResult("pending", details="GitHub computes whether it can be merged", again=COMPUTING)
        if not pull.mergeable:
            return self._conflict(copy, change)
        if pull.mergeable_state in ("blocked", "behind"):
            # An administrator's token would get past the rules.
            why = "is behind its base" if pull.mergeable_state == "behind" else "lacks what GitHub's rules demand"
            return MergeResult("blocked", details=f"pull request #{pull.number} {why}")
        return None

    def _conflict(self, copy: Copy, change: Change) -> MergeResult:
        """GitHub names no files, and its word may be about a base of earlier on."""
        own = copy.own
        tip = own.commit(branch_ref(change.base))
        if tip is None or own.commit(change.head) is None:
            return MergeResult("conflict")
        merged = merging.merge(copy.folder, tip, change.head, rules=tip, keep=False)
        if not merged.conflicts:
            return MergeResult("pending", details="GitHub computes whether it can be merged", again=COMPUTING)
        return MergeResult("conflict", details="\n".join(merged.conflicts))

    def _do(self, place: Repository, copy: Copy, pull: Pull, change: Change, method: str) -> MergeResult:
        what, path = f"{place.full_name}#{pull.number}", f"{place.path}/pulls/{pull.number}/merge"
        fields = {"sha": change.head, "merge_method": method}
        refused: _RefusedError | None = None
        unclear = False
        try:
            self._api.rest.write(what, "PUT", path, _Merged, fields, right=WRITE_RIGHT, refusals=_refused)
        except _RefusedError as error:
            refused = error
        except UnclearError:
            unclear = True
        now = self._api.pulls.get(place, pull.number)
        copy.update()
        if sha := self._merged(place, copy, change, now):
            return MergeResult("merged", sha=sha)
        if now.merged:
            return MergeResult("pending", details="it is merged; its base follows", again=COMPUTING)
        if refused is None:
            why = "GitHub's answer to the merge was lost" if unclear else "GitHub says that it merged, and shows none"
            return MergeResult("unknown", details=why, again=UNCLEAR)
        return (
            _meaning(refused, place, change)
            or self._held(copy, now, change)
            or MergeResult("pending", details=refused.message, again=COMPUTING)
        )

    # -- afterwards --------------------------------------------------------------------------------

    def delete_branch(self, repo: str, change: Change) -> str:
        """Delete the branch of a merged change; gives why it is kept, empty where it is gone."""
        return self._api.repositories.do(repo, lambda place: self._delete(place, change))

    def _delete(self, place: Repository, change: Change) -> str:
        copy, ref = self._api.copy(place), branch_ref(change.branch, ours=True)
        there = copy.head(ref)
        if there is None:
            return ""
        copy.update()
        tip = copy.own.commit(branch_ref(change.base))
        if tip is None or there != change.head or not landed.find(copy.folder, change.head, tip):
            return f"`{change.branch}` holds what `{change.base}` is not proven to hold"
        if waiting := self._api.pulls.on_base(place, change.branch):
            return f"pull request #{waiting[0].number} is to go into `{change.branch}`"
        return "" if copy.push(ref, "", old=there) else f"`{change.branch}` has newer commits"


def method_of(wanted: str, place: Repository, rules: BranchRules) -> str:
    """How to merge: as wanted, else the first way that the repository and its rules allow; empty if there is none."""
    return wanted or next(iter(allowed_methods(place, rules)), "")


def allowed_methods(place: Repository, rules: BranchRules) -> list[str]:
    """The ways of merging that the repository and its rules allow, as far as they can be seen."""
    settings = (place.allow_merge_commit, place.allow_squash_merge, place.allow_rebase_merge)
    # Whoever may not see the settings is told by GitHub what it does not allow.
    allowed = [method for method, setting in zip(METHODS, settings, strict=True) if setting is not False]
    allowed = [method for method in allowed if not rules.methods or method in rules.methods]
    return [method for method in allowed if not (rules.linear and method == "merge")]


def _refused(error: GithubException) -> Exception | None:
    if error.status not in (405, 409, 422):
        return None
    data: Any = error.data
    message = str(data.get("message") or "") if isinstance(data, dict) else ""
    return _RefusedError(error.status, " ".join(message.split())[:160])


def _meaning(refused: _RefusedError, place: Repository, change: Change) -> MergeResult | None:
    """What a refusal says of the merge; ``None`` if it says nothing that the pull request does not say better."""
    message = refused.message
    if refused.status == 409:
        return MergeResult("head_moved", details=message)
    if "Base branch was modified" in message:
        return MergeResult("base_moved", details=message)
    if "not mergeable" in message.lower():
        return None
    if "not allowed on this repository" in message:
        why = f"{message.rstrip('.')}: allow it in the settings of {place.full_name}, or choose another way of merging"
        return MergeResult("blocked", details=why)
    return MergeResult("blocked", details=message or f"GitHub refuses to merge `{change.branch}`")
