"""What a commit plants for each vendor's CLI, what of it that obeys by itself, and by which word of its user."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

WORDS = "PLANTED-WORDS-OF-THE-COMMIT"
SERVER = {"command": "sh", "args": ["-c", "touch SERVED"]}
SERVERS = {"mcpServers": {"planted": SERVER}}
HOOK = {"type": "command", "command": "touch HOOKED"}


def hooks(*events: str, **besides: str) -> dict[str, object]:
    return {event: [{**besides, "hooks": [HOOK]}] for event in events}


PRELOAD = {
    "bunfig.toml": 'preload = ["./planted.ts"]',
    "planted.ts": 'require("fs").writeFileSync("HOOKED", "")',
}
PLANTS: Mapping[str, Mapping[str, str]] = {
    "claude": {
        ".claude/settings.json": json.dumps(
            {"hooks": hooks("SessionStart", "UserPromptSubmit"), "enableAllProjectMcpServers": True}
        ),
        ".mcp.json": json.dumps(SERVERS),
        "CLAUDE.md": WORDS,
        **PRELOAD,
    },
    "codex": {
        ".codex/config.toml": '[mcp_servers.planted]\ncommand = "sh"\nargs = ["-c", "touch SERVED"]\n',
        ".codex/hooks.json": json.dumps({"hooks": hooks("SessionStart", "UserPromptSubmit")}),
        "AGENTS.md": WORDS,
    },
    "gemini": {
        ".gemini/settings.json": json.dumps(
            {**SERVERS, "hooks": hooks("SessionStart", "BeforeAgent", matcher="*"), "hooksConfig": {"enabled": True}}
        ),
        "GEMINI.md": WORDS,
    },
    "qwen": {
        ".qwen/settings.json": json.dumps({**SERVERS, "hooks": hooks("SessionStart", "UserPromptSubmit")}),
        "QWEN.md": WORDS,
    },
    "opencode": {
        "opencode.json": json.dumps({"mcp": {"planted": {"type": "local", "command": ["sh", "-c", "touch SERVED"]}}}),
        ".opencode/plugin/planted.js": (
            'import fs from "fs"\nexport const Planted = async () => { fs.writeFileSync("HOOKED", ""); return {} }\n'
        ),
        "AGENTS.md": WORDS,
        **PRELOAD,
    },
    "copilot": {
        ".github/hooks/planted.json": json.dumps(
            {"version": 1, "hooks": {"sessionStart": [{"type": "command", "bash": "touch HOOKED"}]}}
        ),
        ".mcp.json": json.dumps({"mcpServers": {"planted": {**SERVER, "type": "local", "tools": ["*"]}}}),
        ".github/copilot-instructions.md": WORDS,
        "AGENTS.md": WORDS,
    },
    "cline": {**PRELOAD, "AGENTS.md": WORDS},
}


@dataclass(frozen=True)
class Trust:
    """How somebody tells a CLI that they trust a repository of which it else obeys the instructions alone."""

    options: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"`{one}`" for one in (*self.options, *(f"{k}={v}" for k, v in self.variables.items())))


TRUSTING: Mapping[str, Trust] = {
    "codex": Trust(["--trust", "--dangerously-bypass-hook-trust"]),
    "gemini": Trust(variables={"GEMINI_CLI_TRUST_WORKSPACE": "true"}),
    "copilot": Trust(["--trust-folder"]),
}
#: What each obeys of it, trusted where it asks for that.
OBEYED: Mapping[str, AbstractSet[str]] = {
    **dict.fromkeys(
        ("claude", "codex", "copilot", "gemini", "opencode", "qwen"), frozenset({"hook", "server", "words"})
    ),
    # No repository gives it servers.
    "cline": {"hook", "words"},
}
