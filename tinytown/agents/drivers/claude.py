"""Claude Code, checked with 2.1.332."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinytown.agents import causes, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Output, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, parts_of, within
from tinytown.agents.excerpts import JsonPart, json_fields
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Tools that it may use without asking, where it does not run in our sandbox: nobody is there to ask.
TOOLS = "Bash,Edit,Glob,Grep,NotebookEdit,Read,Task,TodoWrite,WebFetch,WebSearch,Write"
#: Retries of one request to the model: the default of ten takes three minutes while nothing answers.
MAX_RETRIES = "3"
#: All that there is of them in a review: it reads, and starts nothing.
READING = "Glob,Grep,Read"
_ENV = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_RETRIES": MAX_RETRIES}
#: No hooks and no plugins: they are programs of the user's, and bring servers with keys of their own.
_READABLE = "CLAUDE.md agents commands output-styles rules skills"
#: Not the servers of other services with their keys, nor what it knows of the user's projects.
_STATE = json_fields(
    "oauthAccount primaryApiKey customApiKeyResponses hasCompletedOnboarding lastOnboardingVersion userID autoUpdates "
    "installMethod theme bypassPermissionsModeAccepted"
)
_SETTINGS = json_fields(
    "model modelOverrides availableModels permissions outputStyle language includeCoAuthoredBy attribution "
    "cleanupPeriodDays alwaysThinkingEnabled effortLevel forceLoginMethod forceLoginOrgUUID apiKeyHelper "
    "env.ANTHROPIC_* env.CLAUDE_* env.API_TIMEOUT_MS env.MAX_* env.DISABLE_* env.BASH_* env.AWS_REGION env.AWS_PROFILE "
    "env.AWS_BEARER_TOKEN_BEDROCK env.CLOUD_ML_REGION env.VERTEX_*"
)
#: Not the log-ins of other services' servers and of plugins, which it keeps in the same file.
_LOGIN = JsonPart("claudeAiOauth organizationUuid enterpriseGateway*")
_EXCERPTS = {".claude.json": _STATE, "settings.json": _SETTINGS, "settings.local.json": _SETTINGS}
#: A key in its settings, a program that gives one, or another vendor's cloud.
_OTHER_WAYS = r"(?i)\benv\b|helper|key|token|auth|aws|gcp|azure|refresh"
_WAYS = Ways(
    kept=["~/.claude/.credentials.json"],
    settings={
        "~/.claude.json": r"primaryApiKey|oauthAccount|customApiKey",
        "~/.claude/settings.json": _OTHER_WAYS,
        "~/.claude/settings.local.json": _OTHER_WAYS,
        ".claude/settings.json": _OTHER_WAYS,
        ".claude/settings.local.json": _OTHER_WAYS,
        "~/.claude/remote-settings.json": "",
        "~/.claude/remote": "",
        # Profiles of its vendor's other programs.
        "~/.config/anthropic": "",
        "/etc/claude-code": "",
    },
    keychain=True,
)
#: Its words for why the model did not answer.
_ERRORS = {
    "authentication_failed": Outcome.NOT_LOGGED_IN,
    "oauth_org_not_allowed": Outcome.NOT_LOGGED_IN,
    "billing_error": Outcome.USAGE_LIMIT,
    "rate_limit": Outcome.USAGE_LIMIT,
    "overloaded": Outcome.UNREACHABLE,
    "server_error": Outcome.UNREACHABLE,
}
#: Limits of one run that somebody set.
_LIMITS = frozenset({"error_max_turns", "error_max_budget_usd"})
#: What it calls the model of a message that no model gave.
_NO_MODEL = "<synthetic>"
_REFUSED = re.compile(r"\[?API Error(?:: | \()")
#: Input of a model, as a sum by model and as a message name it.
_TAKEN = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
_SENT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_UNSAFE = re.compile(r"[^A-Za-z0-9]")
#: Longest name of a folder of sessions: it shortens longer ones in a way of its own.
_NAME_CHARS = 200


class ClaudeDriver(VendorDriver):
    """``claude -p``: the brief is its stdin, the answer a stream of JSON records, the last one the result."""

    program = "claude"
    hosts = ("api.anthropic.com", "console.anthropic.com", "platform.claude.com", "claude.ai")
    ways = _WAYS
    house_rules = ("CLAUDE.md",)
    configures = (".claude", ".claude-plugin", ".mcp.json", ".lsp.json", "CLAUDE.md", "CLAUDE.local.md")
    own_lines = re.compile(r"Error: |No conversation found|Not logged in|Invalid API key|Credit balance")

    def invocation(self, request: Request) -> Invocation:
        config = self._folder(request, "CLAUDE_CONFIG_DIR", ".claude")
        argv = [self.program, "-p", "--output-format", "stream-json", "--verbose"]
        env = dict(_ENV)
        if request.sandboxed:
            # As root it skips its questions only when it is told that it is in a sandbox, which it is.
            argv.append("--dangerously-skip-permissions")
            env["IS_SANDBOX"] = "1"
        else:
            argv += ["--permission-mode", "acceptEdits", f"--allowedTools={READING if request.review else TOOLS}"]
        if request.review:
            # Not the settings of the repository, and no tools but these.
            argv += ["--setting-sources", "user", f"--tools={READING}"]
        if request.budget_usd is not None:
            # It takes no sum of nothing.
            argv += ["--max-budget-usd", f"{max(request.budget_usd, 0.01):.2f}"]
        if request.session is not None:
            argv += ["--resume", _transcript(config, request.session, request.session_workspace)]
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            env=env,
            streams=True,
            readable=within(config, _READABLE),
            excerpts={**parts_of(config, _EXCERPTS), request.home / ".claude.json": _STATE},
            parts={config / ".credentials.json": _LOGIN},
            sessions=[config],
        )

    def login_check(self) -> Sequence[str]:
        """Exits with 1 where nobody is logged in."""
        return [self.program, "auth", "status"]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """It tells of each try."""
        return "trouble" if record.get("subtype") == "api_retry" else "work"

    def read(self, output: Output) -> Said:
        return read_records(list(records.lines(output.stdout)), output, other_output=other_output(output.stdout))


def read_records(found: Sequence[Mapping[str, Any]], output: Output, *, other_output: str) -> Said:
    """What a stream of records in Claude Code's format says; others have taken it over."""
    results = [record for record in found if record.get("type") == "result"]
    answers = [record for record in found if record.get("type") == "assistant"]
    result: Mapping[str, Any] = results[-1] if results else {}
    session = records.string(result, "session_id") or next(
        (name for record in found if (name := records.string(record, "session_id"))), None
    )
    text = records.string(result, "result")
    if text is None:
        text = _answer(answers[-1]) if answers else ""
    kind = records.string(result, "subtype") or ""
    error = _error(result, kind, text, answers[-1] if answers else {})
    status = records.whole(result, "api_error_status")
    outcome = _outcome(kind, answers[-1] if answers and error is not None and not status else {})
    limit = _limit(found)
    if error is not None and outcome is None and limit and not status:
        outcome = Outcome.USAGE_LIMIT
    return Said(
        text=text,
        session=session,
        cost_usd=records.number(result, "total_cost_usd"),
        tokens=_tokens(result),
        counters=_counters(result),
        sent=_sent(answers) if records.LEFT_OUT.search(output.stdout) is None else None,
        ended=bool(results),
        error=error,
        quotes=error is not None and error == text and bool(answers) and _spoken(answers[-1]),
        status=status if status and status >= 400 else None,
        outcome=outcome,
        retry_after=causes.seconds_until(limit, output) if limit else None,
        remark=_denied(result),
        other_output=other_output,
    )


