"""This machine's bare mirror of a repository on GitHub, and moving branches there; everything by git itself.

Git's own requests count for no rate limit, and a branch is moved from exactly the commit that was looked at.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tinytown import files
from tinytown.errors import ConfigurationError, NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.forge import mirror
from tinytown.forge.github.rest import MovedError
from tinytown.git import remote
from tinytown.git.remote import Server
from tinytown.git.repository import Git, GitError

T = TypeVar("T")

#: Where commits are kept that somebody else brought to a branch of ours.
FOREIGN: Final = "refs/tinytown/foreign/"
#: What a token needs for git.
READ_RIGHT: Final = "read access to contents"
WRITE_RIGHT: Final = "write access to contents"

_STALE = re.compile(r"stale info|\[rejected\]|fetch first|non-fast-forward|cannot lock ref|reference already exists")
_WORKFLOW = re.compile(r"workflows?[`' ]* (?:scope|permission)", re.IGNORECASE)
_PROTECTED = re.compile(r"protected branch|GH006|GH013|pre-receive hook declined|repository rule", re.IGNORECASE)
_AUTH = re.compile(
    r"authentication failed|could not read (?:username|password)|error: 40[13]|invalid username", re.IGNORECASE
)
_MOVED = re.compile(r"returned error: 30[12378]|unable to update url base from redirection")
_SAID = re.compile(r"^remote: (?:error: )?(.+?)\s*$", re.MULTILINE)
_WORDS = 160


@dataclass(frozen=True)
class Copy:
    """The mirror of one repository, and the server that it mirrors."""

    folder: Path
    server: Server
    repo: str
    host: str

    @property
    def own(self) -> Git:
        """Git in the mirror; it speaks to no server."""
        return Git.own(self.folder)

    def _online(self) -> Git:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        mirror.make(self.folder, "sha1")
        return remote.git(self.folder, self.server)

    def update(self) -> Path:
        """Bring the mirror up to date, making it if need be; our own branches in it are not touched.

        Raises:
            UnreachableError: GitHub does not answer, or another process has been at it for too long.
            TinytownError: the token does not open it.
        """
        online = self._online()
        there = {
            name: sha
            for name, sha in self._said(lambda: remote.heads(online, self.server)).items()
            if not name.startswith(mirror.OURS) and name != mirror.BLOCKER
        }
        if self._heads() == there:
            return self.folder
        with contextlib.ExitStack() as held:
            try:
                lock = files.locked(
                    mirror.lock_of(self.folder), timeout=mirror.WAIT, what=f"updating {self.folder.name}"
                )
                held.enter_context(lock)
            except StateError as error:
                raise UnreachableError(error.message, remedy=error.remedy) from None
            # Deletions first: a branch `a` that is gone may be in the way of a new `a/b`.
            gone = "".join(f"delete {name} {sha}\n" for name, sha in self._heads().items() if name not in there)
            if gone:
                online.run("update-ref", "--stdin", input=gone)
            exceptions = (f"^{mirror.OURS}*", f"^{mirror.BLOCKER}")
            if there:
                self._said(lambda: remote.fetch(online, self.server, ["+refs/heads/*:refs/heads/*", *exceptions]))
            mirror.tidy(self.folder)
        return self.folder

    def _heads(self) -> dict[str, str]:
        return {name: sha for name, sha in self.own.refs("refs/heads").items() if not name.startswith(mirror.OURS)}

    def head(self, ref: str) -> str | None:
        """The newest commit of a branch at GitHub, by its full name; ``None`` if there is none."""
        online = self._online()
        return self._said(lambda: remote.heads(online, self.server, ref)).get(ref)

    def line_of(self, tip: str, *, length: int) -> list[str]:
        """The newest commits on a branch's own line, as far as they are in the mirror; at least ``tip`` itself."""
        done = self.own.run("rev-list", "--first-parent", f"--max-count={length}", tip, ok=(0, 128))
        return done.stdout.split() if done.ok else [tip]

    def take(self, ref: str, sha: str) -> None:
        """Take in what somebody brought to a branch of ours, beside ours: it is kept for whoever goes on from it."""
        kept = FOREIGN + ref.removeprefix("refs/heads/")
        online = self._online()
        self._said(lambda: remote.fetch(online, self.server, [f"+{ref}:{kept}"]))
        if self.own.commit(sha) is None:
            raise UnreachableError(f"{ref} at {self.host} moves while it is read", remedy="try again in a while")

    def push(self, ref: str, new: str, *, old: str) -> bool:
        """Move a branch at GitHub from exactly ``old`` to ``new`` (empty: none); ``False`` if it is elsewhere by now.

        A lost answer is looked after: the branch itself says whether it was moved.
        """
        online = self._online()
        try:
            remote.push(online, self.server, ref, new, old=old)
        except GitError as error:
            if (self.head(ref) or "") == new:
                return True
            if _STALE.search(error.stderr):
                return False
            raise self._refused(error, WRITE_RIGHT) from None
        return True

    def _said(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except GitError as error:
            raise self._refused(error, READ_RIGHT) from None

    def _refused(self, error: GitError, right: str) -> TinytownError:
        if self.server.token is None and _AUTH.search(error.stderr):
            # The shell of whoever reads this may have one by now.
            return ConfigurationError(
                f"this town has no token for {self.host}",
                remedy="set GH_TOKEN, or run `gh auth login`, then run `tt start`",
            )
        return said(error, repo=self.repo, host=self.host, right=right)


def said(error: GitError, *, repo: str, host: str, right: str) -> TinytownError:
    """The cause and the remedy of what git met at a server; raises ``MovedError`` where that is elsewhere by now."""
    if _MOVED.search(error.stderr):
        raise MovedError from None
    words = "; ".join(_SAID.findall(error.stderr))[:_WORDS]
    if _WORKFLOW.search(error.stderr):
        return ConfigurationError(
            f"{host} refuses changes to workflows of {repo} by this token",
            remedy="give the token the scope `workflow` (fine-grained: write access to workflows)",
        )
    if _PROTECTED.search(error.stderr):
        return StateError(f"{host} protects the branch: {words or 'it refuses the push'}", remedy="look at its rules")
    if "not found" in error.stderr.lower():
        return NotFoundError(f"{repo} does not exist, or the token may not see it", remedy=f"give the token {right}")
    if _AUTH.search(error.stderr):
        return ConfigurationError(f"{host} does not let this token at {repo}", remedy=f"give the token {right}")
    return UnreachableError(f"{host} cannot be reached by git: {error.message}", remedy="try again in a while")
