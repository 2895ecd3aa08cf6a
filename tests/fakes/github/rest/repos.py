"""Users, repositories, branches and their protection."""

from __future__ import annotations

from tests.fakes.github import access
from tests.fakes.github.calls import Call, route
from tests.fakes.github.requests import Answer, RefusedError, missing
from tests.fakes.github.shapes import diffs
from tests.fakes.github.shapes import pulls as pull_shapes
from tests.fakes.github.shapes import repos as shapes


@route("GET", "/user")
def me(call: Call) -> Answer:
    if call.user.kind == "Bot":
        raise RefusedError(403, "Resource not accessible by integration")
    return Answer(body=_person(call, call.user.login))


@route("GET", "/users/{login}")
def someone(call: Call) -> Answer:
    if call.words["login"].lower() not in call.world.users:
        raise missing()
    return Answer(body=_person(call, call.words["login"]))


def _person(call: Call, login: str) -> shapes.Json:
    said = {"name": None, "company": None, "blog": "", "location": None, "email": None, "hireable": None, "bio": None}
    counts = {"public_repos": 1, "public_gists": 0, "followers": 0, "following": 0}
    times = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z"}
    return {**shapes.user(call.world, call.world.user(login)), **said, "twitter_username": None, **counts, **times}


@route("GET", "/rate_limit")
def limits(call: Call) -> Answer:
    def one(resource: str, limit: int) -> dict[str, int]:
        left = call.world.left.get((call.token.user.login if call.token else "", resource), limit)
        return {"limit": limit, "remaining": left, "reset": int(call.world.reset), "used": limit - left}

    limit = 5000 if call.token else 60
    core = one("core", limit)
    search = {"limit": 30, "remaining": 30, "reset": int(call.world.reset), "used": 0}
    resources = {"core": core, "search": search, "graphql": one("graphql", limit if call.token else 0)}
    return Answer(body={"resources": resources, "rate": core})


@route("GET", "~")
def repository(call: Call) -> Answer:
    return Answer(body=shapes.repo(call.world, call.repo, call.token))


@route("GET", "~/collaborators/{login}/permission")
def permission(call: Call) -> Answer:
    """Told to who may push."""
    if not access.at_least(access.role(call.repo, call.token), "write"):
        raise RefusedError(403, "Must have push access to view collaborator permission.")
    known = call.world.users.get(call.words["login"].lower())
    if known is None:
        raise missing()
    role = call.repo.people.get(known.login.lower()) or ("none" if call.repo.private else "read")
    shown = {"maintain": "write", "triage": "read"}.get(role, role)
    rights = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    person = {
        **shapes.user(call.world, known),
        "permissions": {name: access.at_least(role, least) for name, least in rights.items()},
        "role_name": role,
    }
    return Answer(body={"permission": shown, "role_name": role, "user": person})


# -- branches ------------------------------------------------------------------------------------


@route("GET", "~/branches", "contents:read")
def branches(call: Call) -> Answer:
    def row(named: tuple[str, str]) -> shapes.Json:
        name, sha = named
        at = f"{call.world.api}/repos/{call.repo.name}"
        commit = {"sha": sha, "url": f"{at}/commits/{sha}"}
        known = {"protected": name in call.repo.protections, "protection": shapes.protection(call.repo, name)}
        return {"name": name, "commit": commit, **known, "protection_url": f"{at}/branches/{name}/protection"}

    return call.page(sorted(call.repo.bare.branches().items()), row)


