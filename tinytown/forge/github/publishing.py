"""Bring a change to GitHub: its branch by git, then its pull request, opened or adopted.

Nothing is done before its effect was looked for, so the same may be asked for again after any crash.
"""

from __future__ import annotations

from typing import Final

from tinytown import keys
from tinytown.errors import (
    ConfigurationError,
    ForeignCommitsError,
    SetBackError,
    StateError,
    TinytownError,
    UnclearError,
    UnreachableError,
)
from tinytown.forge.contract import Change, Published
from tinytown.forge.github import body
from tinytown.forge.github.api import Api
from tinytown.forge.github.pulls import Pull
from tinytown.forge.github.repositories import Repository
from tinytown.git.repository import branch_ref, is_sha

#: Times that a branch is looked at anew because it moved meanwhile.
_LOOKS: Final = 3


def publish(api: Api, repo: str, change: Change) -> Published:
    """See ``Changes.publish``."""
    if not is_sha(change.head):
        raise ConfigurationError(f"{change.head[:80]!r} is not a commit", remedy="publish a full object name")
    pull, head = api.repositories.do(repo, lambda place: _publish(api, place, change))
    lacks = change.draft and not pull.draft and not change.id
    note = "it is no draft, as its repository knows none or it was there already" if lacks else ""
    return Published(name=str(pull.number), id=pull.node_id, url=pull.html_url, head=head, note=note)


def _publish(api: Api, place: Repository, change: Change) -> tuple[Pull, str]:
    """Its pull request, and the commit that its branch has beyond the change's; empty if it has none."""
    pull = api.pulls.find(place, change)
    if pull is not None:
        api.pulls.require_not_closed(place, pull)
        if pull.merged and _holds(api, place, pull.head.sha, change.head):
            return pull, ""
    there = bring(api, place, change)
    closes = _closes(api, place, change.key)
    if pull is None or not pull.open:
        pull = _open(api, place, change, closes)
    ours = pull.draft and body.is_our_draft(pull.body or "")
    if ours and not change.draft:
        _mark_ready(api, place, change)
        ours = False
    described = api.pulls.describe(place, pull, change, closes=closes, draft=ours)
    return described, "" if there == change.head else there


def mark_ready(api: Api, repo: str, change: Change) -> None:
    """See ``RemoteChanges.mark_ready``."""
    api.repositories.do(repo, lambda place: _mark_ready(api, place, change))


def _mark_ready(api: Api, place: Repository, change: Change) -> None:
    pull = api.pulls.find(place, change)
    if pull is None:
        raise StateError(f"`{change.branch}` has no pull request yet", remedy="publish it first")
    if pull.draft:
        try:
            api.pulls.ready(place, pull)
        except UnclearError:
            if api.pulls.get(place, pull.number).draft:
                raise
    # From now on it is a person who makes it a draft.
    if body.is_our_draft(pull.body or ""):
        api.pulls.edit(place, pull, body=body.ready(pull.body or ""))


def _open(api: Api, place: Repository, change: Change, closes: str) -> Pull:
    try:
        return api.pulls.create(place, change, closes=closes)
    except UnclearError:
        found = api.pulls.find(place, change)
        if found is None or not found.open:
            raise
        return found


def bring(api: Api, place: Repository, change: Change) -> str:
    """Push the branch; one that holds the head already, or a newer one on top, is left as it is. Gives its commit.

    Raises:
        ForeignCommitsError: it has commits of somebody else that the head does not hold. They are in the mirror then.
        SetBackError: somebody set it back to an older commit than the one that tinytown last brought there.
    """
    copy, ref = api.copy(place), branch_ref(change.branch, ours=True)
    for _ in range(_LOOKS):
        there = copy.head(ref)
        if there == change.head:
            return there
        if there is not None:
            if copy.own.commit(there) is None:
                copy.take(ref, there)
            if copy.own.is_ancestor(change.head, there):
                return there
            if change.pushed and there != change.pushed and copy.own.is_ancestor(there, change.pushed):
                raise SetBackError(
                    f"somebody set `{change.branch}` on GitHub back to {there[:10]}",
                    sha=there,
                    remedy="retry the item to bring the newer commits there again",
                )
            if there != change.pushed and not copy.own.is_ancestor(there, change.head):
                raise ForeignCommitsError(
                    f"`{change.branch}` on GitHub has commits of somebody else, up to {there[:10]}",
                    sha=there,
                    remedy="take them into the work, or move them to another branch, then retry",
                )
        if copy.push(ref, change.head, old=there or ""):
            return change.head
    raise UnreachableError(f"`{change.branch}` on GitHub moves too fast", remedy="try again in a while")


def _holds(api: Api, place: Repository, newer: str, head: str) -> bool:
    own = api.copy(place).own
    return newer == head or (own.commit(newer) is not None and own.is_ancestor(head, newer))


def _closes(api: Api, place: Repository, key: str) -> str:
    """The issue that the change closes, as its repository calls it: ``#5``, or in full from another one."""
    found = keys.parse(key)
    if found.kind != "github":
        return ""
    try:
        there = api.repositories.at(found.repo)
    except TinytownError:
        return str(found)
    return f"#{found.number}" if there.id == place.id else f"{there.full_name}#{found.number}"
