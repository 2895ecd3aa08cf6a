"""Git over HTTP: git's own server program behind our tokens, and what follows from a push."""

from __future__ import annotations

import gzip
import os
import re
import subprocess

from tests.fakes.github import access
from tests.fakes.github.models import Repo
from tests.fakes.github.objects import ENVIRONMENT, NOTHING
from tests.fakes.github.people import Token
from tests.fakes.github.requests import Answer, RefusedError, Request
from tests.fakes.github.rules import branches
from tests.fakes.github.world import World

#: What git begins to talk with in its second protocol, before it is asked for anything: the same for all repositories.
_GREETINGS: dict[tuple[str, str, str], Answer] = {}
_PATH = re.compile(r"/([\w.-]+/[\w.-]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")


def is_git(request: Request) -> bool:
    return _PATH.fullmatch(request.path.partition("?")[0]) is not None


def answer(world: World, request: Request) -> Answer:
    """Let git answer who may ask; a push that it took has its consequences before it is answered."""
    path, _, query = request.path.partition("?")
    match = _PATH.fullmatch(path)
    assert match
    pushes = "git-receive-pack" in (match[2], request.query.get("service"))
    with world.lock:
        try:
            repo, token = _allowed(world, request, match[1], pushes=pushes)
        except RefusedError as refused:
            return _told(refused)
        if repo is not world.find_repo(match[1]):
            there = f"{world.web}/{repo.name}.git/{match[2]}"
            return Answer(301, b"", {"Location": f"{there}?{query}" if query else there})
        protected = [
            one for one, rule in repo.protections.items() if rule.no_pushes and not _passes(repo, token, rule.admins)
        ]
    body = gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body
    commands = _commands(body) if match[2] == "git-receive-pack" else []
    were = {ref: repo.bare.resolve(ref) or NOTHING for _, _, ref in commands}
    given = _run(repo, request, match[2], query, body, token, protected)
    with world.lock:
        for before, after, ref in commands:
            # What was refused has not moved; what another push had moved already is not this one's.
            if ref.startswith("refs/heads/") and were[ref] == before and (repo.bare.resolve(ref) or NOTHING) == after:
                assert token
                branches.moved(world, repo, ref.removeprefix("refs/heads/"), before, after, token.user)
    return given


def _passes(repo: Repo, token: Token | None, bound: bool) -> bool:
    return access.role(repo, token) == "admin" and not bound


def _allowed(world: World, request: Request, name: str, *, pushes: bool) -> tuple[Repo, Token | None]:
    token = access.who(world, request)
    repo = world.find_repo(name) or world.renamed.get(name.lower())
    if token is None and (pushes or repo is None or repo.private):
        raise RefusedError(401, "Authentication required.")
    if repo is None or not access.may(repo, token, "contents", "read"):
        raise RefusedError(404, "Repository not found.")
    if pushes and not access.may(repo, token, "contents", "write"):
        raise RefusedError(403, f"Permission to {repo.name}.git denied to {token.user.login if token else 'nobody'}.")
    return repo, token


def _told(refused: RefusedError) -> Answer:
    headers = {"Content-Type": "text/plain"}
    if refused.answer.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="GitHub"'
    return Answer(refused.answer.status, f"{refused}\n".encode(), headers)


def _run(
    repo: Repo, request: Request, service: str, query: str, body: bytes, token: Token | None, protected: list[str]
) -> Answer:
    asks = (service, query, request.headers.get("Git-Protocol", ""))
    if asks in _GREETINGS:
        return _GREETINGS[asks]
    repo.bare.protect(protected)
    environment = {
        **ENVIRONMENT,
        "GIT_PROJECT_ROOT": str(repo.bare.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{service}",
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": token.user.login if token else "",
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "FAKE_NO_WORKFLOWS": _without_workflows(token),
    }
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        capture_output=True,
        check=False,
        env=environment,
        cwd=os.path.sep,
        timeout=120,
    )
    head, _, data = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    given = Answer(int(headers.pop("Status", "200").split(" ")[0]), data, headers)
    if asks == ("info/refs", "service=git-upload-pack", "version=2") and given.status == 200:
        _GREETINGS[asks] = given
    return given


def _without_workflows(token: Token | None) -> str:
    """Whose kind of token may not change workflows; empty where it may."""
    if token is None:
        return ""
    if token.kind in {"classic", "oauth"}:
        kind = "a Personal Access Token" if token.kind == "classic" else "an OAuth App"
        return "" if "workflow" in token.scopes else kind
    allowed = token.permissions.get("workflows") == "write"
    return "" if allowed else "a GitHub App" if token.kind == "app" else "a Personal Access Token"


def _commands(body: bytes) -> list[tuple[str, str, str]]:
    """Before, after and name of each ref of a push, from the lines that it begins with."""
    found, at = [], 0
    while (size := int(body[at : at + 4] or b"0", 16)) > 0:
        before, after, ref = body[at + 4 : at + size].split(b"\0")[0].decode().strip().split(" ", 2)
        found.append((before, after, ref))
        at += size
    return found
