"""What went wrong at GitHub, in our words: every error of PyGithub, of HTTP and of the answers' form.

No text of an unknown error is repeated, since it may hold what was sent; GitHub's own messages are.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import urllib3.exceptions
from github.GithubException import BadAttributeException, GithubException, RateLimitExceededExceedsMaxWait

from tinytown.errors import (
    ConfigurationError,
    ForgeRefusedError,
    NotFoundError,
    RateLimitError,
    StateError,
    TinytownError,
    UnreachableError,
)
from tinytown.forge.github.site import Site, Token

#: What calls of PyGithub may raise, besides ``GithubException``: the network (``OSError``, which every error of
#: requests is), broken JSON, redirections elsewhere, answers of another form.
FAULTS = (
    GithubException,
    BadAttributeException,
    OSError,
    ValueError,
    RuntimeError,
    AssertionError,
    TypeError,
    AttributeError,
    LookupError,
)
#: What a token needs to read what every town reads.
READ_RIGHTS = "read access to issues, pull requests and contents"
#: Seconds of a pause that GitHub asks for where it names no longer one: its limits are of requests in a minute.
PAUSE_SECS = 60.0
#: Most characters of GitHub's own message.
MESSAGE_LIMIT = 160

_LATER = "try again in a while"
_RATE = re.compile(r"rate limit|abuse detection|wait a few minutes|retry your request again later", re.IGNORECASE)


def classify(
    error: Exception, *, what: str, site: Site, token: Token | None, now: float, right: str = ""
) -> TinytownError:
    """The cause and the remedy.

    ``what`` names what was asked for, e.g. the key of an issue; ``now`` is the time by this machine's clock. For a
    write, ``right`` is what a token must be given for it.
    """
    if isinstance(error, GithubException):
        return _refused(error, what=what, site=site, token=token, now=now, right=right)
    if isinstance(error, OSError):
        return UnreachableError(
            f"{site.host} cannot be reached: {_cause(error)}", remedy=f"check the network, {_LATER}"
        )
    if isinstance(error, RuntimeError) and "redirected" in str(error):
        return ConfigurationError(
            f"{site.host} redirects elsewhere", remedy="correct `forge.base_url` in tinytown.toml"
        )
    if isinstance(error, ValueError):
        return UnreachableError(f"{site.host} sent a damaged answer about {what}", remedy=_LATER)
    return no_answer(what=what, site=site)


def no_answer(*, what: str, site: Site) -> UnreachableError:
    """Something answered, but not GitHub's API."""
    hint = "correct `forge.base_url`: an Enterprise server's ends in /api/v3" if site.enterprise else _LATER
    return UnreachableError(f"{site.host} gave an answer about {what} that is not from GitHub's API", remedy=hint)


def too_slow(*, what: str, site: Site, seconds: float) -> UnreachableError:
    """The deadline of a call has passed."""
    return UnreachableError(f"{site.host} did not answer about {what} within {seconds:g} s", remedy=_LATER)


def _refused(
    error: GithubException, *, what: str, site: Site, token: Token | None, now: float, right: str
) -> TinytownError:
    status, message = error.status, _message(error)
    headers = {str(name).lower(): str(value) for name, value in (error.headers or {}).items()}
    if _is_rate_limit(error, message, headers):
        return _limited(error, headers, site=site, token=token, now=now)
    match status:
        case 401:
            if token is None:
                return ConfigurationError(f"{site.host} requires a token for {what}", remedy=_get_token(site))
            return ConfigurationError(
                f"{site.host} refuses the token from {token.source}", remedy=_another(site, token)
            )
        case 403 if "x-github-sso" in headers:
            found = re.search(r"url=(https://[\x21-\x7e]+)", headers["x-github-sso"])
            where = found[1] if found and found[1].startswith(f"{site.web}/") else f"{site.web}/settings/tokens"
            return ConfigurationError(
                f"the token is not authorised for the single sign-on of {what}", remedy=f"authorise it at {where}"
            )
        case 403:
            return ConfigurationError(
                f"{site.host} forbids {'writing' if right else 'reading'} {what}{_said(message)}",
                remedy=f"give the token {right or READ_RIGHTS}" if token else _get_token(site),
            )
        case 404:
            remedy = "correct the name" + ("" if token else f", or, if it is private, {_get_token(site)}")
            known = "or the token may not see it" if token else "or is private"
            return NotFoundError(f"{what} does not exist, {known}", remedy=remedy)
        case 410:
            return NotFoundError(
                f"{what} was deleted, or issues are turned off there", remedy="leave it out, or turn them on"
            )
        case _ if status >= 500:
            return UnreachableError(f"{site.host} answers {status} about {what}", remedy=_LATER)
        case _:
            return ForgeRefusedError(f"{site.host} refuses {what} with {status}{_said(message)}", remedy=_LATER)


