"""Qwen Code, checked with 0.15.10."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.agents import causes, providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Output, Request
from tinytown.agents.drivers.claude import read_records
from tinytown.agents.drivers.vendor import VendorDriver, within
from tinytown.agents.excerpts import exactly, fields, parse_json, split, variables
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Tries again, on top of seven that nothing turns off. Each waits up to five minutes while a limit lasts, and by its
#: defaults there are ten. What the user's settings say wins.
DEFAULTS = {"model": {"generationConfig": {"maxRetries": 0}}}
#: What is not there in a review: it reads, and starts nothing.
NOT_IN_REVIEWS = ("run_shell_command", "write_file", "edit", "notebook_edit", "monitor", "cron_create")
#: No extensions: they bring servers with keys of their own.
_READABLE = "QWEN.md agents commands skills"
_FIELDS = split(
    "security selectedAuthType model general context contextFileName ui output privacy theme "
    "maxSessionTurns tools.core tools.exclude tools.allowed tools.shell tools.useRipgrep coreTools excludeTools "
)
#: The ways of its log-in, and how the variables begin that belong to each.
_TYPES: Mapping[str, str] = {
    "openai": "OPENAI",
    "qwen-oauth": "QWEN",
    "anthropic": "ANTHROPIC",
    "gemini": "GEMINI|GOOGLE",
    "vertex-ai": "GEMINI|GOOGLE",
}
_REMEDY = "choose one with `/auth` in qwen, or write `security.auth.selectedType` in its settings.json"
_OTHER_WAYS = r"(?i)auth|key|provider|url|\benv"
_WAYS = Ways(
    settings={
        "~/.qwen/settings.json": _OTHER_WAYS,
        ".qwen/settings.json": _OTHER_WAYS,
        "~/.qwen/oauth_creds.json": "",
        "/etc/qwen-code": "",
        "/Library/Application Support/QwenCode": "",
    },
    dotenv=["~/.env", "~/.qwen/.env", ".env", ".qwen/.env"],
)
#: It answers with the error of the model's service, alone or after what the model had said, and calls that a success.
_ERROR = re.compile(r"^\[API Error\b[^\n]*|\[API Error: [^\n]*\]\s*\Z", re.MULTILINE)
_BARE = re.compile(r"Connection error\.?\s*\Z")
_STATUS = re.compile(r"\A\[API Error: ?(?:\w{1,20} ){0,3}(\d{3})\b")
_FENCE = "```"
_LAST_RESULT = '{"type":"result"'


@dataclasses.dataclass(frozen=True)
class _Settings:
    """Of its settings what it needs, with the models of these types and the variables that match."""

    types: tuple[str, ...]
    variable: str

    def __call__(self, text: str) -> str:
        wanted = (*_FIELDS, *(exactly("modelProviders", name) for name in self.types), ("env",))
        part = fields(parse_json(text), wanted)
        if isinstance(part.get("env"), dict):
            part["env"] = {name: value for name, value in part["env"].items() if re.fullmatch(self.variable, name)}
        return json.dumps(part, indent=2)


def _variable(said: Sequence[Mapping[str, Any]], types: Sequence[str]) -> str:
    """Pattern of the variables with which models of these types are used: of the model that is named, if there."""
    name = next((name for one in said if (name := records.string(records.mapping(one, "model"), "name"))), None)
    models = [
        model for one in said for kind in types for model in records.sequence(one.get("modelProviders"), kind)
    ]  # fmt: skip
    models = [model for model in models if records.string(model, "id") == name] or models
    keys = [re.escape(key) for model in models if (key := records.string(model, "envKey"))]
    return "|".join([*keys, *(rf"(?:{_TYPES.get(kind, 'QWEN')})_\w+" for kind in types), r"QWEN_\w+"])


class QwenDriver(VendorDriver):
    """``qwen -o json``: the brief is its stdin, the answer one JSON array in Claude Code's format.

    A session is known in its own folder alone, so none is resumed.
    """

    program = "qwen"
    hosts = ("chat.qwen.ai", "portal.qwen.ai", "dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com")
    ways = _WAYS
    house_rules = ("QWEN.md",)
    configures = (".qwen", ".agents", "QWEN.md", "AGENTS.md", ".qwenignore", ".env")

    def invocation(self, request: Request) -> Invocation:
        home = request.home / ".qwen"
        defaults = request.prompt_file.with_name("qwen-defaults.json")
        argv = [self.program, "-o", "json", "--yolo"]
        if {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & set(self._env):
            argv += ["--auth-type", "openai"]
        places = [*([] if request.review else [request.workspace / ".qwen"]), home]
        said = [providers.json_of(place / "settings.json") for place in places]
        choice = self._choice(said)
        variable = _variable(said, choice.names)
        if request.review:
            argv += [f"--exclude-tools={tool}" for tool in NOT_IN_REVIEWS]
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            env={"QWEN_CODE_SYSTEM_DEFAULTS_PATH": str(defaults)},
            files={defaults: json.dumps(DEFAULTS)},
            readable=within(home, _READABLE),
            excerpts={
                home / ".env": variables(variable),
                home / "settings.json": _Settings(tuple(choice.names), variable),
            },
            undecided=choice.undecided(home / ".env", home / "settings.json"),
            writable=within(home, "oauth_creds.json"),
        )

    def _choice(self, said: Sequence[Mapping[str, Any]]) -> providers.Choice:
        """The way of the log-in; the first of the settings win."""
        if {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & set(self._env):
            return providers.Choice(["openai"])
        told = [records.string(records.mapping(one, "security", "auth"), "selectedType") for one in said]
        told += [records.string(one, "selectedAuthType") for one in said]
        return providers.choose([name for name in told if name][:1], _TYPES, _REMEDY)

    def read(self, output: Output) -> Said:
        found = records.document(output.stdout)
        if found is None:
            # Of a long answer the middle was left out; its last record is whole.
            end = output.stdout.rfind(_LAST_RESULT)
            found = records.document(f"[{output.stdout[end:]}") if end >= 0 else None
        entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        said = read_records(entries, output, other_output="" if entries else output.stdout)
        error = _error_in(said.text)
        if error is None:
            return said
        status = records.status(error, _STATUS) or said.status
        # Without a status it broke off in the middle of an answer, for a reason that may have no known words.
        outcome = None if status else causes.of_words(error) or Outcome.UNREACHABLE
        return dataclasses.replace(said, error=error, quotes=False, status=status, outcome=outcome)


def _error_in(text: str) -> str | None:
    """The error that it put into its answer; one that the answer quotes is none."""
    if _BARE.match(text):
        return text
    found = [match for match in _ERROR.finditer(text) if text.count(_FENCE, 0, match.start()) % 2 == 0]
    if not found or text[found[-1].start() - 1 : found[-1].start()] in ("`", '"', "'"):
        return None
    # Behind it stands its advice, and perhaps when to try again.
    return text[found[-1].start() :].strip()