def _error(result: Mapping[str, Any], kind: str, text: str, answer: Mapping[str, Any]) -> str | None:
    told = [entry for entry in records.sequence(result, "errors") if isinstance(entry, str)]
    told += [message] if (message := records.string(records.mapping(result, "error"), "message")) else []
    # It also says "success" of a run that ended with the model's refusal.
    refused = _REFUSED.match(text) is not None and not _spoken(answer)
    if result.get("is_error") is True or kind.startswith("error") or refused:
        return text or next(iter(told), "") or kind or "it says that it failed"
    return None


def _spoken(answer: Mapping[str, Any]) -> bool:
    """It is a model's message, and not one that the CLI made up to say what went wrong."""
    model = records.string(records.mapping(answer, "message"), "model")
    return model is not None and model != _NO_MODEL and not answer.get("error") and not answer.get("isApiErrorMessage")


def _limit(found: Sequence[Mapping[str, Any]]) -> float | None:
    """When the limit ends by which the last request was refused; an epoch, in seconds or milliseconds."""
    told = [records.mapping(record, "rate_limit_info") for record in found if record.get("type") == "rate_limit_event"]
    if not told or str(told[-1].get("status", "rejected")).startswith("allowed"):
        return None
    return records.number(told[-1], "resetsAt") or records.number(told[-1], "resets_at")


