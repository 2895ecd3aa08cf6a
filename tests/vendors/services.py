"""A model's service for each CLI: how somebody has set it up who uses one of their own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

KEY = "sk-test"
#: The variables by which each knows the service at ``{url}`` and its ``{key}``.
SERVICES: Mapping[str, Mapping[str, str]] = {
    "aider": {"OPENAI_API_BASE": "{url}/v1", "OPENAI_API_KEY": "{key}", "AIDER_MODEL": "openai/test"},
    "claude": {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_KEY": "{key}"},
    "cline": {},
    "codex": {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{key}"},
    "copilot": {
        "COPILOT_PROVIDER_BASE_URL": "{url}/v1",
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_PROVIDER_API_KEY": "{key}",
        "COPILOT_MODEL": "test",
        "COPILOT_OFFLINE": "true",
    },
    "gemini": {"GOOGLE_GEMINI_BASE_URL": "{url}", "GEMINI_API_KEY": "{key}", "GEMINI_MODEL": "gemini-2.5-pro"},
    "kimi": {
        "KIMI_MODEL_BASE_URL": "{url}/v1",
        "KIMI_MODEL_API_KEY": "{key}",
        "KIMI_MODEL_NAME": "test",
        "KIMI_MODEL_PROVIDER_TYPE": "openai",
    },
    "opencode": {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_CONFIG": "{home}/opencode-test.json"},
    "pi": {"PI_OFFLINE": "1"},
    "qwen": {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{key}", "OPENAI_MODEL": "test"},
    "vibe": {"OURS_KEY": "{key}"},
}
CLIS = sorted(SERVICES)
#: Those that know the service from files of their own, where tinytown does not look.
BY_FILES = ("cline", "opencode", "pi", "vibe")


def require(cli: str) -> None:
    """Leave the test out where the CLI is not installed."""
    if shutil.which(cli) is None:
        newer = cli in ("vibe", "openhands")
        why = ": it needs Python 3.12 (make vendors NEWER_PYTHON=/path/to/python3.12)" if newer else ""
        pytest.skip(f"{cli} is not installed here{why}")


def known_to(cli: str, url: str, *, key: str = KEY) -> dict[str, str]:
    """Have somebody used the CLI before, with a service at ``url``; gives its variables."""
    require(cli)
    home = Path(os.environ["HOME"])
    for name, text in _files(cli, url, key).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    return {name: value.format(url=url, home=home, key=key) for name, value in SERVICES[cli].items()}


def section(cli: str, env: Mapping[str, str]) -> str:
    """What the configuration says with these variables."""
    return "\n".join(
        [f"\n[agent_clis.{cli}.env]", *(f"{name} = {json.dumps(value)}" for name, value in env.items()), ""]
    )


def ports(cli: str, url: str) -> list[int]:
    """What somebody lets into the sandbox who has such a service on this machine."""
    return [urlsplit(url).port or 80] if cli in BY_FILES else []


def _files(cli: str, url: str, key: str) -> dict[str, str]:
    """Its own files below the home, where the variables are not enough."""
    match cli:
        case "gemini":
            return {".gemini/settings.json": '{"security":{"auth":{"selectedType":"gemini-api-key"}}}'}
        case "opencode":
            options = {"baseURL": f"{url}/v1", "apiKey": key}
            provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"test": {}}}
            return {"opencode-test.json": json.dumps({"model": "ours/test", "provider": {"ours": provider}})}
        case "pi":
            ours = {"baseUrl": f"{url}/v1", "apiKey": key, "api": "openai-completions", "models": [{"id": "test"}]}
            return {
                ".pi/agent/models.json": json.dumps({"providers": {"ours": ours}}),
                ".pi/agent/settings.json": '{"defaultProvider":"ours","defaultModel":"test"}',
            }
        case "cline":
            ours = {"provider": "openai-compatible", "apiKey": key, "model": "test", "baseUrl": f"{url}/v1"}
            entry = {"settings": ours, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
            known = {"version": 1, "lastUsedProvider": "openai-compatible", "modes": {}}
            providers = {**known, "providers": {"openai-compatible": entry}}
            return {".cline/data/settings/providers.json": json.dumps(providers)}
        case "vibe":
            config = (
                'active_model = "test"\nenable_telemetry = false\nenable_auto_update = false\n\n[[providers]]\n'
                f'name = "ours"\napi_base = "{url}/v1"\napi_key_env_var = "OURS_KEY"\napi_style = "openai"\n'
                'backend = "generic"\n\n[[models]]\nname = "test"\nprovider = "ours"\nalias = "test"\n'
            )
            return {".vibe/config.toml": config}
    return {}
