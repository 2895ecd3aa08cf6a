"""Each fault of GitHub, of HTTP and of PyGithub becomes one of our errors, with its cause and a remedy."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
import requests
from github import GithubException, IncompletableObject, RateLimitExceededException
from github.GithubException import BadAttributeException, RateLimitExceededExceedsMaxWait
from urllib3.exceptions import MaxRetryError, ProtocolError, ProxyError, ReadTimeoutError, SSLError

from tinytown.errors import ConfigurationError, TinytownError, UnreachableError
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


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (RateLimitExceededException(403, {"message": "x rate limit"}, {"X-RateLimit-Reset": "1599"}), "in 10 min"),
        (RateLimitExceededException(403, {"message": "API rate limit exceeded"}, {}), "in a few minutes"),
        (RateLimitExceededException(403, {}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "900"}), "in 1 s"),
        (RateLimitExceededExceedsMaxWait(403, {"message": "rate limit"}, {}, wait=90.0), "in 90 s"),
        (GithubException(403, {"message": "Slow down"}, {"Retry-After": "45"}), "in 45 s"),
        (GithubException(429, None, None), "in a few minutes"),
        (GithubException(429, {}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "in a few minutes"),
        # GraphQL says it with 200.
        (GithubException(400, {"errors": [{"type": "RATE_LIMITED", "message": "x"}]}, {}), "in a few minutes"),
    ],
)
def test_a_rate_limit_says_when(error: Exception, remedy: str) -> None:
    found = refused(error)
    assert type(found) is UnreachableError
    assert found.message == "the rate limit of github.com is used up"
    assert found.remedy == f"try again {remedy}"
    assert "with a token it allows far more: set GH_TOKEN" in refused(error, token=None).remedy


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
