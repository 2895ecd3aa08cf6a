"""Whether a CLI is logged in, by files alone: a no is certain, and every doubt is none."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tinytown import plugins, settings
from tinytown.agents import login
from tinytown.agents.driver import KnowsLogin
from tinytown.settings import AgentCliSettings
from tinytown.town import Town

NODE = "#!/usr/bin/env node\n"


def python(package: str) -> str:
    return f"#!/opt/venv/bin/python3\nimport re\nimport sys\nfrom {package}.main import main\nsys.exit(main())\n"


@dataclass
class Machine:
    """A home, a repository, and one program."""

    folder: Path
    town: Town
    values: dict[str, object] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        """``~/…`` in the home, else in the repository."""
        path = self.home / name[2:] if name.startswith("~/") else self.repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def repo(self) -> Path:
        return self.folder / "above" / "repo"

    def install(self, cli: str, text: str | None = None) -> None:
        program = self.folder / "bin" / PROGRAMS.get(cli, cli)
        program.parent.mkdir(exist_ok=True)
        program.write_text(text or (python(cli) if cli in ("aider", "vibe") else NODE), encoding="utf-8")
        program.chmod(0o755)

    def told(self, cli: str) -> bool | None:
        town = replace(self.town, settings=settings.parse(self.values, source="test"))
        driver = plugins.driver(cli, town.settings.agent_clis.get(cli) or AgentCliSettings())
        path = str(self.folder / "bin")
        return login.told(town, cli, driver, home=self.home, path=path, folders=[self.repo])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Nobody has ever been logged in here."""
    monkeypatch.setattr(sys, "platform", "linux")
    made = Machine(tmp_path, Town(root=tmp_path / "town", id="t", settings=settings.parse({}, source="test")))
    made.home.mkdir()
    made.repo.mkdir(parents=True)
    return made


