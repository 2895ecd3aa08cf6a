"""Issues and what is said below them."""

from __future__ import annotations

from tests.fakes.github import access
from tests.fakes.github.clock import stamp
from tests.fakes.github.models import Comment, Issue, Pull, Repo
from tests.fakes.github.people import Token, User
from tests.fakes.github.shapes.repos import Json, nested_repo, permissions, user
from tests.fakes.github.world import World

_REACTIONS = {
    "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0, "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
}  # fmt: skip


def association(repo: Repo, author: User | None) -> str:
    if author is None:
        return "NONE"
    if author is repo.owner:
        return "OWNER"
    known = repo.people.get(author.login.lower(), "none")
    return "COLLABORATOR" if access.at_least(known, "triage") else "NONE"


def reactions(url: str) -> Json:
    return {"url": f"{url}/reactions", **_REACTIONS}


def labels(world: World, one: Issue) -> list[Json]:
    return [label(world, one.repo, name) for name in one.labels]


def label(world: World, repo: Repo, name: str) -> Json:
    number = sum(name.encode()) + 10_000
    return {
        "id": number, "node_id": f"LA_{number}", "url": f"{world.api}/repos/{repo.name}/labels/{name}", "name": name,
        "color": "ededed", "default": False, "description": None,
    }  # fmt: skip


def issue(world: World, one: Issue) -> Json:
    at = f"{world.api}/repos/{one.repo.name}/issues/{one.number}"
    kind = "pull" if isinstance(one, Pull) else "issues"
    page = f"{world.web}/{one.repo.name}/{kind}/{one.number}"
    made: Json = {
        "url": at, "repository_url": f"{world.api}/repos/{one.repo.name}", "labels_url": f"{at}/labels{{/name}}",
        "comments_url": f"{at}/comments", "events_url": f"{at}/events", "html_url": page, "id": one.id,
        "node_id": one.node_id, "number": one.number, "title": one.title,
        "user": user(world, one.author) if one.author else None,
        "labels": labels(world, one), "state": one.state, "locked": False, "assignee": None, "assignees": [],
        "milestone": None, "comments": len(one.comments), "created_at": stamp(one.created),
        "updated_at": stamp(one.updated), "closed_at": stamp(one.closed),
        "author_association": association(one.repo, one.author), "active_lock_reason": None, "body": one.body,
        "closed_by": user(world, one.closed_by) if one.closed_by else None, "reactions": reactions(at),
        "timeline_url": f"{at}/timeline", "performed_via_github_app": None, "state_reason": one.reason,
    }  # fmt: skip
    if isinstance(one, Pull):
        pull = f"{world.api}/repos/{one.repo.name}/pulls/{one.number}"
        links = {"url": pull, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch"}
        return made | {"draft": one.draft, "pull_request": {**links, "merged_at": stamp(one.merged)}}
    made |= {"type": None, "pinned_comment": None}
    parent = next((other for other in one.repo.issues.values() if one in other.children), None)
    if parent is not None:
        made["parent_issue_url"] = f"{world.api}/repos/{parent.repo.name}/issues/{parent.number}"
    if one.summary:
        made |= _summaries(one)
    return made


def _summaries(one: Issue) -> Json:
    """What blocks it counts while it is open; the total counts all."""
    everywhere = one.repo.issues.values()
    blocks = [other for other in everywhere if one in other.blocked_by]
    done = sum(child.state == "closed" for child in one.children)
    return {
        "issue_dependencies_summary": {
            "blocked_by": sum(other.state == "open" for other in one.blocked_by),
            "total_blocked_by": len(one.blocked_by),
            "blocking": sum(other.state == "open" for other in blocks), "total_blocking": len(blocks),
        },
        "sub_issues_summary": {
            "total": len(one.children), "completed": done,
            "percent_completed": done * 100 // len(one.children) if one.children else 0,
        },
    }  # fmt: skip


def related(world: World, one: Issue, token: Token | None) -> Json:
    """An issue in a list of those that another has to do with: they may be of any repository."""
    return issue(world, one) | {"repository": nested_repo(world, one.repo) | permissions(one.repo, token)}


def comment(world: World, on: Issue, one: Comment) -> Json:
    at = f"{world.api}/repos/{on.repo.name}/issues/comments/{one.id}"
    kind = "pull" if isinstance(on, Pull) else "issues"
    return {
        "url": at, "html_url": f"{world.web}/{on.repo.name}/{kind}/{on.number}#issuecomment-{one.id}",
        "issue_url": f"{world.api}/repos/{on.repo.name}/issues/{on.number}", "id": one.id, "node_id": one.node_id,
        "user": user(world, one.author), "created_at": stamp(one.created), "updated_at": stamp(one.updated),
        "author_association": association(on.repo, one.author), "body": one.body, "reactions": reactions(at),
        "performed_via_github_app": None,
    }  # fmt: skip
