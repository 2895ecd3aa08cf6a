"""Pull requests, reviews and threads."""

from __future__ import annotations

from typing import Any

from tests.fakes.github import access
from tests.fakes.github.clock import stamp
from tests.fakes.github.graph.commits import Commit, rollup
from tests.fakes.github.graph.fields import FIELDS, Asking, page
from tests.fakes.github.models import Comment, Issue, Pull, Review, ReviewComment, Thread
from tests.fakes.github.rules import merging
from tests.fakes.github.rules.branches import CLOSES
from tests.fakes.github.shapes import issues as issue_shapes
from tests.fakes.github.shapes import pulls as shapes


def _mergeable(pull: Pull, asking: Asking) -> str:
    known = asking.state(pull).mergeable
    return "UNKNOWN" if known is None else "MERGEABLE" if known else "CONFLICTING"


def _commits(pull: Pull, asking: Asking, **more: Any) -> dict[str, Any]:
    found = [
        {"commit": Commit(pull.repo, sha), "id": f"PRC_{sha}", "pullRequest": pull} for sha in shapes.commits(pull)
    ]
    return page(found, **more)


def _reviews(pull: Pull, asking: Asking, **more: Any) -> dict[str, Any]:
    wanted = more.pop("states", None)
    login = more.pop("author", None)
    found = [one for one in pull.reviews if wanted is None or one.state in wanted]
    return page([one for one in found if login in {None, one.author.login}], **more)


def _opinions(pull: Pull, asking: Asking, **more: Any) -> dict[str, Any]:
    """The last opinion of each; a comment is none, and what was dismissed is shown as it is."""
    writers = more.pop("writersOnly", False)
    last: dict[str, Review] = {}
    for one in pull.reviews:
        rights = pull.repo.people.get(one.author.login.lower(), "none")
        if one.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"} and (
            not writers or access.at_least(rights, "write")
        ):
            last[one.author.login] = one
    return page(list(last.values()), **more)


def _latest(pull: Pull, asking: Asking, **more: Any) -> dict[str, Any]:
    more.pop("writersOnly", None)
    return page(list({one.author.login: one for one in pull.reviews}.values()), **more)


def _closes(pull: Pull, asking: Asking, **more: Any) -> dict[str, Any]:
    named = [
        (asking.world.find_repo(name) if name else pull.repo, int(number))
        for name, number in CLOSES.findall(pull.body or "")
    ]
    found = [there.issues[number] for there, number in named if there and number in there.issues]
    return page(
        found, first=more.get("first"), last=more.get("last"), after=more.get("after"), before=more.get("before")
    )


def _files(pull: Pull, asking: Asking, **more: Any) -> dict[str, Any]:
    found = [
        {"path": one["filename"], "additions": one["additions"], "deletions": one["deletions"],
         "changeType": one["status"].upper()}
        for one in shapes.files(asking.world, pull)
    ]  # fmt: skip
    return page(found, **more)


def _auto_merge(pull: Pull, asking: Asking) -> dict[str, Any] | None:
    armed = pull.auto_merge
    if armed is None:
        return None
    return {
        "enabledBy": armed["enabled_by"], "mergeMethod": armed["merge_method"].upper(), "pullRequest": pull,
        "commitHeadline": armed["commit_title"], "commitBody": armed["commit_message"], "enabledAt": stamp(armed["at"]),
    }  # fmt: skip


def _page_of(pull: Issue, asking: Asking) -> str:
    kind = "pull" if isinstance(pull, Pull) else "issues"
    return f"{asking.world.web}/{pull.repo.name}/{kind}/{pull.number}"


def _comments(issue: Issue, asking: Asking, **more: Any) -> dict[str, Any]:
    more.pop("orderBy", None)
    return page(issue.comments, **more)