@route("GET", "~/branches/{branch:path}/protection/required_status_checks", "administration:read")
@route("GET", "~/branches/{branch:path}/protection", "administration:read")
def protection(call: Call) -> Answer:
    """What only administrators may read."""
    branch = call.words["branch"]
    known = call.repo.protections.get(branch)
    if known is None:
        raise RefusedError(404, "Branch not protected")
    at = f"{call.world.api}/repos/{call.repo.name}/branches/{branch}/protection"
    checks = {
        "url": f"{at}/required_status_checks", "strict": known.strict, "contexts": [name for name, _ in known.checks],
        "contexts_url": f"{at}/required_status_checks/contexts",
        "checks": [{"context": name, "app_id": app} for name, app in known.checks],
    }  # fmt: skip
    if call.request.place.endswith("/required_status_checks"):
        if not known.checks:
            raise RefusedError(404, "Required status checks not enabled")
        return Answer(body=checks)
    reviews = {
        "url": f"{at}/required_pull_request_reviews", "dismiss_stale_reviews": known.dismiss_stale,
        "require_code_owner_reviews": known.code_owners, "required_approving_review_count": known.reviews,
        "require_last_push_approval": known.last_push_approval,
    }  # fmt: skip
    made = {
        "url": at, "enforce_admins": {"url": f"{at}/enforce_admins", "enabled": known.admins},
        "required_linear_history": {"enabled": known.linear}, "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        "required_conversation_resolution": {"enabled": known.resolve_threads},
    }  # fmt: skip
    made |= {"required_status_checks": checks} if known.checks else {}
    return Answer(body=made | ({"required_pull_request_reviews": reviews} if known.reviews else {}))


@route("GET", "~/branches/{branch:path}", "contents:read")
def branch(call: Call) -> Answer:
    name = call.words["branch"]
    tip = call.repo.bare.tip(name)
    if tip is None:
        raise RefusedError(404, "Branch not found")
    return Answer(body=shapes.branch(call.world, call.repo, name, tip))


@route("GET", "~/rules/branches/{branch:path}")
def rules(call: Call) -> Answer:
    return call.page(call.repo.rules.get(call.words["branch"], []), dict)


# -- commits -------------------------------------------------------------------------------------


@route("GET", "~/commits", "contents:read")
def commits(call: Call) -> Answer:
    begin = call.request.query.get("sha", call.repo.default)
    tip = call.repo.bare.resolve(begin)
    if tip is None:
        raise missing()
    known = call.repo.bare.git("rev-list", tip).split()
    return call.page(known, lambda sha: shapes.commit(call.world, call.repo, sha))


@route("GET", "~/commits/{sha}/pulls", "pull_requests:read")
def pulls_of_commit(call: Call) -> Answer:
    sha = call.words["sha"]
    found = [one for one in call.repo.pulls if sha in {*pull_shapes.commits(one), one.merge_sha}]
    return call.page(found, lambda one: pull_shapes.small(call.world, one))


@route("GET", "~/compare/{basehead:path}", "contents:read")
def compare(call: Call) -> Answer:
    base, _, head = call.words["basehead"].partition("...")
    shas = [call.repo.bare.resolve(one.rpartition(":")[2]) for one in (base, head)]
    if None in shas:
        raise missing()
    one, other = (sha or "" for sha in shas)
    ahead, less = call.repo.bare.commits(one, other), call.repo.bare.commits(other, one)
    root = call.repo.bare.base_of(one, other)
    if root is None:
        raise RefusedError(404, f"No common ancestor between {base} and {head}.")
    status = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}.get(
        (bool(ahead), bool(less)), "identical"
    )
    at, page = f"{call.world.api}/repos/{call.repo.name}", f"{call.world.web}/{call.repo.name}/compare/{base}...{head}"
    return Answer(body={
        "url": f"{at}/compare/{base}...{head}", "html_url": page, "permalink_url": page, "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch", "base_commit": shapes.commit(call.world, call.repo, one),
        "merge_base_commit": shapes.commit(call.world, call.repo, root), "status": status, "ahead_by": len(ahead),
        "behind_by": len(less), "total_commits": len(ahead),
        "files": diffs.files(call.world, call.repo, root, other),
        "commits": [shapes.commit(call.world, call.repo, sha) for sha in ahead[:250]],
    })  # fmt: skip


@route("GET", "~/commits/{ref}", "contents:read")
def commit(call: Call) -> Answer:
    sha = call.repo.bare.resolve(call.words["ref"])
    if sha is None:
        raise RefusedError(422, f"No commit found for SHA: {call.words['ref']}")
    return Answer(body=shapes.commit(call.world, call.repo, sha) | diffs.of_commit(call.world, call.repo, sha))
