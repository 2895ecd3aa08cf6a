"""Where a document begins: people, repositories, branches and nodes."""

from __future__ import annotations

from typing import Any

from tests.fakes.github import access
from tests.fakes.github.clock import stamp
from tests.fakes.github.graph.commits import Commit
from tests.fakes.github.graph.fields import FIELDS, Asking, no_node, not_found, page, refusal
from tests.fakes.github.models import Issue, Pull, Repo
from tests.fakes.github.people import User


def _repository(asking: Asking, owner: str, name: str) -> Repo:
    """A renamed one is followed, as GitHub does unless it is told not to."""
    full = f"{owner}/{name}"
    found = asking.world.find_repo(full) or asking.world.renamed.get(full.lower())
    if found is None or access.role(found, asking.token) == "none":
        raise not_found(full)
    return found


def _node(asking: Asking, node: str) -> Any:
    found = asking.world.nodes.get(node)
    if found is None:
        raise no_node(node)
    if isinstance(found, Issue) and found.number not in found.repo.issues:
        raise no_node(node)
    if isinstance(found, Issue | Repo):
        repo = found if isinstance(found, Repo) else found.repo
        if access.role(repo, asking.token) == "none":
            raise no_node(node)
        if isinstance(found, Pull):
            asking.demand(repo, "pull_requests:read")
    return found


def _nodes(asking: Asking, ids: list[str]) -> list[Any]:
    """Each for itself: what cannot be had is nothing, with an error beside the rest."""
    found: list[Any] = []
    for one in ids:
        try:
            found.append(_node(asking, one))
        except Exception as error:  # noqa: BLE001 - graphql-core puts it where the node would be
            found.append(error)
    return found


def _rate_limit(asking: Asking) -> dict[str, Any]:
    left = asking.world.left.get((asking.token.user.login, "graphql"), 5000)
    return {
        "limit": 5000, "cost": asking.cost, "remaining": left, "used": 5000 - left, "nodeCount": 0,
        "resetAt": stamp(asking.world.reset),
    }  # fmt: skip


FIELDS["Query"] = {
    "viewer": lambda _, a: a.token.user,
    "rateLimit": lambda _, a, **more: _rate_limit(a),
    "node": lambda _, a, id: _node(a, id),  # noqa: A006
    "nodes": lambda _, a, ids: _nodes(a, ids),
    "repository": lambda _, a, owner, name, **more: _repository(a, owner, name),
}


def _numbered(repo: Repo, number: int, kind: str) -> Issue:
    found = repo.issues.get(number)
    if found is None or isinstance(found, Pull) is not (kind == "PullRequest"):
        raise refusal("NOT_FOUND", f"Could not resolve to {_an(kind)} with the number of {number}.")
    return found


def _an(kind: str) -> str:
    return "an Issue" if kind == "Issue" else f"a {kind}"


def _pulls(repo: Repo, asking: Asking, **more: Any) -> dict[str, Any]:
    asking.demand(repo, "pull_requests:read")
    states, head, base = more.pop("states", None), more.pop("headRefName", None), more.pop("baseRefName", None)
    more.pop("labels", None)
    order = more.pop("orderBy", None)
    found = [one for one in repo.pulls if head in {None, one.head} and base in {None, one.base}]
    if states is not None:
        found = [one for one in found if ("MERGED" if one.merged is not None else one.state.upper()) in states]
    if order is not None and order["direction"] == "DESC":
        found.reverse()
    return page(found, **more)


def _ref(repo: Repo, name: str) -> tuple[Repo, str] | None:
    branch = name.removeprefix("refs/heads/")
    return (repo, branch) if repo.bare.tip(branch) else None


