"""Mistral Vibe, checked with 3.0.2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinytown.agents import providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Output, Request
from tinytown.agents.drivers.vendor import VendorDriver, within
from tinytown.agents.excerpts import fields, split, variables
from tinytown.agents.login import Ways, python_script
from tinytown.missions.states import Outcome

#: Seconds in which it tries one request again: its default of five minutes hides a limit.
MAX_RETRY_SECS = "30"
_ENV = {
    "VIBE_API_RETRY_MAX_ELAPSED_TIME": MAX_RETRY_SECS,
    # It would ask the desktop's keyring, and wait for an answer.
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}
_READABLE = "AGENTS.md agents prompts skills tools"
_FIELDS = split(
    "active_* providers models enable_* disable_* enabled_* disabled_* auto_* system_prompt_id tools include_* "
    "project_context api_* default_agent theme textual_theme"
)
#: The provider that it has built in, and the variable of its key.
_OWN, _OWN_KEY = "mistral", "MISTRAL_API_KEY"
#: The desktop's keyring is not asked, see below.
_OTHER_WAYS = r"(?i)model|provider|key|url|\benv"
_WAYS = Ways(
    settings={"~/.vibe/config.toml": _OTHER_WAYS, ".vibe/config.toml": _OTHER_WAYS},
    dotenv=["~/.vibe/.env", ".env", ".vibe/.env"],
    script=python_script("vibe"),
)
#: The lines on stderr that end a run which failed: of a refusal the service's own words come last.
_FAILED = re.compile(r"^Error: ([^\n]*(?:\n[^\n]+){0,5})", re.MULTILINE)
#: How it begins to say why, where its client of HTTP does not: behind it stands the name of an exception.
_OUTCOMES = (
    (re.compile(r"Missing \w+ environment variable"), Outcome.NOT_LOGGED_IN),
    (re.compile(r"The model request (?:failed|timed out) \(|Timed out connecting to"), Outcome.UNREACHABLE),
)
_STATUS = re.compile(r"\b(?:status|HTTP|error)[ :=]{1,2}'?(\d{3})\b", re.IGNORECASE)


class VibeDriver(VendorDriver):
    """``vibe --output json``: the brief is a file, the answer one JSON array. It tells neither cost nor tokens.

    It finds sessions by their folder, so none is resumed.
    """

    program = "vibe"
    hosts = ("api.mistral.ai",)
    ways = _WAYS
    house_rules = ("AGENTS.md",)
    configures = (".vibe", ".agents", "AGENTS.md")

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "VIBE_HOME", ".vibe")
        said = [] if request.review else [providers.toml_of(request.workspace / ".vibe/config.toml")]
        provider, key = self._used([*said, providers.toml_of(home / "config.toml")])
        argv = [
            self.program,
            "--prompt-file",
            str(request.prompt_file),
            "--output",
            "json",
            "--auto-approve",
            "--trust",
        ]
        if request.review:
            # In this way all others are disabled.
            argv += ["--enabled-tools", "read_file", "--enabled-tools", "grep"]
        return Invocation(
            argv=argv,
            env=_ENV,
            readable=[request.prompt_file, *within(home, _READABLE)],
            excerpts={
                home / ".env": variables(rf"{re.escape(key)}|VIBE_\w+" if key else r"VIBE_\w+"),
                home / "config.toml": _Settings(provider),
            },
        )

    def _used(self, said: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
        """The provider of the active model, and the variable of its key; the first of the settings win."""
        models = [one for settings in said for one in records.sequence(settings, "models")]
        entries = [one for settings in said for one in records.sequence(settings, "providers")]
        active = self._env.get("VIBE_ACTIVE_MODEL") or next(
            (name for settings in said if (name := records.string(settings, "active_model"))), ""
        )
        named = [
            one for one in models if active and active in (records.string(one, "alias"), records.string(one, "name"))
        ]
        name = next((name for one in named if (name := records.string(one, "provider"))), _OWN)
        entry: Mapping[str, Any] = next((one for one in entries if records.string(one, "name") == name), {})
        return name, records.string(entry, "api_key_env_var") or (_OWN_KEY if name == _OWN else "")

    def read(self, output: Output) -> Said:
        found = records.document(output.stdout)
        entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        answers = [entry for entry in entries if entry.get("role") == "assistant"]
        text = next((words for entry in reversed(answers) if (words := _text(entry))), "")
        session = next((name for entry in entries if (name := records.string(entry, "sessionId"))), None)
        error, status = records.failure(output.stderr, _FAILED, _STATUS)
        return Said(
            text=text,
            session=session,
            ended=bool(answers),
            error=error,
            status=status,
            outcome=next((what for words, what in _OUTCOMES if error and words.search(error)), None),
            other_output="" if entries else output.stdout,
        )


@dataclass(frozen=True)
class _Settings:
    """Of its settings what it needs, with one of the entries of providers."""

    provider: str

    def __call__(self, text: str) -> str:
        import tomlkit

        part = fields(tomlkit.parse(text).unwrap(), _FIELDS)
        if isinstance(part.get("providers"), list):
            part["providers"] = [one for one in part["providers"] if records.string(one, "name") == self.provider]
        return tomlkit.dumps(part)


def _text(entry: dict[str, Any]) -> str:
    parts = records.sequence(entry, "content")
    return "\n".join(text for part in parts if (text := records.string(part, "text")))
