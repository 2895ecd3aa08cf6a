"""A single event in words, for the history of a town; ``narrative`` joins those of a mission to lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tinytown.missions import narrative
from tinytown.missions.fences import line
from tinytown.missions.records.agent import Event


def sentence(event: Event) -> str:
    """What happened; empty where the kind says it all."""
    if event.kind in _SENTENCES:
        return line(_SENTENCES[event.kind](event))
    return line(narrative.sentence(event))


def reason(event: Event) -> str:
    """Why, as far as the event says so."""
    fields = (event.data.get(name) for name in ("why", "reason", "summary", "remedy", "text"))
    return line(next((str(words) for words in fields if words), ""))


def _attempt_started(event: Event) -> str:
    return narrative.sentence(event) or f"{_of(event, 'agent')} works on it"


def _attempt_ended(event: Event) -> str:
    told = narrative.sentence(event)
    return told or f"{_of(event, 'purpose')} by {_of(event, 'agent') or 'nobody'} {_of(event, 'outcome')}"


def _of(event: Event, name: str) -> str:
    return str(event.data.get(name) or "")


_SENTENCES: Final[Mapping[str, Callable[[Event], str]]] = {
    "attempt_started": _attempt_started,
    "attempt_ended": _attempt_ended,
    "attempt_sent": lambda e: f"{_of(e, 'purpose')} is sent to {_of(e, 'queue')}",
    "item_ready": lambda e: "ready" + (f" after {_of(e, 'after')}" if _of(e, "after") else ""),
    "item_done": lambda _: "done",
    "item_moved": lambda _: "moved",
    "mission_moved": lambda _: "moved",
    "mission_started": lambda e: f"started with {_of(e, 'items')} items",
    "mission_completed": lambda _: "completed",
    "change_collected": lambda e: f"its change is collected, {_of(e, 'sha')[:10]}",
    "change_published": lambda e: f"published: {_of(e, 'text')}",
    "human_approved": lambda e: f"a person approved {_of(e, 'sha')[:10]}",
    "merged_by_hand": lambda e: f"merged by hand as {_of(e, 'sha')[:10]}",
    "merge_requested": lambda _: "a person asked for the merge",
    "outside_news": lambda _: "something changed outside",
    "agent_spawned": lambda e: f"spawned as {_of(e, 'role')} with {_of(e, 'cli')}",
    "agent_state_changed": lambda e: _of(e, "why"),
    "agent_killed": lambda _: "killed",
    "messages_forwarded": lambda e: f"{_of(e, 'count')} unread messages go to {_of(e, 'to')}",
    "agent_pruned": lambda _: "removed from the list",
    "message_sent": lambda e: f"{_of(e, 'sender')} sent {_of(e, 'to')} a message ({_of(e, 'message')})",
    "town_restored": lambda _: "the town was restored from a file",
}
