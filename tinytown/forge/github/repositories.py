"""Repositories by their present names, and what they allow.

A renamed repository answers a write with a redirection that does nothing, and a filtered list without its filter. So
each is resolved before anything else is asked of it, and what comes back is held against its number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import BaseModel

from tinytown.errors import UnreachableError
from tinytown.forge.github.rest import MovedError, Rest

T = TypeVar("T")

#: Seconds for which a name and what a repository allows are believed.
BELIEVED: Final = 600.0


class Rights(BaseModel):
    """What the token may do there."""

    push: bool | None = None


class Repository(BaseModel):
    """A repository, as far as it matters here."""

    id: int
    full_name: str
    default_branch: str = ""
    archived: bool = False
    allow_merge_commit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None
    permissions: Rights | None = None

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.full_name.partition("/")[0]

    @property
    def path(self) -> str:
        """Where it is in the API."""
        return f"/repos/{self.full_name}"


class Repositories:
    """Those that were asked for lately. Safe in many threads."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Repository]] = {}

    def at(self, repo: str, *, fresh: bool = False) -> Repository:
        """The repository that has, or had, this name, read anew if ``fresh``; errors as of ``Client.ask``."""
        with self._lock:
            until, known = self._known.get(repo.lower(), (0.0, None))
        if known is not None and time.monotonic() < until and not fresh:
            return known
        found = self._rest.read(repo, f"/repos/{repo}", Repository)
        with self._lock:
            for name in {repo.lower(), found.full_name.lower()}:
                self._known[name] = (time.monotonic() + BELIEVED, found)
        return found

    def forget(self, repo: Repository) -> None:
        """Ask for it again when it is next needed."""
        with self._lock:
            self._known = {name: entry for name, entry in self._known.items() if entry[1].id != repo.id}

    def do(self, repo: str, action: Callable[[Repository], T]) -> T:
        """Do something there that looks first; once more if the repository was renamed meanwhile."""
        place = self.at(repo)
        try:
            return action(place)
        except MovedError:
            self.forget(place)
        try:
            return action(self.at(repo))
        except MovedError:
            raise UnreachableError(f"{repo} is being renamed", remedy="try again in a while") from None
