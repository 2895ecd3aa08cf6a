"""Pull requests: opening, reading, changing and merging them."""

from __future__ import annotations

from tests.fakes.github import access
from tests.fakes.github.calls import Call, route
from tests.fakes.github.models import Pull, Repo
from tests.fakes.github.people import User
from tests.fakes.github.requests import Answer, RefusedError, invalid
from tests.fakes.github.rules import branches, merging, workflows
from tests.fakes.github.shapes import pulls as shapes
from tests.fakes.github.shapes import repos as repo_shapes
from tests.fakes.github.world import World

_MERGE_WORDS = {"merge": "Merge commits are", "squash": "Squash merges are", "rebase": "Rebase merges are"}


@route("GET", "~/pulls", "pull_requests:read")
def several(call: Call) -> Answer:
    query = call.request.query
    found = call.repo.pulls
    state = query.get("state", "open")
    if state != "all":
        found = [one for one in found if one.state == state]
    # As GitHub does: a head without its owner is no filter at all.
    if ":" in query.get("head", ""):
        owner, _, head = query["head"].partition(":")
        found = [one for one in found if (call.repo.owner.login.lower(), one.head) == (owner.lower(), head)]
    if query.get("base"):
        found = [one for one in found if one.base == query["base"]]
    order = "updated" if query.get("sort") == "updated" else "created"
    downwards = query.get("direction", "desc" if order == "created" else "asc") == "desc"
    found = sorted(found, key=lambda one: (getattr(one, order), one.number), reverse=downwards)
    return call.page(found, lambda one: shapes.small(call.world, one))


@route("POST", "~/pulls", "pull_requests:write")
def create(call: Call) -> Answer:
    repo, bare, said = call.repo, call.repo.bare, call.body
    owner, colon, name = str(said.get("head", "")).partition(":")
    head = name if colon else owner
    base = str(said.get("base", ""))
    title = call.text("title", resource="PullRequest")
    tip, onto = bare.tip(head), bare.tip(base)
    if tip is None or (colon and owner.lower() != repo.owner.login.lower()):
        raise invalid("PullRequest", field_name="head", code="invalid")
    if onto is None:
        raise invalid("PullRequest", field_name="base", code="invalid")
    if any((one.state, one.head, one.base) == ("open", head, base) for one in repo.pulls):
        raise invalid("PullRequest", message=f"A pull request already exists for {repo.owner.login}:{head}.")
    if not bare.commits(onto, tip):
        raise invalid("PullRequest", message=f"No commits between {base} and {head}")
    made = opened(
        call.world, repo, head, base, title=title, body=said.get("body"), by=call.user, draft=bool(said.get("draft"))
    )
    made.unknown += 1  # This answer is the first to say that mergeability is unknown.
    return Answer(201, shapes.whole(call.world, made))


def opened(
    world: World, repo: Repo, head: str, base: str, *, title: str, body: str | None, by: User, draft: bool
) -> Pull:
    """A new pull request, with all that follows from its being there."""
    now, number = world.clock.now(), repo.next_number
    tip, onto = repo.bare.tip(head), repo.bare.tip(base)
    assert tip, f"there is no branch {head}"
    assert onto, f"there is no branch {base}"
    made = Pull(
        repo, world.number(), number, title, body, by, now, now,
        head=head, head_sha=tip, base=base, base_sha=onto, draft=draft, pushed_by=by,
    )  # fmt: skip
    world.add_issue(repo, made)
    repo.bare.point(f"refs/pull/{number}/head", tip)
    workflows.trigger(world, repo, "pull_request", head, tip, by, pull=made)
    branches.tell(made, "opened")
    return made


@route("GET", "~/pulls/{number}", "pull_requests:read|contents:read")
def one(call: Call) -> Answer:
    return Answer(body=shapes.whole(call.world, call.pull()))


@route("PATCH", "~/pulls/{number}", "pull_requests:write")
def edit(call: Call) -> Answer:
    pull, said = call.pull(), call.body
    if pull.author is not call.user:
        call.write_access()
    if "base" in said and said["base"] != pull.base:
        _retarget(call, pull, str(said["base"]))
    if "title" in said:
        pull.title = call.text("title", resource="PullRequest")
    if "body" in said:
        pull.body = said["body"]
    pull.updated = call.world.clock.now()
    if said.get("state") == "closed" and pull.state == "open":
        branches.close(call.world, pull, call.user)
    elif said.get("state") == "open" and pull.state == "closed":
        reopen(call.repo, pull)
    return Answer(body=shapes.whole(call.world, pull))


def _retarget(call: Call, pull: Pull, base: str) -> None:
    tip = call.repo.bare.tip(base)
    if tip is None:
        raise invalid("PullRequest", field_name="base", code="invalid")
    if pull.state == "closed":
        raise invalid(
            "PullRequest", message="Cannot change the base branch of a closed pull request.", field_name="base"
        )
    if any(other.state == "open" and (other.head, other.base) == (pull.head, base) for other in call.repo.pulls):
        message = f"A pull request already exists for base branch '{base}' and head branch '{pull.head}'"
        raise invalid("PullRequest", message=message, field_name="base")
    pull.base, pull.base_sha = base, tip
    merging.changed(pull)
    branches.tell(pull, "edited")


