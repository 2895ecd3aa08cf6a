"""What the vendors' CLIs print, in the shapes that they were seen to have; written for these tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from tinytown.agents.driver import Output
from tinytown.missions.states import Outcome

SESSION = "0d9c3b8e-5d64-4d3c-9a0b-1f5f3f7c2a11"
ANSWER = "I added the endpoint.\nAll tests pass."
#: What the work may print, and an agent may quote: no word of it is about the CLI.
QUOTED = (
    "FAILED tests/test_api.py::test_quota\n"
    "429 Too Many Requests: rate limit exceeded, try again in 45 minutes\n"
    "E   HTTPError: 401 Unauthorized: not logged in, please log in\n"
    "ConnectionError: connection refused (ECONNREFUSED), 503 service unavailable"
)


@dataclass(frozen=True)
class Recorded:
    """One run and what it means."""

    output: Output
    outcome: Outcome
    session: str | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    retry_after: float | None = None
    #: A part of the summary.
    says: str = ""
    #: Its success is one without a word.
    silent: bool | None = None


def lines(*records: object) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


#: When every run here ended: a Thursday noon.
NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC).timestamp()


def run(stdout: object = "", *, code: int = 0, stderr: object = "") -> Output:
    out, err = (text if isinstance(text, str) else json.dumps(text, indent=2) for text in (stdout, stderr))
    return Output(code, out, err, now=NOW, zone=UTC)


# -- claude ------------------------------------------------------------------------------------------


def _claude(*, code: int = 0, error: str | None = None, stderr: str = "", **result: object) -> Output:
    init = {"type": "system", "subtype": "init", "cwd": "/w", "session_id": SESSION, "permissionMode": "acceptEdits"}
    answer = {
        "type": "assistant",
        "message": {"role": "assistant", "content": [{"type": "text", "text": result.get("result", "")}]},
        "session_id": SESSION,
        **({"error": error} if error else {}),
    }
    last = {
        "type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "num_turns": 1,
        "session_id": SESSION, "total_cost_usd": 0.25, "permission_denials": [],
        "usage": {"input_tokens": 100, "output_tokens": 10},
        "modelUsage": {"m": {"inputTokens": 120, "outputTokens": 10, "cacheReadInputTokens": 5}},
    }  # fmt: skip
    return run(lines(init, answer, {**last, **result}), code=code, stderr=stderr)


def _limit(status: str, resets_at: float) -> str:
    info = {"status": status, "resetsAt": resets_at, "rateLimitType": "five_hour", "isUsingOverage": False}
    return lines({"type": "rate_limit_event", "rate_limit_info": info, "session_id": SESSION})


def _said(text: str) -> dict[str, object]:
    message = {"role": "assistant", "model": "claude-x", "content": [{"type": "text", "text": text}]}
    return {"type": "assistant", "message": message, "session_id": SESSION}


_DENIAL = {"tool_name": "Bash", "tool_use_id": "t", "tool_input": {"command": "make"}}
CLAUDE = {
    "success": Recorded(_claude(result=ANSWER), Outcome.SUCCEEDED, SESSION, 135, 0.25, says="All tests pass."),
    "not logged in": Recorded(
        _claude(code=1, is_error=True, result="Not logged in · Please run /login", total_cost_usd=0),
        Outcome.NOT_LOGGED_IN, says="Please run /login",
    ),
    "wrong key": Recorded(
        _claude(code=1, is_error=True, api_error_status=401, result="Failed to authenticate. API Error: 401"),
        Outcome.NOT_LOGGED_IN,
    ),
    "rate limited": Recorded(
        _claude(code=1, is_error=True, api_error_status=429, result="API Error: Request rejected (429)"),
        Outcome.USAGE_LIMIT,
    ),
    "subscription used up": Recorded(
        _claude(code=1, is_error=True, result="You've hit your limit · resets in 2h 30m", error="rate_limit"),
        Outcome.USAGE_LIMIT, retry_after=9000.0,
    ),
    "limit until a clock": Recorded(
        _claude(code=1, is_error=True, result="You've hit your session limit · resets 4:38am (UTC)",
                error="rate_limit"),
        Outcome.USAGE_LIMIT, retry_after=59880.0,
    ),
    "weekly limit": Recorded(
        _claude(code=1, is_error=True, result="You've hit your weekly limit · resets Oct 3, 9am (Europe/Berlin)"),
        Outcome.USAGE_LIMIT, retry_after=154800.0,
    ),
    "limit in its older words": Recorded(
        _claude(code=1, is_error=True, result=f"Claude AI usage limit reached|{NOW + 5000:.0f}"),
        Outcome.USAGE_LIMIT, retry_after=5000.0,
    ),
    "limit in a record of its own": Recorded(
        run(_limit("rejected", NOW + 7200)
            + _claude(code=1, is_error=True, result="You've hit your limit", error="rate_limit").stdout, code=1),
        Outcome.USAGE_LIMIT, retry_after=7200.0,
    ),
    "limit in milliseconds, without words": Recorded(
        run(_limit("rejected", (NOW + 7200) * 1000) + _claude(code=1, is_error=True, result="Sorry").stdout, code=1),
        Outcome.USAGE_LIMIT, retry_after=7200.0,
    ),
    "a limit that is near": Recorded(
        run(_limit("allowed_warning", NOW + 7200) + _claude(result=ANSWER).stdout), Outcome.SUCCEEDED, SESSION
    ),
    "rate limited while its limit is far": Recorded(
        run(_limit("allowed", NOW + 7200)
            + _claude(code=1, is_error=True, api_error_status=429, result="API Error: 429 slow down").stdout, code=1),
        Outcome.USAGE_LIMIT,
    ),
    "the stream was cut": Recorded(
        _claude(code=1, is_error=True, result="API Error: Stream ended before the message was complete"),
        Outcome.UNREACHABLE,
    ),
    "an answer about an error": Recorded(
        run(lines(_said("API Error: 429 is what the client now retries, as the issue asks."),
                  {"type": "result", "subtype": "success", "is_error": False, "session_id": SESSION,
                   "result": "API Error: 429 is what the client now retries, as the issue asks."})),
        Outcome.SUCCEEDED,
    ),
    "a failure that quotes the work": Recorded(
        run(lines(_said(QUOTED), {"type": "result", "subtype": "success", "is_error": True, "result": QUOTED,
                                  "session_id": SESSION}), code=1),
        Outcome.FAILED,
    ),
    "rate limited, called a success": Recorded(
        _claude(result='API Error: 429 {"type":"error","error":{"type":"rate_limit_error"}}'), Outcome.USAGE_LIMIT
    ),
    "overloaded": Recorded(
        _claude(code=1, is_error=True, api_error_status=529, result="API Error: 529 Overloaded"), Outcome.UNREACHABLE
    ),
    "unreachable": Recorded(
        _claude(code=1, is_error=True, result="API Error: Unable to connect to API (ConnectionRefused)"),
        Outcome.UNREACHABLE, says="Unable to connect",
    ),
    "permission denied": Recorded(
        _claude(result="I may not run that.", permission_denials=[_DENIAL]), Outcome.SUCCEEDED,
        says="it was refused Bash",
    ),
    "unknown session": Recorded(
        _claude(
            code=1, subtype="error_during_execution", is_error=True, result=None,
            errors=[f"No conversation found with session ID: {SESSION}"],
            stderr=f"No conversation found with session ID: {SESSION}\n",
        ),
        Outcome.FAILED, says="No conversation found",
    ),
    "spend cap": Recorded(
        _claude(code=1, subtype="error_max_budget_usd", is_error=True, result=None), Outcome.USAGE_LIMIT
    ),
    "killed": Recorded(
        run(lines({"type": "system", "subtype": "init", "session_id": SESSION}), code=-9), Outcome.FAILED, SESSION,
        says="exit code -9",
    ),
    "refused as root": Recorded(
        run(code=1, stderr="--dangerously-skip-permissions cannot be used with root/sudo privileges\n"),
        Outcome.FAILED, says="cannot be used with root",
    ),
}  # fmt: skip

# -- codex -------------------------------------------------------------------------------------------

_THREAD = {"type": "thread.started", "thread_id": SESSION}
_TURN = {"type": "turn.started"}


def _codex_failed(message: str) -> Output:
    return run(
        lines(
            _THREAD, _TURN, {"type": "error", "message": "Reconnecting... 1/5"}, {"type": "error", "message": message},
            {"type": "turn.failed", "error": {"message": message}},
        ),
        code=1,
    )  # fmt: skip


def _tool(text: str) -> dict[str, object]:
    item = {"id": "item_0", "type": "command_execution", "aggregated_output": text, "exit_code": 1}
    return {"type": "item.completed", "item": item}


_MESSAGE = {"type": "item.completed", "item": {"id": "item_1", "type": "agent_message", "text": ANSWER}}
_USAGE = {"input_tokens": 100, "cached_input_tokens": 5, "output_tokens": 10, "reasoning_output_tokens": 2}
CODEX = {
    "success": Recorded(
        run(lines(_THREAD, _TURN, _MESSAGE, {"type": "turn.completed", "usage": _USAGE})),
        Outcome.SUCCEEDED, SESSION, 110, says="All tests pass.",
    ),
    "success after a reconnection": Recorded(
        run(lines(_THREAD, _TURN, {"type": "error", "message": "Reconnecting... 1/5 (status 503)"}, _MESSAGE,
                  {"type": "turn.completed", "usage": _USAGE})),
        Outcome.SUCCEEDED, SESSION, 110,
    ),
    "not logged in": Recorded(
        _codex_failed("unexpected status 401 Unauthorized: Missing bearer authentication in header"),
        Outcome.NOT_LOGGED_IN, SESSION, says="401",
    ),
    "rate limited": Recorded(
        _codex_failed("exceeded retry limit, last status: 429 Too Many Requests"), Outcome.USAGE_LIMIT
    ),
    "ended while it waited": Recorded(
        run(
            lines(_THREAD, _TURN, {"type": "error", "message": "Reconnecting... 1/3 (last status: 429)"}),
            code=143,
            stderr="2026-10-01T12:00:00.1Z  WARN codex_core::responses_retry: stream disconnected - retrying sampling "
                   "request (1/3 in 7199.998s)... turn_id=1 retries=1 max_retries=3 sampling_error=exceeded retry "
                   "limit, last status: 429 Too Many Requests\n",
        ),
        Outcome.USAGE_LIMIT, SESSION, retry_after=7199.998, says="429",
    ),
    "subscription used up": Recorded(
        _codex_failed("You've hit your usage limit. Upgrade to Pro or try again in 1 day 2 hours 5 minutes."),
        Outcome.USAGE_LIMIT, retry_after=93900.0,
    ),
    "limit until a clock": Recorded(
        _codex_failed("You've hit your usage limit. Upgrade to Pro or try again at 4:38 AM."),
        Outcome.USAGE_LIMIT, retry_after=59880.0,
    ),
    "limit until a date": Recorded(
        _codex_failed("You've hit your usage limit. Try again at Oct 3rd, 2026 9:00 AM."),
        Outcome.USAGE_LIMIT, retry_after=162000.0,
    ),
    "tools that speak of limits": Recorded(
        run(lines(_THREAD, _TURN, _tool(QUOTED), {"type": "turn.failed", "error": {"message": "the turn was aborted"}}),
            code=1),
        Outcome.FAILED,
    ),
    "overloaded": Recorded(
        _codex_failed("We're currently experiencing high demand, which may cause temporary errors."),
        Outcome.UNREACHABLE,
    ),
    "unreachable": Recorded(
        _codex_failed("stream disconnected before completion: error sending request for url (https://x/responses)"),
        Outcome.UNREACHABLE,
    ),
    "exit 0 with an error inside": Recorded(
        run(lines(_THREAD, _TURN, {"type": "turn.failed", "error": {"message": "unexpected status 403 Forbidden"}})),
        Outcome.NOT_LOGGED_IN,
    ),
    "exit 0 in the middle": Recorded(run(lines(_THREAD, _TURN, _MESSAGE)), Outcome.FAILED, says="without a result"),
    "unknown session": Recorded(
        run(code=1, stderr=f"Error: thread/resume failed: no rollout found for thread id {SESSION} (code -32600)\n"),
        Outcome.FAILED, says="no rollout found",
    ),
    "permission denied": Recorded(
        run(lines(_THREAD, _TURN,
                  {"type": "item.completed", "item": {"type": "command_execution", "status": "declined"}}, _MESSAGE,
                  {"type": "turn.completed", "usage": _USAGE})),
        Outcome.SUCCEEDED,
    ),
}  # fmt: skip

# -- opencode ----------------------------------------------------------------------------------------


def _opencode(kind: str, **part: object) -> dict[str, object]:
    return {"type": kind, "sessionID": "ses_e03c181acffe3Q", "part": {"sessionID": "ses_e03c181acffe3Q", **part}}


def _opencode_error(message: str, **data: object) -> Output:
    error = {"name": "APIError", "data": {"message": message, **data}}
    return run(lines({"type": "error", "sessionID": "ses_e03c181acffe3Q", "error": error}), code=1)


_STEP = _opencode(
    "step_finish", reason="stop", cost=0.01,
    tokens={"total": 115, "input": 100, "output": 10, "reasoning": 0, "cache": {"write": 0, "read": 5}},
)  # fmt: skip
OPENCODE = {
    "success": Recorded(
        run(lines(_opencode("step_start"), _STEP, _opencode("step_start"), _opencode("text", text=ANSWER), _STEP)),
        Outcome.SUCCEEDED, "ses_e03c181acffe3Q", 230, 0.02, says="All tests pass.",
    ),
    "not logged in": Recorded(
        _opencode_error("Incorrect API key provided", statusCode=401, isRetryable=False), Outcome.NOT_LOGGED_IN
    ),
    "rate limited": Recorded(
        _opencode_error("Rate limit reached. Please try again in 20s.", statusCode=429, isRetryable=True),
        Outcome.USAGE_LIMIT, retry_after=20.0,
    ),
    "unreachable": Recorded(
        _opencode_error("Cannot connect to API: Unable to connect.", isRetryable=True), Outcome.UNREACHABLE
    ),
    "overloaded": Recorded(_opencode_error("Overloaded", statusCode=529), Outcome.UNREACHABLE),
    "rate limited, with a header": Recorded(
        _opencode_error("Slow down", statusCode=429, responseHeaders={"retry-after": "37"}),
        Outcome.USAGE_LIMIT, retry_after=37.0,
    ),
    "it would wait for hours": Recorded(
        run(lines(_opencode("step_start"), {"type": "tinytown.waiting", "message": "Too Many Requests",
                                           "secs": 7199.9}),
            code=1),
        Outcome.USAGE_LIMIT, retry_after=7199.9,
    ),
    "answers that are cut again and again": Recorded(
        run(lines(*[_opencode("step_start"), _opencode("step_finish", reason="unknown")] * 6), code=143),
        Outcome.UNREACHABLE, says="cut",
    ),
    "it waited and went on": Recorded(
        run(lines(_opencode("step_start"), {"type": "tinytown.waiting", "message": "Overloaded", "secs": 2},
                  _opencode("step_start"), _opencode("text", text="Well."), _STEP)),
        Outcome.SUCCEEDED, says="Well.",
    ),
    "a fault of its server": Recorded(
        _opencode_error("Unexpected server error. Check server logs for details."), Outcome.UNREACHABLE
    ),
    "empty answers": Recorded(
        _opencode_error("Failed after 3 attempts. Last error: Invalid JSON response"), Outcome.UNREACHABLE
    ),
    "no model": Recorded(
        run(code=1, stderr="\x1b[91m\x1b[1mError: \x1b[0mno providers found\n"), Outcome.NOT_LOGGED_IN,
        says="no providers",
    ),
    "exit 0 with an error inside": Recorded(
        Output(0, _opencode_error("Payment required", statusCode=402).stdout, ""), Outcome.USAGE_LIMIT
    ),
    "permission denied": Recorded(
        run(lines(_opencode("step_start"), _opencode("tool_use", tool="bash", state={"status": "error"}),
                  _opencode("text", text="I may not run that."), _STEP)),
        Outcome.SUCCEEDED,
    ),
}  # fmt: skip

# -- gemini ------------------------------------------------------------------------------------------


def _gemini_error(message: str, code: int, exit_code: int, *, before: str = "") -> Output:
    warned = "Warning: Basic terminal detected (TERM=dumb).\nYOLO mode is enabled.\n"
    error = {"session_id": SESSION, "error": {"type": "ApiError", "message": message, "code": code}}
    return run(code=exit_code, stderr=warned + before + json.dumps(error, indent=2))


GEMINI = {
    "success": Recorded(
        run(
            {"session_id": SESSION, "response": ANSWER,
             "stats": {"models": {"a": {"tokens": {"total": 100}}, "b": {"tokens": {"total": 10}}}}},
            stderr="YOLO mode is enabled. All tool calls will be automatically approved.\n",
        ),
        Outcome.SUCCEEDED, SESSION, 110, says="All tests pass.",
    ),
    "not logged in": Recorded(
        _gemini_error("Please set an Auth method in your settings", 41, 41), Outcome.NOT_LOGGED_IN
    ),
    "no log-in, no record": Recorded(run(code=41, stderr="Invalid auth method selected.\n"), Outcome.NOT_LOGGED_IN),
    "wrong key": Recorded(_gemini_error("API key not valid.", 401, 145), Outcome.NOT_LOGGED_IN),
    "rate limited": Recorded(
        _gemini_error("You exceeded your current quota. Please retry in 41.5s.", 429, 173), Outcome.USAGE_LIMIT,
        retry_after=41.5,
    ),
    "exit code alone": Recorded(run(code=173), Outcome.USAGE_LIMIT),
    "overloaded": Recorded(_gemini_error("The model is overloaded.", 529, 17), Outcome.UNREACHABLE),
    "unreachable": Recorded(
        _gemini_error("exception TypeError: fetch failed sending request", 1, 1), Outcome.UNREACHABLE
    ),
    "a broken stream": Recorded(
        _gemini_error("Model stream ended with an invalid chunk or missing finish reason.", 1, 1), Outcome.UNREACHABLE
    ),
    "a stream that was cut": Recorded(_gemini_error("terminated", 1, 1), Outcome.UNREACHABLE),
    "an error of the service, in words of its own": Recorded(
        _gemini_error("Something went wrong", 1, 1, before="Error when talking to Gemini API Full report at: /tmp/x\n"),
        Outcome.UNREACHABLE,
    ),
    "an error of its own": Recorded(_gemini_error("Something went wrong", 1, 1), Outcome.FAILED),
    "exit 0 with an error inside": Recorded(_gemini_error("Internal", 500, 0), Outcome.UNREACHABLE),
    "permission denied": Recorded(
        run({"session_id": SESSION, "response": "I may not.", "stats": {"tools": {"totalDecisions": {"reject": 2}}}}),
        Outcome.SUCCEEDED,
    ),
}  # fmt: skip

# -- copilot -----------------------------------------------------------------------------------------


def _copilot(*events: dict[str, object], code: int = 0) -> Output:
    last = {"type": "result", "sessionId": SESSION, "exitCode": code, "usage": {"premiumRequests": 1}}
    return run(lines(*events, last), code=code)


def _copilot_error(kind: str, message: str, status: int | None) -> dict[str, object]:
    data = {"errorType": kind, "message": message, **({"statusCode": status} if status else {})}
    return {"type": "session.error", "data": data}


_SPOKEN: dict[str, object] = {"type": "assistant.message", "data": {"content": ANSWER, "toolRequests": []}}
COPILOT = {
    "success": Recorded(_copilot(_SPOKEN), Outcome.SUCCEEDED, SESSION, says="All tests pass."),
    "success after an error": Recorded(
        _copilot(_copilot_error("query", "terminated", 500), _SPOKEN), Outcome.SUCCEEDED, SESSION
    ),
    "not logged in": Recorded(
        run(code=1, stderr="Error: No authentication information found.\n\nTo authenticate, use /login\n"),
        Outcome.NOT_LOGGED_IN, says="No authentication information",
    ),
    "wrong token": Recorded(
        _copilot(_copilot_error("authentication", "Authentication failed", 401), code=1), Outcome.NOT_LOGGED_IN
    ),
    "rate limited": Recorded(_copilot(_copilot_error("rate_limit", "Slow down", 429), code=1), Outcome.USAGE_LIMIT),
    "no answer": Recorded(
        _copilot(_copilot_error("query", "Failed to get response from the AI model; retried 5 times", None), code=1),
        Outcome.UNREACHABLE,
    ),
    "no status": Recorded(_copilot(_copilot_error("rate_limit", "Slow down", None), code=1), Outcome.USAGE_LIMIT),
    "overloaded": Recorded(_copilot(_copilot_error("query", "Failed", 529), code=1), Outcome.UNREACHABLE),
    "unreachable": Recorded(
        _copilot(_copilot_error("query", "fetch failed: ECONNREFUSED 127.0.0.1:443", None), code=1),
        Outcome.UNREACHABLE,
    ),
    "exit 0 with an error inside": Recorded(
        _copilot(_copilot_error("authentication", "Expired", 401)), Outcome.NOT_LOGGED_IN
    ),
    "unknown session": Recorded(
        run(code=1, stderr=f"Error: No session, task, or name matched '{SESSION}'.\n\nTo resume: copilot --resume\n"),
        Outcome.FAILED, says="No session",
    ),
    "permission denied": Recorded(
        _copilot({"type": "tool.execution_complete", "data": {"success": False}}, _SPOKEN), Outcome.SUCCEEDED
    ),
}  # fmt: skip

# -- qwen --------------------------------------------------------------------------------------------


def _qwen(text: str, *, code: int = 0, **result: object) -> Output:
    init = {"type": "system", "subtype": "init", "session_id": SESSION}
    last = {
        "type": "result", "subtype": "success", "session_id": SESSION, "is_error": False, "result": text,
        "usage": {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}, "permission_denials": [],
    }  # fmt: skip
    return run(lines(init, {**last, **result}), code=code)


def _qwen_waits(*tries: dict[str, object]) -> Output:
    init = {"type": "system", "subtype": "init", "session_id": SESSION}
    said = lines(init, *({"type": "tinytown.unanswered", **one} for one in tries))
    return run(said, code=143)


QWEN = {
    "success": Recorded(_qwen(ANSWER), Outcome.SUCCEEDED, SESSION, 110, says="All tests pass."),
    "not logged in": Recorded(
        _qwen("", code=1, is_error=True, subtype="error_during_execution",
              error={"message": "No auth type is selected. Please configure an auth type"}),
        Outcome.NOT_LOGGED_IN,
    ),
    "exit 0 with an error inside": Recorded(
        _qwen("[API Error: 401 Incorrect API key provided]"), Outcome.NOT_LOGGED_IN, says="401"
    ),
    "rate limited": Recorded(_qwen("[API Error: 429 Rate limit reached]"), Outcome.USAGE_LIMIT),
    "overloaded": Recorded(_qwen("[API Error: 529 Overloaded]"), Outcome.UNREACHABLE),
    "unreachable": Recorded(_qwen("[API Error: Connection error. (cause: fetch failed)]"), Outcome.UNREACHABLE),
    "an error behind an answer": Recorded(
        _qwen("I begin with the tests.\n\n[API Error: Model stream ended without a finish reason.]"),
        Outcome.UNREACHABLE, says="Model stream ended",
    ),
    "an error in the same line": Recorded(
        _qwen("I begin with the[API Error: Connection error. (cause: fetch failed)]"), Outcome.UNREACHABLE
    ),
    "an error with advice behind it": Recorded(
        _qwen("Well.\n[API Error: 429 Rate limit reached]\nPlease wait and try again later, or retry in 41s."),
        Outcome.USAGE_LIMIT, retry_after=41.0,
    ),
    "an error in its own words": Recorded(_qwen("[API Error: terminated]"), Outcome.UNREACHABLE),
    "a request that is refused": Recorded(_qwen("[API Error: 400 The context is too long]"), Outcome.FAILED),
    "an answer about an error": Recorded(
        _qwen("It printed this:\n```\n[API Error: 429 Rate limit reached]\n```\nI now retry on `[API Error: 503 x]`"),
        Outcome.SUCCEEDED,
    ),
    "unreachable, in bare words": Recorded(_qwen("Connection error."), Outcome.UNREACHABLE),
    "ended while it waited": Recorded(
        _qwen_waits({"status": 429, "secs": 7200}), Outcome.USAGE_LIMIT, SESSION, retry_after=7200.0, says="429"
    ),
    "ended while it was refused": Recorded(
        _qwen_waits(*[{"message": "connect ECONNREFUSED 127.0.0.1:1"}] * 6), Outcome.UNREACHABLE, says="ECONNREFUSED"
    ),
    "an answer after all": Recorded(
        run(f"{_qwen_waits({'message': 'connect ECONNREFUSED 127.0.0.1:1'}).stdout}{_qwen(ANSWER).stdout}"),
        Outcome.SUCCEEDED, SESSION, 110,
    ),
    "permission denied": Recorded(
        _qwen("I may not.", permission_denials=[{"tool_name": "edit"}]), Outcome.SUCCEEDED, says="it was refused edit"
    ),
}  # fmt: skip

# -- aider -------------------------------------------------------------------------------------------

_HEAD = "Aider v0.86.2\nModel: m with diff edit format\nGit repo: .git with 3 files\n\n"
AIDER = {
    "success": Recorded(
        run(f"{_HEAD}{ANSWER}\n\nTokens: 1.2k sent, 300 received. Cost: $0.01 message, $0.02 session.\n"),
        Outcome.SUCCEEDED, None, 1500, 0.02,
    ),
    "an empty answer": Recorded(
        run(f"{_HEAD}Empty response received from LLM. Check your provider account?\n\nTokens: 10 sent, 5 received.\n"),
        Outcome.SUCCEEDED, silent=True,
    ),
    "not logged in": Recorded(
        run(f"{_HEAD}litellm.AuthenticationError: AuthenticationError: OpenAIException - missing key\n"
            "The API provider is not able to authenticate you. Check your API key.\n"),
        Outcome.NOT_LOGGED_IN, says="litellm.AuthenticationError",
    ),
    "no key, and no browser": Recorded(
        run("Analytics have been permanently disabled.\nUpdate git name with: git config user.name\n"
            "No LLM model was specified and no API keys were provided.\n"
            "OpenRouter provides free and paid access to many LLMs.\n\n"
            "Please open this URL in your browser to connect Aider with OpenRouter:\n\n"
            "https://openrouter.ai/auth?callback_url=http://localhost:8484/callback/aider&code_challenge=c4z\n\n"
            "Waiting up to 5 minutes for you to finish in the browser...\nUse Control-C to interrupt.\n",
            code=130, stderr="Traceback (most recent call last):\nKeyboardInterrupt\n"),
        Outcome.NOT_LOGGED_IN, says="No LLM model was specified and no API keys were provided.",
    ),
    "an answer about keys": Recorded(
        run(f"{_HEAD}It prints this:\nNo LLM model was specified and no API keys were provided.\n\n"
            "Tokens: 1.2k sent, 300 received.\n"),
        Outcome.SUCCEEDED,
    ),
    "rate limited": Recorded(
        run(f"{_HEAD}litellm.RateLimitError: RateLimitError: slow down\nRetrying in 32.0 seconds...\n"
            "litellm.RateLimitError: RateLimitError: slow down\n"),
        Outcome.USAGE_LIMIT,
    ),
    "rate limited, in several lines": Recorded(
        run(f"{_HEAD}litellm.RateLimitError: RateLimitError: OpenAIException - You have hit your \n"
            "usage limit. Please try again in 40 seconds.\nThe API provider has rate limited you. Try again later.\n"),
        Outcome.USAGE_LIMIT, retry_after=40.0,
    ),
    "overloaded": Recorded(run(f"{_HEAD}litellm.InternalServerError: overloaded\n"), Outcome.UNREACHABLE),
    "unreachable": Recorded(run(f"{_HEAD}litellm.APIError: APIError: Connection error.\n"), Outcome.UNREACHABLE),
    "a review": Recorded(
        run("Analytics have been permanently disabled.\nUpdate git name with: git config user.name\n"
            "Aider v0.86.2\nMain model: m with diff edit format\n"
            "Weak model: n\nGit repo: .git with 3 files\nRepo-map: using 1024 tokens, auto refresh\n\n"
            "It does what it should.\n\nVERDICT: APPROVE\n\n\n"
            "Tokens: 1.2k sent, 300 received. Cost: $0.01 message, $0.02 session.\n\n"
            "notes.txt\nApplied edit to notes.txt\n"),
        Outcome.SUCCEEDED, None, 1500, 0.02, says="VERDICT: APPROVE",
    ),
    "success after an error": Recorded(
        run(f"{_HEAD}litellm.RateLimitError: slow down\nRetrying in 0.2 seconds...\n{ANSWER}\n"
            "Tokens: 100 sent, 5 cache hit, 10 received.\n"),
        Outcome.SUCCEEDED, None, 110,
    ),
    "permission denied": Recorded(
        run(f"{_HEAD}Unable to write file app.py: [Errno 13] Permission denied\n", code=1), Outcome.FAILED
    ),
}  # fmt: skip

# -- auggie and cursor: the format is Claude Code's, in one record ------------------------------------


def _one(text: str | None, *, code: int = 0, **more: object) -> Output:
    record = {"type": "result", "subtype": "success", "is_error": False, "result": text, "session_id": SESSION}
    return run(lines({**record, **more}), code=code)


AUGGIE = {
    "success": Recorded(_one(ANSWER, num_turns=1), Outcome.SUCCEEDED, SESSION, says="All tests pass."),
    "not logged in": Recorded(
        run(code=1, stderr="No auth provided. Please log in with `auggie login`\n"), Outcome.NOT_LOGGED_IN
    ),
    "rate limited": Recorded(_one("Rate limit exceeded", code=1, is_error=True), Outcome.USAGE_LIMIT),
    "unreachable": Recorded(_one("fetch failed", code=1, is_error=True), Outcome.UNREACHABLE),
    "exit 0 with an error inside": Recorded(
        _one(None, subtype="error_during_execution", is_error=True), Outcome.FAILED, says="error_during_execution"
    ),
    "permission denied": Recorded(_one("I may not."), Outcome.SUCCEEDED),
}
CURSOR = {
    "success": Recorded(_one(ANSWER, duration_ms=5), Outcome.SUCCEEDED, SESSION, says="All tests pass."),
    "not logged in": Recorded(
        run(code=1, stderr="Error: Authentication required. Please run 'agent login' first, or set CURSOR_API_KEY\n"),
        Outcome.NOT_LOGGED_IN,
    ),
    "rate limited": Recorded(run(code=1, stderr="You've hit your usage limit\n"), Outcome.USAGE_LIMIT),
    "unreachable": Recorded(run(code=1, stderr="ConnectError: getaddrinfo ENOTFOUND api\n"), Outcome.UNREACHABLE),
    "exit 0 with an error inside": Recorded(_one("boom", is_error=True), Outcome.FAILED, says="boom"),
    "permission denied": Recorded(_one("I may not."), Outcome.SUCCEEDED),
}
BY_CLI = {
    "aider": AIDER,
    "auggie": AUGGIE,
    "claude": CLAUDE,
    "codex": CODEX,
    "codex-mini": CODEX,
    "copilot": COPILOT,
    "cursor": CURSOR,
    "gemini": GEMINI,
    "opencode": OPENCODE,
    "qwen": QWEN,
}
