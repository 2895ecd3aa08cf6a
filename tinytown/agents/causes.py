"""Why a run failed, from words and numbers that CLIs and the services behind them use.

A failure from outside (no log-in, a limit, a service that does not answer) must never look like the agent's own:
the first kind uses up no attempts. Words are looked for only where a CLI speaks about itself: in the error of its
structured result, or in those last lines that have the shape of its own errors. What the work printed (a test's log, a
web application's own log-in page) is never searched.
"""

from __future__ import annotations

import re

from tinytown.agents import clock
from tinytown.agents.driver import Output
from tinytown.missions.states import Outcome

#: How many last lines of a failed run may hold its CLI's own error: further up is what the agent worked on.
CAUSE_LINES = 12
#: Longest part of a line that is searched, in characters: a cause is at the beginning of its line.
CAUSE_CHARS = 2000
#: How much of the end of an output is looked at, in characters.
END_CHARS = 64 << 10
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")

_CAUSES = (
    (
        Outcome.NOT_LOGGED_IN,
        re.compile(
            r"not (?:currently )?logged ?in|please (?:run /login|log ?in|sign in)|login required"
            r"|no auth(?:entication)? (?:information|provided|type)|authentication required"
            r"|set an auth method|invalid auth method|(?:invalid|incorrect|missing) (?:api|authentication)[ _]?key"
            r"|authentication_?error|api ?key (?:is )?(?:not valid|missing|required)|x-api-key"
            r"|(?:token|session|log-?in) (?:has )?expired|token (?:could not be|was not) refreshed|token revoked"
            r"|failed to authenticate|missing bearer|api[ _]key[^.\n]{0,40} (?:not set|missing|required)"
            r"|no providers? (?:found|configured)|run .{0,20}\b(?:auth )?log-?in\b"
            r"|\b401 unauthorized|(?:status(?: code)?|api error|error):? 401\b",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.USAGE_LIMIT,
        re.compile(
            r"\brate[ _-]limit|ratelimit|(?:usage|session|weekly|5-hour|message) limit|too many requests"
            r"|hit your (?:\w+ ){0,3}limit|\blimit reached|spend(?:ing)? (?:cap|limit)"
            r"|(?:status(?: code)?|api error|error):? 429\b|quota exceeded|exhausted your|exceeded your current quota"
            r"|insufficient_quota|resource_exhausted|credit balance is too low|out of (?:extra )?(?:usage|credits)",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.UNREACHABLE,
        re.compile(
            r"unable to connect|cannot connect to|couldn't connect|could not connect|could not resolve host"
            # Said by the network of the sandbox: the settings do not allow its service.
            r"|tinytown's sandbox refuses"
            # Whole words: a "FileNotFoundError" holds one of them.
            r"|\b(?:econnrefused|econnreset|enotfound|eai_again|etimedout)\b"
            r"|connection ?(?:error|refused|reset|timed out)"
            r"|network is unreachable|fetch failed|error sending request|stream disconnected|waiting for network"
            r"|overloaded|high demand|service unavailable|internal[ _]?server[ _]?error|bad gateway|gateway time-?out"
            r"|unexpected server error|server had an error|\bserver[ _]error\b|temporarily unavailable"
            r"|\A(?:\w*error: )?terminated\Z|server disconnected|socket hang ?up|other side closed|premature close"
            r"|connection (?:was )?(?:closed|lost|interrupted|terminated)|request timed out|timed out waiting"
            # An answer that breaks off, in the words of the usual clients of HTTP.
            r"|peer closed connection|remote end closed|\bincompleteread\b|connection broken|ended prematurely"
            r"|payload is not completed|closed before message completed|error decoding response body"
            r"|chunk improperly formatted"
            # The service answered, but with nothing of use.
            r"|empty (?:response|answer|completion|reply)|(?:response|answer) (?:was|is) empty"
            r"|stream (?:ended|closed|error|was (?:cut|closed|interrupted)|interrupted)|finish[ _]reason|invalid chunk"
            r"|(?:malformed|incomplete|invalid|truncated) (?:json|response|answer|reply|stream|chunk|function call)"
            r"|json pars\w+ (?:failed|error)|unexpected end of (?:json|data|stream|input)"
            r"|retried \d+ times|after \d+ (?:attempts|retries|tries)|failed to get (?:a )?response"
            r"|(?:status(?: code)?|api error|error):? 5\d\d\b",
            re.IGNORECASE,
        ),
    ),
)
_LOST_SESSION = re.compile(
    r"no (?:conversation|rollout) found|no (?:saved )?session\b[^\n]{0,60}\b(?:found|matched)|session not found",
    re.IGNORECASE,
)


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


def retry_after(text: str, output: Output) -> float | None:
    """Seconds after which it may be tried again, where ``text`` says so."""
    # Without the present time only durations can be read, and no clock times.
    now = output.now or 0.0
    end = clock.end_of_limit(text, now=now, zone=output.zone, durations_only=output.now is None)
    return None if end is None else round(end - now, 3)


def seconds_until(moment: float, output: Output) -> float | None:
    """Seconds from the end of the run to a moment, an epoch in seconds or milliseconds; none are left if it is past."""
    if output.now is None:
        return None
    left = clock.epoch(moment) - output.now
    return max(0.0, left) if left <= clock.MAX_AHEAD else None


def own_lines(text: str, shape: re.Pattern[str]) -> str:
    """Those of the last lines by which a CLI speaks about itself: they begin as its own errors do."""
    ends = [line.strip()[:CAUSE_CHARS] for line in _COLOUR.sub("", text[-END_CHARS:]).splitlines() if line.strip()]
    return "\n".join(line for line in ends[-CAUSE_LINES:] if shape.match(line))
