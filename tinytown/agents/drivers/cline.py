"""Cline, checked with 3.0.65."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.agents import arguments, providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Opening, Output, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, within
from tinytown.agents.excerpts import JsonPart, exactly, split
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Left to itself it starts a service that outlives the run, at a port that the agents of one machine share.
_ENV = {"CLINE_SESSION_BACKEND_MODE": "local"}
#: At its first start it writes an entry of its vendor's service, without a log-in; anything more may be a way in.
_OTHER_WAYS = (
    r'"(?!(?:version|lastUsedProvider|modes|providers|cline|settings|provider|model|updatedAt|tokenSource)")[^"]*"\s*:'
    r'|"(?:provider|lastUsedProvider)"\s*:\s*"(?!cline")'
)
_WAYS = Ways(
    settings={
        "~/.cline/data/settings/providers.json": _OTHER_WAYS,
        "~/.cline/data/secrets.json": "",
        "~/.cline/data/globalState.json": "",
        "~/.cline/endpoints.json": "",
    },
    dotenv=[".env"],
)
_PROVIDERS = "settings/providers.json"
#: Its vendor's service, which it uses if nothing else was used before, and one that shares the log-in of that.
_OWN, _SHARING = "cline", "cline-pass"
_ERRORS = {"auth": Outcome.NOT_LOGGED_IN, "rate_limit": Outcome.USAGE_LIMIT, "quota": Outcome.USAGE_LIMIT}


class ClineDriver(VendorDriver):
    """``cline --json``: the brief is an argument, the answer a stream of JSON events.

    A brief that is too long for an argument is read from its file. Its output does not name its session, so none is
    resumed.
    """

    program = "cline"
    hosts = ("api.cline.bot", "app.cline.bot", "auth.cline.bot")
    ways = _WAYS
    house_rules = ("AGENTS.md", ".clinerules")
    configures = (".cline", ".clinerules", ".clineignore", ".agents", "AGENTS.md", "bunfig.toml", ".env")

    def invocation(self, request: Request) -> Invocation:
        data = self._folder(request, "CLINE_DATA_DIR", ".cline/data")
        prompt = arguments.or_pointer(request.prompt, request.prompt_file)
        return Invocation(
            argv=[self.program, "--json", prompt],
            env=_ENV,
            streams=True,
            readable=[request.prompt_file, *within(request.home / ".cline", "rules skills")],
            parts={data / _PROVIDERS: _part(providers.json_of(data / _PROVIDERS))},
        )

    def conversation(self, opening: Opening) -> Sequence[str]:
        """By itself it would ask nobody."""
        return [self.program, "-i", "--auto-approve", "false", opening.words]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """Its tries are iterations that end with an error."""
        kind = records.string(record.get("event"), "type")
        if record.get("hookEventName") == "agent_error" or kind == "error":
            return "trouble"
        return "frame" if kind == "iteration_start" or record.get("hookEventName") == "agent_start" else "work"

    def read(self, output: Output) -> Said:
        text, tokens, cost, ended, error = "", None, None, False, None
        outcome: Outcome | None = None
        for event in records.lines(output.stdout):
            inner = records.mapping(event, "event")
            match event.get("type"):
                case "agent_event" if inner.get("type") == "error":
                    outcome = _ERRORS.get(records.string(inner, "errorClass") or "")
                    error = records.string(records.mapping(inner, "error"), "message") or "it says that it failed"
                case "run_result":
                    ended = True
                    said = records.string(event, "text") or ""
                    used = records.mapping(event, "aggregateUsage") or records.mapping(event, "usage")
                    tokens = records.total(used, "inputTokens", "outputTokens")
                    cost = records.number(used, "totalCost")
                    if event.get("finishReason") == "completed":
                        text, error, outcome = said, None, None
                    else:
                        error = error or said or f"it ended as {records.string(event, 'finishReason')}"
                case "error":
                    error = error or records.string(event, "message") or "it says that it failed"
        return Said(
            text=text,
            cost_usd=cost,
            tokens=tokens,
            ended=ended,
            error=error,
            outcome=outcome,
            other_output=other_output(output.stdout),
        )


def _part(settings: Mapping[str, Any]) -> JsonPart:
    """What it keeps of the provider that was used last; where its requests go does not come home."""
    used = records.string(settings, "lastUsedProvider") or _OWN
    names = [used, _OWN] if used == _SHARING else [used]
    fields = split("settings.auth settings.apiKey updatedAt tokenSource")
    return JsonPart(
        f"of {' '.join(names)}",
        (*split("version lastUsedProvider"), *(exactly("providers", name) for name in names)),
        home=tuple((*exactly("providers", name), *field) for name in names for field in fields),
    )
