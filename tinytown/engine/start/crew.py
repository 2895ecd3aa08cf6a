"""Who is there, and who is about to be."""

from __future__ import annotations

from tinytown.engine.context import Context
from tinytown.host import lifecycle as towns
from tinytown.host import seats
from tinytown.missions.crew import Crew
from tinytown.state.agents import gather


def coming_crew(context: Context) -> Crew:
    """The live workers, and as busy ones those whose process was just begun, as when a command started the town."""
    now = context.store.now()
    begun = {one.name for one in towns.processes(context.town) if one.state in ("running", "starting")}
    agents, presence = context.crew.agents(), context.crew.presence()
    place = seats.processes(context.town)
    coming = {name: max(now, presence.get(name, 0.0)) for name in agents if place.get(name) in begun}
    return gather(agents.values(), context.store.live_attempts(), presence={**presence, **coming}, now=now)