PROGRAMS = {"codex-mini": "codex", "cursor": "cursor-agent"}
#: What keeps a log-in.
KEPT = {
    "aider": "~/.aider/oauth-keys.env",
    "auggie": "~/.augment/session.json",
    "claude": "~/.claude/.credentials.json",
    "codex": "~/.codex/auth.json",
    "codex-mini": "~/.codex/auth.json",
    "opencode": "~/.local/share/opencode/auth.json",
    "pi": "~/.pi/agent/auth.json",
}
CLINE_FRESH = """{"version": 1, "lastUsedProvider": "cline", "modes": {}, "providers": {"cline": {"settings":
{"provider": "cline", "model": "some/model"}, "updatedAt": "2026-11-29T10:20:01.478Z", "tokenSource": "manual"}}}"""
#: What may be another way in, or a log-in of which it is not known whether it suffices.
DOUBTS = [
    ("aider", "~/.aider.conf.yml", "model: ollama/qwen\n"),
    ("aider", ".aider.conf.yml", "dark-mode: true\nopenai-api-key: sk-1\n"),
    ("aider", ".aider.conf.yml", "sonnet: true\n"),
    ("aider", ".aider.conf.yml", "4o: true\n"),
    ("aider", "~/.env", "export ANTHROPIC_API_KEY=sk-1\n"),
    ("aider", ".env", "AIDER_MODEL=ollama/qwen\n"),
    ("auggie", "~/.augment/settings.json", '{"apiToken": "x"}'),
    ("claude", "~/.claude.json", '{"primaryApiKey": "sk-1"}'),
    ("claude", "~/.claude.json", '{"oauthAccount": {}}'),
    ("claude", "~/.claude/settings.json", '{"apiKeyHelper": "/bin/key"}'),
    ("claude", "~/.claude/settings.json", '{"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}'),
    ("claude", "~/.claude/settings.local.json", '{"awsAuthRefresh": "aws sso login"}'),
    ("claude", "~/.config/anthropic/configs/default.json", "{}"),
    ("claude", "~/.config/anthropic/active", "default"),
    ("claude", ".claude/settings.json", '{"env": {"ANTHROPIC_BASE_URL": "http://proxy"}}'),
    ("cline", "~/.cline/data/settings/providers.json", CLINE_FRESH.replace('"model"', '"apiKey": "k", "model"')),
    (
        "cline",
        "~/.cline/data/settings/providers.json",
        CLINE_FRESH.replace('r": "cl', 'r": "ol'),
    ),
    ("cline", "~/.cline/data/secrets.json", '{"clineApiKey": "k"}'),
    ("codex", "~/.codex/config.toml", 'model_provider = "ollama"\n'),
    ("codex", "~/.codex/config.toml", 'cli_auth_credentials_store = "keyring"\n'),
    ("codex", "~/.codex/.env", "CODEX_API_KEY=sk-1\n"),
    ("codex", ".codex/config.toml", 'openai_base_url = "http://proxy/v1"\n'),
    ("copilot", "~/.copilot/config.json", '{"logged_in_users": [{"login": "ann"}]}'),
    ("copilot", "~/.copilot/config.json", '{"lastLoggedInUser": {"host": "https://github.com"}}'),
    ("copilot", "~/.config/gh/hosts.yml", "github.com:\n    user: ann\n"),
    ("gemini", "~/.gemini/settings.json", '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'),
    ("gemini", "~/.gemini/oauth_creds.json", '{"refresh_token": "x"}'),
    ("gemini", "~/.gemini/.env", "GEMINI_API_KEY=x\n"),
    ("gemini", ".env", "GOOGLE_GENAI_USE_VERTEXAI=true\n"),
    ("gemini", "../.env", "GEMINI_API_KEY=x\n"),
    ("kimi", "~/.kimi-code/config.toml", 'default_model = "k"\n'),
    ("kimi", "~/.kimi-code/credentials/kimi.json", '{"access_token": "x"}'),
    ("opencode", "~/.config/opencode/opencode.json", '{"provider": {"ollama": {}}}'),
    ("opencode", "~/.config/opencode/plugin/auth.js", "export const Auth = 1"),
    ("opencode", "opencode.jsonc", '{"provider": {"ours": {}}}'),
    ("opencode", ".opencode/plugin/auth.ts", "export const Auth = 1"),
    ("opencode", ".env", "OPENROUTER_API_KEY=x\n"),
    ("pi", "~/.pi/agent/models.json", '{"providers": {"ours": {}}}'),
    ("pi", "~/.pi/agent/extensions/provider.ts", "export default 1"),
    ("pi", "~/.pi/agent/settings.json", '{"defaultProvider": "ours"}'),
    ("qwen", "~/.qwen/settings.json", '{"security": {"auth": {"selectedType": "openai"}}}'),
    ("qwen", "~/.qwen/oauth_creds.json", '{"refresh_token": "x"}'),
    ("qwen", ".qwen/.env", "OPENAI_API_KEY=x\n"),
    ("vibe", "~/.vibe/.env", "MISTRAL_API_KEY='x'\n"),
    ("vibe", "~/.vibe/config.toml", 'active_model = "local"\n'),
]
#: What a CLI leaves at its first start, and what says nothing about a log-in.
NOTHING = [
    ("aider", "~/.aider.conf.yml", "# model: ollama/qwen\ndark-mode: true\nauto-lint: false\n"),
    ("aider", ".env", "# OPENAI_API_KEY=\nPORT=3000\nDEBUG=1\n"),
    ("aider", "~/.aider/oauth-keys.env", "\n"),
    ("claude", "~/.claude.json", '{"machineID": "6a", "userID": "c6", "migrationVersion": 13}'),
    ("claude", "~/.claude/settings.json", '{"permissions": {"allow": ["Bash(make test)"]}, "model": "opus"}'),
    ("cline", "~/.cline/data/settings/providers.json", CLINE_FRESH),
    (
        "codex",
        "~/.codex/config.toml",
        'model = "g"\n# model_provider = "x"\n[projects."/w"]\ntrust_level = "full"\n',
    ),
    ("copilot", "~/.copilot/config.json", '// User settings belong in settings.json.\n{"firstLaunchAt": "2026-11-29"}'),
    ("gemini", "~/.gemini/settings.json", '{"ui": {"theme": "GitHub"}}'),
    ("gemini", "../.env", "PORT=3000\n"),
    ("kimi", "~/.kimi-code/config.toml", 'theme = "dark"\n'),
    ("opencode", "~/.config/opencode/opencode.json", '{"$schema": "https://opencode.ai/config.json", "theme": "x"}'),
    ("opencode", "~/.local/share/opencode/auth.json", "{}"),
    ("pi", "~/.pi/agent/auth.json", "{}"),
    ("pi", "~/.pi/agent/models-store.json", "{}"),
    ("pi", "~/.pi/agent/settings.json", '{"theme": "dark"}'),
    ("qwen", "~/.qwen/settings.json", '{"ui": {}}'),
]
CLIS = sorted({*KEPT, *(cli for cli, _, _ in DOUBTS)})


