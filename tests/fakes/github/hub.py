"""A GitHub of its own, on this machine: what answers, put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.github import calls, git_http, rest
from tests.fakes.github.clock import Clock
from tests.fakes.github.graph import execution
from tests.fakes.github.requests import GRAPHQL, PREFIX, Answer, Fault, Raw, Request
from tests.fakes.github.rest import actions
from tests.fakes.github.rules import workflows
from tests.fakes.github.server import Listener
from tests.fakes.github.story import Story
from tests.fakes.github.world import World

assert rest.__name__, "its modules register the routes"


class GitHub(Story):
    """See the package. ``repo`` is the repository that is meant where none is named."""

    def __init__(self, root: Path, repo: str = "octo/site") -> None:
        self.clock = Clock()
        self._listener = Listener(self.clock, self._answer)
        world = World(root, self.clock)
        world.web = self._listener.web
        super().__init__(world, world.repo(repo))
        self.faults = self._listener.faults
        self.ended = self._listener.ended
        self.before_write = self._listener.before
        self.after_write = self._listener.after

    @contextmanager
    def running(self) -> Iterator[GitHub]:
        with self._listener.running():
            yield self

    @property
    def web(self) -> str:
        return self.world.web

    @property
    def base_url(self) -> str:
        return self.world.api

    @property
    def seen(self) -> list[Request]:
        """All requests, in the order in which they came."""
        return self._listener.seen

    # -- what was asked ------------------------------------------------------------------------

    def paths(self) -> list[str]:
        """Paths that were asked for, without their queries."""
        return [one.path.partition("?")[0] for one in self.seen]

    def writes(self, method: str = "*", pattern: str = "*") -> list[Request]:
        """Writes that were carried out, whatever was answered, as ``("POST", "/repos/*/pulls")``."""
        return [one for one in self.seen if one.writes and one.done and one.is_for(method, pattern)]

    # -- what goes wrong -----------------------------------------------------------------------

    def fault(self, method: str, pattern: str, status: int | None = None, **more: Any) -> Fault:
        """The next request that matches is answered with ``status``, or meets what the fields of ``Fault`` say.

        ``body`` and ``headers`` go into the answer. Patterns are the shell's and match the path after the API's
        prefix, so ``/repos/*/pulls`` is what is usually meant; GraphQL is ``/api/graphql``.
        """
        body, headers = more.pop("body", None), more.pop("headers", {})
        if status is not None:
            said = body if body is not None or status == 204 else {"message": f"Answer {status}"}
            more["answer"] = Answer(status, said, headers)
        return self.faults.add(Fault(method, pattern, **more))

    def script(self, pattern: str, *answers: Answer | Raw, method: str = "*") -> None:
        """These answers, one after another, instead of the true ones; the last one stays."""
        for one in answers[:-1]:
            self.faults.add(Fault(method, pattern, 1, one))
        self.faults.add(Fault(method, pattern, None, answers[-1]))

    def primary_limit(self, login: str, resource: str = "core") -> None:
        """All requests of this hour are used up, for this person."""
        self.world.left[self.world.user(login).login, resource] = 0

    def secondary_limit(self, *, times: int | None = 1, after: int | None = None, status: int = 403) -> Fault:
        """The next writes are too many at once; the answer may say for how long, in ``after`` seconds."""
        words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        headers = {"X-RateLimit-Remaining": "4771", "X-RateLimit-Reset": str(int(self.world.reset))}
        if after is not None:
            headers["Retry-After"] = str(after)
        return self.faults.add(Fault("*", "*", times, Answer(status, {"message": words}, headers)))

    def regular(self, path: str, token: str = "") -> Answer:
        """What a path would be answered now, to nobody or to whose token it is."""
        request = Request("GET", f"{PREFIX}{path}", f"token {token}" if token else "", {}, b"", self.clock.now())
        with self.world.lock:
            return calls.answer(self.world, request)

    # -- answering -----------------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        if git_http.is_git(request):
            return git_http.answer(self.world, request)
        with self.world.lock:
            for repo in list(self.world.repos.values()):
                for run in [one for one in repo.runs if one.status != "completed"]:
                    workflows.go_on(self.world, repo, run)
            if request.path.startswith("/signed/"):
                return actions.signed_log(self.world, request)
            if request.path == GRAPHQL:
                return execution.answer(self.world, request)
            if request.path.startswith(PREFIX):
                return calls.answer(self.world, request)
        return Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})
