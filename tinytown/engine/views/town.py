"""The town and its agents as they are shown: plain data, the same for whoever asks.

The control worker, which has loaded all of this, answers ``tt list`` and ``tt status`` from here while the town runs;
where it does not, the command itself does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from tinytown.engine.conductor import questions
from tinytown.engine.context import Context
from tinytown.engine.operate import agents
from tinytown.engine.views.mailbox import question_json
from tinytown.engine.views.missions import mission_json, mission_view, summary
from tinytown.host import confinement
from tinytown.host import lifecycle as towns


def crew(context: Context, *, whole: bool) -> dict[str, Any]:  # noqa: ARG001 - as all views
    """The agents, in the order they were spawned."""
    return {"now": context.store.now(), "agents": [asdict(view) for view in agents.views(context)]}


def town(context: Context, *, whole: bool) -> dict[str, Any]:
    """The town at a glance; with ``whole`` all that its missions say, and not only how they stand."""
    found = context.town
    ids = context.store.mission_ids(live=True)
    missions = [_whole(context, one) if whole else _brief(context, one) for one in ids]
    return {
        "now": context.store.now(),
        "name": found.name,
        "id": found.id,
        "root": str(found.root),
        "processes": [{**asdict(one), "log": str(one.log)} for one in towns.processes(found)],
        "agents": [asdict(view) for view in agents.views(context)],
        "missions": missions,
        "questions": [question_json(question) for question in questions.open_questions(context)],
        "sandbox": {"weak": [asdict(one) for one in confinement.known(found)]},
    }


def _whole(context: Context, mission: str) -> dict[str, Any]:
    return mission_json(mission_view(context, mission))


def _brief(context: Context, mission: str) -> dict[str, Any]:
    found = summary(context, mission)
    return {"id": found.mission.id, "state": found.mission.state.value, "counts": dict(found.counts)}


#: By the name under which they are asked for.
VIEWS: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {"crew": crew, "town": town}
