"""opencode, checked with 1.18.33."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinytown.agents import causes, clock, providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import LONGEST_WAIT, Invocation, Opening, Output, Place, Request, Sort
from tinytown.agents.drivers.vendor import VendorDriver, other_output, within
from tinytown.agents.excerpts import exact_json, exactly, json_fields, split
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Without a log-in it would send the code to free models that its vendor hosts. Nobody asked for that.
CONFIG = {"disabled_providers": ["opencode"]}
#: What it may not do in a review; all else is allowed.
_ONLY_READS = {"permission": {"bash": "deny", "edit": "deny", "task": "deny"}}
#: Type of the record that tells of a pause before its next try.
_WAITING = "tinytown.waiting"
#: Reasons of a step's end that are none: what came was cut, or no answer at all.
_CUT = ("unknown", "error")
#: It waits in silence for as long as its service asks, be it hours. With this it says so. A step that was cut it takes
#: again at once, ten times a second and without end: with this, after a pause that doubles up to half a minute.
PLUGIN = f"""\
export const Waiting = async () => {{
  let cut = 0
  return {{
    event: async ({{ event }}) => {{
      const {{ part, status }} = event.properties ?? {{}}
      if (event.type === "message.part.updated" && part?.type === "step-finish")
        cut = {json.dumps(_CUT)}.includes(part.reason) ? cut + 1 : 0
      if (event.type !== "session.status" || status?.type !== "retry") return
      const secs = (status.next - Date.now()) / 1000
      const record = {{ type: "{_WAITING}", message: status.message, secs }}
      process.stdout.write("\\n" + JSON.stringify(record) + "\\n")
    }},
    "chat.params": async () => {{
      if (cut > 0) await new Promise((on) => setTimeout(on, Math.min(2 ** cut, 30) * 1000))
    }},
  }}
}}
"""
#: With these it obeys its user's configuration alone.
_NOT_THE_REPOSITORYS = {"OPENCODE_DISABLE_PROJECT_CONFIG": "1", "OPENCODE_DISABLE_CLAUDE_CODE": "1"}
_READABLE = "AGENTS.md agent agents command commands mode modes plugin plugins skill skills themes tool tools tui.json"
#: Not the servers of other services with their keys.
_SETTINGS = split(
    "$schema model small_model enabled_providers disabled_providers agent mode command instructions tools "
    "permission default_agent username autoupdate share snapshot compaction plugin formatter theme keybinds tui layout "
    "lsp.*.command lsp.*.extensions lsp.*.disabled"
)
_NAMES = ("config.json", "opencode.json", "opencode.jsonc")
#: Settings with entries that may each have a model of its own; and how a text of the same folders names one.
_WITH_MODELS = ("agent", "mode", "command")
_MODEL = re.compile(r"^model:[ \t]*[\"']?([^\s\"'/]+)/", re.MULTILINE)
_TEXTS = 200
#: The models that somebody chose last, the newest first.
_RECENT = json_fields("recent")
_REMEDY = "write `model` in opencode.json"
#: A provider with a key or at an address of the user's, or an extension that brings one.
_OTHER_WAYS = r"(?i)provider|plugin|key|url|token|auth"
_CONFIG = ("opencode.json", "opencode.jsonc", "config.json", "config", "plugin", "plugins")
_WAYS = Ways(
    kept=["~/.local/share/opencode/auth.json"],
    settings={
        **{f"~/.config/opencode/{name}": _OTHER_WAYS for name in _CONFIG},
        **dict.fromkeys(("opencode.json", "opencode.jsonc"), _OTHER_WAYS),
        **dict.fromkeys((".opencode", "~/.opencode", "/etc/opencode"), ""),
    },
    dotenv=[".env"],
)
#: Its database, which may hold an account of its vendor's console.
_DATABASE = ".local/share/opencode/opencode.db"


class OpencodeDriver(VendorDriver):
    """``opencode run --format json``: the brief is its stdin, the answer a stream of JSON records.

    A session belongs to its folder: resumed in another one it is waited for without end, so none is resumed.
    """

    program = "opencode"
    hosts = ("opencode.ai", "api.opencode.ai", "models.dev")
    ways = _WAYS
    house_rules = ("AGENTS.md",)
    configures = (
        ".opencode",
        "opencode.json",
        "opencode.jsonc",
        ".claude",
        ".agents",
        "AGENTS.md",
        "CLAUDE.md",
        "CONTEXT.md",
    )

    def invocation(self, request: Request) -> Invocation:
        config = self._folder(request, "XDG_CONFIG_HOME", ".config") / "opencode"
        data = self._folder(request, "XDG_DATA_HOME", ".local/share") / "opencode"
        cache = self._folder(request, "XDG_CACHE_HOME", ".cache") / "opencode"
        state = self._folder(request, "XDG_STATE_HOME", ".local/state") / "opencode"
        own = self._env.get("OPENCODE_CONFIG")
        files = [*within(config, _NAMES), *([Path(own)] if own else [])]
        choice = self._choice(request, files, state / "model.json", data / "auth.json")
        settings = exact_json([*_SETTINGS, *(exactly("provider", name) for name in choice.names)])
        plugin = request.prompt_file.with_name("opencode-waiting.js")
        told = {**CONFIG, **(_ONLY_READS if request.review else {}), "plugin": [plugin.as_uri()]}
        return Invocation(
            argv=[self.program, "run", "--format", "json", "--auto"],
            stdin=request.prompt,
            env={
                "OPENCODE_CONFIG_CONTENT": json.dumps(told),
                "OPENCODE_DISABLE_AUTOUPDATE": "1",
                **(_NOT_THE_REPOSITORYS if request.review else {}),
            },
            files={plugin: PLUGIN},
            streams=True,
            # Not the folder as a whole: it wants to write into it.
            readable=within(config, _READABLE),
            excerpts={**dict.fromkeys(files, settings), state / "model.json": _RECENT},
            parts={data / "auth.json": choice.entries()},
            undecided=choice.undecided(data / "auth.json", *files),
            # It has packages installed at its first start.
            caches=[cache, request.home / ".npm/_cacache"],
        )

    def _choice(self, request: Request, files: Sequence[Path], recent: Path, kept: Path) -> providers.Choice:
        """What its settings name, the later ones before the earlier; else what was used last, as it does itself."""
        said, folders = [providers.json_of(file) for file in files], [files[0].parent]
        if not request.review:
            folders.append(request.workspace / ".opencode")
            said += [providers.json_of(one / name) for one in (request.workspace, folders[1]) for name in _NAMES[1:]]
        said.append(providers.json_in(self._env.get("OPENCODE_CONFIG_CONTENT", "")))
        logins = providers.json_of(kept)
        own = list(dict.fromkeys(name for one in said for name in records.mapping(one, "provider")))
        told = providers.provider_of(next((one["model"] for one in reversed(said) if "model" in one), None))
        if not told:
            last = [records.string(one, "providerID") for one in records.sequence(providers.json_of(recent), "recent")]
            told = [name for name in last if name and (name in own or name in logins)][:1]
        wanted = next((one["enabled_providers"] for one in reversed(said) if "enabled_providers" in one), None)
        # Where the user has some of their own, it takes one of them.
        known = [name for name in own or logins if not isinstance(wanted, list) or name in wanted]
        choice = providers.choose(told, known, _REMEDY)
        names = [*choice.names, *_others(said, folders)]
        if not {*names} & {*own, *logins}:
            # An organization's settings may bring it, which it fetches with a log-in of their own.
            names += [name for name in logins if records.string(logins[name], "type") == "wellknown"]
        return replace(choice, names=list(dict.fromkeys(names)))

    def logged_in(self, place: Place) -> bool | None:
        """An account of its vendor's console is another way in."""
        told = super().logged_in(place)
        return None if told is False and _may_have_account(place.home / _DATABASE) else told

    def conversation(self, opening: Opening) -> Sequence[str]:
        return [self.program, "--prompt", opening.words]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """A stream that was cut ends a step for no reason that is known; it then takes the step again, without end."""
        kind = record.get("type")
        cut = kind == "step_finish" and records.string(record.get("part"), "reason") in _CUT
        if kind == _WAITING and (records.number(record, "secs") or 0) > LONGEST_WAIT:
            return "wait"
        if cut or kind in ("error", _WAITING):
            return "trouble"
        return "frame" if kind in ("step_start", "text") else "work"

    def read(self, output: Output) -> Said:
        texts: list[str] = []
        session: str | None = None
        tokens: float | None = None
        cost: float | None = None
        ended, error, status, wait = False, None, None, None
        outcome: Outcome | None = None
        for event in records.lines(output.stdout):
            session = session or records.string(event, "sessionID")
            part = records.mapping(event, "part")
            match event.get("type"):
                case "step_start":
                    ended, error, status, wait, outcome, texts = False, None, None, None, None, []
                case "text":
                    texts.append(records.string(part, "text") or "")
                case "step_finish":
                    ended = True
                    if records.string(part, "reason") in _CUT:
                        error, outcome = "its model's answer was cut", Outcome.UNREACHABLE
                    used = records.mapping(part, "tokens")
                    cached = records.total(records.mapping(used, "cache"), "read", "write")
                    tokens = records.add(
                        tokens, records.add(records.total(used, "input", "output", "reasoning"), cached)
                    )
                    cost = records.add(cost, records.number(part, "cost"))
                case kind if kind == _WAITING:
                    ended, error = True, records.string(event, "message") or "it waits for its service"
                    wait = records.number(event, "secs")
                    outcome = causes.of_words(error) or Outcome.UNREACHABLE
                case "error":
                    ended, outcome = True, None
                    problem = records.mapping(event, "error")
                    data = records.mapping(problem, "data")
                    error = (
                        records.string(data, "message") or records.string(problem, "name") or "it says that it failed"
                    )
                    status = records.whole(data, "statusCode")
                    wait = _wait(records.mapping(data, "responseHeaders"))
        return Said(
            of_run=True,
            text="\n".join(texts),
            session=session,
            cost_usd=cost,
            tokens=None if tokens is None else int(tokens),
            ended=ended,
            error=error,
            status=status,
            outcome=outcome,
            retry_after=wait,
            other_output=other_output(output.stdout),
        )


