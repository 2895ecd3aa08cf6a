"""A mission's history in sentences: what ``dispatch`` and ``--follow`` print.

Events of one moment are joined with arrows if one led to the other:
``Issue #1 done → Issue #2 ready → assigned to backend``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tinytown import keys
from tinytown.missions.fences import line, quoted
from tinytown.missions.records.agent import Event

_ARROW = " → "


def tell(events: Sequence[Event], items: Collection[str]) -> list[str]:
    """Lines for ``events`` of a mission that has the items of these keys."""
    names = keys.names((event.item for event in events if event.item in items), among=items)
    lines: list[str] = []
    #: The line of each item that settled, to which the next thing that it led to is joined.
    done: dict[str, int] = {}
    chains: dict[str, int] = {}

    def name(event: Event) -> str:
        return f"{keys.noun(event.item)} {names.get(event.item) or keys.short(event.item)}"

    for event in events:
        who = name(event)
        if event.kind == "item_done":
            done[event.item] = len(lines)
            lines.append(f"{who} done")
        elif event.kind == "item_ready":
            at = done.pop(str(event.data.get("after", "")), None)
            if at is None:
                lines.append(f"{who}{_ARROW}ready")
            else:
                lines[at] += f"{_ARROW}{who} ready"
            chains[event.item] = len(lines) - 1 if at is None else at
        elif _is_assignment(event):
            words = f"assigned to {event.data.get('agent', '')}"
            at = chains.pop(event.item, None)
            if at is None:
                lines.append(f"{who}{_ARROW}{words}")
            else:
                lines[at] += f"{_ARROW}{words}"
        elif event.kind == "mission_completed":
            lines.append(f"All done{_ARROW}Mission completed")
        elif event.kind in _SENTENCES:
            sentence = _SENTENCES[event.kind](event)
            if sentence:
                lines.append(f"{who}: {sentence}" if event.item else sentence)
    return lines


def sentence(event: Event) -> str:
    """One event in words, where it has some that do not depend on others."""
    return _SENTENCES[event.kind](event) if event.kind in _SENTENCES else ""


def _is_assignment(event: Event) -> bool:
    return event.kind == "attempt_started" and event.data.get("purpose") == "work"


def _started(event: Event) -> str:
    agent = event.data.get("agent", "")
    match event.data.get("purpose"), event.data.get("target"):
        case "fix", _:
            return f"{agent} is fixing it"
        case "review", _:
            return f"{agent} is reviewing it"
        case "check", "merge":
            return "merging"
        case "check", _:
            return "running the checks"
        case _:
            return ""


def _ended(event: Event) -> str:
    outcome = str(event.data.get("outcome", ""))
    if outcome in ("succeeded", "cancelled", "refused"):
        return ""
    summary = line(str(event.data.get("summary", "")))
    words = f"{event.data.get('purpose')} {_OUTCOMES.get(outcome, outcome.replace('_', ' '))}"
    return f"{words}: {summary}" if summary else words


def _why(event: Event) -> str:
    """Why a gate refused; what a review says are an agent's words."""
    summary = str(event.data.get("summary", ""))
    return quoted(summary) if event.data.get("gate") == "review" else line(summary)


def _asker(event: Event) -> str:
    sender = str(event.data.get("sender", ""))
    return f" what {sender} wants to know" if sender not in ("", "dispatcher") else ""


def _because(event: Event) -> str:
    why = line(str(event.data.get("why", "")))
    return f": {why}" if why else ""


#: How a run ended, after the word for what it was to do.
_OUTCOMES = {
    "not_logged_in": "failed, its CLI is not logged in",
    "usage_limit": "reached a usage limit",
    "unreachable": "got no answer",
    "disk_full": "found the disk full",
    "no_workspace": "could not use its workspace",
    "forge_refused": "was refused by the forge",
    "misconfigured": "could not begin",
    "lost": "was lost",
}

_SENTENCES: dict[str, Callable[[Event], str]] = {
    "attempt_started": _started,
    "attempt_ended": _ended,
    "attempt_withdrawn": lambda e: "nobody took it; sent again",
    "checks_passed": lambda e: "checks passed",
    "approved": lambda e: f"approved by {e.data.get('by', '')}",
    "review_unheard": lambda e: f"no verdict by {e.data.get('agent', '')}: {e.data.get('summary', '')}",
    "merged": lambda e: f"merged as {str(e.data.get('sha', ''))[:10]}",
    "fix_requested": lambda e: f"{e.data.get('gate')} rejected it: {_why(e)} → fix round",
    "check_rerun": lambda e: f"check {e.data.get('check', '')} is run again: {e.data.get('why', '')}",
    "check_flaked": lambda e: f"check {e.data.get('check', '')} passed when it was run again: it failed by chance",
    "item_failed": lambda e: f"failed: {e.data.get('summary', '')}",
    "item_waits": lambda e: f"waits ({str(e.data.get('reason', '')).replace('_', ' ')}): {e.data.get('remedy', '')}",
    "issue_edited": lambda e: f"its issue {e.data.get('text', '')}",
    "issue_reread": lambda e: "its issue is read again",
    "item_retried": lambda e: "retried" + (f": {e.data['why']}" if e.data.get("why") else ""),
    "item_cancelled": lambda e: "cancelled",
    "item_redirected": lambda e: f"redirected to {e.data.get('agent') or 'anybody with its role'}",
    "change_published": lambda e: f"{e.data.get('text', '')} at {e.data['url']}" if e.data.get("url") else "",
    "publish_refused": lambda e: f"cannot be published: {e.data.get('text', '')}",
    "publish_failed": lambda e: f"not published yet: {e.data.get('text', '')}",
    "help_asked": lambda e: f"Help asked: {'; '.join(map(str, e.data.get('reasons', [])))}",
    "mission_paused": lambda e: "Mission paused" + (f": {e.data['reason']}" if e.data.get("reason") else ""),
    "item_answered": lambda e: f"answered by {e.data.get('agent', '')} in another run",
    "task_assigned": lambda e: f"given to {e.data.get('to', '')}",
    "question_given": lambda e: f"The unattended conductor is asked{_asker(e)}",
    "question_answered": lambda e: f"The unattended conductor answered{_asker(e)}{_because(e)}",
    "question_settled": lambda e: f"The unattended conductor is not needed{_asker(e)}{_because(e)}",
    "question_left": lambda e: f"The unattended conductor could not answer{_asker(e)}{_because(e)}",
    "backlog_claimed": lambda e: f"{e.data.get('entry', '')} of the backlog is for {e.data.get('agent', '')}",
    "backlog_returned": lambda e: f"in the backlog again, as {e.data.get('entry', '')}",
    "plan_pushed": lambda e: (
        f"The plan was pushed: {e.data.get('added', 0)} added, {e.data.get('changed', 0)} changed,"
        f" {e.data.get('removed', 0)} removed"
    ),
    "mission_resumed": lambda e: "Mission resumed",
    "mission_blocked": lambda e: "Mission blocked",
    "mission_running": lambda e: "Mission running again",
    "mission_cancelled": lambda e: "Mission cancelled",
    "mission_failed": lambda e: f"Mission failed: {e.data.get('reason', '')}",
    "mission_troubled": lambda e: f"Problem: {e.data['text']}" if e.data.get("text") else "The problem is resolved",
    "mission_noted": lambda e: f"Note: {e.data.get('text', '')}",
}
