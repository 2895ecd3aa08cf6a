"""The same for pi, kimi, cline and vibe: in the shapes that they were seen to have; written for these tests.

Of each CLI at least the runs that ``WANTED`` in ``test_agents`` names.
"""

from __future__ import annotations

from tests.conformance.recorded import ANSWER, SESSION, Recorded, lines, run
from tinytown.agents.driver import Output
from tinytown.missions.states import Outcome

# -- pi: exit code 0 whatever happened --------------------------------------------------------------


def _pi(text: str, *, error: str | None = None, code: int = 0, settled: bool = True, stderr: str = "") -> Output:
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": text}] if text else [],
        "usage": {"input": 10, "output": 5, "totalTokens": 15, "cost": {"total": 0.25}},
        "stopReason": "error" if error else "stop",
        **({"errorMessage": error} if error else {}),
    }
    events = [
        {"type": "session", "version": 3, "id": SESSION, "cwd": "/w"},
        {"type": "agent_start"},
        {"type": "message_end", "message": {"role": "user", "content": [{"type": "text", "text": "not this"}]}},
        {"type": "message_end", "message": message},
        {"type": "agent_end", "messages": [message], "willRetry": False},
    ]
    return run(
        lines(*events, *([{"type": "agent_settled", "aborted": False}] if settled else [])), code=code, stderr=stderr
    )


PI = {
    "success": Recorded(_pi(ANSWER), Outcome.SUCCEEDED, SESSION, 15, 0.25, says="All tests pass."),
    "not logged in": Recorded(
        run(
            lines({"type": "session", "id": SESSION}),
            code=1,
            stderr="No API key found for the selected model.\n\nUse /login to log into a provider.\n",
        ),
        Outcome.NOT_LOGGED_IN,
    ),
    "wrong key": Recorded(_pi("", error='401: {"message":"invalid","code":"invalid_api_key"}'), Outcome.NOT_LOGGED_IN),
    "rate limited": Recorded(
        _pi("", error='429: {"message":"Rate limit reached for requests","type":"rate_limit_error"}'),
        Outcome.USAGE_LIMIT,
    ),
    "rate limited for long": Recorded(
        _pi("", error="Server requested 7200s retry delay (max: 60s). 429 Rate limit reached"),
        Outcome.USAGE_LIMIT,
        retry_after=7200.0,
    ),
    "overloaded": Recorded(_pi("", error='500: {"message":"nope"}'), Outcome.UNREACHABLE),
    "unreachable": Recorded(_pi("", error="Connection error.: connect ECONNREFUSED 127.0.0.1:1"), Outcome.UNREACHABLE),
    "killed": Recorded(_pi("", settled=False, code=-9), Outcome.FAILED, SESSION),
    "unknown session": Recorded(
        run(code=1, stderr=f"No session found matching '{SESSION}'\n"), Outcome.FAILED, says="No session found"
    ),
    "permission denied": Recorded(_pi("I may not run that."), Outcome.SUCCEEDED),
}

# -- kimi -------------------------------------------------------------------------------------------

_KIMI_HEAD = {"role": "meta", "type": "system.version", "version": "2.1.0"}
_KIMI_END = {"role": "meta", "type": "session.resume_hint", "session_id": SESSION, "command": f"kimi -r {SESSION}"}


def _kimi(text: str) -> Output:
    return run(lines(_KIMI_HEAD, {"role": "assistant", "content": text}, _KIMI_END))


def _kimi_failed(error: str) -> Output:
    words = f"error: failed to run prompt: {error}\nSee log: /home/me/.kimi-code/logs/kimi-code.log\n"
    return run(lines(_KIMI_HEAD), code=1, stderr=words)


KIMI = {
    "success": Recorded(_kimi(ANSWER), Outcome.SUCCEEDED, SESSION, says="All tests pass."),
    "not logged in": Recorded(
        _kimi_failed("No model configured. Run `kimi` and use /login to sign in, then retry"), Outcome.NOT_LOGGED_IN
    ),
    "wrong key": Recorded(_kimi_failed("provider.auth_error: 401 invalid"), Outcome.NOT_LOGGED_IN),
    "rate limited": Recorded(
        _kimi_failed("provider.rate_limit: 429 Rate limit reached for requests"), Outcome.USAGE_LIMIT
    ),
    "ended while it waited": Recorded(
        run(
            lines(
                _KIMI_HEAD,
                {
                    "role": "meta",
                    "type": "turn.step.retrying",
                    "delay_ms": 7200000,
                    "status_code": 429,
                    "error_message": "429 Rate limit reached for requests",
                },
            ),
            code=143,
        ),
        Outcome.USAGE_LIMIT,
        retry_after=7200.0,
    ),
    "given up in the middle of an answer": Recorded(
        run(
            lines(
                _KIMI_HEAD,
                {"role": "assistant", "content": "I begin with the tests."},
                {"role": "meta", "type": "turn.step.retrying", "delay_ms": 600, "error_message": "terminated"},
                _KIMI_END,
            )
        ),
        Outcome.UNREACHABLE,
        SESSION,
        retry_after=0.6,
    ),
    "overloaded": Recorded(_kimi_failed("provider.api_error: 500 nope"), Outcome.UNREACHABLE),
    "unreachable": Recorded(_kimi_failed("provider.connection_error: Connection error."), Outcome.UNREACHABLE),
    "permission denied": Recorded(_kimi("I may not run that."), Outcome.SUCCEEDED),
}