def _others(said: Sequence[Mapping[str, Any]], folders: Sequence[Path]) -> Iterator[str]:
    """The providers of the models that it uses for titles, agents and commands."""
    for one in said:
        yield from providers.provider_of(one.get("small_model"))
        for kind in _WITH_MODELS:
            for entry in records.mapping(one, kind).values():
                yield from providers.provider_of(records.string(entry, "model"))
    kinds = (folder / f"{kind}{s}" for folder in folders for kind in _WITH_MODELS for s in ("", "s"))
    for text in itertools.islice((path for kind in kinds for path in sorted(kind.glob("*.md"))), _TEXTS):
        yield from _MODEL.findall(providers.text_of(text))


def _may_have_account(database: Path) -> bool:
    """``False`` if its database certainly holds no account."""
    if not database.exists():
        return False
    # Where nothing waits to be written into it, it is read as it is: no file is made beside it.
    alone = not database.with_name(f"{database.name}-wal").exists()
    mode = "immutable=1" if alone else "mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?{mode}", uri=True, timeout=0.5)) as opened:
            return bool(opened.execute("SELECT count(*) FROM account").fetchone()[0])
    except sqlite3.Error:
        return True


def _wait(headers: Mapping[str, Any]) -> float | None:
    """Seconds that the service asks to wait for; the other form of this header, a date, stands for none."""
    found = records.string(headers, "retry-after")
    return clock.duration(found) if found else None
