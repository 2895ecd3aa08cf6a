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
    """Why: what the event says, else what is always the reason for this kind; empty for what moves nothing."""
    fields = (event.data.get(name) for name in ("why", "reason", "summary", "remedy", "text"))
    said = next((str(words) for words in fields if words), "")
    return line(said or (_REASONS[event.kind](event) if event.kind in _REASONS else ""))


def _attempt_started(event: Event) -> str:
    return narrative.sentence(event) or f"{_of(event, 'agent')} works on it"


def _attempt_ended(event: Event) -> str:
    told = narrative.sentence(event)
    return told or f"{_of(event, 'purpose')} by {_of(event, 'agent') or 'nobody'} {_of(event, 'outcome')}"


def _of(event: Event, name: str) -> str:
    return str(event.data.get(name) or "")


def _who(event: Event) -> str:
    """Whose decision it was."""
    return "the conductor" if _of(event, "by") == "conductor" else "a person"


def _cancelled(event: Event) -> str:
    return "cancelled" + (f": {_of(event, 'reason')}" if _of(event, "reason") else "")


def _limit_set(event: Event) -> str:
    caps = [(event.data.get("usd"), "US dollars"), (event.data.get("tokens"), "tokens")]
    said = " and ".join(f"{cap} {unit}" for cap, unit in caps if cap is not None)
    return f"the limit of this day is {said or 'that of the settings'}"


def _cleared(event: Event) -> str:
    went = event.data.get("went")
    said = ", ".join(f"{count} {kind}" for kind, count in went.items()) if isinstance(went, dict) else ""
    where = f" on {event.data['host']}" if event.data.get("host") else ""
    return f"what was old was cleared away{where}" + (f": {said}" if said else "")


#: Why something moves, where an event of this kind need not say so.
_REASONS: Final[Mapping[str, Callable[[Event], str]]] = {
    "mission_started": lambda _: "a person started it",
    "mission_paused": lambda e: f"{_who(e)} paused it",
    "mission_resumed": lambda _: "a person resumed it",
    "mission_blocked": lambda _: "nothing can run until somebody acts",
    "mission_running": lambda _: "something can run again",
    "mission_completed": lambda _: "everything in it is settled",
    "mission_failed": lambda _: "its base branch is gone",
    "mission_cancelled": lambda _: "a person ended it",
    "mission_moved": lambda _: "what is in it moved",
    "item_answered": lambda e: f"{_of(e, 'agent')} answered its messages in another run",
    "backlog_claimed": lambda e: "it fits the agent" if _of(e, "by") == _of(e, "agent") else "a person chose the agent",
    "item_ready": lambda e: f"{_of(e, 'after')} settled" if _of(e, "after") else "it waits for nothing",
    "item_done": lambda _: "it passed all its gates",
    "item_failed": lambda _: "its attempts are used up",
    "item_retried": lambda e: f"{_who(e)} wants it tried again",
    "item_redirected": lambda e: f"{_who(e)} wants {_of(e, 'agent')} to do it",
    "item_cancelled": lambda e: f"{_who(e)} ended it",
    "item_moved": lambda _: "what it waits for moved",
    "attempt_sent": lambda e: f"{_of(e, 'purpose')} is due",
    "attempt_withdrawn": lambda _: "nobody took it",
    "attempt_started": lambda e: f"{_of(e, 'agent') or 'a worker'} took it",
    "attempt_ended": lambda e: f"{_of(e, 'purpose')} {_of(e, 'outcome')}",
    "change_collected": lambda _: "its work was collected",
    "checks_passed": lambda _: "its checks passed",
    "approved": lambda _: "its reviewer approved it",
    "fix_requested": lambda e: f"{_of(e, 'gate')} refused it",
    "human_approved": lambda _: "a person approved it",
    "merged": lambda _: "its change is in the base",
    "merged_by_hand": lambda _: "a person says that its change is in the base",
    "merge_requested": lambda _: "a person wants it merged",
    "outside_news": lambda _: "something changed outside",
    "agent_spawned": lambda _: "spawned",
}

_SENTENCES: Final[Mapping[str, Callable[[Event], str]]] = {
    "day_limit_reached": lambda e: f"no further run begins today: {_of(e, 'text')}",
    "day_limit_set": _limit_set,
    "cleared": _cleared,
    "attempt_started": _attempt_started,
    "attempt_ended": _attempt_ended,
    "attempt_sent": lambda e: f"{_of(e, 'purpose')} is sent to {_of(e, 'queue')}",
    "item_ready": lambda e: "ready" + (f" after {_of(e, 'after')}" if _of(e, "after") else ""),
    "item_done": lambda e: "done" + (f": {_of(e, 'why')}" if _of(e, "why") else ""),
    "item_cancelled": _cancelled,
    "item_moved": lambda e: _of(e, "why") or "moved",
    "mission_moved": lambda e: _of(e, "why") or "moved",
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
    "backlog_added": lambda e: f"{_of(e, 'entry')} is in the backlog: {_of(e, 'text')}",
    "backlog_removed": lambda e: f"{_of(e, 'entry')} is removed from the backlog: {_of(e, 'text')}",
    "agent_killed": lambda _: "killed",
    "messages_forwarded": lambda e: f"{_of(e, 'count')} unread messages go to {_of(e, 'to')}",
    "agent_pruned": lambda _: "removed from the list",
    "message_sent": lambda e: f"{_of(e, 'sender')} sent {_of(e, 'to')} a message ({_of(e, 'message')})",
    "town_restored": lambda _: "the town was restored from a file",
}
