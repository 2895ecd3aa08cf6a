"""Each fault of GitHub, of HTTP and of PyGithub becomes one of our errors, with its cause and a remedy."""

from __future__ import annotations

import json
import pickle
import socket
import ssl

import pytest
import requests
from github import GithubException, IncompletableObject, RateLimitExceededException
from github.GithubException import BadAttributeException, RateLimitExceededExceedsMaxWait
from urllib3.exceptions import MaxRetryError, ProtocolError, ProxyError, ReadTimeoutError, SSLError

from tinytown.errors import ConfigurationError, RateLimitError, TinytownError, UnreachableError
from tinytown.forge.github import faults
from tinytown.forge.github.site import GITHUB, Token, site

TOKEN = Token("hunter2", "GH_TOKEN")
POOL = requests.adapters.PoolManager().connection_from_url("https://api.github.com")


def wrapped(reason: Exception) -> requests.ConnectionError:
    """As requests gives what urllib3 gave up on."""
    return requests.ConnectionError(MaxRetryError(POOL, "/repos/o/r?secret", reason))


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def refused(error: Exception, *, token: Token | None = TOKEN) -> TinytownError:
    found = faults.classify(error, what="o/r#1", site=GITHUB, token=token, now=1000.0)
    assert isinstance(error, faults.FAULTS)
    assert found.remedy
    assert "hunter2" not in str(found)
    assert "secret" not in str(found)
    assert "\n" not in str(found)
    return found


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (wrapped(caused(OSError("new"), ConnectionRefusedError(111, "Connection refused"))), "connection refused"),
        (
            wrapped(caused(OSError("new"), socket.gaierror(-2, "Name or service not known"))),
            "its name cannot be resolved",
        ),
        (wrapped(ReadTimeoutError(POOL, "/", "Read timed out.")), "it does not answer in time"),
        (requests.ReadTimeout(TimeoutError("timed out")), "it does not answer in time"),
        (wrapped(SSLError(ssl.SSLCertVerificationError("self-signed"))), "this machine does not trust its certificate"),
        (wrapped(ProxyError("Unable to connect to proxy", OSError(111, "refused"))), "the proxy blocks the connection"),
        (requests.exceptions.ChunkedEncodingError(ProtocolError("IncompleteRead")), "the connection was lost"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (OSError(), "the connection was lost"),
    ],
)
def test_the_network_is_told_apart(error: Exception, words: str) -> None:
    found = refused(error)
    assert type(found) is UnreachableError
    assert found.message.startswith("github.com cannot be reached: ")
    assert words in found.message


LEFT = {"x-ratelimit-remaining": "4771", "x-ratelimit-reset": "4000"}
NONE_LEFT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1599"}


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (RateLimitExceededException(403, {"message": "API rate limit exceeded"}, NONE_LEFT), 600.0),
        (RateLimitExceededException(403, {}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "900"}), 1.0),
        (RateLimitExceededException(403, {}, {"x-ratelimit-remaining": "0"}), 60.0),
        (GithubException(429, {}, {**NONE_LEFT, "Retry-After": "700"}), 700.0),
        # GraphQL says it with 200.
        (GithubException(400, {"errors": [{"type": "RATE_LIMITED", "message": "x"}]}, NONE_LEFT), 600.0),
    ],
)
def test_a_used_up_limit_says_when_it_is_reset(error: Exception, wait: float) -> None:
    found = refused(error)
    assert isinstance(found, RateLimitError)
    assert not isinstance(found, faults.PauseError)
    assert (found.message, found.wait) == ("the rate limit of github.com is used up", wait)
    assert found.remedy == f"try again in {round(wait / 60)} min" if wait >= 120 else f"try again in {wait:g} s"
    assert "with a token it allows far more: set GH_TOKEN" in refused(error, token=None).remedy
    assert pickle.loads(pickle.dumps(found)).wait == wait


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        # The reset is that of the primary limit, of which enough is left.
        (RateLimitExceededException(403, {"message": "You have exceeded a secondary rate limit"}, LEFT), 60.0),
        (RateLimitExceededException(403, {"message": "x rate limit"}, {"X-RateLimit-Reset": "1599"}), 60.0),
        (RateLimitExceededExceedsMaxWait(403, {"message": "rate limit"}, {}, wait=90.0), 90.0),
        (GithubException(403, {"message": "Slow down"}, {"Retry-After": "45"}), 60.0),
        (GithubException(403, {"message": "Slow down"}, {**LEFT, "Retry-After": "145"}), 145.0),
        (GithubException(429, None, None), 60.0),
        (GithubException(429, {}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 60.0),
    ],
)
def test_a_secondary_limit_is_a_pause_of_a_minute_at_least(error: Exception, wait: float) -> None:
    found = refused(error)
    assert isinstance(found, faults.PauseError)
    assert (found.message, found.wait) == ("the secondary rate limit of github.com is reached", wait)


def test_a_write_that_is_forbidden_names_the_right_that_it_needs() -> None:
    error = GithubException(403, {"message": "Resource not accessible by personal access token"}, {})
    found = faults.classify(error, what="#5", site=GITHUB, token=TOKEN, now=0.0, right="write access to contents")
    assert found.message == "github.com forbids writing #5: Resource not accessible by personal access token"
    assert found.remedy == "give the token write access to contents"


def test_single_sign_on_leads_to_github_alone() -> None:
    url = "https://github.com/orgs/octo/sso?authorization_request=A1"
    for header, where in [
        (f"required; url={url}", url),
        ("required; url=https://evil.example/", "github.com/settings"),
    ]:
        found = refused(GithubException(403, {"message": "SAML"}, {"X-GitHub-SSO": header}))
        assert type(found) is ConfigurationError
        assert where in found.remedy
        assert "evil" not in found.remedy


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (json.JSONDecodeError("Expecting value", "hunter2", 0), "sent a damaged answer"),
        (UnicodeDecodeError("utf-8", b"hunter2", 0, 1, "invalid"), "sent a damaged answer"),
        (BadAttributeException("hunter2", (str, str), None), "is not from GitHub's API"),
        (AssertionError("/hunter2"), "is not from GitHub's API"),
        (TypeError("hunter2"), "is not from GitHub's API"),
        (KeyError("hunter2"), "is not from GitHub's API"),
        (AttributeError("hunter2"), "is not from GitHub's API"),
        (RecursionError("hunter2"), "is not from GitHub's API"),
        (RuntimeError("Github server redirected from https protocol to http"), "redirects elsewhere"),
        (IncompletableObject(400, message="no URL"), "refuses o/r#1 with 400: no URL"),
        (GithubException(422, {"message": "Validation\n Failed"}, {}), "refuses o/r#1 with 422: Validation Failed"),
        (GithubException(503, "<html>" * 1000, {}), "answers 503 about o/r#1"),
    ],
)
def test_what_is_no_sensible_answer(error: Exception, words: str) -> None:
    assert words in refused(error).message


def test_long_messages_are_cut() -> None:
    assert len(refused(GithubException(403, {"message": "word " * 1000}, {})).message) < 250


def test_an_enterprise_server_names_its_own_remedies() -> None:
    enterprise = site("https://ghe.example.com")
    found = faults.classify(GithubException(401, {}, {}), what="o/r#1", site=enterprise, token=None, now=0.0)
    assert found.remedy == "set GH_ENTERPRISE_TOKEN, or run `gh auth login --hostname ghe.example.com`"
    assert "ends in /api/v3" in faults.no_answer(what="o/r#1", site=enterprise).remedy
