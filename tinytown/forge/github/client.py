"""Asks GitHub, within a deadline, and gives answers or our own errors.

PyGithub as it comes would send a write eleven times and sleep for hours inside a worker. Here only reads are
sent again, twice at most; a write whose answer was lost is reported as unclear; a rate limit is reported with its time,
never slept through, and nothing is asked before that time; and a call ends at its
deadline whatever the server does, dribbling, redirecting and asking for patience included.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import github
from github import Auth, Github
from urllib3.connectionpool import ConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from tinytown.errors import RateLimitError, TinytownError, UnclearError, UnreachableError
from tinytown.forge.github import faults, ledger
from tinytown.forge.github.ledger import Ledger
from tinytown.forge.github.limits import REST, Limits
from tinytown.forge.github.site import Site, Token, find_token

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that one call may take, with its repetitions, pages and pauses.
DEADLINE = 30.0
#: Seconds that one request may wait for the next byte.
SOCKET_TIMEOUT = 10
#: How often a read is sent again after a fault of the network or the server.
REPETITIONS = 2
#: Seconds between two requests: GitHub allows 900 reads a minute.
PAUSE = 60 / 900
#: Seconds for which a server that could not be reached is not asked again.
NOT_ASKED_SECS = 5.0


class _TooLateError(Exception):
    """The deadline of the call has passed."""


class _Call(threading.local):
    """The call that this thread makes; after its deadline no further request is sent for it."""

    until = math.inf


_call = _Call()


class Repetition(Retry):
    """When a request is sent again: reads only, at once, and never for a call whose deadline has passed."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        # Called for every answer. PyGithub itself would follow redirections in a circle, and go on asking as long as it
        # is told to come back later.
        return _too_late() or super().is_retry(method, status_code, has_retry_after)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if not _too_late():
            return super().increment(method, url, response, error, _pool, _stacktrace)
        if response is not None:
            response.close()
        raise _TooLateError


def _too_late() -> bool:
    return time.monotonic() > _call.until


class Client:
    """The connection of one process to one site; made when it is first needed, and safe in many threads."""

    def __init__(self, site: Site, *, token_file: str | None = None, ledgers: Path | None = None) -> None:
        self.site = site
        self._token_file = token_file
        self._lock = threading.Lock()
        self._github: Github | None = None
        self._token: Token | None = None
        self._unreachable: tuple[float, UnreachableError] | None = None
        #: Where is kept what is known of a token's limits.
        self._ledgers = ledgers
        self._limits = Limits(site)

    @property
    def token(self) -> Token | None:
        """The token for the site, if one was found."""
        self._connected()
        return self._token

    @property
    def limits(self) -> Limits:
        """What is known of the token's limits."""
        self._connected()
        return self._limits

    @property
    def scopes(self) -> Sequence[str] | None:
        """The scopes of a classic token, as the last answer named them; ``None`` where there are no such things."""
        found = self._connected().oauth_scopes
        return None if found is None or found == [""] else found

    def ask(self, what: str, question: Callable[[Github], T], *, points: str = REST) -> T:
        """The answer to ``question``, which reads all it needs before it returns; ``what`` names it in errors.

        ``points`` says which of GitHub's two accounts of requests it draws on.

        Raises:
            RateLimitError: it wants to be asked later, and says when; until then nothing is sent.
            UnreachableError: no answer, or none in time.
            NotFoundError: it does not exist, was deleted, or may not be seen.
            ConfigurationError: the token or ``forge.base_url`` is wrong.
        """
        return self._call(what, question, right="", points=points)

    def write(self, what: str, action: Callable[[Github], T], *, right: str, points: str = REST) -> T:
        """The answer to ``action``, which sends one write, once; ``right`` is what a token must be given for it.

        Raises:
            UnclearError: the answer was lost, so that it may have been done; look before it is done again.
            TinytownError: as ``ask``; then it was not done.
        """
        try:
            return self._call(what, action, right=right, points=points)
        except RateLimitError:
            raise
        except UnreachableError as error:
            raise UnclearError(error.message, remedy=error.remedy) from None

    def _call(self, what: str, question: Callable[[Github], T], *, right: str, points: str) -> T:
        connection = self._connected()
        self._limits.require(points)
        with self._lock:
            if self._unreachable is not None and time.monotonic() < self._unreachable[0]:
                raise self._unreachable[1]
        # PyGithub has no deadline of its own: its timeouts begin anew with every byte.
        answer: list[T] = []
        fault: list[Exception] = []

        def run() -> None:
            _call.until = time.monotonic() + DEADLINE
            try:
                answer.append(question(connection))
            except Exception as error:  # noqa: BLE001 - it is raised again in the asking thread
                fault.append(error)

        thread = threading.Thread(target=run, name="github", daemon=True)
        thread.start()
        thread.join(DEADLINE)
        if answer:
            return answer[0]
        if not fault or isinstance(fault[0], _TooLateError):
            self._drop(connection)
            raise self._rest(faults.too_slow(what=what, site=self.site, seconds=DEADLINE))
        error = fault[0]
        if isinstance(error, TinytownError) or not isinstance(error, faults.FAULTS):
            raise error
        log.debug("%s: %s", what, type(error).__name__)
        known = faults.classify(error, what=what, site=self.site, token=self._token, now=time.time(), right=right)
        if isinstance(known, RateLimitError):
            known = self._limits.reached(known, points)
        elif isinstance(error, OSError) and isinstance(known, UnreachableError) and not right:
            self._rest(known)  # A write's effect is looked for at once.
        if isinstance(error, github.GithubException) and error.status == 401:
            self._drop(connection)  # So that a new log-in is used.
        # Its text may hold what was sent, so it is not passed on.
        raise known from None

    def _connected(self) -> Github:
        with self._lock:
            if self._github is None:
                self._token = find_token(self.site, environ=os.environ, file=self._token_file)
                self._github = connect(self.site, self._token)
                path = ledger.path_of(self._ledgers, self.site, self._token) if self._ledgers else None
                self._limits = Limits(self.site, ledger=Ledger(path), token=self._token)
            return self._github

    def _drop(self, connection: Github) -> None:
        with self._lock:
            if self._github is connection:
                self._github = None
        connection.close()

    def _rest(self, error: UnreachableError) -> UnreachableError:
        with self._lock:
            self._unreachable = (time.monotonic() + NOT_ASKED_SECS, error)
        return error


def connect(site: Site, token: Token | None) -> Github:
    """A PyGithub client with our manners. Objects are lazy: each costs one request, when it is first read."""
    return Github(
        auth=Auth.Token(token.value) if token else None,
        base_url=site.api,
        timeout=SOCKET_TIMEOUT,
        retry=Repetition(
            total=REPETITIONS,
            # A write that got no answer may have been done all the same.
            allowed_methods=("GET", "HEAD"),
            status_forcelist=(500, 502, 503, 504),
            backoff_factor=0.2,
            # Being told to wait is reported, and not slept through here.
            respect_retry_after_header=False,
            # The last answer is passed on as it came, with its status.
            raise_on_status=False,
        ),
        seconds_between_requests=PAUSE,
        # What is created at GitHub is paced by ``limits``; a question in GraphQL is a write to PyGithub.
        seconds_between_writes=PAUSE,
        per_page=100,
        user_agent="tinytown",
        lazy=True,
    )
