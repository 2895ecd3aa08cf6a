"""Who is asking, and what they may do."""

from __future__ import annotations

import base64
import binascii

from tests.fakes.github.models import Repo
from tests.fakes.github.people import Token
from tests.fakes.github.requests import RefusedError, Request, missing
from tests.fakes.github.world import World

_ROLES = ("none", "read", "triage", "write", "maintain", "admin")
#: What a role must at least be for a right; reading needs `read`.
_WRITING = {"issues": "triage", "administration": "admin"}
_LIMITS = {"classic": 5000, "oauth": 5000, "fine-grained": 5000, "app": 5000}


def who(world: World, request: Request) -> Token | None:
    """The token of a request; nothing if it bears none.

    Raises:
        RefusedError: a token that nobody was given.
    """
    scheme, _, rest = request.authorization.partition(" ")
    if not rest:
        return None
    value = rest.strip()
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    found = world.tokens.get(value)
    if found is None:
        raise RefusedError(401, "Bad credentials")
    request.login = found.user.login
    return found


def role(repo: Repo, token: Token | None) -> str:
    """What the token's person is in a repository."""
    public = "none" if repo.private else "read"
    if token is None:
        return public
    if token.kind == "app":
        return "write"
    known = repo.people.get(token.user.login.lower())
    if known is None and token.user is repo.owner:
        known = "admin"
    return known or public


def at_least(have: str, want: str) -> bool:
    return _ROLES.index(have) >= _ROLES.index(want)


def may(repo: Repo, token: Token | None, right: str, level: str) -> bool:
    """Whether a token has a right, as (``pull_requests``, ``write``), in a repository."""
    mine = role(repo, token)
    needed = "read" if level == "read" and right != "administration" else _WRITING.get(right, "write")
    if right in {"issues", "pull_requests"} and level == "write":
        needed = "read"  # Everybody may open issues and speak below them; what needs more asks for more itself.
    if not at_least(mine, needed):
        return False
    if token is None:
        return level == "read"
    if token.kind in {"classic", "oauth"}:
        return "repo" in token.scopes or (level == "read" and not repo.private)
    if token.kind == "fine-grained" and right == "checks":
        return False  # There is no such permission to give.
    given = "read" if right == "metadata" else token.permissions.get(right, "none")
    return given in {"write", level}


def demand(repo: Repo, token: Token | None, needs: str) -> None:
    """Refuse unless the token has one of the rights, as ``issues:write|pull_requests:write``.

    Raises:
        RefusedError: 404 where even the repository is not to be seen, 403 otherwise.
    """
    if role(repo, token) == "none":
        raise missing()
    if any(may(repo, token, *one.split(":")) for one in needs.split("|")):
        return
    if token is None:
        raise RefusedError(401, "Requires authentication")
    kinds = {"fine-grained": "personal access token", "app": "integration"}
    if token.kind in kinds:
        raise RefusedError(403, f"Resource not accessible by {kinds[token.kind]}")
    if needs.startswith("administration"):
        raise missing()
    raise RefusedError(
        403, "Must have push access to repository" if at_least(role(repo, token), "read") else "Forbidden"
    )


def rate(world: World, token: Token | None, resource: str, cost: int) -> dict[str, str]:
    """Count a request; gives the headers that say what is left.

    Raises:
        RefusedError: nothing is left until the hour is over.
    """
    limit = 60 if token is None else _LIMITS[token.kind]
    now = world.clock.now()
    if now >= world.reset:
        world.left.clear()
        world.reset = now + 3600
    key = (token.user.login if token else "", resource)
    left = world.left.get(key, limit)
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(left - cost, 0)),
        "X-RateLimit-Reset": str(int(world.reset)),
        "X-RateLimit-Used": str(limit - max(left - cost, 0)),
        "X-RateLimit-Resource": resource,
    }
    if left < cost:
        number = token.user.id if token else 0
        raise RefusedError(403, f"API rate limit exceeded for user ID {number}.", headers=headers)
    world.left[key] = left - cost
    return headers
