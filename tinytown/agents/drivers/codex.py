"""Codex, checked with 0.171.0; and the same with a smaller model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.agents import providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import LONGEST_WAIT, Invocation, Opening, Output, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, within
from tinytown.agents.excerpts import exact_toml, exactly, split
from tinytown.agents.login import Ways

#: Name of the entry for a service at another address. Its built-in one tries websockets first, which takes 6 s a run.
PROVIDER = "ours"
#: Retries of a request, and of a stream that ended early.
MAX_RETRIES = 3
#: Model of ``codex-mini``: the vendor's small one for coding.
MINI_MODEL = "gpt-5.4-mini"
_READABLE = "AGENTS.md prompts rules skills"
#: Not the servers of other services with their keys, nor programs to be run.
_FIELDS = split(
    "model model_[!p]* model_provider review_model profile profiles approval_policy sandbox_mode preferred_auth_method "
    "forced_login_method forced_chatgpt_workspace_id chatgpt_base_url openai_base_url cli_auth_credentials_store "
    "hide_agent_reasoning show_raw_agent_reasoning oss_provider personality service_tier features project_doc_* "
    "developer_instructions instructions web_search tools disable_response_storage"
)
#: Another service, a local model, or the keyring.
_OTHER_WAYS = r"(?i)provider|credential|auth|key|token|profile|oss|url|\benv"
_WAYS = Ways(
    kept=["~/.codex/auth.json"],
    settings={
        "~/.codex/config.toml": _OTHER_WAYS,
        ".codex/config.toml": _OTHER_WAYS,
        "~/.codex/.env": "",
        "/etc/codex": "",
    },
)
_STATUS = re.compile(r"status:? (\d{3})\b")
#: It waits in silence for as long as its service asks, be it hours. With this it says so, on stderr.
LOG = "codex_core::responses_retry=warn"
_WAITING = re.compile(r"retrying \w+ request \(\d+/\d+ in (\d+(?:\.\d+)?)s\)(?:.*\bsampling_error=(.+))?")


class CodexDriver(VendorDriver):
    """``codex exec --json``: the brief is its stdin, the answer a stream of JSON events. It tells no cost."""

    program = "codex"
    hosts = ("api.openai.com", "auth.openai.com", "chatgpt.com")
    ways = _WAYS
    check_sees_all = False
    house_rules = ("AGENTS.md",)
    configures = (".codex", ".agents", "AGENTS.md", "AGENTS.override.md")
    model: str | None = None

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "CODEX_HOME", ".codex")
        config = home / "config.toml"
        used = [] if "OPENAI_BASE_URL" in self._env else _providers(providers.toml_of(config))
        argv = [self.program, "exec", "--json", "--skip-git-repo-check"]
        if "RUST_LOG" not in self._env:
            # Not for what its agent runs: empty it is as good as unset.
            argv += ["-c", 'shell_environment_policy.set.RUST_LOG=""']
        # Its own sandbox does not work inside another one.
        alone = "read-only" if request.review else "workspace-write"
        argv += ["--dangerously-bypass-approvals-and-sandbox"] if request.sandboxed else ["-s", alone]
        if request.review:
            # Neither the repository's instructions nor, whatever the user trusts, its settings.
            trust = f"projects.{json.dumps(str(request.workspace))}.trust_level"
            argv += ["-c", "project_doc_max_bytes=0", "-c", f'{trust}="untrusted"']
        if self.model is not None:
            argv += ["-m", self.model]
        argv += self._service("CODEX_API_KEY")
        argv += ["resume", request.session, "-"] if request.session is not None else ["-"]
        key = self._env.get("OPENAI_API_KEY")
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            # The usual variable says nothing to it, either; one of its own wins.
            env={"RUST_LOG": LOG, **({"CODEX_API_KEY": key} if key else {})},
            streams=True,
            # Its only way to read a file.
            programs=("sh", "bash"),
            readable=within(home, _READABLE),
            excerpts={config: exact_toml([*_FIELDS, *(exactly("model_providers", name) for name in used)])},
            writable=within(home, "auth.json"),
            sessions=[home],
        )

    def conversation(self, opening: Opening) -> Sequence[str]:
        model = ["-m", self.model] if self.model is not None else []
        key = "CODEX_API_KEY" if "CODEX_API_KEY" in self._env else "OPENAI_API_KEY"
        return [self.program, *model, *self._service(key), opening.words]

    def _service(self, key: str) -> list[str]:
        """The variable of its address alone says nothing to it; ``key`` is the one that has its key, if it has one."""
        base_url = self._env.get("OPENAI_BASE_URL")
        keyed = bool({"CODEX_API_KEY", "OPENAI_API_KEY"} & set(self._env))
        told = _provider(base_url, key if keyed else None) if base_url else {}
        return [word for name, value in told.items() for word in ("-c", f"{name}={json.dumps(value)}")]

    def login_check(self) -> Sequence[str] | None:
        """Exits with 1 where nobody is logged in; it looks neither at a key in the environment nor at a provider."""
        keys = {"CODEX_API_KEY", "OPENAI_API_KEY"}
        return None if keys & set(self._env) else [self.program, "login", "status"]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """It says "Reconnecting..." for ever while the network is away."""
        return "trouble" if record.get("type") == "error" else "work"

    def waits(self, line: str) -> bool:
        """It writes its log there."""
        return _wait(line) is not None

    def read(self, output: Output) -> Said:
        text, session, tokens, ended, error = "", None, None, False, None
        counters: dict[str, float] = {}
        for event in records.lines(output.stdout):
            item = records.mapping(event, "item")
            match event.get("type"):
                case "thread.started":
                    session = records.string(event, "thread_id")
                case "turn.started":
                    ended, error = False, None
                case "item.completed" if item.get("type") == "agent_message":
                    text = records.string(item, "text") or text
                case "turn.completed":
                    ended, error = True, None
                    # Cached input is part of the input, reasoning of the output.
                    usage = records.mapping(event, "usage")
                    tokens = records.total(usage, "input_tokens", "output_tokens")
                    counters = records.numbers(usage)
                case "turn.failed":
                    ended = True
                    error = records.string(records.mapping(event, "error"), "message") or "the turn failed"
                case "error" if not ended:
                    error = records.string(event, "message") or "it says that it failed"
        # It was ended while it waited for its next try.
        wait = None if ended else next(filter(None, map(_wait, reversed(output.stderr.splitlines()))), None)
        secs, error = wait or (None, error)
        return Said(
            text=text,
            session=session,
            tokens=tokens,
            counters=counters,
            ended=ended,
            error=error,
            retry_after=secs,
            status=records.status(error, _STATUS),
            other_output=other_output(output.stdout),
        )


def _wait(line: str) -> tuple[float, str] | None:
    """How many seconds it now waits, if that is too long, and for what error."""
    found = _WAITING.search(line)
    secs = float(found[1]) if found else 0.0
    return (secs, found[2] or "it waits for its service") if found and secs > LONGEST_WAIT else None


def _providers(settings: Mapping[str, Any]) -> list[str]:
    """The entries of other services that it may use: its user's, and that of their profile."""
    profile = records.string(settings, "profile")
    said = [settings, records.mapping(settings, "profiles", profile) if profile else {}]
    return list(dict.fromkeys(name for one in said if (name := records.string(one, "model_provider"))))


def _provider(base_url: str, key: str | None) -> dict[str, str | int | bool]:
    """Its settings for a service that speaks its protocol at ``base_url``; without a key its log-in is used."""
    entry = f"model_providers.{PROVIDER}"
    return {
        "model_provider": PROVIDER,
        f"{entry}.name": PROVIDER,
        f"{entry}.base_url": base_url,
        f"{entry}.wire_api": "responses",
        **({f"{entry}.env_key": key} if key else {f"{entry}.requires_openai_auth": True}),
        f"{entry}.request_max_retries": MAX_RETRIES,
        f"{entry}.stream_max_retries": MAX_RETRIES,
    }


class CodexMiniDriver(CodexDriver):
    """Codex with a smaller model."""

    model = MINI_MODEL
