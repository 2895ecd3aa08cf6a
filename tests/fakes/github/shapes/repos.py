"""People, apps, repositories, branches and commits."""

from __future__ import annotations

from typing import Any

from tests.fakes.github import access
from tests.fakes.github.clock import stamp
from tests.fakes.github.models import Repo
from tests.fakes.github.people import App, Token, User
from tests.fakes.github.world import World

Json = dict[str, Any]

_OF_A_USER = {
    "followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
    "repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
}  # fmt: skip
_OF_A_REPO = {
    "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}", "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}", "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}", "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}", "contributors_url": "/contributors", "deployments_url": "/deployments",
    "downloads_url": "/downloads", "events_url": "/events", "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}", "git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
    "languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags", "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}  # fmt: skip


def user(world: World, one: User) -> Json:
    at = f"{world.api}/users/{one.login}"
    return {
        "login": one.login, "id": one.id, "node_id": one.node_id, "gravatar_id": "", "type": one.kind,
        "avatar_url": f"{world.web}/avatars/u/{one.id}", "url": at, "html_url": f"{world.web}/{one.login}",
        **{name: at + rest for name, rest in _OF_A_USER.items()},
        "user_view_type": "public", "site_admin": False,
    }  # fmt: skip


def app(world: World, one: App) -> Json:
    owner = user(world, world.user("github" if one.slug == "github-actions" else one.slug, "Organization"))
    return {
        "id": one.id, "client_id": f"Iv1.{one.id:016x}", "slug": one.slug, "node_id": one.node_id, "owner": owner,
        "name": one.slug.replace("-", " ").title(), "description": "", "external_url": world.web,
        "html_url": f"{world.web}/apps/{one.slug}", "created_at": "2018-07-30T09:30:17Z",
        "updated_at": "2024-04-10T20:33:16Z", "permissions": {"checks": "write", "metadata": "read"}, "events": [],
    }  # fmt: skip


def small_repo(world: World, one: Repo) -> Json:
    """A repository inside of something else."""
    at = f"{world.api}/repos/{one.name}"
    return {
        "id": one.id, "node_id": one.node_id, "name": one.name.partition("/")[2], "full_name": one.name,
        "private": one.private, "owner": user(world, one.owner), "html_url": f"{world.web}/{one.name}",
        "description": None, "fork": False, "url": at, **{name: at + rest for name, rest in _OF_A_REPO.items()},
    }  # fmt: skip


def repo(world: World, one: Repo, token: Token | None) -> Json:
    """A repository that was asked for; what its settings are is said to those who may write to it."""
    mine = access.role(one, token)
    counted = sum(issue.state == "open" for issue in one.issues.values())
    held = {
        "allow_merge_commit": "merge" in one.methods, "allow_squash_merge": "squash" in one.methods,
        "allow_rebase_merge": "rebase" in one.methods, "allow_auto_merge": one.allow_auto_merge,
        "delete_branch_on_merge": one.delete_on_merge, "allow_update_branch": False,
        "use_squash_pr_title_as_default": False, "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
        "squash_merge_commit_message": "COMMIT_MESSAGES", "merge_commit_title": "MERGE_MESSAGE",
        "merge_commit_message": "PR_TITLE",
    }  # fmt: skip
    return {
        **nested_repo(world, one),
        "open_issues_count": counted, "open_issues": counted,
        **permissions(one, token),
        **(held if access.at_least(mine, "write") else {}),
        "network_count": 0, "subscribers_count": 1,
    }  # fmt: skip


def permissions(one: Repo, token: Token | None) -> Json:
    """What whoever asks may do there; nobody is told nothing."""
    if token is None:
        return {}
    roles = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    mine = access.role(one, token)
    return {"permissions": {name: access.at_least(mine, least) for name, least in roles.items()}}


def nested_repo(world: World, one: Repo) -> Json:
    """A repository as the head or base of a pull request."""
    host = world.web.partition("://")[2]
    return {
        **small_repo(world, one),
        "created_at": stamp(one.created), "updated_at": stamp(one.created), "pushed_at": stamp(one.created),
        "git_url": f"git://{host}/{one.name}.git", "ssh_url": f"git@{host}:{one.name}.git",
        "clone_url": f"{world.web}/{one.name}.git", "svn_url": f"{world.web}/{one.name}", "homepage": None, "size": 1,
        "stargazers_count": 0, "watchers_count": 0, "language": None, "has_issues": True, "has_projects": True,
        "has_downloads": True, "has_wiki": True, "has_pages": False, "has_discussions": False,
        "has_pull_requests": True, "pull_request_creation_policy": "all", "forks_count": 0,
        "mirror_url": None, "archived": one.archived, "disabled": False, "open_issues_count": 0, "license": None,
        "allow_forking": True, "is_template": False, "web_commit_signoff_required": False, "topics": [],
        "visibility": "private" if one.private else "public", "forks": 0, "open_issues": 0, "watchers": 0,
        "default_branch": one.default,
    }  # fmt: skip


def commit(world: World, one: Repo, sha: str) -> Json:
    """A commit as git has it."""
    form = "%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
    tree, parents, *who, message = one.bare.fact("show", "-s", f"--format={form}", sha).split("\0")
    at = f"{world.api}/repos/{one.name}"
    people = {
        "author": dict(zip(("name", "email", "date"), who[:3], strict=True)),
        "committer": dict(zip(("name", "email", "date"), who[3:], strict=True)),
    }
    known = {name: world.users.get(people[name]["name"].lower()) for name in people}
    unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    return {
        "sha": sha, "node_id": f"C_{sha}",
        "commit": {
            **people, "message": message.rstrip("\n"), "tree": {"sha": tree, "url": f"{at}/git/trees/{tree}"},
            "url": f"{at}/git/commits/{sha}", "comment_count": 0, "verification": unsigned,
        },
        "url": f"{at}/commits/{sha}", "html_url": f"{world.web}/{one.name}/commit/{sha}",
        "comments_url": f"{at}/commits/{sha}/comments",
        **{name: user(world, person) if person else None for name, person in known.items()},
        "parents": [
            {"sha": p, "url": f"{at}/commits/{p}", "html_url": f"{world.web}/{one.name}/commit/{p}"}
            for p in parents.split()
        ],
    }  # fmt: skip


def head_commit(one: Repo, sha: str) -> Json:
    """A commit inside of a check suite or a run."""
    tree, who, mail, when, message = one.bare.fact("show", "-s", "--format=%T%x00%an%x00%ae%x00%cI%x00%B", sha).split(
        "\0"
    )
    person = {"name": who, "email": mail}
    return {
        "id": sha, "tree_id": tree, "message": message.strip(), "timestamp": when, "author": person,
        "committer": person,
    }  # fmt: skip


def protection(one: Repo, branch: str) -> Json:
    """What everybody who may read is told of a branch's protection."""
    known = one.protections.get(branch)
    if known is None:
        wanted: Json = {"enforcement_level": "off", "contexts": [], "checks": []}
        return {"enabled": False, "required_status_checks": wanted}
    level = "off" if not known.checks else "everyone" if known.admins else "non_admins"
    checks = [{"context": name, "app_id": number} for name, number in known.checks]
    wanted = {"enforcement_level": level, "contexts": [name for name, _ in known.checks], "checks": checks}
    return {"enabled": True, "required_status_checks": wanted}


def branch(world: World, one: Repo, name: str, sha: str) -> Json:
    at = f"{world.api}/repos/{one.name}/branches/{name}"
    return {
        "name": name, "commit": commit(world, one, sha),
        "_links": {"self": at, "html": f"{world.web}/{one.name}/tree/{name}"},
        "protected": name in one.protections or bool(one.rules.get(name)),
        "protection": protection(one, name), "protection_url": f"{at}/protection",
    }  # fmt: skip
