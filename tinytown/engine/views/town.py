"""The town at a glance, as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tinytown.engine.context import Context
from tinytown.engine.operate.present import agent_views
from tinytown.engine.views.backlog import glimpse
from tinytown.engine.views.limits import limits_json
from tinytown.engine.views.mailbox import mailbox, question_json
from tinytown.engine.views.missions import Unreadable, each, mission_json, mission_view, summary, unreadable_json
from tinytown.engine.views.tasks import overview
from tinytown.host import confinement
from tinytown.host import lifecycle as towns
from tinytown.state.asked import active
from tinytown.state.mail import CONDUCTOR


def town_json(context: Context, *, whole: bool) -> dict[str, Any]:
    """The town at a glance; with ``whole`` all that its missions say, and not only their items' states."""
    found, box = context.town, mailbox(context, CONDUCTOR)
    ids = active(context.store)
    found_missions = each(ids, lambda mission: _whole(context, mission) if whole else _brief(context, mission))
    missions = [unreadable_json(one) if isinstance(one, Unreadable) else one for one in found_missions]
    return {
        "name": found.name,
        "id": found.id,
        "root": str(found.root),
        "host": found.machine,
        "processes": [{**asdict(one), "log": str(one.log)} for one in towns.processes(found)],
        "agents": [asdict(view) for view in agent_views(context)],
        "missions": missions,
        "backlog": glimpse(context),
        "inbox": dict(box.counts),
        "tasks": asdict(overview(context)),
        "limits": limits_json(context),
        "questions": [question_json(question) for question in box.asked],
        "sandbox": {"weak": [asdict(one) for one in confinement.known(found)]},
    }


def _whole(context: Context, mission: str) -> dict[str, Any]:
    return mission_json(mission_view(context, mission))


def _brief(context: Context, mission: str) -> dict[str, Any]:
    found = summary(context, mission)
    return {"id": found.mission.id, "state": found.mission.state.value, "counts": dict(found.counts)}
