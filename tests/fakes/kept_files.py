"""What somebody keeps in the files of each CLI: a log-in, and beside it the keys of other providers and services."""

from __future__ import annotations

import json

#: Stands for what is somebody else's, and what a CLI must find.
CANARY, LOGIN = "canary-51", "log-in-52"
SERVER = {"type": "http", "url": f"https://x/?k={CANARY}", "headers": {"Authorization": CANARY}, "env": {"K": CANARY}}
HOOKS = {"Stop": [{"hooks": [{"type": "command", "command": f"curl -H {CANARY} x"}]}]}
_JSON_SETTINGS = {
    "mcpServers": {"x": SERVER}, "hooks": HOOKS, "projects": {"/p": {"history": [CANARY]}}, "unknown": CANARY,
    "env": {"GITHUB_TOKEN": CANARY, "OTEL_EXPORTER_OTLP_HEADERS": CANARY}, "telemetry": {"otlp": CANARY},
}  # fmt: skip
_SERVERS = f'[mcp_servers.x]\ncommand = "x"\nenv = {{ K = "{CANARY}" }}\n\n[hooks]\nrun = "{CANARY}"\n'
_DOTENV = f"GITHUB_TOKEN={CANARY}\nDATABASE_URL = '{CANARY}'\n# {CANARY}\nexport SLACK=\"a\n{CANARY}\nb\"\n{CANARY}\n"


def _logins(mine: str) -> str:
    """A file of log-ins with those of several providers."""
    names = (mine, "y", "aXb", f"{mine}.z", "*")
    return json.dumps({name: {"type": "api", "key": LOGIN if name == mine else CANARY} for name in names})


