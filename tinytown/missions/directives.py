"""The words an operator or the conductor answers with: ``tt mission note RUN "…"``.

::

    resume [WHY]                    go on
    pause [WHY]                     freeze; also "hold"
    retry [ITEM|all] [WHY]          try again: this item, or all that failed or wait for help
    redirect ITEM to AGENT [WHY]    only this agent may work on it; also "reassign", "reroute", "rebind"
    cancel ITEM [WHY]               end this item
    reread ITEM [WHY]               its next brief has the issue as it is now
    anything else                   a remark, kept in the history and shown in the items' briefs

A command is a whole note of one of these forms. Since "pause between retries" does not ask for a pause, WHY begins with
punctuation (one of ``: . ; ! - …``, after an ITEM also a comma), with a word of ``_REASONS``, or as a clause with a
subject of its own ("resume the credentials are renewed"). A note that begins like a command but is none is refused,
and the nearest command is named; ``remark`` makes a remark of anything. ITEM is an issue's number, a key, or the id of
one of the mission's tasks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tinytown import contract
from tinytown.errors import ConfigurationError
from tinytown.nearest import nearest


@dataclass(frozen=True)
class Resume:
    why: str = ""


@dataclass(frozen=True)
class Pause:
    why: str = ""


@dataclass(frozen=True)
class Retry:
    #: What the operator typed for the item; ``None`` means all that need it.
    item: str | None = None


@dataclass(frozen=True)
class Redirect:
    item: str
    agent: str


@dataclass(frozen=True)
class Cancel:
    item: str
    why: str = ""


@dataclass(frozen=True)
class Reread:
    item: str


@dataclass(frozen=True)
class Remark:
    text: str


Directive = Resume | Pause | Retry | Redirect | Cancel | Reread | Remark

#: Longest note, in characters.
MAX_LENGTH = 4000

#: The forms by their first word, as they are shown to people.
FORMS: Final = {
    "resume": "resume",
    "pause": "pause",
    "retry": "retry [ITEM]",
    "redirect": "redirect ITEM to AGENT",
    "cancel": "cancel ITEM",
    "reread": "reread ITEM",
}
#: Other words that mean exactly the same.
_ALIASES: Final = {"hold": "pause", **dict.fromkeys(("reassign", "reroute", "rebind"), "redirect")}
#: What people write for them. They are only suggested, never carried out: a wrong guess could end somebody's work.
_SYNONYMS: Final = {
    **dict.fromkeys(("continue", "proceed", "unpause", "start", "go"), "resume"),
    **dict.fromkeys(("stop", "halt", "wait", "freeze"), "pause"),
    **dict.fromkeys(("restart", "rerun", "redo", "again"), "retry"),
    **dict.fromkeys(("assign", "give", "move"), "redirect"),
    **dict.fromkeys(("abort", "kill", "skip", "drop", "end"), "cancel"),
    **dict.fromkeys(("reload", "refresh"), "reread"),
}
#: How alike a mistyped command is, from 0 to 1.
_ALIKE: Final = 0.75

_ITEM = re.compile(r"(?:[\w./-]*#)?[1-9][0-9]{0,8}|[\w./-]+:\w+/\S+")
_FIRST = re.compile(r"(?P<word>[^\s:.;!,\u2026]+)(?P<rest>.*)", re.DOTALL)
#: What separates a command from its reason; a dash between blanks, a comma only after an item.
_PARTED = re.compile(r"(?:\s*(?:[:;!\u2026]|\.+(?=\s|$))|\s+[-\u2013\u2014]+(?=\s)|[ \t]*\n)\s*(?P<why>.*)", re.DOTALL)
_COMMA = re.compile(r"\s*,\s*(?P<why>.*)", re.DOTALL)
#: Words that may end a command.
_COURTESY = re.compile(r"(?:\s+(?:now|please|again|thanks|then))+", re.IGNORECASE)
#: Words that begin a reason: after any command, after an item, and after "pause".
_REASONS: Final = r"because|for (?:now|today|the (?:moment|day|night|weekend))|I|I'm|we|we're|it's|that's|there's"
_ITEM_REASONS: Final = rf"{_REASONS}|since|as|not|until|till|it (?:is|was|has)"
_PAUSE_REASONS: Final = rf"{_REASONS}|until|till|it (?:is|was|has)"
#: A clause with a subject of its own: "the credentials are renewed", but not "the job that is stuck".
_CLAUSE = re.compile(
    r"\s+(?:the|my|our|your|his|her|their)\s+(?:(?!(?:that|which|who|where|when|if|while|until|after|before|once|as|and|"
    r"so|or|to|in|on|from|of)\s)[\w'/.-]+\s+){1,4}(?:is|are|was|were|has|have)\s+(?:\w+).*",
    re.DOTALL | re.IGNORECASE,
)  # fmt: skip


def parse(text: str, *, remark: bool = False, tasks: Collection[str] = ()) -> Directive:
    """Read a note on a mission that has ``tasks`` with these ids; with ``remark`` it is a remark, whatever it says.

    Raises:
        ConfigurationError: it is empty, too long, or begins like a command and is none.
    """
    text = text.strip()
    if not text:
        raise ConfigurationError("the note is empty", remedy='try `tt mission note "resume"`')
    if len(text) > MAX_LENGTH:
        raise ConfigurationError(f"the note is longer than {MAX_LENGTH} characters", remedy="shorten it")
    if remark:
        return Remark(text)
    polite = re.match(r"please[\s,]+", text, re.IGNORECASE)
    first = _FIRST.fullmatch(text[polite.end() :] if polite else text)
    if first is None:
        return Remark(text)
    word, rest = first["word"].lower(), first["rest"]
    word = _ALIASES.get(word, word)
    if word in FORMS:
        # Read without the tasks first, so that one that is called `all` or `now` takes no command's words away.
        found = _command(word, rest) or _command(word, rest, tasks)
        if found is None and not polite:
            raise _refused(text, word, rest, tasks)
        return found or Remark(text)
    if near := _near(word, rest, tasks):
        raise _mistaken(text, near, rest, tasks)
    return Remark(text)


def corrected(text: str) -> str:
    """A note as it was meant: a mistyped command corrected, anything else unchanged."""
    first = _FIRST.fullmatch(text.strip())
    if (
        first is None
        or (word := first["word"].lower()) in FORMS | _ALIASES
        or (near := _near(word, first["rest"])) is None
    ):
        return text
    return _form(near, first["rest"])


def _command(word: str, rest: str, tasks: Collection[str] = ()) -> Directive | None:
    """The command, if the rest of the note completes it."""
    match word:
        case "resume" | "pause":
            why = _why(rest, _PAUSE_REASONS if word == "pause" else _REASONS)
            return None if why is None else Pause(why) if word == "pause" else Resume(why)
        case "retry":
            item, behind = _item(rest, tasks)
            if item is None:
                everything = re.match(r"\s+all\b", rest, re.IGNORECASE)
                return Retry() if _why(rest[everything.end() :] if everything else rest, _REASONS) is not None else None
            return Retry(item) if _why_of_item(behind, tasks) is not None else None
        case "redirect":
            item, behind = _item(rest, tasks)
            to = re.match(r"\s+to\s+(?P<agent>[^\s,;:!]+)", behind, re.IGNORECASE)
            # Item and agent must both exist, so whatever follows is a reason.
            return _redirect(item, to["agent"].rstrip(".")) if item and to else None
        case _:
            item, behind = _item(rest, tasks)
            why = _why_of_item(behind, tasks)
            if item is None or why is None:
                return None
            return Reread(item) if word == "reread" else Cancel(item, f"{item} {why}".rstrip())


def _item(rest: str, tasks: Collection[str] = ()) -> tuple[str | None, str]:
    """The item that comes next, and what is behind it."""
    found = re.match(r"\s+(?P<item>[^\s,;!\u2026]+)", rest)
    if found is None:
        return None, rest
    word = found["item"].rstrip(".:")
    return (word, rest[found.start("item") + len(word) :]) if _is_item(word, tasks) else (None, rest)


def _is_item(word: str, tasks: Collection[str]) -> bool:
    return word in tasks or _ITEM.fullmatch(word) is not None


def _why_of_item(rest: str, tasks: Collection[str]) -> str | None:
    why = _why(rest, _ITEM_REASONS, comma=True)
    # "Cancel 2, 3": one of them would be forgotten.
    return None if why and _is_item(re.split(r"[\s,.;]", why, maxsplit=1)[0], tasks) else why


def _why(rest: str, reasons: str, *, comma: bool = False) -> str | None:
    """The reason that fills the rest of a command, empty if there is none; ``None`` if the rest is something else."""
    courtesy = _COURTESY.match(rest)
    for after in (rest[courtesy.end() :] if courtesy else rest, rest):
        if not after.strip():
            return rest.strip()
        if parted := _PARTED.fullmatch(after) or (_COMMA.fullmatch(after) if comma else None):
            return parted["why"].strip()
        if re.match(rf"\s+(?:{reasons})(?![\w-])", after, re.IGNORECASE) or _CLAUSE.fullmatch(after):
            return after.strip()
    return None


def _redirect(item: str, agent: str) -> Redirect:
    if not contract.is_name(agent):
        raise ConfigurationError(f"`{agent[:80]}` is not an agent's name", remedy="see `tt list`")
    return Redirect(item, agent)


def _near(word: str, rest: str, tasks: Collection[str] = ()) -> str | None:
    """The command that was meant by another word, where the rest would complete it."""
    alike: Sequence[str] = nearest(word, FORMS, alike=_ALIKE)
    meant = _SYNONYMS.get(word) or next(iter(alike), None)
    if word in {"go", "carry"} and re.match(r"\s+(?:on|ahead)\b", rest, re.IGNORECASE):
        meant, rest = "resume", re.sub(r"^\s+\w+", "", rest)
    if meant is None or len(rest) > MAX_LENGTH:
        return None
    try:
        return meant if (_command(meant, rest) or _command(meant, rest, tasks)) is not None else None
    except ConfigurationError:
        return None


def _refused(text: str, word: str, rest: str, tasks: Collection[str]) -> ConfigurationError:
    item, _ = _item(rest, tasks)
    form = FORMS[word].replace("[ITEM]", item or "[ITEM]")
    form = form if word == "redirect" else form.replace("ITEM", item or "ITEM")
    why = "" if word == "redirect" else f' or "{form}: WHY"'
    return ConfigurationError(
        f'"{_shortened(text)}" starts like the command `{word}` but is not one; nothing was done',
        remedy=f'write "{form}"{why}, or add `--remark` to keep it as a remark',
    )


def _mistaken(text: str, meant: str, rest: str, tasks: Collection[str]) -> ConfigurationError:
    return ConfigurationError(
        f'"{_shortened(text)}" looks like a command, but there is no such command; nothing was done',
        remedy=f'write "{_form(meant, rest, tasks)}", or add `--remark` to keep it as a remark',
    )


def _form(meant: str, rest: str, tasks: Collection[str] = ()) -> str:
    """The command ``meant`` with the item and the agent that ``rest`` names."""
    item, _ = _item(rest, tasks)
    form = FORMS[meant].replace(" [ITEM]", f" {item}" if item else "").replace("ITEM", item or "ITEM")
    if meant == "redirect" and (to := re.search(r"\bto\s+(\S+)", rest, re.IGNORECASE)):
        form = form.replace("AGENT", to[1])
    return form


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
