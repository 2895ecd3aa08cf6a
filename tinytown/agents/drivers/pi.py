"""pi, checked with 1.6.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.agents import providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Output, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, within
from tinytown.agents.excerpts import exact_json, exactly, split
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

_READABLE = "AGENTS.md extensions git models-store.json npm prompts settings.json skills themes keybindings.json"
#: Extensions and packages may bring providers.
_WAYS = Ways(
    kept=["~/.pi/agent/auth.json"],
    settings={
        "~/.pi/agent/settings.json": r"(?i)provider|package|extension|key|url",
        **{f"~/.pi/agent/{name}": "" for name in ("models.json", "extensions", "git", "npm")},
    },
)
#: Where nobody is logged in it says this and no more.
_NO_KEY = re.compile(r"^No (?:API key found|models? (?:available|selected))", re.MULTILINE)
#: "401: {…}": the status that the model's service gave.
_STATUS = re.compile(r"\A(\d{3}): ")
#: Its service asks for a pause that it finds too long.
_ASKED = re.compile(r"\bServer requested (\d{1,7})s retry delay")


class PiDriver(VendorDriver):
    """``pi -p --mode json``: the brief is its stdin, the answer a stream of JSON events. It exits with 0 on errors too.

    It resumes a session only in the folder of its beginning, so it goes on with a copy of it: ``--fork``.
    """

    program = "pi"
    ways = _WAYS
    own_lines = re.compile(r"Error: |No API key found|No models? |No session found")
    house_rules = ("AGENTS.md", "CLAUDE.md")
    configures = (".pi", ".agents", "AGENTS.md", "AGENTS.override.md", "CLAUDE.md")

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "PI_CODING_AGENT_DIR", ".pi/agent")
        models, kept = home / "models.json", home / "auth.json"
        choice = _choice(providers.json_of(home / "settings.json"), [
            *providers.json_of(kept), *records.mapping(providers.json_of(models), "providers"),
        ])  # fmt: skip
        # Extensions and settings in the repository are programs that somebody else wrote.
        argv = [self.program, "-p", "--mode", "json", "--no-approve"]
        if request.review:
            argv += ["--no-context-files", "--tools", "read,grep,find,ls"]
        if request.session is not None:
            argv += ["--fork", request.session]
        return Invocation(
            argv=argv,
            stdin=request.prompt,
            env={"PI_SKIP_VERSION_CHECK": "1", "PI_TELEMETRY": "0"},
            streams=True,
            readable=within(home, _READABLE),
            excerpts={models: exact_json([*split("$schema"), *(exactly("providers", n) for n in choice.names)])},
            parts={kept: choice.entries()},
            undecided=choice.undecided(kept, models),
            sessions=[home],
        )

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """Its tries are turns that end with an error."""
        kind = record.get("type")
        if (
            kind in ("auto_retry_start", "auto_retry_end")
            or records.mapping(record, "message").get("stopReason") == "error"
        ):
            return "trouble"
        return "frame" if kind in ("agent_start", "agent_end", "turn_start", "message_start") else "work"

    def read(self, output: Output) -> Said:
        text, session, tokens, cost, ended, error = "", None, None, None, False, None
        for event in records.lines(output.stdout):
            message = records.mapping(event, "message")
            match event.get("type"):
                case "session":
                    session = records.string(event, "id")
                case "message_end" if message.get("role") == "assistant":
                    text = _text(message) or text
                    tokens = records.add(tokens, records.whole(records.mapping(message, "usage"), "totalTokens"))
                    cost = records.add(cost, records.number(records.mapping(message, "usage", "cost"), "total"))
                    failed = message.get("stopReason") in ("error", "aborted")
                    error = (records.string(message, "errorMessage") or "it says that it failed") if failed else None
                case "agent_settled":
                    ended = True
                    if event.get("aborted") is True:
                        error = error or "it was aborted"
        asked = _ASKED.search(error) if error else None
        return Said(
            of_run=True,
            text=text,
            session=session,
            cost_usd=cost,
            tokens=None if tokens is None else int(tokens),
            ended=ended,
            error=error,
            status=records.status(error, _STATUS),
            retry_after=float(asked[1]) if asked else None,
            outcome=Outcome.NOT_LOGGED_IN if not ended and _NO_KEY.search(output.stderr) else None,
            other_output=other_output(output.stdout),
        )


def _choice(settings: Mapping[str, Any], known: Sequence[str]) -> providers.Choice:
    """It begins with its user's default, or with the first of the models that they let it use."""
    told = [name for name in [records.string(settings, "defaultProvider")] if name]
    first = next(iter(records.sequence(settings, "enabledModels")), None)
    told += [name for name in providers.provider_of(first) if name in known]
    return providers.choose(told, known, "choose a model in pi, or write `defaultProvider` in its settings.json")


def _text(message: object) -> str:
    parts = records.sequence(message, "content")
    return "\n".join(text for part in parts if (text := records.string(part, "text")))
