"""What each CLI finds of its own files: it starts and answers with the part that it is shown, which holds no more."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.model_server import model_server
from tests.vendors.alone import run
from tests.vendors.services import KEY, known_to

CANARY = "canary-90ab"
PROVIDERS = ".cline/data/settings/providers.json"
#: Of files that no variable stands for: what somebody keeps there, beside what ``known_to`` writes.
KEPT: dict[str, dict[str, str]] = {
    "claude": {
        ".claude.json": json.dumps({"mcpServers": {"x": {"url": CANARY}}, "projects": {"/": {"history": [CANARY]}}}),
        ".claude/settings.json": json.dumps({"hooks": {"Stop": []}, "env": {"GITHUB_TOKEN": CANARY}}),
        ".claude/skills/one/.env": f"A={CANARY}",
    },
    "codex": {".codex/config.toml": f'notify = ["{CANARY}"]\n[mcp_servers.x]\nurl = "{CANARY}"\n'},
    "copilot": {".copilot/mcp-config.json": json.dumps({"mcpServers": {"x": {"url": CANARY}}})},
    "gemini": {
        ".gemini/settings.json": json.dumps(
            {"security": {"auth": {"selectedType": "gemini-api-key"}}, "mcpServers": {"x": {"httpUrl": CANARY}}}
        ),
        ".gemini/.env": f"GITHUB_TOKEN={CANARY}\n",
    },
    "opencode": {
        ".config/opencode/opencode.jsonc": f'{{"mcp": {{"x": {{"type": "remote", "url": "{CANARY}"}}}}}}',
        ".local/share/opencode/auth.json": json.dumps({"anthropic": {"type": "api", "key": CANARY}}),
    },
    "pi": {".pi/agent/auth.json": json.dumps({"anthropic": {"type": "api_key", "key": CANARY}})},
    "cline": {
        PROVIDERS: json.dumps(
            {
                "providers": {
                    "anthropic": {
                        "settings": {"provider": "anthropic", "apiKey": CANARY},
                        "updatedAt": "2026-01-01T00:00:00.000Z",
                        "tokenSource": "manual",
                    }
                }
            }
        )
    },
    "kimi": {".kimi-code/config.toml": f'[providers.other]\ntype = "openai"\napi_key = "{CANARY}"\n'},
    "qwen": {".qwen/settings.json": json.dumps({"mcpServers": {"x": {"httpUrl": CANARY}}, "env": {"X": CANARY}})},
    "vibe": {".vibe/.env": f"GITHUB_TOKEN={CANARY}\nMISTRAL_API_KEY={CANARY}\n"},
}
#: By which variables somebody has moved those of its files without which it knows no service, and from where.
MOVED = {
    "cline": ("CLINE_DATA_DIR", ".cline/data"),
    "gemini": ("GEMINI_CLI_HOME", ""),
    "pi": ("PI_CODING_AGENT_DIR", ".pi/agent"),
    "qwen": ("QWEN_HOME", ".qwen"),
    "vibe": ("VIBE_HOME", ".vibe"),
}
#: Its sessions hold what it ran, so the word is not in it.
SEEK = f"date +%N > made.txt; grep -rl '{CANARY[:6]}''{CANARY[6:]}' $HOME > seen.txt; true"


@pytest.mark.parametrize("cli", sorted(KEPT))
def test_it_works_with_the_part_of_its_files_that_it_needs(cli: str, tmp_path: Path) -> None:
    with model_server(key=KEY, command=SEEK, closing="It is there.") as model:
        env = known_to(cli, model.url)
        for name, text in KEPT[cli].items():
            path = Path(os.environ["HOME"], name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if name == PROVIDERS:
                # What it knows already, and one more.
                known = json.loads(path.read_text(encoding="utf-8"))
                known["providers"] |= json.loads(text)["providers"]
                path.write_text(json.dumps(known), encoding="utf-8")
                continue
            path.write_text(text, encoding="utf-8")
        port = urlsplit(model.url).port
        assert port is not None
        alone = run(cli, env, tmp_path / "run", timeout=180, patience=60, loopback=[port])
    assert alone.ended.exit_code == 0, alone
    assert (tmp_path / "run/clone/made.txt").exists(), alone
    assert (tmp_path / "run/clone/seen.txt").read_text() == ""


@pytest.mark.parametrize("cli", MOVED)
def test_it_works_with_files_that_a_variable_moved(cli: str, tmp_path: Path) -> None:
    variable, folder = MOVED[cli]
    moved = tmp_path / "moved"
    with model_server(key=KEY, command="date +%N > made.txt", closing="It is there.") as model:
        env = known_to(cli, model.url)
        home = Path(os.environ["HOME"])
        if cli == "qwen":
            known = {"security": {"auth": {"selectedType": "openai"}}, "env": env}
            (home / folder).mkdir()
            (home / folder / "settings.json").write_text(json.dumps(known), encoding="utf-8")
            env = {}
        shutil.copytree(home / folder, moved)
        shutil.rmtree(home / folder)
        home.mkdir(exist_ok=True)
        alone = run(
            cli, {**env, variable: str(moved)}, tmp_path / "run", timeout=180, patience=60, loopback=[model.port]
        )  # fmt: skip
    assert alone.ended.exit_code == 0, alone
    assert (tmp_path / "run/clone/made.txt").exists(), alone
