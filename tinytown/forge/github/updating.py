"""Bring a change up to its base where GitHub's rules demand that: the base is merged into the branch, and pushed."""

from __future__ import annotations

from tinytown.errors import BaseGoneError, ForeignCommitsError, StateError, UnreachableError
from tinytown.forge.contract import Change
from tinytown.forge.github.api import Api
from tinytown.forge.github.copy import Copy
from tinytown.forge.github.repositories import Repository
from tinytown.git import merge as merging
from tinytown.git.repository import EMAIL, branch_ref


def update(api: Api, repo: str, change: Change) -> str | None:
    """See ``RemoteChanges.update_branch``."""
    return api.repositories.do(repo, lambda place: _update(api.copy(place), place, change))


def _update(copy: Copy, place: Repository, change: Change) -> str | None:
    copy.update()
    own, ref = copy.own, branch_ref(change.branch, ours=True)
    tip = own.commit(branch_ref(change.base))
    if tip is None:
        raise BaseGoneError(f"{place.full_name} has no branch `{change.base}`", remedy="create it, then retry")
    there = copy.head(ref)
    if there is None:
        raise StateError(f"`{change.branch}` is gone from GitHub", remedy="retry the item to publish it again")
    if there != change.head:
        return _adopted(copy, change, ref, there, tip)
    if own.is_ancestor(tip, change.head):
        return change.head
    merged = merging.merge(copy.folder, change.head, tip, rules=tip)
    if merged.conflicts:
        return None
    new = own.commit_tree(merged.tree, [change.head, tip], f"Merge {change.base} into {change.branch}\n")
    if not copy.push(ref, new, old=change.head):
        raise UnreachableError(f"`{change.branch}` on GitHub moves while it is updated", remedy="try again in a while")
    return new


def _adopted(copy: Copy, change: Change, ref: str, there: str, tip: str) -> str:
    """The head at GitHub, if it is such a merge of ours whose record was lost."""
    if copy.own.commit(there) is None:
        copy.take(ref, there)
    parents = copy.own.line("rev-list", "--parents", "--max-count=1", there).split()[1:]
    author = copy.own.line("show", "--no-patch", "--format=%ce", there)
    if len(parents) == 2 and parents[0] == change.head and copy.own.is_ancestor(parents[1], tip) and author == EMAIL:
        return there
    raise ForeignCommitsError(
        f"`{change.branch}` on GitHub has commits of somebody else, up to {there[:10]}",
        sha=there,
        remedy="take them into the work, or move them to another branch, then retry",
    )
