"""The backlog: work that nobody has yet. Adding to it and removing from it; ``plan.claims`` has how agents take it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinytown import characters
from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.errors import ConfigurationError
from tinytown.missions import backlog as rules
from tinytown.missions import lifecycle
from tinytown.missions.records.backlog import Entry
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.role_names import DEFAULT
from tinytown.missions.roles import RoleBook
from tinytown.missions.states import ItemState
from tinytown.state import backlog
from tinytown.state.change import Change

#: Characters of the text of a task.
TEXT_LIMIT = 64 << 10
#: Characters of it in the history.
_TOLD = 200


def check_text(text: str, *, example: str) -> None:
    """Raise ``ConfigurationError`` for a text that says nothing, is too long or cannot be stored."""
    if not text.strip():
        raise ConfigurationError("the task has no text", remedy=f"say what is to be done: `{example}`")
    if len(text) > TEXT_LIMIT:
        raise ConfigurationError(
            f"the text has more than {TEXT_LIMIT} characters",
            remedy="put it into a file of the repository, and name that",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            "the text is not valid UTF-8", remedy=f"write {characters.escaped(text[:80])} in another way"
        ) from None


def add(context: Context, text: str, tags: Sequence[str] = (), *, by: str, depth: int = 0) -> Entry:
    """Add an entry, which is on record then; gives it.

    Raises:
        ConfigurationError: the text is empty or too long, or a tag is none.
    """
    check_text(text, example='tt backlog add "..."')
    words = rules.read_tags(tags)
    roles = _roles(context, words)
    id_, now = backlog.next_id(context.store), context.store.now()
    entry = Entry(id=id_, text=text, tags=words, roles=roles, by=by, at=now, depth=depth)

    def decide(change: Change) -> None:
        change.once()
        backlog.put(context.store, change, entry)
        change.event(event("backlog_added", at=now, entry=id_, text=_short(entry), tags=words, by=by))

    commit(context, decide)
    return entry


def _short(entry: Entry) -> str:
    """What the history says of it."""
    return entry.title[:_TOLD]


def _roles(context: Context, tags: Sequence[str]) -> tuple[str, ...]:
    return rules.roles_of(tags, RoleBook(context.town.settings.roles))


def remove(context: Context, id_: str) -> Entry:
    """Take an entry out for good; gives it.

    Raises:
        NotFoundError: there is none of this id.
    """

    def decide(change: Change) -> Entry:
        old = backlog.find(context.store, id_)
        backlog.take_out(context.store, change, old)
        entry = old.record
        by = change.by or "town"
        change.event(event("backlog_removed", at=context.store.now(), entry=id_, text=_short(entry), by=by))
        return entry

    return commit(context, decide)


@dataclass(frozen=True)
class Back:
    """What became of an item that was taken away from its agent."""

    #: The entry that it is again; ``None``: it stays in its mission, for whoever has its role.
    entry: Entry | None
    role: str


def give_back(context: Context, mission_id: str, key: str, agent: str) -> Back | None:
    """Take an item away from the agent that it is directed to.

    ``None`` if it is not directed to it, runs, has ended, or answers messages to it.

    A task by hand that nobody has begun, and that no other waits for, goes to the backlog. Whatever else goes to any
    agent with its role: its work, its dependents and its mission stay as they are.
    """

    def decide(change: Change) -> Back | None:
        mission = context.store.mission(mission_id)
        items = context.store.items(mission_id)
        old = items[key]
        item = old.record
        begun = item.attempt is not None and item.attempt.claimed
        if item.messages:
            return None  # What was said to this agent is for nobody else.
        if mission.record.state.ended or item.state.ended or begun or item.directed_to != agent:
            return None
        change.expect_mission(mission)
        free = lifecycle.take_back(item)
        free = (lifecycle.retry(free) or free).evolve(directed_to=None)
        if not _unbegun(mission.record, free, (found.record for found in items.values())):
            change.put_item(mission.record, old, free)
            now = context.store.now()
            change.event(event("item_redirected", at=now, mission=mission_id, item=key, agent="", role=item.role))
            return Back(None, item.role)
        entry = _again(context, mission_id, item, by=change.by or "town")
        change.put_item(mission.record, old, free.evolve(state=ItemState.SKIPPED, waiting=None, settled_at=entry.at))
        # At its end, a mission lets go of no item that is skipped: it would be held for ever.
        change.release_issues([item])
        change.put_result(mission_id, key, f"It is in the backlog again, as {entry.id}.")
        backlog.put(context.store, change, entry)
        change.event(
            event(
                "backlog_returned",
                at=entry.at,
                mission=mission_id,
                item=key,
                entry=entry.id,
                text=_short(entry),
                agent=agent,
                by=entry.by,
            )
        )
        return Back(entry, item.role)

    back = commit(context, decide)
    if back is not None:
        reconcile(context, mission_id)
        ask(context, mission_id)
    return back


def _unbegun(mission: Mission, item: Item, items: Iterable[Item]) -> bool:
    """Whether it is a task by hand that nobody has begun, and that no other waits for."""
    if mission.tasks != "hand":
        return False
    worked = item.attempts or item.head or item.salvage or item.state is not ItemState.READY
    return not worked and not item.edges and not any(edge.on == item.key for one in items for edge in one.edges)


def _again(context: Context, mission: str, item: Item, *, by: str) -> Entry:
    """The entry that a task is again: the very same, in its old place, if it was one."""
    issue = context.store.issues(mission, [item.key])[item.key]
    try:
        roles = _roles(context, issue.labels)
    except ConfigurationError:  # A tag names a role that there is no more.
        roles = ()
    if not (roles or item.entry or item.role == DEFAULT):
        # Somebody had chosen an agent with this role.
        roles = (item.role,)
    return Entry(
        id=item.entry or backlog.next_id(context.store),
        text=f"{issue.title}\n\n{issue.body}".strip(),
        tags=issue.labels,
        roles=roles,
        by=by,
        at=context.store.now(),
        depth=item.depth,
    )
