"""What GraphQL alone can change."""

from __future__ import annotations

from typing import Any

from tests.fakes.github.graph.fields import FIELDS, Asking, no_node, refusal
from tests.fakes.github.models import Pull, Thread
from tests.fakes.github.rules import branches, merging, reviewing


def _pull(asking: Asking, said: dict[str, Any]) -> Pull:
    found = asking.world.pull_of_node(said["pullRequestId"])
    if found is None:
        raise no_node(said["pullRequestId"])
    asking.demand(found.repo, "pull_requests:write", "contents:read")
    if found.author is not asking.token.user:
        asking.demand(found.repo, "contents:write")
    return found


def _done(said: dict[str, Any], asking: Asking, **more: Any) -> dict[str, Any]:
    return {"clientMutationId": said.get("clientMutationId"), "actor": asking.token.user, **more}


def _ready(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    return _drafted(asking, input, draft=False)


def _to_draft(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    return _drafted(asking, input, draft=True)


def _drafted(asking: Asking, said: dict[str, Any], *, draft: bool) -> dict[str, Any]:
    pull = _pull(asking, said)
    if pull.state != "open":
        raise refusal("UNPROCESSABLE", "Pull request is not open")
    if pull.draft is not draft:
        pull.draft, pull.updated = draft, asking.world.clock.now()
        branches.tell(pull, "converted_to_draft" if draft else "ready_for_review")
    return _done(said, asking, pullRequest=pull)


def _thread(asking: Asking, node: str) -> Thread:
    found = asking.world.nodes.get(node)
    if not isinstance(found, Thread):
        raise no_node(node)
    return found


def _resolve(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    return _resolved(asking, input, resolved=True)


def _unresolve(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    return _resolved(asking, input, resolved=False)


def _resolved(asking: Asking, said: dict[str, Any], *, resolved: bool) -> dict[str, Any]:
    """Of who may write, or who opened the pull request."""
    thread = _thread(asking, said["threadId"])
    needs = ("pull_requests:write",) if thread.pull.author is asking.token.user else ("contents:write",)
    asking.demand(thread.pull.repo, *needs)
    thread.resolved_by = asking.token.user if resolved else None
    branches.auto_merge(asking.world, thread.pull)
    return _done(said, asking, thread=thread)


def _reply(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    thread = _thread(asking, input["pullRequestReviewThreadId"])
    asking.demand(thread.pull.repo, "pull_requests:write")
    if not input["body"].strip():
        raise refusal("UNPROCESSABLE", "Body can't be blank")
    made = reviewing.reply(asking.world, thread, asking.token.user, input["body"])
    return _done(input, asking, comment=made)


def _arm(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    """Only what cannot be merged at once may wait for it."""
    pull = _pull(asking, input)
    asking.demand(pull.repo, "contents:write")
    method = input.get("mergeMethod") or "MERGE"
    state = merging.state(asking.world, pull).name
    expected = input.get("expectedHeadOid")
    if not pull.repo.allow_auto_merge:
        raise refusal("UNPROCESSABLE", "Pull request Auto merge is not allowed for this repository")
    if method.lower() not in pull.repo.methods:
        raise refusal("UNPROCESSABLE", "Pull request Merge method is not allowed for this repository")
    if expected and expected != pull.head_sha:
        raise refusal("UNPROCESSABLE", "The head commit has changed since the expected head OID was read")
    if state in {"clean", "unstable"}:
        raise refusal("UNPROCESSABLE", f"Pull request Pull request is in {state} status")
    if pull.state != "open" or pull.draft:
        raise refusal("UNPROCESSABLE", "Pull request is a draft" if pull.draft else "Pull request is closed")
    pull.auto_merge = {
        "enabled_by": asking.token.user, "merge_method": method.lower(), "at": asking.world.clock.now(),
        "commit_title": input.get("commitHeadline") or branches.merge_title(pull, method.lower()),
        "commit_message": input.get("commitBody") or "",
    }  # fmt: skip
    return _done(input, asking, pullRequest=pull)


def _disarm(_: Any, asking: Asking, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
    pull = _pull(asking, input)
    if pull.auto_merge is None:
        raise refusal("UNPROCESSABLE", "Can't disable auto-merge for this pull request.")
    pull.auto_merge = None
    return _done(input, asking, pullRequest=pull)


FIELDS["Mutation"] = {
    "markPullRequestReadyForReview": _ready,
    "convertPullRequestToDraft": _to_draft,
    "resolveReviewThread": _resolve,
    "unresolveReviewThread": _unresolve,
    "addPullRequestReviewThreadReply": _reply,
    "enablePullRequestAutoMerge": _arm,
    "disablePullRequestAutoMerge": _disarm,
}