#: By CLI and file: what somebody keeps there, whose settings say which provider is used.
KEPT: dict[str, dict[str, str]] = {
    "claude": {
        ".claude.json": json.dumps({**_JSON_SETTINGS, "oauthAccount": {"a": LOGIN}, "primaryApiKey": "k"}),
        ".claude/.claude.json": json.dumps({**_JSON_SETTINGS, "primaryApiKey": LOGIN}),
        ".claude/settings.json": json.dumps(
            {**_JSON_SETTINGS, "env": {"ANTHROPIC_AUTH_TOKEN": LOGIN, "GITHUB_TOKEN": CANARY}, "statusLine": CANARY}
        ),
        ".claude/settings.local.json": json.dumps({**_JSON_SETTINGS, "apiKeyHelper": LOGIN}),
    },
    "codex": {
        ".codex/config.toml": f'model = "m"\nmodel_provider = "x"\nnotify = ["{CANARY}"]\n'
        f'[model_providers.x]\nenv_key = "{LOGIN}"\n[model_providers.y]\nhttp_headers = {{ K = "{CANARY}" }}\n'
        f'{_SERVERS}[projects."/{CANARY}"]\ntrust_level = "trusted"\n[shell_environment_policy.set]\nK = "{CANARY}"\n'
    },
    "gemini": {
        ".gemini/settings.json": f"// {CANARY}\n"
        + json.dumps({**_JSON_SETTINGS, "security": {"auth": LOGIN}, "tools": {"callCommand": CANARY}}),
        ".gemini/.env": f"{_DOTENV}GEMINI_API_KEY={LOGIN}\nGOOGLE_MAPS_API_KEY={CANARY}\n",
    },
    "qwen": {
        ".qwen/settings.json": json.dumps({
            **_JSON_SETTINGS, "security": {"auth": {"selectedType": "openai"}}, "model": {"name": "m"},
            "modelProviders": {
                "openai": [{"id": "m", "envKey": "MINE"}, {"id": "n", "envKey": "OTHER"}],
                "anthropic": [{"id": "m", "envKey": "THIRD", "headers": CANARY}],
            },
            "env": {"MINE": LOGIN, "OTHER": CANARY, "THIRD": CANARY, "GEMINI_API_KEY": CANARY},
        }),
        ".qwen/.env": f"{_DOTENV}OPENAI_API_KEY={LOGIN}\nANTHROPIC_API_KEY={CANARY}\nDASHSCOPE_API_KEY={CANARY}\n",
    },
    "opencode": {
        ".config/opencode/opencode.json": json.dumps(
            {**_JSON_SETTINGS, "mcp": {"x": SERVER}, "model": "a.b/m", "provider": {
                "a.b": {"options": {"apiKey": LOGIN}}, "aXb": {"options": {"apiKey": CANARY}},
            }}
        ),
        ".config/opencode/opencode.jsonc": f'{{\n  // {CANARY}\n  "provider": {{"a.b": "{LOGIN}",}}, /* {CANARY} */\n'
        f'  "mcp": {{"x": "{CANARY}"}},\n}}',
        ".config/opencode/config.json": json.dumps({"model": f"y/{LOGIN}", "mcp": {"x": SERVER}}),
        ".local/state/opencode/model.json": json.dumps({"recent": [{"modelID": LOGIN}], "x": CANARY}),
        ".local/share/opencode/auth.json": _logins("a.b"),
    },
    "copilot": {
        ".copilot/config.json": json.dumps({
            **_JSON_SETTINGS, "trusted_folders": [CANARY], "last_logged_in_user": {"host": "h", "login": "me"},
            "logged_in_users": [{"host": "h", "login": "me"}, {"host": CANARY, "login": "me"}],
            "copilot_tokens": {"h:me": LOGIN, f"{CANARY}:me": CANARY},
        }),
        ".copilot/settings.json": json.dumps({**_JSON_SETTINGS, "model": LOGIN}),
    },
    "kimi": {
        ".kimi-code/config.toml": 'default_model = "m"\n[models.m]\nprovider = "x"\n[models.n]\nprovider = "y"\n'
        f'[providers.x]\napi_key = "{LOGIN}"\n[providers.y]\napi_key = "{CANARY}"\n{_SERVERS}'
    },
    "vibe": {
        ".vibe/config.toml": f'active_model = "m"\n[[models]]\nname = "m-1"\nalias = "m"\nprovider = "{LOGIN}"\n'
        f'[[providers]]\nname = "{LOGIN}"\napi_key_env_var = "MINE"\n[[mcp_servers]]\nk = "{CANARY}"\n'
        f'[[providers]]\nname = "y"\nextra_headers = {{ K = "{CANARY}" }}\n',
        ".vibe/.env": f"{_DOTENV}MINE={LOGIN}\nMISTRAL_API_KEY={CANARY}\nOPENAI_API_KEY={CANARY}\n",
    },
    "pi": {
        ".pi/agent/settings.json": json.dumps({"defaultProvider": "x", "defaultModel": "m"}),
        ".pi/agent/models.json": json.dumps({"providers": {"x": {"apiKey": LOGIN}, "y": {"apiKey": CANARY}}}),
        ".pi/agent/auth.json": _logins("x"),
    },
    "cline": {
        ".cline/data/settings/providers.json": json.dumps({
            "version": 1, "lastUsedProvider": "x", "modes": {"voiceInput": CANARY},
            "providers": {"x": {"settings": {"apiKey": LOGIN}}, "y": {"settings": {"apiKey": CANARY}}},
        })
    },
    "aider": {
        ".aider.conf.yml": f"model: sonnet # good\nauto-commits: false\n"
        f"# openai-api-key: {CANARY}\nopenai-api-key: {CANARY}\n"
        f"anthropic-api-key: {LOGIN}\napi-key:\n  - gemini={CANARY}\n  - anthropic={LOGIN}\n"
        f"set-env: [GITHUB_TOKEN={CANARY}, ANTHROPIC_API_BASE={LOGIN}]\nenv-file: {CANARY}\n",
        ".aider/oauth-keys.env": f"OPENROUTER_API_KEY={CANARY}\nANTHROPIC_API_KEY={LOGIN}\n",
    },
    "auggie": {".augment/settings.json": json.dumps({**_JSON_SETTINGS, "model": LOGIN})},
    "cursor": {".cursor/cli-config.json": json.dumps({**_JSON_SETTINGS, "authInfo": {"email": LOGIN}})},
}  # fmt: skip


#: Settings that are shown as they are: there is no key in them.
WHOLE = {".pi/agent/settings.json"}