FIELDS["Repository"] = {
    "id": lambda r, a: r.node_id,
    "databaseId": lambda r, a: r.id,
    "name": lambda r, a: r.name.partition("/")[2],
    "nameWithOwner": lambda r, a: r.name,
    "owner": lambda r, a: r.owner,
    "url": lambda r, a: f"{a.world.web}/{r.name}",
    "isPrivate": lambda r, a: r.private,
    "isArchived": lambda r, a: r.archived,
    "isFork": lambda r, a: False,
    "mergeCommitAllowed": lambda r, a: "merge" in r.methods,
    "squashMergeAllowed": lambda r, a: "squash" in r.methods,
    "rebaseMergeAllowed": lambda r, a: "rebase" in r.methods,
    "autoMergeAllowed": lambda r, a: r.allow_auto_merge,
    "deleteBranchOnMerge": lambda r, a: r.delete_on_merge,
    "viewerPermission": lambda r, a: access.role(r, a.token).upper(),
    "viewerDefaultMergeMethod": lambda r, a: next(m.upper() for m in ("merge", "squash", "rebase") if m in r.methods),
    "defaultBranchRef": lambda r, a: _ref(r, r.default),
    "ref": lambda r, a, qualifiedName: _ref(r, qualifiedName),  # noqa: N803
    "object": lambda r, a, **more: _object(r, more.get("oid") or more.get("expression") or ""),
    "pullRequest": lambda r, a, number: _numbered(r, number, "PullRequest"),
    "issue": lambda r, a, number: _numbered(r, number, "Issue"),
    "pullRequests": _pulls,
}


def _object(repo: Repo, name: str) -> Commit | None:
    sha = repo.bare.resolve(name)
    return Commit(repo, sha) if sha else None


def _protection(ref: tuple[Repo, str], asking: Asking) -> dict[str, Any] | None:
    repo, branch = ref
    known = repo.protections.get(branch)
    if known is None:
        return None
    checks = [
        {"context": name, "app": next((one for one in asking.world.apps.values() if one.id == app), None)}
        for name, app in known.checks
    ]
    return {
        "id": f"BPR_{branch}", "pattern": branch, "requiresStatusChecks": bool(known.checks),
        "requiresStrictStatusChecks": known.strict, "requiredStatusChecks": checks,
        "requiredStatusCheckContexts": [name for name, _ in known.checks],
        "requiresApprovingReviews": known.reviews > 0,
        "requiredApprovingReviewCount": known.reviews, "dismissesStaleReviews": known.dismiss_stale,
        "requiresConversationResolution": known.resolve_threads, "requireLastPushApproval": known.last_push_approval,
        "requiresCodeOwnerReviews": known.code_owners, "requiresLinearHistory": known.linear,
        "isAdminEnforced": known.admins,
    }  # fmt: skip


FIELDS["Ref"] = {
    "id": lambda r, a: f"REF_{r[1]}",
    "name": lambda r, a: r[1],
    "prefix": lambda r, a: "refs/heads/",
    "target": lambda r, a: _object(*r),
    "repository": lambda r, a: r[0],
    "branchProtectionRule": _protection,
    "associatedPullRequests": lambda r, a, **more: _pulls(r[0], a, **{**more, "headRefName": r[1]}),
}

_PERSON = {
    "id": lambda u, a: u.node_id,
    "databaseId": lambda u, a: u.id,
    # A bot's login has no mark here, unlike in REST.
    "login": lambda u, a: u.login.removesuffix("[bot]"),
    "name": lambda u, a: None,
    "url": lambda u, a: f"{a.world.web}/{u.login}",
    "resourcePath": lambda u, a: f"/{u.login}",
    "avatarUrl": lambda u, a, **more: f"{a.world.web}/avatars/u/{u.id}",
    "isViewer": lambda u, a: u is a.token.user,
}
FIELDS["User"] = _PERSON
FIELDS["Organization"] = {field: known for field, known in _PERSON.items() if field != "isViewer"}
FIELDS["Bot"] = {field: known for field, known in FIELDS["Organization"].items() if field != "name"}

#: What the classes are called in the schema; of people each says it by itself.
TYPES: dict[type, str] = {Repo: "Repository", tuple: "Ref"}


def kind_of(user: User) -> str:
    return user.kind
