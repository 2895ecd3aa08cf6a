"""Routes: which function answers which operation, and what every operation has in common."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from tests.fakes.github import access
from tests.fakes.github.models import Issue, Pull, Repo
from tests.fakes.github.people import Token, User
from tests.fakes.github.requests import Answer, RefusedError, Request, invalid, missing
from tests.fakes.github.world import World


@dataclass
class Call:
    """One request on its way through a route."""

    world: World
    request: Request
    token: Token | None
    words: dict[str, str]
    _repo: Repo | None = None
    #: Headers for the answer.
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def repo(self) -> Repo:
        assert self._repo is not None
        return self._repo

    @property
    def user(self) -> User:
        """Who asks.

        Raises:
            RefusedError: nobody does.
        """
        if self.token is None:
            raise RefusedError(401, "Requires authentication")
        return self.token.user

    @property
    def body(self) -> dict[str, Any]:
        said = self.request.json
        if said is None and self.request.body:
            raise RefusedError(400, "Problems parsing JSON")
        return said if isinstance(said, dict) else {}

    def number(self, word: str = "number") -> int:
        return int(self.words[word])

    def issue(self) -> Issue:
        """The issue or pull request of the path.

        Raises:
            RefusedError: it is not there, was deleted, or is elsewhere now.
        """
        number = self.number()
        if number in self.repo.transferred:
            there = self.repo.transferred[number]
            where = f"{self.world.api}/repositories/{there.repo.id}/issues/{there.number}"
            rest = self.request.place.partition(f"/issues/{number}")[2]
            raise moved(self.request, where + rest)
        if number in self.repo.deleted:
            raise RefusedError(410, "This issue was deleted")
        if number not in self.repo.issues:
            raise missing()
        return self.repo.issues[number]

    def pull(self) -> Pull:
        found = self.repo.issues.get(self.number())
        if not isinstance(found, Pull):
            raise missing()
        return found

    def write_access(self) -> None:
        """Refuse who may only read: speaking is for everybody, deciding is not."""
        if not access.at_least(access.role(self.repo, self.token), "write"):
            raise RefusedError(403, "Must have push access to repository")

    def page(self, things: Sequence[Any], shape: Callable[[Any], Any], *, within: str = "") -> Answer:
        """One page of a list, with links to the others; ``within`` is the name of the list in an object."""
        size = max(1, min(int(self.request.query.get("per_page", "30") or 30), 100))
        page = max(1, int(self.request.query.get("page", "1") or 1))
        last = max(1, -(-len(things) // size))
        rows = [shape(one) for one in things[size * (page - 1) : size * page]]
        links = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        shown = [name for name, at in links.items() if 1 <= at <= last and at != page]
        if shown and len(things) > size:
            text = ", ".join(f'<{self._at(links[name])}>; rel="{name}"' for name in shown)
            self.headers["Link"] = text
        return Answer(body={"total_count": len(things), within: rows} if within else rows)

    def _at(self, page: int) -> str:
        query = urlencode({**self.request.query, "page": str(page)})
        return f"{self.world.api}{self.request.place}?{query}"

    def text(self, name: str, *, resource: str = "", optional: bool = False) -> str:
        value = self.body.get(name)
        if value is None and optional:
            return ""
        if not isinstance(value, str) or not (value.strip() or optional):
            raise invalid(resource or "Resource", field_name=name, code="missing_field")
        return value


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """An operation and the right it needs, as ``pull_requests:write``; empty where a token is enough."""

    method: str
    pattern: re.Pattern[str]
    needs: str
    handler: Handler


ROUTES: list[Route] = []


def route(method: str, path: str, needs: str = "metadata:read") -> Callable[[Handler], Handler]:
    """``{word}`` is one segment of the path, ``{word:path}`` may hold slashes; ``~`` is a repository."""
    full = path.replace("~", "/repos/{owner}/{name}")
    text = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", full)
    text = re.sub(r"\{(number|id)\}", r"(?P<\1>[0-9]+)", text)
    text = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", text)

    def add(handler: Handler) -> Handler:
        ROUTES.append(Route(method, re.compile(text), needs, handler))
        return handler

    return add


def answer(world: World, request: Request) -> Answer:
    """What a request of the REST API is answered; it has its effect."""
    headers: dict[str, str] = {"X-GitHub-Request-Id": f"{len(world.nodes):04X}:{id(request):X}"}
    try:
        token = access.who(world, request)
        headers |= access.rate(world, token, "core", 0)
        found, words = _find(world, request)
        if found.pattern.pattern != "/rate_limit":
            headers |= access.rate(world, token, "core", 1)
        headers |= _rights(token, found)
        call = Call(world, request, token, words, _repo_of(world, request, words))
        if call._repo is not None:
            _may(call, found)
        given = found.handler(call)
        headers |= call.headers
    except RefusedError as refused:
        given = refused.answer
    given = Answer(given.status, given.body, {**headers, **given.headers})
    return _unless_known(world, request, given) if request.method == "GET" and given.status == 200 else given


def _find(world: World, request: Request) -> tuple[Route, dict[str, str]]:
    place = request.place
    if short := re.match(r"/repositories/([0-9]+)(?=/|$)", place):
        repo = world.by_id(int(short[1]))
        place = f"/repos/{repo.name}{place[short.end() :]}" if repo else place
    for one in ROUTES:
        if one.method == request.method and (found := one.pattern.fullmatch(place)):
            return one, {name: unquote(value) for name, value in found.groupdict().items()}
    raise missing()


def _repo_of(world: World, request: Request, words: dict[str, str]) -> Repo | None:
    if "owner" not in words:
        return None
    name = f"{words['owner']}/{words['name']}"
    if (gone := world.renamed.get(name.lower())) is not None:
        rest = request.place.split("/", 4)[4:]
        raise moved(request, "/".join([f"{world.api}/repositories/{gone.id}", *rest]))
    found = world.find_repo(name)
    if found is None:
        raise missing()
    return found


def moved(request: Request, where: str) -> RefusedError:
    """A read is told to go on there for good, a write that it must be sent there again."""
    query = request.path.partition("?")[2]
    there = f"{where}?{query}" if query else where
    status, words = (301, "Moved Permanently") if request.method == "GET" else (307, "Temporary Redirect")
    refused = RefusedError(status, words, headers={"Location": there})
    refused.answer.body["url"] = there
    return refused


def _may(call: Call, found: Route) -> None:
    access.demand(call.repo, call.token, found.needs)
    if found.method != "GET":
        _ = call.user
        if call.repo.archived:
            raise RefusedError(403, "Repository was archived so is read-only.")


def _rights(token: Token | None, found: Route) -> dict[str, str]:
    """What GitHub says of the token: its scopes, or which permission the operation wants."""
    if token is None:
        return {}
    if token.kind in {"classic", "oauth"}:
        return {"X-OAuth-Scopes": ", ".join(token.scopes), "X-Accepted-OAuth-Scopes": "repo"}
    return {"X-Accepted-GitHub-Permissions": "; ".join(one.replace(":", "=") for one in found.needs.split("|"))}


def _unless_known(world: World, request: Request, given: Answer) -> Answer:
    """Nothing but a 304, which costs nothing, where the reader has it already. Tags are another for each token."""
    tag = hashlib.sha256(request.authorization.encode() + given.data).hexdigest()
    headers = {**given.headers, "ETag": f'W/"{tag}"'}
    asked = {name.lower(): value for name, value in request.headers.items()}.get("if-none-match")
    if asked != headers["ETag"]:
        return Answer(given.status, given.body, headers)
    key = (request.login, "core")
    if request.login and key in world.left:
        world.left[key] += 1
        headers["X-RateLimit-Remaining"] = str(world.left[key])
        headers["X-RateLimit-Used"] = str(int(headers["X-RateLimit-Limit"]) - world.left[key])
    return Answer(304, None, headers)
