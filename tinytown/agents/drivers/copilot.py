"""GitHub Copilot CLI, checked with 1.0.102."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tinytown.agents import records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Opening, Output, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, parts_of, within
from tinytown.agents.excerpts import json_fields
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: No plugins: they are programs of the user's, and bring servers with keys of their own.
_READABLE = "agents copilot-instructions.md skills"
_FIELDS = json_fields(
    "logged_in_users last_logged_in_user copilot_tokens loggedInUsers lastLoggedInUser copilotTokens model banner "
    "theme render_markdown renderMarkdown screen_reader screenReader reasoning_effort reasoningEffort effortLevel "
    "experimental stream auto_update autoUpdate firstLaunchAt first_launch_at"
)
#: Whose log-ins it keeps, who of them used it last, and the log-ins by ``host:name``; it has had two ways to write it.
_USERS = (
    ("logged_in_users", "last_logged_in_user", "copilot_tokens"),
    ("loggedInUsers", "lastLoggedInUser", "copilotTokens"),
)


def _settings(text: str) -> str:
    """What of its settings is shown: of several accounts the one that was used last."""
    found = json.loads(_FIELDS(text))
    for users, last, tokens in _USERS:
        user, kept = records.mapping(found.get(last)), records.mapping(found.get(tokens))
        name = f"{user.get('host')}:{user.get('login')}"
        if name in kept:
            found |= {tokens: {name: kept[name]}, users: [user]}
    return json.dumps(found, indent=2)


_EXCERPTS = dict.fromkeys(("config.json", "settings.json"), _settings)
#: Its log-in may be in a keyring, but whose it is stands here. It also takes the log-in of ``gh``.
_OTHER_WAYS = r"(?i)user|log_?in|token|auth|provider"
_WAYS = Ways(
    settings={
        "~/.copilot/config.json": _OTHER_WAYS,
        "~/.copilot/settings.json": _OTHER_WAYS,
        "~/.config/gh": "",
        "~/.config/github-copilot": "",
    },
    keychain=True,
)
_ERRORS = {
    "authentication": Outcome.NOT_LOGGED_IN,
    "authorization": Outcome.NOT_LOGGED_IN,
    "quota": Outcome.USAGE_LIMIT,
    "rate_limit": Outcome.USAGE_LIMIT,
}


class CopilotDriver(VendorDriver):
    """``copilot --output-format json``: the brief is its stdin, the answer a stream of JSON events."""

    program = "copilot"
    hosts = ("*.githubcopilot.com", "api.github.com")
    ways = _WAYS
    house_rules = ("AGENTS.md", ".github/copilot-instructions.md")
    configures = (
        ".github/copilot-instructions.md", ".github/copilot", ".github/instructions", ".github/agents",
        ".github/skills", ".github/hooks", ".github/extensions", ".github/prompts", ".github/chatmodes",
        ".github/mcp.json", ".github/lsp.json", ".github/allowed_models.txt", ".copilot", ".vscode/mcp.json",
        ".mcp.json", ".claude", ".agents", "AGENTS.md", "CLAUDE.md", "GEMINI.md",
    )  # fmt: skip

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "COPILOT_HOME", ".copilot")
        argv = [self.program, "--allow-all-tools", "--output-format", "json"]
        if request.review:
            argv.append("--no-custom-instructions")
            # Whatever else it has by then is denied as well: its own tools for reading are no shell.
            argv += ["--available-tools=view,glob,grep", "--deny-tool=shell", "--deny-tool=write"]
        if request.session is not None:
            argv.append(f"--resume={request.session}")
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            streams=True,
            readable=within(home, _READABLE),
            excerpts=parts_of(home, _EXCERPTS),
            sessions=[home],
        )

    def conversation(self, opening: Opening) -> Sequence[str]:
        return [self.program, "-i", opening.words]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """It tells of each error, also of those after which it tries again."""
        return "trouble" if record.get("type") == "session.error" else "work"

    def read(self, output: Output) -> Said:
        text, session, ended = "", None, False
        error: str | None = None
        status: int | None = None
        outcome: Outcome | None = None
        for event in records.lines(output.stdout):
            data = records.mapping(event, "data") or event
            match event.get("type"):
                case "assistant.message":
                    # Whatever failed before, it answered after all.
                    text = records.string(data, "content") or text
                    error, status, outcome = None, None, None
                case "session.error":
                    error = records.string(data, "message") or records.string(data, "errorType") or "it failed"
                    status = records.whole(data, "statusCode")
                    outcome = _ERRORS.get(records.string(data, "errorType") or "") if status is None else None
                case "result":
                    ended = True
                    session = records.string(event, "sessionId") or session
                    if error is None and records.whole(event, "exitCode"):
                        error = f"it ended with exit code {records.whole(event, 'exitCode')}"
        return Said(
            text=text,
            session=session,
            ended=ended,
            error=error,
            status=status,
            outcome=outcome,
            other_output=other_output(output.stdout),
        )
