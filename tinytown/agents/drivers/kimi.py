"""Kimi Code, checked with 2.1.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.agents import arguments, causes, providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import LONGEST_WAIT, Invocation, Opening, Output, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, within
from tinytown.agents.excerpts import exact_toml, exactly, split
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Requests for one answer: its default of ten takes more than five minutes while nothing answers.
MAX_ATTEMPTS = "4"
_ENV = {"KIMI_LOOP_MAX_ATTEMPTS_PER_STEP": MAX_ATTEMPTS, "KIMI_CODE_NO_AUTO_UPDATE": "1", "KIMI_DISABLE_TELEMETRY": "1"}
_READABLE = "AGENTS.md agents device_id skills"
#: Not the servers of other services with their keys, nor programs to be run.
_FIELDS = split("default_* models services loop_control thinking* show_* theme telemetry")
#: Without a model in its configuration it refuses to run. ``~/.kimi`` is that of the release before it.
_WAYS = Ways(
    settings={
        "~/.kimi-code/config.toml": r"(?i)model|provider|key|url|\benv",
        "~/.kimi-code/credentials": "",
        "~/.kimi": "",
    },
)
#: The line on stderr that ends a run which failed.
_FAILED = re.compile(r"^error: failed to run prompt: ([^\n]*)", re.MULTILINE)
_STATUS = re.compile(r"\bprovider\.\w+: (\d{3})\b")
_ERRORS = {
    "provider.auth_error": Outcome.NOT_LOGGED_IN,
    "No model configured": Outcome.NOT_LOGGED_IN,
    "provider.rate_limit": Outcome.USAGE_LIMIT,
    "provider.quota": Outcome.USAGE_LIMIT,
    "provider.connection_error": Outcome.UNREACHABLE,
}


class KimiDriver(VendorDriver):
    """``kimi -p``: the brief is an argument, the answer a stream of JSON records. It tells neither cost nor tokens.

    A brief that is too long for an argument is read from its file. A session belongs to its folder, so none is
    resumed.
    """

    program = "kimi"
    hosts = ("api.kimi.com", "auth.kimi.com", "www.kimi.com", "api.moonshot.ai", "api.moonshot.cn")
    ways = _WAYS
    house_rules = ("AGENTS.md",)
    configures = (".kimi-code", ".kimi", ".agents", ".mcp.json", "AGENTS.md")

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "KIMI_CODE_HOME", ".kimi-code")
        config = home / "config.toml"
        choice = self._choice(providers.toml_of(config))
        prompt = arguments.or_pointer(request.prompt, request.prompt_file)
        return Invocation(
            argv=[self.program, "--output-format", "stream-json", "-p", prompt],
            env=_ENV,
            streams=True,
            readable=[request.prompt_file, *within(home, _READABLE)],
            excerpts={config: exact_toml([*_FIELDS, *(exactly("providers", name) for name in choice.names)])},
            undecided=choice.undecided(config),
            writable=within(home, "credentials"),
        )

    def _choice(self, settings: Mapping[str, Any]) -> providers.Choice:
        """That of its user's default model; one that variables describe needs none."""
        if "KIMI_MODEL_NAME" in self._env:
            return providers.Choice([])
        name = records.string(settings, "default_model")
        models = records.mapping(settings, "models")
        told = records.string(models.get(name), "provider") if name else None
        told = told or records.string(settings, "default_provider")
        known = records.mapping(settings, "providers")
        return providers.choose([told] if told else [], known, "write `default_model` in its config.toml")

    def conversation(self, opening: Opening) -> Sequence[str]:  # noqa: ARG002
        """It takes nothing to begin with."""
        return [self.program]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """It tells of each try, and waits for as long as its service asks."""
        if record.get("type") != "turn.step.retrying":
            return "work"
        return "wait" if (records.number(record, "delay_ms") or 0) > LONGEST_WAIT * 1000 else "trouble"

    def read(self, output: Output) -> Said:
        text, session = "", None
        waits: Mapping[str, Any] = {}
        for event in records.lines(output.stdout):
            if event.get("role") == "assistant":
                text, waits = records.string(event, "content") or text, {}
            elif event.get("type") == "turn.step.retrying":
                waits = event
            elif event.get("type") == "session.resume_hint":
                session = records.string(event, "session_id")
        error, status = records.failure(output.stderr, _FAILED, _STATUS)
        outcome = next((what for words, what in _ERRORS.items() if error.startswith(words)), None) if error else None
        wait = None
        if waits and error is None:
            # It was ended while it waited for its next try, or gave up in the middle of an answer.
            error, status = records.string(waits, "error_message") or "it waits", records.whole(waits, "status_code")
            wait = (records.number(waits, "delay_ms") or 0) / 1000 or None
            outcome = None if status else causes.of_words(error) or Outcome.UNREACHABLE
        return Said(
            text=text,
            session=session,
            # The hint how to go on comes last, and only after an answer.
            ended=session is not None,
            error=error,
            status=status,
            retry_after=wait,
            outcome=outcome,
            other_output=other_output(output.stdout),
        )
