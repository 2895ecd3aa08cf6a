"""What happens when a branch moves: by a push, by the API, or by a merge."""

from __future__ import annotations

import re

from tests.fakes.github import access
from tests.fakes.github.models import Issue, Pull, Repo
from tests.fakes.github.objects import NOTHING
from tests.fakes.github.people import User
from tests.fakes.github.requests import RefusedError
from tests.fakes.github.rules import merging, workflows
from tests.fakes.github.world import World

#: What closes an issue when it lands on the default branch: its repository, if it is another one, and its number.
CLOSES = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+((?:[\w.-]+/[\w.-]+)?)#([0-9]+)\b", re.IGNORECASE)


def moved(world: World, repo: Repo, branch: str, before: str, after: str, by: User) -> None:
    """Let everything follow that a branch's new tip has consequences for."""
    if before == after:
        return
    repo.pushes.append((by.login, branch, before, after))
    if after == NOTHING:
        _gone(world, repo, branch, by)
        return
    for pull in repo.pulls:
        if pull.state == "open" and pull.head == branch:
            _synchronize(world, pull, after, by)
    for pull in repo.pulls:
        if pull.state == "open" and pull.base == branch:
            merging.changed(pull)
            if repo.bare.contains(pull.head_sha, after):
                _merged(world, pull, pull.head_sha, by)
    if branch == repo.default and before != NOTHING:
        for sha in repo.bare.commits(before, after):
            close_named(world, repo, repo.bare.fact("show", "-s", "--format=%B", sha), by)
    workflows.trigger(world, repo, "push", branch, after, by)


def _synchronize(world: World, pull: Pull, after: str, by: User) -> None:
    repo = pull.repo
    before, pull.head_sha, pull.pushed_by = pull.head_sha, after, by
    pull.base_sha = repo.bare.tip(pull.base) or pull.base_sha
    pull.updated = world.clock.now()
    pull.merge_sha = None
    merging.changed(pull)
    repo.bare.point(f"refs/pull/{pull.number}/head", after)
    if merging.demands(repo, pull.base).dismiss_stale:
        for review in pull.reviews:
            if review.state == "APPROVED":
                review.state = "DISMISSED"
    for thread in pull.threads:
        # A thread is about a line; it is outdated once that line is not there any more.
        thread.outdated |= thread.words not in (repo.bare.show(after, thread.path) or "").split("\n")
    if pull.auto_merge is not None and not access.at_least(repo.people.get(by.login.lower(), "none"), "write"):
        pull.auto_merge = None
    workflows.trigger(world, repo, "pull_request", pull.head, after, by, pull=pull)
    tell(pull, "synchronize" if before != after else "edited")
    auto_merge(world, pull)


def _gone(world: World, repo: Repo, branch: str, by: User) -> None:
    """Deleted by hand: pull requests from it and onto it are closed, not retargeted."""
    for pull in repo.pulls:
        if pull.state == "open" and branch in {pull.head, pull.base}:
            close(world, pull, by)


def close(world: World, issue: Issue, by: User | None, reason: str | None = None) -> None:
    issue.state, issue.closed, issue.closed_by = "closed", world.clock.now(), by
    issue.updated = issue.closed
    if isinstance(issue, Pull):
        issue.auto_merge = None
        tell(issue, "closed")
    else:
        issue.reason = reason or "completed"


def _merged(world: World, pull: Pull, sha: str, by: User) -> None:
    pull.merged, pull.merged_by, pull.merge_sha = world.clock.now(), by, sha
    close(world, pull, by)
    if pull.base == pull.repo.default:
        close_named(world, pull.repo, pull.body or "", by)


def close_named(world: World, repo: Repo, text: str, by: User) -> None:
    """Close the issues that a text says it closes."""
    for name, number in CLOSES.findall(text):
        there = world.find_repo(name) if name else repo
        issue = there.issues.get(int(number)) if there else None
        if issue is not None and not isinstance(issue, Pull) and issue.state == "open":
            close(world, issue, by)


# -- merging -------------------------------------------------------------------------------------


def merge(world: World, pull: Pull, method: str, by: User, *, title: str = "", message: str = "") -> str:
    """Put a pull request onto its base, which lets it; gives the commit of the base that holds it."""
    repo, bare, now = pull.repo, pull.repo.bare, world.clock.now()
    tip = bare.tip(pull.base)
    assert tip
    commits = bare.commits(tip, pull.head_sha)
    tree = bare.merge(tip, pull.head_sha).tree
    title = title or merge_title(pull, method)
    match method:
        case "squash":
            said = "\n\n".join(bare.git("show", "-s", "--format=* %B", one) for one in commits)
            text = f"{title}\n\n{message or said}"
            sha = bare.commit_tree(tree, [tip], text, author=(pull.author or by).login, at=now)
        case "rebase":
            sha = tip
            for one in commits:
                sha = _picked(pull, sha, one, by, now)
        case _:
            text = f"{title}\n\n{message or pull.title}"
            sha = bare.commit_tree(tree, [tip, pull.head_sha], text, author=by.login, at=now)
    if not bare.move(pull.base, sha, old=tip):
        raise RefusedError(405, "Base branch was modified. Review and try the merge again.")
    pull.base_sha = tip
    _merged(world, pull, sha, by)
    moved(world, repo, pull.base, tip, sha, by)
    if repo.delete_on_merge:
        delete_merged(world, pull, by)
    return sha


def merge_title(pull: Pull, method: str) -> str:
    """The first line of the commit, where nobody gave another."""
    if method == "squash":
        return f"{pull.title} (#{pull.number})"
    return f"Merge pull request #{pull.number} from {pull.repo.owner.login}/{pull.head}"


def _picked(pull: Pull, onto: str, sha: str, by: User, now: float) -> str:
    """One commit, made again on another parent."""
    bare = pull.repo.bare
    # Three commits that stand for the trees of the commit, of what it was made on, and of where it goes.
    trees = [bare.git("rev-parse", f"{one}^{{tree}}") for one in (f"{sha}^", sha, onto)]
    root = bare.commit_tree(trees[0], [], "Before", author="GitHub", at=0)
    mine, there = (bare.commit_tree(tree, [root], "After", author="GitHub", at=0) for tree in trees[1:])
    tree = bare.merge(there, mine).tree
    message = bare.git("show", "-s", "--format=%B", sha)
    return bare.commit_tree(tree, [onto], message, author=(pull.author or by).login, at=now, like=sha)


def delete_merged(world: World, pull: Pull, by: User) -> None:
    """Delete the head of a merged pull request as GitHub's own button does: those onto it go to its base."""
    for other in pull.repo.pulls:
        if other.state == "open" and other.base == pull.head:
            other.base = pull.base
            other.base_sha = pull.repo.bare.tip(pull.base) or other.base_sha
            merging.changed(other)
    tip = pull.repo.bare.tip(pull.head)
    if tip is not None and pull.repo.bare.move(pull.head, None):
        moved(world, pull.repo, pull.head, tip, NOTHING, by)


def auto_merge(world: World, pull: Pull) -> None:
    """Merge what waits for it, once nothing holds it up."""
    armed = pull.auto_merge
    if armed is None or pull.state != "open" or merging.state(world, pull).name not in {"clean", "unstable"}:
        return
    merge(
        world, pull, armed["merge_method"], armed["enabled_by"],
        title=armed["commit_title"] or "", message=armed["commit_message"] or "",
    )  # fmt: skip


def tell(pull: Pull, action: str) -> None:
    for watcher in list(pull.repo.watchers):
        watcher(pull, action)
