"""The words an operator or the conductor answers with: ``tt mission note RUN "…"``.

::

    resume [why]              go on
    pause [why]               freeze
    retry [ITEM|all] [why]    try again: this item, or all that failed or wait for help
    redirect ITEM to AGENT    only this agent may work on it
    cancel ITEM [why]         end this item
    reread ITEM               its next brief has the issue as it is now
    anything else             a remark, kept in the history and shown in the items' briefs
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinytown import contract
from tinytown.errors import ConfigurationError


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


def parse(text: str) -> Directive:
    """Read a note.

    Raises:
        ConfigurationError: it is empty, too long, or begins like a directive that is not complete.
    """
    text = text.strip()
    if not text:
        raise ConfigurationError("the note is empty", remedy='try `tt mission note RUN "resume"`')
    if len(text) > MAX_LENGTH:
        raise ConfigurationError(f"the note is longer than {MAX_LENGTH} characters", remedy="shorten it")
    word, rest = (*text.split(maxsplit=1), "")[:2]
    match word.lower().rstrip(":,."):
        case "resume":
            return Resume(rest)
        case "pause":
            return Pause(rest)
        case "retry":
            return Retry(_item(rest))
        case "redirect":
            return _redirect(rest)
        case "cancel":
            item = _item(rest)
            if item is None:
                raise ConfigurationError("`cancel` names no item", remedy='write "cancel ITEM"')
            return Cancel(item, rest)
        case "reread":
            item = _item(rest)
            # Without an item it is a word like any other.
            return Remark(text) if item is None else Reread(item)
        case _:
            return Remark(text)


def _item(rest: str) -> str | None:
    first = rest.split(maxsplit=1)[0].rstrip(".,:") if rest else ""
    looks_like_one = re.fullmatch(r"(?:[\w./-]+)?#?\d+|[\w./-]+:\w+/\S+", first)
    return first if looks_like_one else None


def _redirect(rest: str) -> Redirect:
    words = rest.split()
    if len(words) < 3 or words[1].lower() != "to" or _item(words[0]) is None:
        raise ConfigurationError("`redirect` is not complete", remedy='write "redirect ITEM to AGENT"')
    agent = words[2].rstrip(".,")
    if not contract.is_name(agent):
        raise ConfigurationError(f"`{agent}` is not an agent's name", remedy="see `tt list`")
    return Redirect(words[0].rstrip(",:"), agent)
