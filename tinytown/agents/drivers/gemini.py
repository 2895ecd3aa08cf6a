"""Gemini CLI, checked with 0.61.0."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tinytown.agents import causes, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Opening, Output, Request
from tinytown.agents.drivers.vendor import VendorDriver, parts_of, within
from tinytown.agents.excerpts import json_fields, variables
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Its exit code where nobody is logged in.
NO_AUTH = 41
#: Requests for one answer: its default of ten hides a limit for five minutes. What the user's settings say wins. It
#: skips a file of defaults that is not root's with all its folders, so in the sandbox they stand in its settings.
DEFAULTS = {"general": {"maxAttempts": 3}}
#: What is not there in a review: it reads, and starts nothing. Not by its defaults, which it may skip.
POLICY = """\
[[rule]]
toolName = ["run_shell_command", "write_file", "replace"]
decision = "deny"
priority = 999
"""
#: For a refusal of the model it exits with the low byte of the HTTP status.
_STATUS_OF_CODE = {status & 0xFF: status for status in (401, 403, 429, 500, 502, 503, 529)}
#: What it says where GOOGLE_GEMINI_BASE_URL is set and its settings do not name the way of the log-in, and what helps.
_BAD_AUTH = "Invalid auth method"
_AUTH_RULE = (
    'with GOOGLE_GEMINI_BASE_URL write {"security":{"auth":{"selectedType":"gemini-api-key"}}} to settings.json'
)
#: Without a way of the log-in in its settings or variables it refuses to run, whatever log-in there is.
_OTHER_WAYS = r"(?i)auth|key|\benv"
_WAYS = Ways(
    settings={
        "~/.gemini/settings.json": _OTHER_WAYS,
        ".gemini/settings.json": _OTHER_WAYS,
        "~/.gemini/oauth_creds.json": "",
        "~/.gemini/gemini-credentials.json": "",
        "/etc/gemini-cli": "",
        "/Library/Application Support/GeminiCli": "",
    },
    dotenv=["~/.env", "~/.gemini/.env", ".env", ".gemini/.env"],
)
#: The line on stderr before the document of an error that came from its model's service.
_OF_SERVICE = re.compile(r"^Error when talking to Gemini API\b", re.MULTILINE)
#: No extensions: they bring servers with keys of their own.
_READABLE = "GEMINI.md commands google_accounts.json policies skills"
_FIELDS = json_fields(
    "security selectedAuthType model modelConfigs general context contextFileName ui output privacy theme "
    "preferredEditor maxSessionTurns useWriteTodos tools.core tools.exclude tools.allowed tools.shell "
    "tools.useRipgrep coreTools excludeTools usageStatisticsEnabled"
)


def _settings(text: str) -> str:
    """What of the user's settings is shown, with the defaults below them."""
    found = json.loads(_FIELDS(text))
    general = found.get("general")
    if general is None or isinstance(general, dict):
        found["general"] = DEFAULTS["general"] | (general or {})
    return json.dumps(found, indent=2)


#: Not every one that begins so: keys of maps, or of an application that somebody writes.
_VARIABLES = (
    r"(?:GEMINI|CODE_ASSIST)_\w+|GOOGLE_(?:API_KEY|APPLICATION_CREDENTIALS|VERTEX_BASE_URL)"
    r"|GOOGLE_(?:GEMINI|GENAI|CLOUD)_\w+"
)
_EXCERPTS = {".env": variables(_VARIABLES), "settings.json": _settings}
_WRITABLE = "gemini-credentials.json oauth_creds.json"


class GeminiDriver(VendorDriver):
    """``gemini -o json``: the brief is its stdin, the answer one JSON document, an error another one on stderr.

    A session is known in its own folder alone, by its place in a list, so none is resumed.
    """

    program = "gemini"
    hosts = (
        "generativelanguage.googleapis.com",
        "cloudcode-pa.googleapis.com",
        "aiplatform.googleapis.com",
        "*.aiplatform.googleapis.com",
        "oauth2.googleapis.com",
        "www.googleapis.com",
        "accounts.google.com",
    )
    ways = _WAYS
    house_rules = ("GEMINI.md",)
    configures = (".gemini", ".agents", "GEMINI.md", ".geminiignore", ".env")
    own_lines = re.compile(r"Error(?: \w{1,20}){0,6}: |Please set an Auth|Invalid auth")

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "GEMINI_CLI_HOME", "") / ".gemini"
        defaults = request.prompt_file.with_name("gemini-defaults.json")
        argv = [self.program, "-o", "json", "--approval-mode", "yolo", "--skip-trust"]
        files = {defaults: json.dumps(DEFAULTS)}
        if request.review:
            policy = request.prompt_file.with_name("gemini-policy.toml")
            argv += ["--policy", str(policy)]
            files[policy] = POLICY
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            env={"GEMINI_CLI_SYSTEM_DEFAULTS_PATH": str(defaults)},
            files=files,
            readable=within(home, _READABLE),
            excerpts=parts_of(home, _EXCERPTS),
            made={home / "settings.json": json.dumps(DEFAULTS)},
            writable=within(home, _WRITABLE),
        )

    def conversation(self, opening: Opening) -> Sequence[str]:
        """All of it: it reads no file that git ignores."""
        return [self.program, "-i", opening.text]

    def read(self, output: Output) -> Said:
        answer = records.mapping(records.document(output.stdout))
        problem = records.mapping(records.document(output.stderr), "error") or records.mapping(answer, "error")
        error: str | None = None
        if problem:
            error = records.string(problem, "message") or records.string(problem, "type") or "it says that it failed"
            if error.startswith(_BAD_AUTH) and "GOOGLE_GEMINI_BASE_URL" in self._env:
                error = f"{error.rstrip('.')}: {_AUTH_RULE}"
        code = records.whole(problem, "code") if problem else output.exit_code
        status = code if code and 400 <= code <= 599 else None
        if not problem and "response" not in answer and output.exit_code is not None:
            status = _STATUS_OF_CODE.get(output.exit_code)
        outcome = Outcome.NOT_LOGGED_IN if NO_AUTH in (code, output.exit_code) else None
        if error is not None and status is None and outcome is None and _OF_SERVICE.search(output.stderr):
            # It may have broken off in the middle of an answer, for a reason that has no known words.
            outcome = causes.of_words(error) or Outcome.UNREACHABLE
        counted = [
            count
            for model in records.mapping(answer, "stats", "models").values()
            if (count := records.whole(records.mapping(model, "tokens"), "total")) is not None
        ]
        return Said(
            text=records.string(answer, "response") or "",
            session=records.string(answer, "session_id"),
            tokens=sum(counted) if counted else None,
            ended="response" in answer,
            error=error,
            status=status,
            outcome=outcome,
            other_output="" if answer else output.stdout,
        )
