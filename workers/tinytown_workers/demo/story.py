"""The files that ``tt-demo-agent`` writes for the three issues of an auth feature.

They are real: the code works, the tests run. Two mistakes are in them on purpose, one for the checks to find
(``TOKENS``) and one for a reviewer (``TESTS``), with what mends them next to them.
"""

from __future__ import annotations

PACKAGE = '"""Signing in and out."""\n'

API = """\
# Auth API

## Endpoints

| call | answers | refuses |
|---|---|---|
| `login(user, password)` | `{"token": …}` | 401 `bad_credentials` |
| `logout(token)` | `{}` | 401 `bad_token`, `expired`, `signed_out` |
| `whoami(token)` | `{"user": …}` | 401 `bad_token`, `expired`, `signed_out` |

## Token format

`user:expires:signature`, where `expires` is a time in seconds since the epoch and `signature` the hexadecimal
HMAC-SHA256 of `user:expires`. A token is valid for one hour, until `expires` is reached.

## Error responses

Every refusal is `{"status": 401, "error": code}` with one of the codes above. It never says whether the user exists.
"""

SCHEMA = '''\
"""Shapes of the auth API, as docs/auth-api.md describes it."""

#: Life of a token.
TOKEN_SECONDS = 3600


class Refused(Exception):
    """A call was refused; ``code`` is one of those in docs/auth-api.md."""

    status = 401

    def __init__(self, code):
        super().__init__(code)
        self.code = code
'''

TEST_SCHEMA = """\
import unittest

from auth.schema import TOKEN_SECONDS, Refused


class SchemaTest(unittest.TestCase):
    def test_a_refusal_names_its_code(self):
        self.assertEqual((Refused("expired").status, Refused("expired").code), (401, "expired"))

    def test_a_token_lives_for_an_hour(self):
        self.assertEqual(TOKEN_SECONDS, 60 * 60)
"""

_TOKENS = '''\
"""Tokens: signed, with an end; see docs/auth-api.md."""

import hashlib
import hmac

from auth.schema import TOKEN_SECONDS, Refused


def issue_token(user, *, key, now):
    """A token for ``user`` that is valid from ``now`` on."""
    claim = f"{user}:{int(now) + TOKEN_SECONDS}"
    return f"{claim}:{_sign(claim, key)}"


def validate_token(token, *, key, now):
    """The user of a valid token; otherwise Refused."""
    claim, _, signature = token.rpartition(":")
    user, _, expires = claim.rpartition(":")
    if not hmac.compare_digest(signature.encode(), _sign(claim, key).encode()):
        raise Refused("bad_token")
    if COMPARISON:
        raise Refused("expired")
    return user


def _sign(claim, key):
    return hmac.new(key, claim.encode(), hashlib.sha256).hexdigest()
'''

#: The comparison is the wrong way round: a fresh token counts as expired.
MISTAKE = "if now < int(expires):"
MENDED = "if now >= int(expires):"
TOKENS = _TOKENS.replace("if COMPARISON:", MISTAKE)

ENDPOINTS = '''\
"""The three calls of the auth API; see docs/auth-api.md."""

import hashlib
import hmac
import os
import time

from auth.schema import Refused
from auth.tokens import issue_token, validate_token


class Auth:
    """Signs users in and out. ``clock`` gives seconds since the epoch."""

    def __init__(self, *, key, clock=time.time):
        self._key = key
        self._clock = clock
        self._users = {}
        self._signed_out = set()

    def add_user(self, user, password):
        salt = os.urandom(16)
        self._users[user] = (salt, _digest(password, salt))

    def login(self, user, password):
        salt, digest = self._users.get(user, (b"", b""))
        if not hmac.compare_digest(_digest(password, salt), digest):
            raise Refused("bad_credentials")
        return {"token": issue_token(user, key=self._key, now=self._clock())}

    def logout(self, token):
        self._check(token)
        self._signed_out.add(token)
        return {}

    def whoami(self, token):
        return {"user": self._check(token)}

    def _check(self, token):
        user = validate_token(token, key=self._key, now=self._clock())
        if token in self._signed_out:
            raise Refused("signed_out")
        return user


def _digest(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000)
'''

TEST_ENDPOINTS = """\
import unittest

from auth.endpoints import Auth


class EndpointsTest(unittest.TestCase):
    def setUp(self):
        self.auth = Auth(key=b"key", clock=lambda: 1000.0)
        self.auth.add_user("ann", "secret")

    def test_login_gives_a_token_that_says_who_it_is(self):
        token = self.auth.login("ann", "secret")["token"]
        self.assertEqual(self.auth.whoami(token), {"user": "ann"})

    def test_logout_answers(self):
        token = self.auth.login("ann", "secret")["token"]
        self.assertEqual(self.auth.logout(token), {})
"""

#: Only what works: the error cases that the issue asks for are missing.
TESTS = '''\
"""The auth API from outside: tokens one by one, then the whole way in and out."""

import unittest

from auth.endpoints import Auth
from auth.schema import TOKEN_SECONDS, Refused
from auth.tokens import issue_token, validate_token


class TokenTest(unittest.TestCase):
    def test_a_fresh_token_is_valid(self):
        token = issue_token("ann", key=b"key", now=1000)
        self.assertEqual(validate_token(token, key=b"key", now=1000), "ann")

    def test_a_token_is_valid_until_its_end(self):
        token = issue_token("ann", key=b"key", now=1000)
        self.assertEqual(validate_token(token, key=b"key", now=1000 + TOKEN_SECONDS - 1), "ann")


class LoginFlowTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        self.auth = Auth(key=b"key", clock=lambda: self.now)
        self.auth.add_user("ann", "secret")
        self.auth.add_user("bob", "hidden")

    def test_everybody_is_told_apart(self):
        tokens = {user: self.auth.login(user, word)["token"] for user, word in (("ann", "secret"), ("bob", "hidden"))}
        self.assertEqual([self.auth.whoami(tokens[user])["user"] for user in ("ann", "bob")], ["ann", "bob"])
'''

ERROR_CASES = """\


class ErrorCaseTest(unittest.TestCase):
    def setUp(self):
        self.now = 1000.0
        self.auth = Auth(key=b"key", clock=lambda: self.now)
        self.auth.add_user("ann", "secret")
        self.token = self.auth.login("ann", "secret")["token"]

    def refused(self, code, call, *args):
        with self.assertRaises(Refused) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code)

    def test_a_wrong_password_and_an_unknown_user_are_refused_alike(self):
        self.refused("bad_credentials", self.auth.login, "ann", "wrong")
        self.refused("bad_credentials", self.auth.login, "eve", "secret")

    def test_a_forged_token_is_refused(self):
        self.refused("bad_token", self.auth.whoami, self.token.replace("ann", "bob"))
        self.refused("bad_token", self.auth.whoami, "")

    def test_an_expired_token_is_refused(self):
        self.now += TOKEN_SECONDS
        self.refused("expired", self.auth.whoami, self.token)

    def test_nobody_signs_out_twice(self):
        self.auth.logout(self.token)
        self.refused("signed_out", self.auth.logout, self.token)
"""
