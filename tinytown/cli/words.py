"""What people type for issues, missions and items: as short as it can be without being ambiguous.

A command that only shows something takes the newest mission where none is named; one that acts takes the only one
that is active, and refuses where it would have to choose.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence

import click

from tinytown.engine.context import Context
from tinytown.engine.operate.items import find_item
from tinytown.engine.views.missions import current_mission
from tinytown.errors import ConfigurationError, NotFoundError, StateError
from tinytown.missions import directives
from tinytown.state import asked

#: Issues that one range may name.
RANGE_LIMIT = 500
#: Digits up to which a lone number is an item's, though a mission's id may begin with it.
_SHORT = 3

#: Looks like the beginning of a mission's id; no command of a note does.
_LIKE_AN_ID = re.compile(r"[0-9a-f-]{4,}")
_RANGE = re.compile(r"#?(\d+)(?:-#?(\d+))?")


def issues(words: Iterable[str]) -> tuple[str, ...]:
    """The issues that these words name, each once: ``1``, ``1-6``, ``1,3-5``; anything else is as its forge has it.

    Raises:
        ConfigurationError: a range is backwards, or is too long.
    """
    found: dict[str, None] = {}
    for word in words:
        parts = [part.strip() for part in word.split(",")]
        for part in parts if len(parts) > 1 else [word]:
            if not part:
                raise ConfigurationError(f"`{word[:80]}` has nothing between two commas", remedy="write e.g. `1,3-5`")
            found.update(dict.fromkeys(_range(part)))
    return tuple(found)


def _range(part: str) -> Sequence[str]:
    match = _RANGE.fullmatch(part)
    if match is None or match[2] is None:
        return [part]
    first, last = int(match[1]), int(match[2])
    if last < first:
        raise ConfigurationError(f"`{part[:80]}` is backwards", remedy=f"write `{last}-{first}`")
    if last - first >= RANGE_LIMIT:
        raise ConfigurationError(
            f"`{part[:80]}` names more than {RANGE_LIMIT} issues",
            remedy="name fewer, or use `--all` for all open issues",
        )
    return [str(number) for number in range(first, last + 1)]


def shown(context: Context, run: str | None) -> str:
    """The mission to show: the one named, else the newest active one, else the newest."""
    return current_mission(context) if run is None else context.store.find_mission(run)


def meant(context: Context, run: str | None) -> str:
    """The mission to act on: the one named, else the only one that is active.

    Raises:
        NotFoundError: no mission is named so.
        StateError: none is active, or more than one.
    """
    if run is not None:
        return context.store.find_mission(run)
    live = asked.active(context.store)
    if len(live) == 1:
        return live[0]
    if not live:
        if not context.store.mission_ids(live=False):
            current_mission(context)  # It raises the right error for that.
        raise StateError("no mission is active", remedy="name one; see `tt mission list --all`")
    names = ", ".join(mission[:8] for mission in reversed(live))
    raise StateError(f"{len(live)} missions are active: {names}", remedy="say which one; see `tt mission list`")


def meant_item(context: Context, words: Sequence[str]) -> tuple[str, str]:
    """``[RUN] ITEM``: the mission to act on, and what names the item.

    Raises:
        UsageError: not one or two words.
        NotFoundError: no mission is named so.
        StateError: no mission is named, and not exactly one is active.
    """
    _few(words, least="ITEM")
    return meant(context, words[0] if len(words) == 2 else None), words[-1]


def meant_perhaps_item(context: Context, words: Sequence[str]) -> tuple[str, str | None]:
    """``[RUN] [ITEM]``: as ``meant_item``; a lone word that could be either is refused.

    A number of up to three digits is an item where there is such an item.
    """
    _few(words)
    if len(words) != 1:
        return meant(context, words[0] if words else None), words[1] if words else None
    (word,) = words
    live = asked.active(context.store)
    item = len(live) == 1 and _is(lambda: find_item(context, live[0], word))
    if item and word.isdecimal() and len(word) <= _SHORT:
        return live[0], word
    mission = _is(lambda: context.store.find_mission(word))
    if item and mission:
        raise StateError(
            f"`{word}` could be an item or a mission",
            remedy=f"write `#{word}` for the item, or more of the mission's id",
        )
    if item:
        return live[0], word
    if mission:
        return context.store.find_mission(word), None
    if len(live) != 1:
        meant(context, None)
    raise NotFoundError(f"`{word[:80]}` is neither a mission nor an item", remedy="see `tt mission status --work`")


def meant_note(context: Context, words: Sequence[str]) -> tuple[str, str]:
    """``[RUN] NOTE``: the mission to act on, and the note.

    Raises:
        UsageError: there is no note, or it is not quoted.
        NotFoundError: no mission is named so, perhaps because the note is not quoted.
        StateError: no mission is named, and not exactly one is active.
    """
    _few(words, least="NOTE", most=None)
    alike = _LIKE_AN_ID.fullmatch(words[0]) is not None
    named = _is(lambda: context.store.find_mission(words[0]))
    if len(words) == 1 and named and alike:
        raise click.UsageError(f"`{words[0]}` is a mission, and the note is missing.")
    if len(words) > 2:
        raise click.UsageError(f"A note that contains spaces must be quoted: write {_quoted(words, named=named)}.")
    if len(words) == 2 and not (named or alike):
        raise NotFoundError(
            f"`{words[0][:80]}` is not a mission, and a note that contains spaces must be quoted",
            remedy=f"write {_quoted(words, named=False)}",
        )
    return meant(context, words[0] if len(words) == 2 else None), words[-1]


def _quoted(words: Sequence[str], *, named: bool) -> str:
    """The command with its note in quotes, a mistyped directive put right."""
    note = directives.corrected(" ".join(words[named:]))
    note = f'"{note}"' if re.fullmatch(r"[^\"$`\\!]*", note) else shlex.quote(note)
    return f"`tt mission note {f'{words[0]} ' if named else ''}{note}`"


def _few(words: Sequence[str], *, least: str = "", most: int | None = 2) -> None:
    """Refuse too many words; and none, where ``least`` is what has to be named."""
    if least and not words:
        raise click.UsageError(f"Missing argument '{least}'.")
    if most is not None and len(words) > most:
        raise click.UsageError(f"Too many words: {' '.join(words[2:])[:80]!r}. Quote text that contains spaces.")


def _is(find: Callable[[], object]) -> bool:
    try:
        find()
    except NotFoundError:
        return False
    return True
