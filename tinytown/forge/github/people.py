"""Who may write to a repository on GitHub, and what those people said below an issue.

An issue's text and its comments may be anybody's. What GitHub calls an author's association is wrong both ways (it
hides private members), so each author's permission is asked for, once in a while. No answer means no.
"""

from __future__ import annotations

import math
import re
import time
from typing import Any

from github import Github, GithubException
from pydantic import BaseModel, TypeAdapter

from tinytown.forge.github import faults
from tinytown.missions.records.issue import Comment

#: Seconds for which an answer about somebody's permission is believed.
BELIEVED = 600.0
#: Comments of one page, and newest pages that are read.
PAGE = 100
PAGES = 2
#: Authors of one issue's comments that are asked about.
AUTHORS = 30

_WRITES = frozenset({"admin", "maintain", "write"})
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})")


class User(BaseModel):
    """Who wrote something."""

    login: str = ""
    type: str = "User"


class _Comment(BaseModel):
    id: int
    user: User | None = None
    body: str | None = None
    created_at: str = ""


_COMMENTS = TypeAdapter(list[_Comment])


class People:
    """Permissions that were asked for lately."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, bool]] = {}

    def may_write(self, github: Github, repo: str, user: User | None) -> bool:
        """Whether this person may write to the repository now; apps and bots may not speak for anybody."""
        if user is None or user.type != "User" or not _LOGIN.fullmatch(user.login):
            return False
        who = (repo.lower(), user.login.lower())
        until, known = self._known.get(who, (0.0, False))
        if time.monotonic() < until:
            return known
        known = _ask(github, repo, user.login)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[who] = (time.monotonic() + BELIEVED, known)
        return known

    def comments(self, github: Github, repo: str, number: int, count: int) -> tuple[tuple[Comment, ...], int]:
        """The newest comments by people who may write, and how many others there are."""
        if count <= 0:
            return (), 0
        last = math.ceil(count / PAGE)
        kept: list[Comment] = []
        asked: set[str] = set()
        for page in range(max(1, last - PAGES + 1), last + 1):
            for one in _page(github, f"/repos/{repo}/issues/{number}/comments", page):
                asked.add(one.user.login if one.user else "")
                if len(asked) <= AUTHORS and one.user and self.may_write(github, repo, one.user):
                    kept.append(Comment(author=one.user.login, body=one.body or "", at=one.created_at))
        return tuple(kept), max(count - len(kept), 0)


def _ask(github: Github, repo: str, login: str) -> bool:
    try:
        _, data = github.requester.requestJsonAndCheck("GET", f"/repos/{repo}/collaborators/{login}/permission")
    except GithubException as error:
        if error.status in (401, 403, 404) and not faults.is_rate_limit(error):
            return False  # GitHub does not know the person, or we may not see it.
        raise
    return isinstance(data, dict) and data.get("permission") in _WRITES


def _page(github: Github, path: str, page: int) -> list[_Comment]:
    data: Any
    _, data = github.requester.requestJsonAndCheck("GET", path, parameters={"per_page": PAGE, "page": page})
    return _COMMENTS.validate_python(data)