@pytest.mark.parametrize("cli", CLIS)
def test_where_no_trace_of_a_log_in_is_there_is_none(machine: Machine, cli: str) -> None:
    assert machine.told(cli) is None, "it is not installed"
    machine.install(cli)
    assert machine.told(cli) is False
    machine.install(cli, "\x7fELF")
    assert machine.told(cli) is False


@pytest.mark.parametrize(("cli", "file"), KEPT.items())
def test_a_log_in_is_found(machine: Machine, cli: str, file: str) -> None:
    machine.install(cli)
    machine.write(file, '{"token": "x"}')
    assert machine.told(cli) is True


@pytest.mark.parametrize(("cli", "file", "text"), DOUBTS)
def test_what_may_be_another_way_in_is_a_doubt(machine: Machine, cli: str, file: str, text: str) -> None:
    machine.install(cli)
    machine.write(file, text)
    assert machine.told(cli) is None


@pytest.mark.parametrize(("cli", "file", "text"), NOTHING)
def test_what_says_nothing_about_it_is_no_doubt(machine: Machine, cli: str, file: str, text: str) -> None:
    machine.install(cli)
    machine.write(file, text)
    assert machine.told(cli) is False


@pytest.mark.parametrize("cli", CLIS)
def test_what_the_town_gives_it_is_a_doubt(machine: Machine, cli: str, tmp_path: Path) -> None:
    """A key, another service, another home: any variable; and whatever file it is shown besides its own."""
    machine.install(cli)
    for given in ({"env": {"ANY": "x"}}, {"readable": [str(tmp_path / "x")]}, {"writable": [str(tmp_path / "x")]}):
        machine.values = {"agent_clis": {cli: given}}
        assert machine.told(cli) is None
    machine.values = {"workspace": {"env": {"ANY": "x"}}}
    assert machine.told(cli) is None
    machine.values = {"agent_clis": {cli: {"timeout": 60}}}
    assert machine.told(cli) is False


@pytest.mark.parametrize("cli", CLIS)
def test_a_program_of_somebody_else_may_bring_a_key(machine: Machine, cli: str) -> None:
    for text in (
        '#!/bin/sh\nexport KEY=x\nexec real "$@"\n',
        "#!/usr/bin/python3\nimport os\nfrom subprocess import run\n",
    ):
        machine.install(cli, text)
        assert machine.told(cli) is None


def test_a_command_of_ones_own_is_never_judged(machine: Machine) -> None:
    machine.install("claude")
    machine.values = {"agent_clis": {"claude": {"command": "claude --print"}}}
    assert machine.told("claude") is None
    driver = plugins.driver("claude", AgentCliSettings(command="claude --print"))
    assert not isinstance(driver, KnowsLogin)


def test_of_a_cli_that_nobody_could_try_nothing_is_said(machine: Machine) -> None:
    machine.install("cursor")
    assert machine.told("cursor") is None


@pytest.mark.parametrize("cli", ["claude", "copilot"])
def test_a_keychain_is_a_doubt(machine: Machine, monkeypatch: pytest.MonkeyPatch, cli: str) -> None:
    machine.install(cli)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.told(cli) is None


def test_what_cannot_be_read_is_a_doubt(machine: Machine) -> None:
    """A folder in the place of a file with something in it, a huge file, a loop of links."""
    machine.install("claude")
    loop = machine.home / ".claude" / ".credentials.json"
    loop.parent.mkdir()
    loop.symlink_to(loop)
    assert machine.told("claude") is None
    loop.unlink()
    machine.write("~/.claude/settings.json", " " * (2 << 20))
    assert machine.told("claude") is None


def test_an_account_in_the_database_of_opencode_is_a_doubt(machine: Machine) -> None:
    machine.install("opencode")
    file = machine.home / ".local/share/opencode/opencode.db"
    file.parent.mkdir(parents=True)
    opened = sqlite3.connect(file)
    opened.execute("CREATE TABLE account (id text)")
    opened.commit()
    assert machine.told("opencode") is False
    assert [path.name for path in file.parent.iterdir()] == ["opencode.db"]
    opened.execute("INSERT INTO account VALUES ('ann')")
    opened.commit()
    opened.close()
    assert machine.told("opencode") is None
    file.write_text("no database")
    assert machine.told("opencode") is None