# -- cline ------------------------------------------------------------------------------------------


def _cline(text: str, *, reason: str = "completed", kind: str = "unknown", code: int = 0) -> Output:
    failed = {"type": "error", "error": {"name": "Error", "message": text, "stack": "x"}, "errorClass": kind}
    used = {"inputTokens": 10, "outputTokens": 5, "totalCost": 0.25}
    return run(
        lines(
            {"ts": "t", "type": "hook_event", "hookEventName": "agent_start", "agentId": "agent_1"},
            *([{"ts": "t", "type": "agent_event", "event": failed}] if reason == "error" else []),
            {"ts": "t", "type": "run_result", "finishReason": reason, "text": text, "aggregateUsage": used},
            *([{"ts": "t", "type": "error", "message": text}] if reason == "error" else []),
        ),
        code=code,
    )


CLINE = {
    "success": Recorded(_cline(ANSWER), Outcome.SUCCEEDED, None, 15, 0.25, says="All tests pass."),
    "not logged in": Recorded(_cline("nope", reason="error", kind="auth", code=1), Outcome.NOT_LOGGED_IN),
    "rate limited": Recorded(_cline("Rate limit reached for requests", reason="error", code=1), Outcome.USAGE_LIMIT),
    "unreachable": Recorded(
        _cline("Cannot connect to API: (FailedToOpenSocket)", reason="error", code=1), Outcome.UNREACHABLE
    ),
    "aborted": Recorded(_cline("half of it", reason="aborted"), Outcome.FAILED, says="half of it"),
    "permission denied": Recorded(_cline("I may not run that."), Outcome.SUCCEEDED),
}

# -- vibe -------------------------------------------------------------------------------------------

_KEYRING = "Reading API keys from the system keyring (set them as environment variables to skip this)\n"


def _vibe(text: str) -> Output:
    entries = [
        {
            "id": f"e{n}",
            "sessionId": SESSION,
            "type": "message",
            "role": role,
            "content": [{"type": "text", "text": said}],
        }
        for n, (role, said) in enumerate([("user", "not this"), ("assistant", text)])
    ]
    return run(entries, stderr=_KEYRING)


def _vibe_failed(error: str) -> Output:
    return run(code=1, stderr=f"{_KEYRING}Error: {error}\n")


VIBE = {
    "success": Recorded(_vibe(ANSWER), Outcome.SUCCEEDED, SESSION, says="All tests pass."),
    "not logged in": Recorded(
        _vibe_failed("Missing MISTRAL_API_KEY environment variable for mistral provider"), Outcome.NOT_LOGGED_IN
    ),
    "rate limited": Recorded(_vibe_failed("Rate limit exceeded"), Outcome.USAGE_LIMIT),
    "rate limited, in several lines": Recorded(
        _vibe_failed(
            "Client error '429 Too Many Requests' for url 'http://x/v1/chat/completions'\n"
            "For more information check: https://x/429: You have hit your usage limit. Please try again in 40 seconds."
        ),
        Outcome.USAGE_LIMIT,
        retry_after=40.0,
    ),
    "unreachable": Recorded(_vibe_failed("Could not connect to the API: Connection refused"), Outcome.UNREACHABLE),
    "an answer that breaks off": Recorded(
        _vibe_failed("peer closed connection without sending complete message body (received 199 bytes, expected 299)"),
        Outcome.UNREACHABLE,
    ),
    "a connection that broke": Recorded(_vibe_failed("The model request failed (ReadError)."), Outcome.UNREACHABLE),
    "an answer that is none": Recorded(
        _vibe_failed("Stream chunk improperly formatted. Expected `key: value`."), Outcome.UNREACHABLE
    ),
    "permission denied": Recorded(_vibe("I may not run that."), Outcome.SUCCEEDED),
}
BY_CLI = {"cline": CLINE, "kimi": KIMI, "pi": PI, "vibe": VIBE}
