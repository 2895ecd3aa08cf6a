"""What tinytown says at GitHub: comments, reviews, answers in threads, statuses; and issues that it closes.

Each is looked for before it is written, and again after an answer that was lost: it is there once, whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel

from tinytown import keys
from tinytown.errors import NotFoundError, StateError, UnclearError
from tinytown.forge.github import documents, marks
from tinytown.forge.github.api import Api
from tinytown.forge.github.pulls import RIGHT
from tinytown.forge.github.repositories import Repository

#: The status by which tinytown's reviewer answers.
CONTEXT: Final = "tinytown/review"
#: Most characters of a status's description, and of a comment.
DESCRIPTION: Final = 140
COMMENT: Final = 60_000

STATUS_RIGHT: Final = "write access to commit statuses"
ISSUE_RIGHT: Final = "write access to issues"


class _Said(BaseModel):
    id: int
    body: str | None = None


class _Status(BaseModel):
    context: str
    state: str
    description: str | None = None


class _Issue(BaseModel):
    id: int
    number: int
    state: str
    pull_request: dict[str, Any] | None = None


class Saying:
    """What one town says."""

    def __init__(self, api: Api, town: str) -> None:
        self._api = api
        self._town = town

    def comment(self, repo: str, number: int, text: str, *, about: str) -> None:
        """Say something below an issue or a pull request, once for each ``about``."""
        self._say(repo, f"issues/{number}/comments", number, text, about, {}, right=f"{ISSUE_RIGHT} or pull requests")

    def review(self, repo: str, number: int, head: str, text: str, *, about: str) -> None:
        """Review a pull request with a comment: nobody can approve or refuse their own."""
        more = {"commit_id": head, "event": "COMMENT"}
        self._say(repo, f"pulls/{number}/reviews", number, text, about, more, right=RIGHT)

    def _say(
        self, repo: str, path: str, number: int, text: str, about: str, more: Mapping[str, Any], *, right: str
    ) -> None:
        mark = marks.mark(self._town, about)
        body = marks.marked(text[:COMMENT], mark)

        def is_there(place: Repository) -> bool:
            said = self._api.rest.all(f"{place.full_name}#{number}", f"{place.path}/{path}", _Said)
            return any(mark in (one.body or "") for one in said)

        def write(place: Repository) -> None:
            what = f"{place.full_name}#{number}"
            self._api.rest.create(what, f"{place.path}/{path}", _Said, {"body": body, **more}, right=right)

        self._once(repo, is_there, write)

    def status(
        self, repo: str, sha: str, state: Literal["pending", "success", "failure", "error"], text: str, *, url: str = ""
    ) -> None:
        """Answer for a commit as ``tinytown/review``; said only where it is not the last word already."""
        description = text if len(text) <= DESCRIPTION else f"{text[: DESCRIPTION - 1]}…"

        def is_there(place: Repository) -> bool:
            what = f"statuses of {sha[:10]}"
            # The newest come first.
            found = self._api.rest.all(what, f"{place.path}/commits/{sha}/statuses", _Status)
            last = next((one for one in found if one.context == CONTEXT), None)
            return last is not None and (last.state, last.description or "") == (state, description)

        def write(place: Repository) -> None:
            fields = {"state": state, "context": CONTEXT, "description": description}
            fields |= {"target_url": url} if url else {}
            path = f"{place.path}/statuses/{sha}"
            self._api.rest.create(f"a status of {sha[:10]}", path, _Status, fields, right=STATUS_RIGHT)

        self._once(repo, is_there, write)

    def answer(self, thread: str, text: str, *, about: str, resolve: bool) -> bool:
        """Resolve a thread and answer in it, once for each ``about``; gives whether it is resolved then.

        In this order: one that is answered and not resolved was opened again by somebody, and stays open.
        """
        mark = marks.mark(self._town, about)
        known = self._thread(thread)
        if any(mark in (one.get("body") or "") for one in known["comments"]["nodes"]):
            return bool(known["isResolved"])
        resolved = bool(known["isResolved"])
        if resolve and not resolved and known["viewerCanResolve"]:
            self._resolve(thread)
            resolved = True
        self._reply(thread, marks.marked(text[:COMMENT], mark), mark)
        return resolved

    def _resolve(self, thread: str) -> None:
        try:
            self._api.rest.mutate("a thread", documents.RESOLVE, {"thread": thread}, right=RIGHT)
        except UnclearError:
            if not self._thread(thread)["isResolved"]:
                raise

    def _reply(self, thread: str, body: str, mark: str) -> None:
        self._api.rest.await_turn()
        try:
            self._api.rest.mutate("a thread", documents.REPLY, {"thread": thread, "body": body}, right=RIGHT)
        except UnclearError:
            if not any(mark in (one.get("body") or "") for one in self._thread(thread)["comments"]["nodes"]):
                raise

    def _thread(self, thread: str) -> Mapping[str, Any]:
        node = self._api.rest.graph("a thread", documents.THREAD, {"id": thread}).data.get("node")
        if not node or "comments" not in node:
            raise NotFoundError("the thread does not exist any more", remedy="look at the pull request's page")
        found: Mapping[str, Any] = node
        return found

    def close_issue(self, key: str) -> None:
        """Close an issue as completed, where nobody has closed it."""
        parts = keys.parse(key)

        def closed(place: Repository) -> bool:
            found = self._api.rest.read(key, f"{place.path}/issues/{parts.number}", _Issue)
            if found.pull_request is not None:
                raise StateError(f"{key} is a pull request, not an issue", remedy="look at its page")
            return found.state == "closed"

        def close(place: Repository) -> None:
            fields = {"state": "closed", "state_reason": "completed"}
            path = f"{place.path}/issues/{parts.number}"
            self._api.rest.write(key, "PATCH", path, _Issue, fields, right=ISSUE_RIGHT)

        self._once(parts.repo, closed, close)

    def _once(self, repo: str, is_there: Callable[[Repository], bool], write: Callable[[Repository], None]) -> None:
        def once(place: Repository) -> None:
            if is_there(place):
                return
            try:
                write(place)
            except UnclearError:
                if not is_there(place):
                    raise

        self._api.repositories.do(repo, once)
