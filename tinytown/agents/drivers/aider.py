"""aider, checked with 0.86.2."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tinytown.agents import providers
from tinytown.agents.answer import Said
from tinytown.agents.driver import Invocation, Opening, Output, Request
from tinytown.agents.drivers.vendor import VendorDriver, within
from tinytown.agents.excerpts import variables
from tinytown.agents.login import Ways, python_script
from tinytown.missions.states import Outcome

_ARGV = (
    "aider --yes-always --no-check-update --analytics-disable --no-show-release-notes --no-show-model-warnings "
    "--no-gitignore --no-stream --no-pretty --no-fancy-input --no-suggest-shell-commands --no-detect-urls "
    "--no-auto-commits"
).split()
#: There it writes nothing into the folder: no history, and nothing into git's configuration.
_IN_REVIEWS = ("--no-git", "--chat-history-file", os.devnull, "--input-history-file", os.devnull)
_READABLE = ".aider.model.metadata.json .aider.model.settings.yml"
#: How its models' names begin whose provider they do not name; its short names are among them.
_MODELS = (
    (re.compile(r"claude|sonnet|haiku|opus"), "anthropic"),
    (re.compile(r"gpt|chatgpt|o\d|4|3"), "openai"),
    (re.compile(r"gemini|flash"), "gemini"),
    (re.compile(r"deepseek|r1"), "deepseek"),
    (re.compile(r"quasar|optimus"), "openrouter"),
    (re.compile(r"grok"), "xai"),
)
#: Where else the keys of a provider are, besides the variables with its own name.
_ANY = ("anthropic", "deepseek", "gemini", "openai", "openrouter", "xai")
_ALSO = {"gemini": ["google"], "vertex_ai": ["google", "vertexai"], "bedrock": ["aws"], "azure": ["azure"]}
#: An entry of its settings with the lines that belong to it, and the ones that hold keys.
_ENTRY = re.compile(r"^[\"']?([A-Za-z][\w-]*)[\"']?[ \t]*:[^\n]*(?:\n(?![\"']?[A-Za-z])[^\n]*)*", re.MULTILINE)
_COMMENTS = re.compile(r"^[ \t]*#[^\n]*\n?", re.MULTILINE)
_MODEL_KEYS = ("model", "weak-model", "editor-model")
_KEYS = ("api-key", "set-env", "env-file", "openai-api-key", "anthropic-api-key")
_ITEM = re.compile(r"[\"']?([A-Za-z]\w*)=(?:[^\n,\]]*)")
_REMEDY = "write `model` in .aider.conf.yml"
#: Without a model and without a key it wants to log in at a service that it chose, in a browser, and waits for it for
#: five minutes; it has no switch for that. Of all that it wants to open, that is what must end it.
_NO_BROWSER = "sh -c 'case $0 in *openrouter.ai/auth*) kill -INT $PPID; esac' %s"
_NO_KEY = re.compile(r"^No LLM model was specified and no API keys were provided\.", re.MULTILINE)
_OTHER_WAYS = r"(?i)model|key|env|api|config|opus|sonnet|haiku|gpt|deepseek|gemini|^\s*[\"']?(?:\d|mini|o\d)"
_WAYS = Ways(
    kept=["~/.aider/oauth-keys.env"],
    settings={"~/.aider.conf.yml": _OTHER_WAYS, ".aider.conf.yml": _OTHER_WAYS},
    dotenv=["~/.env", ".env"],
    script=python_script("aider"),
)
#: "Tokens: 1.2k sent, 300 received. Cost: $0.01 message, $0.02 session."
_TOKENS = re.compile(r"\bTokens: ([\d.,]+)([kM]?) sent(?:,[^\n]*?)?, ([\d.,]+)([kM]?) received")
_COST = re.compile(r"Cost: \$([\d.,]+) message, \$([\d.,]+) session")
#: With the lines into which it breaks a long one.
_ERROR = re.compile(
    r"\blitellm\.(\w+(?:Error|Exceeded|Exception|Timeout)|Timeout)\b[^\n]*"
    r"(?:\n(?!litellm\.|Retrying in |The API provider |Tokens: )[^\n]+){0,5}"
)
#: So far into its line an error may begin; further in it is something that was talked about.
_MARGIN = 40
#: The lines that end its banner: what it works with. Before them it says this and that of the machine.
_BANNER = re.compile(
    r"(?:Aider v\d|(?:Main |Weak |Editor )?[Mm]odel: .* with|Weak model: |Git repo: |Repo-map: |Added .* to the chat)"
)
#: So many lines it may have.
_BANNER_LINES = 40
#: What it says of its own between and after its answers.
_OWN = re.compile(
    r"(?:Tokens: |Cost: |Applied edit to |Commit [0-9a-f]{7}|Retrying in |You can use /undo"
    r"|Empty response received from LLM\b)[^\n]*"
)
_SCALE = {"": 1.0, "k": 1e3, "M": 1e6}
_ERRORS = {
    "AuthenticationError": Outcome.NOT_LOGGED_IN,
    "PermissionDeniedError": Outcome.NOT_LOGGED_IN,
    "RateLimitError": Outcome.USAGE_LIMIT,
    "BudgetExceededError": Outcome.USAGE_LIMIT,
    "APIConnectionError": Outcome.UNREACHABLE,
    "APIError": Outcome.UNREACHABLE,
    "BadGatewayError": Outcome.UNREACHABLE,
    "InternalServerError": Outcome.UNREACHABLE,
    "ServiceUnavailableError": Outcome.UNREACHABLE,
    "Timeout": Outcome.UNREACHABLE,
}


class AiderDriver(VendorDriver):
    """``aider --message-file``: the brief is a file, the answer plain text. It exits with 0 whatever happens.

    It has no sessions.
    """

    program = "aider"
    configures = (".aider*", ".env")
    ways = _WAYS

    def invocation(self, request: Request) -> Invocation:
        argv = [*_ARGV, "--message-file", str(request.prompt_file)]
        settings, logins = request.home / ".aider.conf.yml", request.home / ".aider/oauth-keys.env"
        choice = self._choice(request, [providers.text_of(settings)])
        return Invocation(
            argv=[*argv, *_IN_REVIEWS] if request.review else argv,
            env={"BROWSER": _NO_BROWSER},
            programs=("sh",),
            readable=[request.prompt_file, *within(request.home, _READABLE)],
            excerpts={
                settings: _Settings(tuple(choice.names)),
                logins: variables("|".join(_variables(choice.names))),
            },
            undecided=choice.undecided(settings, logins),
        )

    def _choice(self, request: Request, said: Sequence[str]) -> providers.Choice:
        """The providers of its models, as variables, its user's settings or the repository's name them."""
        if not request.review:
            said = [*said, providers.text_of(request.workspace / ".aider.conf.yml")]
        names = [
            self._env[name] for name in ("AIDER_MODEL", "AIDER_WEAK_MODEL", "AIDER_EDITOR_MODEL") if name in self._env
        ]
        main = "AIDER_MODEL" in self._env
        for text in reversed(said):
            found = {match[1]: _value(match[0]) for match in _ENTRY.finditer(text)}
            names += [found[key] for key in _MODEL_KEYS if key in found]
            main = main or "model" in found
        told = [name for model in names for name in _providers(model)]
        return providers.choose(told if main else [], [*_ANY], _REMEDY)

    def conversation(self, opening: Opening) -> Sequence[str]:
        """A message would end with its answer."""
        return [self.program, "--read", str(opening.file)]

    def read(self, output: Output) -> Said:
        text = output.stdout
        answers = list(_TOKENS.finditer(text))
        errors = _errors(text) or _errors(output.stderr)
        keyless = _NO_KEY.search(text) if not answers else None
        costs = _COST.findall(text)
        # It tries again by itself: only an error after its last answer ended the run.
        failed = errors and (not answers or errors[-1].start() > answers[-1].start())
        error = errors[-1] if failed else None
        return Said(
            # What follows its last count of tokens is its own: names of files, and what it did with them.
            text=_answer(text[: answers[-1].start()] if answers else text),
            cost_usd=_amount(costs[-1][1]) if costs else None,
            tokens=int(sum(_amount(m[1], m[2]) + _amount(m[3], m[4]) for m in answers)) if answers else None,
            ended=bool(answers),
            error=error[0].strip() if error else keyless[0] if keyless else None,
            outcome=_ERRORS.get(error[1]) if error else Outcome.NOT_LOGGED_IN if keyless else None,
            other_output="" if answers else text,
        )


def _value(entry: str) -> str:
    return entry.partition(":")[2].partition(" #")[0].strip().strip("\"'")


def _providers(model: str) -> list[str]:
    return providers.provider_of(model) or [name for words, name in _MODELS if words.match(model)][:1]


def _variables(names: Sequence[str]) -> list[str]:
    """Patterns of the variables of these providers."""
    return [rf"(?i:{re.escape(of)})_\w+" for name in names for of in (name, *_ALSO.get(name, ()))]


@dataclass(frozen=True)
class _Settings:
    """Its settings, and of keys and variables those of these providers."""

    names: tuple[str, ...]

    def __call__(self, text: str) -> str:
        wanted = re.compile("|".join([*map(re.escape, self.names), *_variables(self.names)]), re.IGNORECASE)
        kept = []
        for match in _ENTRY.finditer(_COMMENTS.sub("", text)):
            key = match[1].replace("_", "-")
            if key in ("api-key", "set-env"):
                items = [item[0].strip("\"' ") for item in _ITEM.finditer(match[0]) if wanted.fullmatch(item[1])]
                kept += [f"{key}:", *(f"  - {json.dumps(item)}" for item in items)] if items else []
            elif key not in _KEYS or key.removesuffix("-api-key") in self.names:
                kept.append(match[0].rstrip())
        return "".join(f"{entry}\n" for entry in kept)


def _answer(text: str) -> str:
    """What the model said: without the banner before it and without what aider says of its own."""
    lines = text.splitlines()
    begun = max((at + 1 for at, line in enumerate(lines[:_BANNER_LINES]) if _BANNER.match(line)), default=0)
    del lines[:begun]
    return "\n".join(line for line in lines if not _OWN.match(line)).strip()


def _errors(text: str) -> list[re.Match[str]]:
    return [m for m in _ERROR.finditer(text) if m.start() - text.rfind("\n", 0, m.start()) <= _MARGIN]


def _amount(digits: str, scale: str = "") -> float:
    try:
        return float(digits.replace(",", "").rstrip(".") or 0) * _SCALE[scale]
    except ValueError:
        return 0.0