def _outcome(kind: str, answer: Mapping[str, Any]) -> Outcome | None:
    if kind in _LIMITS:
        return Outcome.USAGE_LIMIT
    return _ERRORS.get(records.string(answer, "error") or "")


def _answer(record: Mapping[str, Any]) -> str:
    parts = records.sequence(records.mapping(record, "message"), "content")
    return "\n".join(text for part in parts if (text := records.string(part, "text")))


def _counters(result: Mapping[str, Any]) -> dict[str, float]:
    """What each model took and gave, and what all of them took."""
    models = records.mapping(result, "modelUsage")
    # Its contextWindow and the like are no counts.
    found = {
        f"{name} {kind}": float(count)
        for name, used in models.items()
        for kind in (*_TAKEN, "outputTokens")
        if (count := records.whole(used, kind)) is not None
    }
    taken = [count for used in models.values() if (count := records.total(used, *_TAKEN)) is not None]
    usage = records.mapping(result, "usage")
    sent = sum(taken) if taken else records.total(usage, *_SENT)
    return found if sent is None else {**found, "sent": float(sent)}


def _sent(answers: Sequence[Mapping[str, Any]]) -> int | None:
    """What the messages of this run say that their models were sent; one message comes in several records."""
    counts: dict[str, int] = {}
    for record in answers:
        message = records.mapping(record, "message")
        name, count = records.string(message, "id"), records.total(records.mapping(message, "usage"), *_SENT)
        if name is not None and count is not None:
            counts[name] = max(count, counts.get(name, 0))
    return sum(counts.values()) if counts else None


def _tokens(result: Mapping[str, Any]) -> int | None:
    # Requests beside the conversation (a title, say) are counted by model only.
    models = records.mapping(result, "modelUsage")
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    counted = [count for model in models.values() if (count := records.total(model, *names)) is not None]
    if counted:
        return sum(counted)
    usage = records.mapping(result, "usage")
    return records.total(
        usage, "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"
    )


def _denied(result: Mapping[str, Any]) -> str:
    denials = records.sequence(result, "permission_denials")
    tools = dict.fromkeys(records.string(denial, "tool_name") or "a tool" for denial in denials)
    return f"it was refused {', '.join(tools)}" if tools else ""


def _transcript(config: Path, session: str, workspace: Path | None) -> str:
    """What to resume: sessions are filed by folder, and one of another folder is found by its file alone."""
    if workspace is None:
        return session
    name = _UNSAFE.sub("-", str(workspace))
    return session if len(name) > _NAME_CHARS else str(config / "projects" / name / f"{session}.jsonl")