def refused_mutation(errors: Sequence[Mapping[str, Any]], *, what: str, site: Site, right: str) -> TinytownError:
    """A mutation in GraphQL that was not done, which is answered with status 200."""
    first = errors[0]
    message = " ".join(str(first.get("message") or "").split())[:MESSAGE_LIMIT]
    match first.get("type"):
        case "NOT_FOUND":
            return NotFoundError(f"{what} does not exist, or the token may not see it", remedy="look at its page")
        case "FORBIDDEN" | "INSUFFICIENT_SCOPES":
            return ConfigurationError(
                f"{site.host} forbids writing {what}{_said(message)}", remedy=f"give the token {right}"
            )
        case _:
            return StateError(f"{site.host} refuses {what}{_said(message)}", remedy="look at its page")


def is_rate_limit(error: GithubException) -> bool:
    """Whether a rate limit was reached, so that the answer says nothing about what was asked for."""
    headers = {str(name).lower(): str(value) for name, value in (error.headers or {}).items()}
    return _is_rate_limit(error, _message(error), headers)


def _is_rate_limit(error: GithubException, message: str, headers: dict[str, str]) -> bool:
    if error.status == 429:
        return True
    if error.status == 403:
        return bool(_RATE.search(message)) or "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    # GraphQL says it with 200, which PyGithub raises as 400.
    errors = error.data.get("errors") if isinstance(error.data, dict) else None
    return isinstance(errors, list) and any(isinstance(e, dict) and e.get("type") == "RATE_LIMITED" for e in errors)


def _limited(
    error: GithubException, headers: dict[str, str], *, site: Site, token: Token | None, now: float
) -> RateLimitError:
    wait = _number(headers.get("retry-after")) or 0.0
    if isinstance(error, RateLimitExceededExceedsMaxWait):
        wait = max(wait, error.wait or 0.0)
    # The reset belongs to the primary limit, and is sent with every answer.
    if headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset"))
        return used_up(site, token=token, wait=max(wait, PAUSE_SECS if reset is None else max(reset - now, 0) + 1))
    return pause(site, wait=max(wait, PAUSE_SECS))


def used_up(site: Site, *, token: Token | None, wait: float) -> RateLimitError:
    """No request is left until the limit is reset, in ``wait`` seconds."""
    more = "" if token else f"; with a token it allows far more: {_get_token(site)}"
    return RateLimitError(
        f"the rate limit of {site.host} is used up", wait=wait, remedy=f"try again in {_length(wait)}{more}"
    )


class PauseError(RateLimitError):
    """Requests are left, but they came too fast: the pause that is asked for grows as long as it is not enough."""


def pause(site: Site, *, wait: float) -> PauseError:
    """What is said of such a pause."""
    return PauseError(
        f"the secondary rate limit of {site.host} is reached", wait=wait, remedy=f"try again in {_length(wait)}"
    )


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]+)?", text) else None


def _length(seconds: float) -> str:
    return f"{round(seconds)} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _message(error: GithubException) -> str:
    data: Any = error.data
    said = data.get("message") if isinstance(data, dict) else None
    return " ".join(str(said or error.message or "").split())[:MESSAGE_LIMIT]


def _said(message: str) -> str:
    return f": {message}" if message else ""


def _get_token(site: Site) -> str:
    name = "GH_ENTERPRISE_TOKEN" if site.enterprise else "GH_TOKEN"
    return f"set {name}, or run `gh auth login" + (f" --hostname {site.host}`" if site.enterprise else "`")


def _another(site: Site, token: Token) -> str:
    """How to give another token than one that is refused, which stands in the way of any that comes after it."""
    match token.source:
        case "`gh auth token`":
            return _get_token(site)
        case source if "/" in source:
            return f"write a new one into {source}, then run `tt start`"
        case source:
            return f"set {source} to a new one, or `unset {source}`, then run `tt start`"


def _cause(error: BaseException) -> str:
    """The innermost reason of a network's error, in a few words."""
    chain = list(_chain(error))
    # To urllib3 a refused connection is a kind of timeout, so the system's own error is looked for first.
    said = next((one.strerror for one in chain if isinstance(one, OSError) and one.strerror), "")
    for kind, words in (
        (urllib3.exceptions.ProxyError, "the proxy blocks the connection"),
        (urllib3.exceptions.SSLError, "this machine does not trust its certificate"),
        (socket.gaierror, "its name cannot be resolved"),
        (OSError, said[:1].lower() + said[1:]),
        (TimeoutError, "it does not answer in time"),
        (urllib3.exceptions.TimeoutError, "it does not answer in time"),
    ):
        if words and any(isinstance(one, kind) for one in chain):
            return words
    return "the connection was lost"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead and len(seen) < 20:
        one = ahead.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            ahead += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
            yield one
