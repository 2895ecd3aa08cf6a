"""Pull requests, their reviews and threads."""

from __future__ import annotations

from tests.fakes.github.clock import stamp
from tests.fakes.github.models import Pull, Review, ReviewComment, Thread
from tests.fakes.github.rules import merging
from tests.fakes.github.shapes import diffs, issues
from tests.fakes.github.shapes.repos import Json, nested_repo, user
from tests.fakes.github.world import World


def small(world: World, one: Pull) -> Json:
    """A pull request in a list: without all that has to be computed."""
    at = f"{world.api}/repos/{one.repo.name}/pulls/{one.number}"
    page = f"{world.web}/{one.repo.name}/pull/{one.number}"
    issue = f"{world.api}/repos/{one.repo.name}/issues/{one.number}"
    statuses = f"{world.api}/repos/{one.repo.name}/statuses/{one.head_sha}"
    urls = {
        "url": at, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": issue,
        "commits_url": f"{at}/commits", "review_comments_url": f"{at}/comments",
        "review_comment_url": f"{world.api}/repos/{one.repo.name}/pulls/comments{{/number}}",
        "comments_url": f"{issue}/comments", "statuses_url": statuses,
    }  # fmt: skip
    links = {
        "self": at, "html": page, "issue": issue, "comments": urls["comments_url"], "statuses": statuses,
        "review_comments": urls["review_comments_url"], "review_comment": urls["review_comment_url"],
        "commits": urls["commits_url"],
    }  # fmt: skip
    return {
        **urls, "id": one.id, "node_id": one.node_id, "number": one.number, "state": one.state, "locked": False,
        "title": one.title, "user": user(world, one.author) if one.author else None,
        "body": one.body, "created_at": stamp(one.created),
        "updated_at": stamp(one.updated), "closed_at": stamp(one.closed), "merged_at": stamp(one.merged),
        "merge_commit_sha": one.merge_sha, "assignee": None, "assignees": [],
        "requested_reviewers": [user(world, person) for person in one.requested], "requested_teams": [],
        "labels": issues.labels(world, one), "milestone": None, "draft": one.draft,
        "head": _end(world, one, one.head, one.head_sha), "base": _end(world, one, one.base, one.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": issues.association(one.repo, one.author), "auto_merge": _auto_merge(world, one),
        "active_lock_reason": None,
    }  # fmt: skip


def whole(world: World, one: Pull) -> Json:
    """A pull request that was asked for. What is being computed is said to be unknown, as often as it should be."""
    state = merging.looked_at(world, one)
    start = one.repo.bare.base_of(one.base_sha, one.head_sha) or one.base_sha
    added, removed, changed = diffs.counts(one.repo, start, one.head_sha)
    return small(world, one) | {
        "merged": one.merged is not None, "mergeable": state.mergeable, "rebaseable": state.mergeable,
        "mergeable_state": state.name, "merged_by": user(world, one.merged_by) if one.merged_by else None,
        "comments": len(one.comments), "review_comments": sum(len(thread.comments) for thread in one.threads),
        "maintainer_can_modify": False, "commits": len(commits(one)),
        "additions": added, "deletions": removed, "changed_files": changed,
    }  # fmt: skip


def _end(world: World, one: Pull, branch: str, sha: str) -> Json:
    owner = one.repo.owner
    return {
        "label": f"{owner.login}:{branch}", "ref": branch, "sha": sha, "user": user(world, owner),
        "repo": nested_repo(world, one.repo),
    }  # fmt: skip


def _auto_merge(world: World, one: Pull) -> Json | None:
    armed = one.auto_merge
    return None if armed is None else {**armed, "enabled_by": user(world, armed["enabled_by"])}


def commits(one: Pull) -> list[str]:
    """What it has beyond its base, oldest first; when it is merged, beyond where its base then was."""
    return one.repo.bare.commits(one.base_sha, one.head_sha)


def files(world: World, one: Pull) -> list[Json]:
    """What it changes since it left its base."""
    bare = one.repo.bare
    return diffs.files(world, one.repo, bare.base_of(one.base_sha, one.head_sha) or one.base_sha, one.head_sha)


# -- reviews -------------------------------------------------------------------------------------


def review(world: World, on: Pull, one: Review) -> Json:
    page = f"{world.web}/{on.repo.name}/pull/{on.number}#pullrequestreview-{one.id}"
    pull = f"{world.api}/repos/{on.repo.name}/pulls/{on.number}"
    made = {
        "id": one.id, "node_id": one.node_id, "user": user(world, one.author), "body": one.body, "state": one.state,
        "html_url": page, "pull_request_url": pull, "commit_id": one.commit,
        "author_association": issues.association(on.repo, one.author),
        "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
    }  # fmt: skip
    return made if one.state == "PENDING" else made | {"submitted_at": stamp(one.at)}


def review_comment(world: World, on: Pull, thread: Thread, one: ReviewComment) -> Json:
    at = f"{world.api}/repos/{on.repo.name}/pulls/comments/{one.id}"
    page = f"{world.web}/{on.repo.name}/pull/{on.number}#discussion_r{one.id}"
    pull = f"{world.api}/repos/{on.repo.name}/pulls/{on.number}"
    line = None if thread.outdated else thread.line
    made: Json = {
        "url": at, "pull_request_review_id": one.review.id, "id": one.id, "node_id": one.node_id,
        "diff_hunk": f"@@ -{thread.line} +{thread.line} @@\n+{thread.words}", "path": thread.path,
        "commit_id": on.head_sha, "original_commit_id": thread.commit, "user": user(world, one.author),
        "body": one.body, "created_at": stamp(one.at), "updated_at": stamp(one.at), "html_url": page,
        "pull_request_url": pull, "author_association": issues.association(on.repo, one.author),
        "_links": {"self": {"href": at}, "html": {"href": page}, "pull_request": {"href": pull}},
        "reactions": issues.reactions(at), "start_line": None, "original_start_line": None, "start_side": None,
        "line": line, "original_line": thread.line, "side": "RIGHT", "position": line and 1,
        "original_position": 1, "subject_type": "line",
    }  # fmt: skip
    return made | {"in_reply_to_id": one.first.id} if one.first else made
