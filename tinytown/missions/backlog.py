"""Which agent takes which entry of the backlog by itself, and why an entry waits.

Rules, in this order:

1. The oldest entry goes first, to an agent that fits, is idle, and has nothing unfinished that it took before.
2. An entry whose tags name roles is for agents of these roles alone. Any other is for every agent but reviewers, who
   judge the work of others; those with the role ``worker`` come first.
3. A cold agent is woken for an entry that nobody else can take now.
4. What agents passed on too often in a row waits for a person: nothing may go on for ever.

Entries stand in lines, and all entries of a line are alike to these rules, so their heads are enough to decide from.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tinytown.errors import ConfigurationError
from tinytown.missions.crew import GENERAL_ROLE, TOWN_ROLES, Crew, Worker
from tinytown.missions.records.backlog import Entry
from tinytown.missions.records.issue import Issue
from tinytown.missions.role_names import REVIEWER
from tinytown.missions.roles import RoleBook

#: The line of entries that anybody may take who works, and that of those which wait for a person.
ANYBODY: Final = ""
PEOPLE: Final = "!"
#: Entries in a row, each added by an agent at work on the one before, that agents take by themselves.
MAX_DEPTH: Final = 3
#: Tags of an entry, and characters of a tag.
MAX_TAGS: Final = 20
TAG_LIMIT: Final = 48


def read_tags(words: Iterable[str]) -> tuple[str, ...]:
    """Tags as they are typed, several of them in a word with commas between them.

    Raises:
        ConfigurationError: one is too long or holds what nobody can see, or there are too many.
    """
    tags = tuple(dict.fromkeys(tag for word in words for part in word.split(",") if (tag := part.strip())))
    for tag in tags:
        if len(tag) > TAG_LIMIT or not tag.isprintable():
            raise ConfigurationError(
                f"{tag[:TAG_LIMIT]!r} is not a tag", remedy=f"use words of {TAG_LIMIT} characters at most"
            )
    if len(tags) > MAX_TAGS:
        raise ConfigurationError(f"there are {len(tags)} tags", remedy=f"use {MAX_TAGS} at most")
    return tags


def roles_of(tags: Sequence[str], book: RoleBook) -> tuple[str, ...]:
    """The roles that tags name: ``backend``, an alias of it, or ``role:backend``.

    Raises:
        ConfigurationError: a tag ``role:…`` names none.
    """
    found: dict[str, None] = {}
    for tag in tags:
        role, named = book.role_for(Issue(key="backlog", title="", labels=(tag,)))
        if named:
            found[role] = None
    return tuple(found)


def lines_of(entry: Entry) -> tuple[str, ...]:
    """The lines that an entry stands in."""
    if entry.depth > MAX_DEPTH:
        return (PEOPLE,)
    return entry.roles or (ANYBODY,)


def fits(entry: Entry, role: str) -> bool:
    """Whether an agent with this role may take it by itself."""
    return any(line in lines_for(role) for line in lines_of(entry))


def lines_for(role: str) -> tuple[str, ...]:
    """The lines that agents with this role take from."""
    if role in TOWN_ROLES:
        return ()
    return (role,) if role == REVIEWER else (role, ANYBODY)


@dataclass(frozen=True)
class Choice:
    """An entry, by its number, and the agent that takes it."""

    number: int
    agent: str


def choose(heads: Mapping[str, int], crew: Crew, *, now: float, having: Container[str] = ()) -> Choice | None:
    """Who takes what next; ``heads`` are the oldest entries of the lines, ``having`` those who have one already."""
    for number in sorted(set(heads.values())):
        lines = {line for line, head in heads.items() if head == number}
        able = [w for w in _for_lines(lines, crew.workers) if w.name not in having]
        here = crew.for_item(f"b{number}", now)
        idle = [worker for worker in able if here.can_take(worker)]
        if agent := idle[0].name if idle else here.sleeper(able):
            return Choice(number, agent)
    return None


def _for_lines(lines: Container[str], workers: Iterable[Worker]) -> list[Worker]:
    """Those who take from one of these lines; first those who are there for whatever is for nobody else."""
    able = [w for w in workers if any(line in lines for line in lines_for(w.role))]
    return sorted(able, key=lambda w: (w.role != GENERAL_ROLE, w.name))


def why(lines: Sequence[str], crew: Crew, *, now: float, having: Container[str] = (), hindrance: str = "") -> str:
    """Why the first entry of these lines waits, and what helps; ``hindrance`` keeps everybody from taking any."""
    claim = "`tt backlog claim ID AGENT` gives it to an agent"
    if PEOPLE in lines:
        return f"agents passed it on more than {MAX_DEPTH} times in a row: {claim}"
    able = _for_lines(lines, crew.workers)
    if not able:
        held = next((w for w in _for_lines(lines, crew.interrupted)), None)
        if held is not None:
            return f"{held.name} is interrupted: run `tt resume {held.name}`"
        who = "works but on reviews" if ANYBODY in lines else f"has the role {' or '.join(lines)}"
        return f"no running agent {who}: run `tt spawn {lines[0] or GENERAL_ROLE}`"
    if hindrance:
        return hindrance
    free = [w for w in able if w.name not in having]
    if not free:
        return "each agent that may take it has one unfinished: see `tt task list`"
    if crew.for_item("b0", now).rests_until(free) is not None:
        return "every agent that may take it is at its usage limit"
    if any(crew.can_take(w) or w.asleep for w in free):
        return "it is taken next"
    return "every agent that may take it is busy"
