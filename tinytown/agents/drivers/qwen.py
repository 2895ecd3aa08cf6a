"""Qwen Code, checked with 0.24.4."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.agents import causes, providers, records
from tinytown.agents.answer import Said
from tinytown.agents.driver import LONGEST_WAIT, Invocation, Opening, Output, Request, Sort
from tinytown.agents.drivers.claude import read_records
from tinytown.agents.drivers.vendor import VendorDriver, other_output, within
from tinytown.agents.excerpts import exactly, fields, parse_json, split, variables
from tinytown.agents.login import Ways
from tinytown.missions.states import Outcome

#: Tries again, on top of seven that nothing turns off: each waits up to five minutes while a limit lasts, and by its
#: defaults there are ten. And what it learns after its answer, in requests that cost, would be gone with the sandbox,
#: or lie in the clone as a skill. What the user's settings say wins.
DEFAULTS = {
    "model": {"generationConfig": {"maxRetries": 0}},
    "memory": {"enableManagedAutoMemory": False, "enableManagedAutoDream": False, "enableAutoSkill": False},
}
#: Type of the record that tells of a request which its service did not answer, or not before a long pause.
_UNANSWERED = "tinytown.unanswered"
#: It tries again in silence, and waits for as long as its service asks, be it hours. With this it says so; of a refusal
#: without such a pause it gives up by itself, with the words of its service. The script is loaded by each of the
#: processes in which it starts itself anew, and by nothing that its agent starts.
PRELOAD = (
    f"""\
const type = {json.dumps(_UNANSWERED)}
const longest = {LONGEST_WAIT}
"""
    """\
const name = require("node:path").basename(process.argv[1] ?? "")
const own = ["qwen", "cli.js", "cli-entry.js"].includes(name)
if (!own || process.env.QWEN_CODE_NO_RELAUNCH) {
  delete process.env.NODE_OPTIONS
}
if (own) {
  const { subscribe } = require("node:diagnostics_channel")
  const write = process.stdout.write.bind(process.stdout)
  const tell = (record) => write("\\n" + JSON.stringify({ type, ...record }) + "\\n")
  const asks = ({ method, path }) =>
    method === "POST" && /completions|responses|messages|generateContent/i.test(String(path))
  const pause = (headers) => {
    const at = headers.findIndex((one, n) => n % 2 === 0 && String(one).toLowerCase() === "retry-after")
    const said = at < 0 ? "0" : String(headers[at + 1])
    return Number.isFinite(Number(said)) ? Number(said) : Math.max(0, (Date.parse(said) - Date.now()) / 1000 || 0)
  }
  subscribe("undici:request:headers", ({ request, response }) => {
    const status = response.statusCode
    const secs = status >= 400 && asks(request) ? pause(response.headers) : 0
    if (secs > longest) tell({ status, secs })
  })
  subscribe("undici:request:error", ({ request, error }) => {
    if (error?.name !== "AbortError" && asks(request)) tell({ message: String(error?.message || error?.code || "") })
  })
}
"""
)
#: What is not there in a review: it reads, and starts nothing, nor agents that may have other tools again.
NOT_IN_REVIEWS = tuple(
    "run_shell_command write_file edit notebook_edit monitor cron_create agent enter_worktree exit_worktree "
    "record_artifact loop_wakeup".split()
)
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
    """``qwen -o stream-json``: the brief is its stdin, the answer a stream of JSON records in Claude Code's format.

    A session is known in its own folder alone, so none is resumed.
    """

    program = "qwen"
    hosts = ("chat.qwen.ai", "portal.qwen.ai", "dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com")
    ways = _WAYS
    house_rules = ("QWEN.md",)
    configures = (".qwen", ".agents", "QWEN.md", "AGENTS.md", ".qwenignore", ".env")

    def invocation(self, request: Request) -> Invocation:
        home = self._folder(request, "QWEN_HOME", ".qwen")
        defaults = request.prompt_file.with_name("qwen-defaults.json")
        preload = request.prompt_file.with_name("qwen-unanswered.cjs")
        argv = [self.program, "-o", "stream-json", "--yolo"]
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
            env={
                "QWEN_CODE_SYSTEM_DEFAULTS_PATH": str(defaults),
                # It knows no other escapes than those of quotes and backslashes. The user's own options win.
                "NODE_OPTIONS": f"--require={json.dumps(str(preload), ensure_ascii=False)}",
            },
            files={defaults: json.dumps(DEFAULTS), preload: PRELOAD},
            streams=True,
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

    def conversation(self, opening: Opening) -> Sequence[str]:
        """All of it: it reads no file that git ignores."""
        keyed = {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & set(self._env)
        return [self.program, *(["--auth-type", "openai"] if keyed else []), "-i", opening.text]

    def sort_record(self, record: dict[str, Any]) -> Sort:
        """It tells of some of its tries again, and what it is loaded with of each."""
        if record.get("type") == _UNANSWERED:
            return "wait" if (records.number(record, "secs") or 0) > LONGEST_WAIT else "trouble"
        return "trouble" if record.get("subtype") == "retry" else "work"

    def read(self, output: Output) -> Said:
        found = list(records.lines(output.stdout))
        said = read_records(found, output, other_output=other_output(output.stdout))
        last = found[-1] if found else {}
        if last.get("type") == _UNANSWERED:
            # It was ended while it waited for its next try.
            return _of_unanswered(said, last)
        error = _error_in(said.text)
        if error is None:
            return said
        status = records.status(error, _STATUS) or said.status
        # Without a status it broke off in the middle of an answer, for a reason that may have no known words.
        outcome = None if status else causes.of_words(error) or Outcome.UNREACHABLE
        return dataclasses.replace(said, error=error, quotes=False, status=status, outcome=outcome)


def _of_unanswered(said: Said, record: Mapping[str, Any]) -> Said:
    """What a run said in which nothing came after a request without an answer."""
    status = records.whole(record, "status")
    words = f"its service answered with {status}" if status else records.string(record, "message")
    return dataclasses.replace(
        said,
        ended=True,
        error=words or "its service did not answer",
        quotes=False,
        status=status,
        outcome=None if status else Outcome.UNREACHABLE,
        retry_after=records.number(record, "secs") or None,
    )


def _error_in(text: str) -> str | None:
    """The error that it put into its answer; one that the answer quotes is none."""
    if _BARE.match(text):
        return text
    found = [match for match in _ERROR.finditer(text) if text.count(_FENCE, 0, match.start()) % 2 == 0]
    if not found or text[found[-1].start() - 1 : found[-1].start()] in ("`", '"', "'"):
        return None
    # Behind it stands its advice, and perhaps when to try again.
    return text[found[-1].start() :].strip()
