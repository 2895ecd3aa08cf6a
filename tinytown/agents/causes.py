"""Why a run failed, from words and numbers that CLIs and the services behind them use.

A failure from outside (no log-in, a limit, a service that does not answer) must never look like the agent's own:
the first kind uses up no attempts. Words are looked for only where a CLI speaks about itself.
"""

from __future__ import annotations

import re

from tinytown.missions.states import Outcome

#: How many last lines of a failed run are searched for its cause: further up is what the agent worked on.
CAUSE_LINES = 20
#: Longest line that is searched, in characters: a cause stands at the beginning of its line.
CAUSE_CHARS = 4000

_CAUSES = (
    (
        Outcome.NOT_LOGGED_IN,
        re.compile(
            r"not (?:currently )?logged ?in|please (?:run /login|log ?in|sign in)|login required"
            r"|no auth(?:entication)? (?:information|provided|type)|authentication required"
            r"|set an auth method|invalid auth method|(?:invalid|incorrect|missing) (?:api|authentication)[ _]?key"
            r"|authentication_?error|api ?key (?:is )?(?:not valid|missing|required)|x-api-key"
            r"|(?:token|session|log-?in) (?:has )?expired|token (?:could not be|was not) refreshed"
            r"|\b401 unauthorized|(?:status(?: code)?|api error|error):? 401\b",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.USAGE_LIMIT,
        re.compile(
            r"\brate[ _-]limit|ratelimit|(?:usage|session|weekly|5-hour|message) limit|too many requests|hit your limit"
            r"|(?:status(?: code)?|api error|error):? 429\b|quota exceeded|exhausted your|exceeded your current quota"
            r"|insufficient_quota|resource_exhausted|credit balance is too low|out of (?:extra )?(?:usage|credits)",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.UNREACHABLE,
        re.compile(
            r"unable to connect|cannot connect to|couldn't connect|could not connect|could not resolve host"
            # Whole words: a "FileNotFoundError" holds one of them.
            r"|\b(?:econnrefused|econnreset|enotfound|eai_again|etimedout)\b"
            r"|connection ?(?:error|refused|reset|timed out)"
            r"|network is unreachable|fetch failed|error sending request|stream disconnected|waiting for network"
            r"|overloaded|high demand|service unavailable|internal_?server_?error|bad gateway"
            r"|(?:status(?: code)?|api error|error):? 5\d\d\b",
            re.IGNORECASE,
        ),
    ),
)
_LOST_SESSION = re.compile(
    r"no (?:conversation|rollout) found|no (?:saved )?session\b[^\n]{0,60}\b(?:found|matched)|session not found",
    re.IGNORECASE,
)
_SPAN = r"\d{1,6}(?:\.\d{1,6})? ?(?:days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|ms|[dhms])\b"
_RETRY_AFTER = re.compile(
    rf"(?:retry|try again|available again|resets?)(?: after|-after| in)[: ]{{1,2}}((?:{_SPAN}(?:, | and | )?){{1,4}})",
    re.IGNORECASE,
)
# "1h30m" has no word boundary after its first unit.
_COMPACT = re.compile(r"(\d)(ms|[dhms])(?=\d)", re.IGNORECASE)
_PART = re.compile(r"(\d+(?:\.\d+)?) ?(ms|[a-z])", re.IGNORECASE)
_BARE_RETRY_AFTER = re.compile(r"retry[-_]after[\"']?[:= ]{1,2}[\"']?(\d{1,6})\b(?! ?(?:m|h|d))", re.IGNORECASE)
_UNIT_SECS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def of_status(status: int) -> Outcome:
    """What an HTTP status of the model's service means."""
    if status in (401, 403):
        return Outcome.NOT_LOGGED_IN
    if status in (402, 429):
        return Outcome.USAGE_LIMIT
    if status == 408 or 500 <= status <= 599:
        return Outcome.UNREACHABLE
    return Outcome.FAILED


def of_words(text: str) -> Outcome | None:
    """What ``text`` names as the cause; ``None`` if nothing known."""
    return next((outcome for outcome, pattern in _CAUSES if pattern.search(text)), None)


def names_lost_session(text: str) -> bool:
    """Whether it says that the session to resume is not there."""
    return _LOST_SESSION.search(text) is not None


def retry_after(text: str) -> float | None:
    """Seconds after which it may be tried again, where ``text`` says so."""
    match = _RETRY_AFTER.search(_COMPACT.sub(r"\1\2 ", text))
    if match:
        return sum(float(number) * _UNIT_SECS[unit.lower()] for number, unit in _PART.findall(match[1]))
    match = _BARE_RETRY_AFTER.search(text)
    return float(match[1]) if match else None


def end_of(*parts: str) -> str:
    """The last lines of each, none of them longer than a cause can be."""
    return "\n".join(line[:CAUSE_CHARS] for part in parts for line in part.splitlines()[-CAUSE_LINES:])