_OF_BOTH = {
    "id": lambda p, a: p.node_id,
    "databaseId": lambda p, a: p.id,
    "fullDatabaseId": lambda p, a: str(p.id),
    "number": lambda p, a: p.number,
    "title": lambda p, a: p.title,
    "body": lambda p, a: p.body or "",
    "url": _page_of,
    "author": lambda p, a: p.author,
    "authorAssociation": lambda p, a: issue_shapes.association(p.repo, p.author),
    "createdAt": lambda p, a: stamp(p.created),
    "updatedAt": lambda p, a: stamp(p.updated),
    "closedAt": lambda p, a: stamp(p.closed),
    "closed": lambda p, a: p.state == "closed",
    "locked": lambda p, a: False,
    "repository": lambda p, a: p.repo,
    "comments": _comments,
    "labels": lambda p, a, **more: page(
        [{"name": name, "id": f"LA_{name}", "color": "ededed"} for name in p.labels],
        first=more.get("first"), last=more.get("last"), after=more.get("after"), before=more.get("before"),
    ),
}  # fmt: skip
FIELDS["Issue"] = {
    **_OF_BOTH,
    "state": lambda p, a: p.state.upper(),
    "stateReason": lambda p, a, **more: p.reason.upper() if p.reason else None,
}
FIELDS["PullRequest"] = {
    **_OF_BOTH,
    "state": lambda p, a: "MERGED" if p.merged is not None else p.state.upper(),
    "isDraft": lambda p, a: p.draft,
    "merged": lambda p, a: p.merged is not None,
    "mergedAt": lambda p, a: stamp(p.merged),
    "mergedBy": lambda p, a: p.merged_by,
    "mergeCommit": lambda p, a: Commit(p.repo, p.merge_sha) if p.merged is not None else None,
    "potentialMergeCommit": lambda p, a: Commit(p.repo, p.merge_sha) if p.merge_sha and p.merged is None else None,
    "mergeable": _mergeable,
    "mergeStateStatus": lambda p, a: a.state(p).name.upper(),
    "reviewDecision": lambda p, a: merging.decision(p),
    "headRefName": lambda p, a: p.head,
    "headRefOid": lambda p, a: p.head_sha,
    "baseRefName": lambda p, a: p.base,
    "baseRefOid": lambda p, a: p.base_sha,
    "headRef": lambda p, a: (p.repo, p.head) if p.repo.bare.tip(p.head) else None,
    "baseRef": lambda p, a: (p.repo, p.base) if p.repo.bare.tip(p.base) else None,
    "headRepository": lambda p, a: p.repo,
    "baseRepository": lambda p, a: p.repo,
    "headRepositoryOwner": lambda p, a: p.repo.owner,
    "isCrossRepository": lambda p, a: False,
    "maintainerCanModify": lambda p, a: False,
    "isInMergeQueue": lambda p, a: False,
    "isMergeQueueEnabled": lambda p, a: merging.queued(p.repo, p.base),
    "mergeQueueEntry": lambda p, a: None,
    "mergeQueue": lambda p, a: None,
    "autoMergeRequest": _auto_merge,
    "additions": lambda p, a: sum(one["additions"] for one in shapes.files(a.world, p)),
    "deletions": lambda p, a: sum(one["deletions"] for one in shapes.files(a.world, p)),
    "changedFiles": lambda p, a: len(shapes.files(a.world, p)),
    "files": _files,
    "commits": _commits,
    "reviews": _reviews,
    "latestReviews": _latest,
    "latestOpinionatedReviews": _opinions,
    "reviewThreads": lambda p, a, **more: page(p.threads, **more),
    "reviewRequests": lambda p, a, **more: page(
        [{"requestedReviewer": one, "id": f"RR_{one.id}", "pullRequest": p} for one in p.requested], **more
    ),
    "closingIssuesReferences": _closes,
    "statusCheckRollup": lambda p, a: rollup(Commit(p.repo, p.head_sha), a),
    "totalCommentsCount": lambda p, a: len(p.comments) + sum(len(one.comments) for one in p.threads),
}

# -- what is said of it --------------------------------------------------------------------------


def _said(one: Comment | Review | ReviewComment, pull: Issue) -> str:
    return issue_shapes.association(pull.repo, one.author)


