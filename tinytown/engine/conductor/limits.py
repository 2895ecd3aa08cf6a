"""Ask once where a limit of the day is used up and something waits for that: it is raised, or waited out."""

from __future__ import annotations

import json

from tinytown.engine.context import Context, event
from tinytown.missions import spending
from tinytown.missions.messages import told_conductor
from tinytown.missions.spending import Caps
from tinytown.state.change import Change
from tinytown.state.records import AdmissionView


def ask_about_limits(context: Context, change: Change, view: AdmissionView, caps: Caps, said: str) -> None:
    """Put the question into the change that leaves an item where it is."""
    caps, day = view.day.caps(caps), view.day
    change.put_limit_asked(day, caps.of_day, at=view.now)
    change.event(event("day_limit_reached", at=view.now, text=said))
    change.message(told_conductor(question(said, spending.answer(caps, day)), at=view.now, mission="", kind="query"))
    if context.town.settings.notify.command:
        change.notice(json.dumps(_told(context, said, spending.answer(caps, day), at=view.now), ensure_ascii=False))


def question(said: str, answer: str) -> str:
    """What the conductor reads."""
    return f"{sentence(said)}\nAnswer with `{answer}`, or let it wait."


def sentence(said: str) -> str:
    """What it is about."""
    return f"{said}: no further run begins before midnight UTC"


def _told(context: Context, said: str, answer: str, *, at: float) -> dict[str, object]:
    """What the program of ``[notify]`` reads, in the form that it knows of missions."""
    town = context.town
    return {
        "event": "day_limit_reached",
        "at": at,
        "town": town.name,
        "root": str(town.root),
        "mission": "",
        "state": "",
        "text": f"{town.name}: {sentence(said)}",
        "reasons": [said],
        "asked": 1,
        "answer": answer,
        "objectives": [],
        "spent_usd": 0.0,
        "budget_usd": None,
    }
