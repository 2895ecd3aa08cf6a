"""The town at a glance, as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tinytown.engine.conductor import questions
from tinytown.engine.context import Context
from tinytown.engine.operate.present import agent_views
from tinytown.engine.views.mailbox import question_json
from tinytown.engine.views.missions import mission_json, mission_view, summary
from tinytown.host import confinement
from tinytown.host import lifecycle as towns


def town_json(context: Context, *, whole: bool) -> dict[str, Any]:
    """The town at a glance; with ``whole`` all that its missions say, and not only their items' states."""
    found = context.town
    ids = context.store.mission_ids(live=True)
    missions = [_whole(context, one) if whole else _brief(context, one) for one in ids]
    return {
        "name": found.name,
        "id": found.id,
        "root": str(found.root),
        "processes": [{**asdict(one), "log": str(one.log)} for one in towns.processes(found)],
        "agents": [asdict(view) for view in agent_views(context)],
        "missions": missions,
        "questions": [question_json(question) for question in questions.open_questions(context)],
        "sandbox": {"weak": [asdict(one) for one in confinement.known(found)]},
    }


def _whole(context: Context, mission: str) -> dict[str, Any]:
    return mission_json(mission_view(context, mission))


def _brief(context: Context, mission: str) -> dict[str, Any]:
    found = summary(context, mission)
    return {"id": found.mission.id, "state": found.mission.state.value, "counts": dict(found.counts)}