FIELDS["IssueComment"] = {
    "id": lambda c, a: c.node_id,
    "databaseId": lambda c, a: c.id,
    "body": lambda c, a: c.body,
    "author": lambda c, a: c.author,
    "viewerDidAuthor": lambda c, a: c.author == a.token.user,
    "createdAt": lambda c, a: stamp(c.created),
    "updatedAt": lambda c, a: stamp(c.updated),
    "url": lambda c, a: f"{a.world.web}/comments/{c.id}",
    "isMinimized": lambda c, a: False,
}
FIELDS["PullRequestReview"] = {
    "id": lambda r, a: r.node_id,
    "databaseId": lambda r, a: r.id,
    "author": lambda r, a: r.author,
    "state": lambda r, a: r.state,
    "body": lambda r, a: r.body,
    "submittedAt": lambda r, a: None if r.state == "PENDING" else stamp(r.at),
    "createdAt": lambda r, a: stamp(r.at),
    "commit": lambda r, a: Commit(_pull_of(a, r).repo, r.commit),
    "authorAssociation": lambda r, a: _said(r, _pull_of(a, r)),
    "authorCanPushToRepository": lambda r, a: access.at_least(
        _pull_of(a, r).repo.people.get(r.author.login.lower(), "none"), "write"
    ),
    "url": lambda r, a: f"{_page_of(_pull_of(a, r), a)}#pullrequestreview-{r.id}",
    "pullRequest": lambda r, a: _pull_of(a, r),
}
FIELDS["PullRequestReviewThread"] = {
    "id": lambda t, a: t.node_id,
    "isResolved": lambda t, a: t.resolved_by is not None,
    "resolvedBy": lambda t, a: t.resolved_by,
    "isOutdated": lambda t, a: t.outdated,
    "isCollapsed": lambda t, a: t.resolved_by is not None or t.outdated,
    "path": lambda t, a: t.path,
    "line": lambda t, a: None if t.outdated else t.line,
    "originalLine": lambda t, a: t.line,
    "startLine": lambda t, a: None,
    "diffSide": lambda t, a: "RIGHT",
    "subjectType": lambda t, a: "LINE",
    "pullRequest": lambda t, a: t.pull,
    "viewerCanResolve": lambda t, a: access.at_least(access.role(t.pull.repo, a.token), "write"),
    "viewerCanReply": lambda t, a: True,
    "comments": lambda t, a, **more: page(t.comments, **{k: v for k, v in more.items() if k != "skip"}),
}
FIELDS["PullRequestReviewComment"] = {
    "id": lambda c, a: c.node_id,
    "databaseId": lambda c, a: c.id,
    "fullDatabaseId": lambda c, a: str(c.id),
    "body": lambda c, a: c.body,
    "author": lambda c, a: c.author,
    "viewerDidAuthor": lambda c, a: c.author == a.token.user,
    "authorAssociation": lambda c, a: _said(c, c.thread.pull),
    "createdAt": lambda c, a: stamp(c.at),
    "updatedAt": lambda c, a: stamp(c.at),
    "path": lambda c, a: c.thread.path,
    "line": lambda c, a: None if c.thread.outdated else c.thread.line,
    "originalLine": lambda c, a: c.thread.line,
    "outdated": lambda c, a: c.thread.outdated,
    "isMinimized": lambda c, a: False,
    "diffHunk": lambda c, a: f"@@ -{c.thread.line} +{c.thread.line} @@\n+{c.thread.words}",
    "url": lambda c, a: f"{_page_of(c.thread.pull, a)}#discussion_r{c.id}",
    "replyTo": lambda c, a: c.first,
    "pullRequestReview": lambda c, a: c.review,
    "originalCommit": lambda c, a: Commit(c.thread.pull.repo, c.thread.commit),
    "commit": lambda c, a: Commit(c.thread.pull.repo, c.thread.pull.head_sha),
}


def _pull_of(asking: Asking, review: Review) -> Pull:
    return next(pull for repo in asking.world.repos.values() for pull in repo.pulls if review in pull.reviews)


#: What the classes are called in the schema.
TYPES: dict[type, str] = {
    Pull: "PullRequest", Issue: "Issue", Comment: "IssueComment", Review: "PullRequestReview",
    Thread: "PullRequestReviewThread", ReviewComment: "PullRequestReviewComment",
}  # fmt: skip
