"""Single requests to GitHub's API, each answer checked for what it must hold.

PyGithub's own objects hide what matters here: it takes a redirected write for an answer and a redirected list without
its filter for the list, and it throws a GraphQL answer away of which one part could not be read.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from github import Github, GithubException
from pydantic import BaseModel, TypeAdapter, ValidationError

from tinytown.errors import UnclearError
from tinytown.forge.github import evidence, faults, limits
from tinytown.forge.github.client import Client
from tinytown.missions.records.record import Record

M = TypeVar("M", bound=BaseModel)

#: What a refused write means to whoever sent it, where that is more than is known of refusals in general.
Refusals = Callable[[GithubException], Exception | None]

#: Answers that are remembered with their ETags: one that did not change costs nothing of the rate limit.
REMEMBERED: Final = 2000
#: Entries of a page, and pages of a list that are read.
PAGE: Final = 100
PAGES: Final = 10


class MovedError(Exception):
    """The repository has another name by now, so the write was not done."""


class Nothing(BaseModel):
    """An answer that need not hold anything."""


class GraphAnswer(Record):
    """An answer to a document: what could be read, and the errors for what could not."""

    data: dict[str, Any]
    errors: tuple[dict[str, Any], ...] = ()


class Rest:
    """Requests of one client. Safe in many threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        #: Answers as they were understood; what is given is always whole, changed or not, so that nobody who lost one
        #: waits for the next change. They belong to the token that they were read with.
        self._answers: OrderedDict[str, tuple[str, Any]] = OrderedDict()

    def read(self, what: str, path: str, kind: type[M], **parameters: str | int) -> M:
        """One thing; the errors are those of ``Client.ask``."""
        found: M = self._read(what, path, kind, parameters)
        return found

    def page(self, what: str, path: str, kind: type[M], **parameters: str | int) -> list[M]:
        """One page of a list."""
        found: list[M] = self._read(what, path, list[kind], {"per_page": PAGE, **parameters})  # type: ignore[valid-type]
        return found

    def all(self, what: str, path: str, kind: type[M], **parameters: str | int) -> list[M]:
        """A list, of at most ``PAGES`` pages."""
        found: list[M] = []
        for number in range(1, PAGES + 1):
            one = self.page(what, path, kind, **parameters, page=number)
            found += one
            if len(one) < PAGE:
                break
        return found

    def look(self, what: str, path: str) -> None:
        """Ask for something only to see whether that is allowed; the errors are those of ``Client.ask``."""
        parameters = {"per_page": 1}
        self._client.ask(what, lambda github: github.requester.requestJsonAndCheck("GET", path, parameters=parameters))

    def _read(self, what: str, path: str, kind: Any, parameters: Mapping[str, str | int]) -> Any:
        token = self._client.token
        # One answer may be understood as several kinds of things.
        name = f"{token.value if token else ''} {path} {sorted(parameters.items())} {kind}"

        def ask(github: Github) -> Any:
            with self._lock:
                etag, known = self._answers.get(name, ("", None))
            headers, data = github.requester.requestJsonAndCheck(
                "GET", path, parameters=dict(parameters), headers={"If-None-Match": etag} if etag else None
            )
            if data is None and known is not None:
                return known
            try:
                answer = TypeAdapter(kind).validate_python(data)
            except ValidationError:
                # A page that isn't the API's, or a redirection that was not followed.
                raise faults.no_answer(what=what, site=self._client.site) from None
            self._remember(name, str(headers.get("etag") or ""), answer)
            return answer

        return self._client.ask(what, ask)

    def _remember(self, name: str, etag: str, answer: Any) -> None:
        if not etag:
            return
        with self._lock:
            self._answers[name] = (etag, answer)
            self._answers.move_to_end(name)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)

    def write(
        self,
        what: str,
        verb: str,
        path: str,
        kind: type[M],
        body: Mapping[str, Any],
        *,
        right: str,
        refusals: Refusals | None = None,
    ) -> M:
        """Send a write once; the errors are those of ``Client.write``, and those that ``refusals`` knows better.

        Raises:
            MovedError: it was redirected, and nothing was done.
        """

        def act(github: Github) -> Any:
            try:
                return github.requester.requestJsonAndCheck(verb, path, input=dict(body))[1]
            except GithubException as error:
                if refusals is not None and (known := refusals(error)) is not None:
                    raise known from None
                raise

        data = self._client.write(what, act, right=right)
        try:
            return kind.model_validate(data if data is not None else {})
        except ValidationError:
            if isinstance(data, dict) and "redirect" in str(data.get("message", "")).lower():
                raise MovedError from None
            known = faults.no_answer(what=what, site=self._client.site)
            raise UnclearError(known.message, remedy=known.remedy) from None

    def create(
        self,
        what: str,
        path: str,
        kind: type[M],
        body: Mapping[str, Any],
        *,
        right: str,
        refusals: Refusals | None = None,
    ) -> M:
        """Send a write that makes something new, within the pace that GitHub allows for that."""
        self.await_turn()
        return self.write(what, "POST", path, kind, body, right=right, refusals=refusals)

    def await_turn(self) -> None:
        """Wait until something may be created: a second at most, else ``RateLimitError`` says when."""
        wait = self._client.limits.take()
        if wait < 0:
            raise faults.pause(self._client.site, wait=max(-wait, limits.CREATE_EVERY))
        time.sleep(wait)

    def graph(self, what: str, document: str, variables: Mapping[str, Any]) -> GraphAnswer:
        """The answer to a question in GraphQL, with what could be read of it."""
        self._client.limits.require_for_looks()
        answer = self._client.ask(what, lambda github: self._graph(github, document, variables), points=limits.GRAPHQL)
        self._count(answer.data.get("rateLimit"))
        return answer

    def _count(self, said: Any) -> None:
        """Keep what is left; a server without limits does not say."""
        left = said.get("remaining") if isinstance(said, dict) else None
        reset_at = evidence.at(said.get("resetAt")) if isinstance(left, int) else None
        if isinstance(left, int) and reset_at is not None:
            self._client.limits.left(left, reset_at)

    def mutate(self, what: str, document: str, variables: Mapping[str, Any], *, right: str) -> dict[str, Any]:
        """The answer to a mutation, sent once; a refusal is raised as ``TinytownError``, a lost answer as unclear."""

        def act(github: Github) -> GraphAnswer:
            return self._graph(github, document, variables)

        answer = self._client.write(what, act, right=right, points=limits.GRAPHQL)
        if answer.errors:
            raise faults.refused_mutation(
                [dict(e) for e in answer.errors], what=what, site=self._client.site, right=right
            )
        return answer.data

    def _graph(self, github: Github, document: str, variables: Mapping[str, Any]) -> GraphAnswer:
        asked = {"query": document, "variables": dict(variables)}
        headers, answer = github.requester.requestJsonAndCheck("POST", github.requester.graphql_url, input=asked)
        if not isinstance(answer, dict) or not isinstance(errors := answer.get("errors") or [], list):
            raise faults.no_answer(what="a question in GraphQL", site=self._client.site)
        data = answer.get("data")
        limited = any(isinstance(error, dict) and error.get("type") == "RATE_LIMITED" for error in errors)
        if limited or (errors and not isinstance(data, dict)):
            raise github.requester.createException(400, headers, answer)
        if not isinstance(data, dict):
            raise faults.no_answer(what="a question in GraphQL", site=self._client.site)
        return GraphAnswer(data=data, errors=tuple(e for e in errors if isinstance(e, dict)))
