"""What of the files that a CLI keeps is shown to it in the sandbox: its log-in, and nothing of another service."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tinytown import plugins
from tinytown.agents.driver import Excerpt, Request
from tinytown.agents.excerpts import json_fields, toml_fields, variables
from tinytown.settings import AgentCliSettings

HOME = Path("/home/me")
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

#: By CLI and file: what somebody keeps there.
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
        ".codex/config.toml": f'model = "m"\nnotify = ["{CANARY}"]\n[model_providers.x]\nenv_key = "{LOGIN}"\n'
        f'{_SERVERS}[projects."/{CANARY}"]\ntrust_level = "trusted"\n[shell_environment_policy.set]\nK = "{CANARY}"\n'
    },
    "gemini": {
        ".gemini/settings.json": f"// {CANARY}\n"
        + json.dumps({**_JSON_SETTINGS, "security": {"auth": LOGIN}, "tools": {"callCommand": CANARY}}),
        ".gemini/.env": f"{_DOTENV}GEMINI_API_KEY={LOGIN}\n",
    },
    "qwen": {
        ".qwen/settings.json": json.dumps({
            **_JSON_SETTINGS, "modelProviders": {"openai": [{"id": "m", "envKey": "MINE"}]},
            "env": {"MINE": LOGIN, "OTHER": CANARY},
        }),
        ".qwen/.env": f"{_DOTENV}OPENAI_API_KEY={LOGIN}\n",
    },
    "opencode": {
        ".config/opencode/opencode.json": json.dumps(
            {**_JSON_SETTINGS, "mcp": {"x": SERVER}, "provider": {"x": {"options": {"apiKey": LOGIN}}}}
        ),
        ".config/opencode/opencode.jsonc": f'{{\n  // {CANARY}\n  "provider": {{"a": "{LOGIN}",}}, /* {CANARY} */\n'
        f'  "mcp": {{"x": "{CANARY}"}},\n}}',
        ".config/opencode/config.json": json.dumps({"model": LOGIN, "mcp": {"x": SERVER}}),
    },
    "copilot": {
        ".copilot/config.json": json.dumps({**_JSON_SETTINGS, "copilot_tokens": LOGIN, "trusted_folders": [CANARY]}),
        ".copilot/settings.json": json.dumps({**_JSON_SETTINGS, "model": LOGIN}),
    },
    "kimi": {".kimi-code/config.toml": f'default_model = "m"\n[providers.x]\nkey = "{LOGIN}"\n{_SERVERS}'},
    "vibe": {
        ".vibe/config.toml": f'active_model = "m"\n[[providers]]\nname = "{LOGIN}"\n[[mcp_servers]]\nk = "{CANARY}"\n',
        ".vibe/.env": f"{_DOTENV}MISTRAL_API_KEY={LOGIN}\n",
    },
    "auggie": {".augment/settings.json": json.dumps({**_JSON_SETTINGS, "model": LOGIN})},
    "cursor": {".cursor/cli-config.json": json.dumps({**_JSON_SETTINGS, "authInfo": {"email": LOGIN}})},
}  # fmt: skip


def excerpts(cli: str, **env: str) -> dict[Path, Excerpt]:
    driver = plugins.driver(cli, AgentCliSettings(env=env))
    request = Request(prompt="x", prompt_file=Path("/state/brief.md"), workspace=Path("/c"), home=HOME, sandboxed=True)
    return dict(driver.invocation(request).excerpts)


@pytest.mark.parametrize(("cli", "name"), [(cli, name) for cli, names in KEPT.items() for name in names])
def test_of_each_file_the_log_in_is_kept_and_nothing_else(cli: str, name: str) -> None:
    text = excerpts(cli)[HOME / name](KEPT[cli][name])
    assert LOGIN in text
    assert CANARY not in text
    assert tomllib.loads(text) if name.endswith(".toml") else text


@pytest.mark.parametrize("cli", sorted(KEPT))
def test_each_excerpt_has_an_example(cli: str) -> None:
    assert {str(path.relative_to(HOME)) for path in excerpts(cli)} == set(KEPT[cli])


def test_no_file_is_shown_as_a_whole_of_which_there_is_an_excerpt() -> None:
    for cli in KEPT:
        driver = plugins.driver(cli, AgentCliSettings())
        request = Request("x", Path("/state/brief.md"), Path("/c"), home=HOME, sandboxed=True)
        invocation = driver.invocation(request)
        assert not set(invocation.excerpts) & {*invocation.readable, *invocation.writable}
        names = {path.name for path in invocation.readable}
        assert not names & {"mcp.json", "mcp-config.json", "hooks", "extensions", "installed-plugins", ".env"}, cli


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "null", "{'a': 1}", "\x00", '{"a": 1} {"b": 2}', "[" * 5000])
def test_what_is_no_document_gives_nothing(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        json_fields("a *")(text)


@pytest.mark.parametrize("text", ["a = ", "[x", "a = 1\na = 2\n", "\x00"])
def test_what_is_no_toml_gives_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        toml_fields("*")(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", {}),
        ('{"a": {"b": 1, "c": 2}, "d": 3}', {"a": {"b": 1}}),
        ('{"a": "// no comment", /* one */ "x_1": ["," , 1,], }', {"x_1": [",", 1]}),
        ('{"a": [{"b": 1}]}', {}),
        (r'{"x_": "\"//\"", "A": 1}', {"x_": '"//"'}),
    ],
)
def test_fields_are_taken_by_their_names(text: str, part: dict[str, Any]) -> None:
    assert json.loads(json_fields("a.b x_*")(text)) == part


def test_variables_are_taken_by_their_names() -> None:
    text = "A_1=1\nB=2\n export A_2 = 'two\nlines'\nA_3=\"x\\\"y\"\n#A_4=4\nC='A_5=5\nA_6=6'\nXA_7=7\n"
    assert variables(r"A_\w+")(text) == 'A_1=1\nA_2=\'two\nlines\'\nA_3="x\\"y"\n'


def test_files_that_variables_move_are_excerpts_too() -> None:
    assert Path("/x/settings.json") in excerpts("claude", CLAUDE_CONFIG_DIR="/x")
    assert Path("/x/config.toml") in excerpts("codex", CODEX_HOME="/x")
    assert Path("/x/f.json") in excerpts("opencode", OPENCODE_CONFIG="/x/f.json")
