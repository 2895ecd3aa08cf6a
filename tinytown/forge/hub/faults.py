"""What git's words about a hub mean: whose fault it is, and what to do."""

from __future__ import annotations

import re
from typing import Final

from tinytown.errors import ConfigurationError, HubAwayError, TinytownError
from tinytown.git.repository import GitError
from tinytown.processes import ProgramTimeoutError

#: What every sentence about a hub that does not answer begins with.
AWAY: Final = "the hub is away"
_WORDS = 200

_HOST_KEY = re.compile(r"host key verification failed|remote host identification has changed", re.IGNORECASE)
_AUTH = re.compile(
    r"authentication failed|could not read (?:username|password)|terminal prompts disabled|permission denied \(|"
    r"permission denied, please try again|returned error: 40[13]|access denied|too many authentication failures",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"repository '?.*'? not found|does not appear to be a git repository|not a git repository|"
    r"repository not found|returned error: 404|no such repository|project you were looking for",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left|disk quota|not enough (?:disk )?space|over (?:its )?quota", re.IGNORECASE)
_FILES_ALONE = re.compile(
    r"git-http-push failed|no DAV locking support|dumb http transport|service not enabled|"
    r"receive-pack.*not (?:enabled|allowed|permitted)",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(r"read-?only|unable to (?:create|write)|insufficient permission", re.IGNORECASE)
_REFUSED = re.compile(r"remote rejected|hook declined|deny updating|prohibited", re.IGNORECASE)
_SHALLOW = re.compile(r"shallow", re.IGNORECASE)
_FORMAT = re.compile(r"mismatched algorithms|object format|the receiving end does not support this repository's hash")
_MOVED = re.compile(r"returned error: 30[12378]|unable to update url base from redirection", re.IGNORECASE)
_DUBIOUS = re.compile(r"dubious ownership|unsafe repository", re.IGNORECASE)
#: What only a person can mend, the more telling words first: a sentence and a remedy for each.
_REFUSALS: Final = (
    (
        _DUBIOUS,
        "git does not trust the hub {where}, which belongs to another user",
        "run `git config --global --add safe.directory {where}`",
    ),
    (
        _HOST_KEY,
        "this machine does not know the key of the hub's server, {where}",
        "run `git ls-remote {where}` once by hand, and look at the key",
    ),
    (
        _AUTH,
        "the hub {where} does not let this machine in: {words}",
        "load a key into your ssh agent, set TINYTOWN_HUB_TOKEN or a credential helper of git's, then run `tt start`",
    ),
    (_MOVED, "the hub {where} is elsewhere by now", "correct `hub.url` to its new address in tinytown.toml"),
    (
        _FILES_ALONE,
        "the hub {where} takes no pushes",
        "have it served by `git http-backend`, another git server, or by ssh, with the right to push",
    ),
    (
        _UNKNOWN,
        "there is no git repository at the hub {where}, or it may not be seen from here",
        "make one there (`git init --bare`), or correct `hub.url` in tinytown.toml",
    ),
    (
        _FORMAT,
        "the hub {where} has another format of objects than the repository",
        "make one of the same format: `git init --bare --object-format=…`",
    ),
    (
        _SHALLOW,
        "the hub {where} is a shallow repository, which lacks history",
        "fetch the rest there (`git fetch --unshallow`), or use an empty one",
    ),
    (
        _REFUSED,
        "the hub {where} refuses tinytown's refs: {words}",
        "let this machine create, move and delete refs under `refs/tinytown/` there",
    ),
    (_READ_ONLY, "the hub {where} may not be written: {words}", "give this machine the right to write there"),
)
_STALE = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|reference already exists|remote ref updated"
)
_SAID = re.compile(r"^remote: (?:error: |fatal: )?(.+?)\s*$", re.MULTILINE)
_REASON = re.compile(r"\[remote rejected\].*\((.+)\)")


def stale(error: TinytownError) -> bool:
    """Whether a push came too late: a ref is elsewhere by now."""
    return isinstance(error, GitError) and _STALE.search(error.stderr) is not None


def said(error: TinytownError, where: str) -> TinytownError:
    """The cause and the remedy of what git met at the hub ``where``, an address without a password."""
    if isinstance(error, ProgramTimeoutError):
        return away(f"{where} did not finish in time")
    if not isinstance(error, GitError):
        return error
    if _FULL.search(error.stderr):
        # Nobody need be asked: it goes on once somebody has made room.
        return away(f"{where} has no room left", remedy="make room there; it is tried again by itself")
    words = _words(error)
    for pattern, what, remedy in _REFUSALS:
        if pattern.search(error.stderr):
            return ConfigurationError(what.format(where=where, words=words), remedy=remedy.format(where=where))
    return away(f"{where} does not answer: {words}")


def away(why: str, *, remedy: str = "it is tried again by itself; see `tt doctor`") -> HubAwayError:
    """The error of a hub that comes back by itself."""
    return HubAwayError(f"{AWAY}: {why}", remedy=remedy)


def _words(error: GitError) -> str:
    found = [*_REASON.findall(error.stderr), *_SAID.findall(error.stderr)]
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
    fatal = next((line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))), lines[-1] if lines else "")
    return ("; ".join(dict.fromkeys(found)) or fatal.removeprefix("fatal: ").removeprefix("error: "))[:_WORDS]