def reopen(repo: Repo, pull: Pull) -> None:
    """Open one that was closed again, where GitHub lets that happen."""
    tip, base = repo.bare.tip(pull.head), repo.bare.tip(pull.base)
    if pull.merged is not None:
        raise invalid(
            "PullRequest", message="state cannot be changed. The pull request cannot be reopened.", field_name="state"
        )
    if tip is None or base is None:
        gone = pull.head if tip is None else pull.base
        message = f"state cannot be changed. The {gone} branch has been deleted."
        raise invalid("PullRequest", message=message, field_name="state")
    if not repo.bare.contains(pull.head_sha, tip):
        message = f"state cannot be changed. The {pull.head} branch was force-pushed or recreated."
        raise invalid("PullRequest", message=message, field_name="state")
    pull.state, pull.closed, pull.closed_by, pull.head_sha = "open", None, None, tip
    merging.changed(pull)
    branches.tell(pull, "reopened")


@route("GET", "~/pulls/{number}/files", "pull_requests:read")
def files(call: Call) -> Answer:
    return call.page(shapes.files(call.world, call.pull()), dict)


@route("GET", "~/pulls/{number}/commits", "pull_requests:read")
def commits(call: Call) -> Answer:
    return call.page(shapes.commits(call.pull()), lambda sha: repo_shapes.commit(call.world, call.repo, sha))


# -- merging -------------------------------------------------------------------------------------


@route("GET", "~/pulls/{number}/merge", "contents:read")
def is_merged(call: Call) -> Answer:
    if call.pull().merged is None:
        raise RefusedError(404, "Not Found")
    return Answer(204)


@route("PUT", "~/pulls/{number}/merge", "contents:write")
def merge(call: Call) -> Answer:
    pull, said = call.pull(), call.body
    method = str(said.get("merge_method", "merge"))
    if method not in _MERGE_WORDS:
        raise RefusedError(422, "Invalid merge method")
    if pull.state != "open":
        raise RefusedError(405, "Pull Request is not mergeable")
    if pull.draft:
        raise RefusedError(405, "Pull Request is still a draft")
    linear = merging.demands(call.repo, pull.base).linear
    if method not in call.repo.methods or (linear and method == "merge"):
        raise RefusedError(405, f"{_MERGE_WORDS[method]} not allowed on this repository.")
    if said.get("sha") and said["sha"] != pull.head_sha:
        raise RefusedError(409, "Head branch was modified. Review and try the merge again.")
    state = merging.state(call.world, pull)
    if state.mergeable is not True:
        raise RefusedError(405, "Pull Request is not mergeable")
    _refuse_unless_allowed(call, pull)
    title, message = str(said.get("commit_title") or ""), str(said.get("commit_message") or "")
    sha = branches.merge(call.world, pull, method, call.user, title=title, message=message)
    return Answer(body={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def _refuse_unless_allowed(call: Call, pull: Pull) -> None:
    wanted = merging.demands(call.repo, pull.base)
    if access.role(call.repo, call.token) == "admin" and not wanted.admins:
        return
    why = merging.reasons(pull)
    if merging.behind(pull):
        why.append("The head branch is not up to date with the base branch.")
    if not why:
        return
    # Rulesets have a refusal of their own.
    rules = call.repo.rules.get(pull.base)
    raise RefusedError(405, "Repository rule violations found\n\n" + "\n\n".join(why) if rules else " ".join(why))


@route("PUT", "~/pulls/{number}/update-branch", "pull_requests:write")
def update_branch(call: Call) -> Answer:
    """Merge the base into the head."""
    pull, bare = call.pull(), call.repo.bare
    call.write_access()
    expected = call.body.get("expected_head_sha")
    if expected and expected != pull.head_sha:
        raise RefusedError(422, "expected head sha didn't match current head ref.")
    tip = bare.tip(pull.base)
    if tip is None or bare.contains(tip, pull.head_sha):
        raise RefusedError(422, "There are no new commits on the base branch.")
    found = bare.merge(pull.head_sha, tip)
    if found.conflicts:
        raise RefusedError(422, "merge conflict between base and head")
    message = f"Merge branch '{pull.base}' into {pull.head}"
    before = pull.head_sha
    made = bare.commit_tree(found.tree, [before, tip], message, author=call.user.login, at=call.world.clock.now())
    bare.move(pull.head, made, old=before)
    branches.moved(call.world, call.repo, pull.head, before, made, call.user)
    url = f"{call.world.api}/repos/{call.repo.name}/pulls/{pull.number}"
    return Answer(202, {"message": "Updating pull request branch.", "url": url})


@route("GET", "~/pulls/{number}/requested_reviewers", "pull_requests:read")
def requested(call: Call) -> Answer:
    people = [repo_shapes.user(call.world, one) for one in call.pull().requested]
    return Answer(body={"users": people, "teams": []})


@route("POST", "~/pulls/{number}/requested_reviewers", "pull_requests:write")
def request_reviewers(call: Call) -> Answer:
    call.write_access()
    pull = call.pull()
    for login in call.body.get("reviewers", []):
        person = call.world.users.get(str(login).lower())
        if person is pull.author:
            raise RefusedError(422, "Review cannot be requested from pull request author.")
        if person is None or (person.kind == "User" and person.login.lower() not in call.repo.people):
            raise RefusedError(
                422, "Reviews may only be requested from collaborators. One or more of the users or teams you specified"
                f" is not a collaborator of the {call.repo.name} repository.",
            )  # fmt: skip
        if person not in pull.requested:
            pull.requested.append(person)
    return Answer(201, shapes.small(call.world, pull))


@route("DELETE", "~/pulls/{number}/requested_reviewers", "pull_requests:write")
def release_reviewers(call: Call) -> Answer:
    call.write_access()
    pull = call.pull()
    gone = {str(one).lower() for one in call.body.get("reviewers", [])}
    pull.requested = [one for one in pull.requested if one.login.lower() not in gone]
    return Answer(body=shapes.small(call.world, pull))
