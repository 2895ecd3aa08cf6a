"""What a restored town's records say of things that are gone: runs, branches, joins that Celery counts, processes."""

from __future__ import annotations

from collections.abc import Sequence

from tinytown.engine.commit import commit
from tinytown.engine.context import Context
from tinytown.engine.dispatch.attempts import lose
from tinytown.engine.operate import agents, installed
from tinytown.errors import TinytownError
from tinytown.host import seats
from tinytown.missions import lifecycle
from tinytown.missions.agent_states import ENDED
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, WaitReason
from tinytown.state.change import Change
from tinytown.state.store import PAGE

#: What becomes of a run that was under way.
LOST = "the town was restored from a file"


def give_back(context: Context, *, host: str) -> tuple[int, list[str]]:
    """Make the records fit a town in which nothing runs, saved on the machine ``host``.

    Gives how many runs are to be done again, and sentences about what could not be brought back.
    """
    again, remarks = 0, []
    for mission in context.store.mission_ids(live=True):
        try:
            again += _mission(context, mission)
        except TinytownError as error:
            remarks.append(f"mission {mission[:8]}: {error.message}")
    return again, [*remarks, *_agents(context, host)]


def _mission(context: Context, mission_id: str) -> int:
    mission = context.store.mission(mission_id).record
    again = 0
    for live in [one for one in context.store.live_attempts() if one.mission == mission_id and one.claimed]:
        again += lose(context, mission_id, live.item, live.id, why=LOST, expired_only=False)
    order = list(context.store.order(mission_id))
    for start in range(0, len(order), PAGE):
        _page(context, mission, order[start : start + PAGE])
    context.rejoin(mission_id)
    # Wherever this stands, its base must be there.
    context.forge.base_tip(mission.repo, mission.base)
    return again


def _page(context: Context, mission: Mission, keys: Sequence[str]) -> None:
    def decide(change: Change) -> None:
        for item in context.store.some_items(mission.id, keys).values():
            change.put_item(mission, item, _as_it_is(item.record))

    commit(context, decide)


def _as_it_is(item: Item) -> Item:
    """Nobody has the run that was sent for it, and the repository may lack its branch, which is published again."""
    item = lifecycle.take_back(item)
    if item.state is not ItemState.IN_REVIEW or item.published is None or item.merged is not None:
        return item
    asks = item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP
    return item.evolve(published=None, waiting=item.waiting if asks else None)


def _agents(context: Context, host: str) -> list[str]:
    """Give the agents of this machine their places; those of others come by themselves."""
    town, remarks = context.town, []
    known = {name: agent for name, agent in context.crew.agents().items() if agent.role not in TOWN_ROLES}
    for name in {*seats.processes(town), *seats.held(town)} - known.keys():
        seats.leave(town, name)
    for agent in known.values():
        if agent.state in ENDED:
            continue
        if agent.host not in ("", host):
            remarks.append(f"{agent.name} belongs to the machine {agent.host}: run `tt spawn {agent.name}` for it here")
            continue
        try:
            installed.require_cli(context, agent.cli)
            agents.begin(context, _at_home(context, agent.name))
        except TinytownError as error:
            remarks.append(f"{agent.name} does not come back: {error.message}; then run `tt spawn {agent.name}`")
    return remarks


def _at_home(context: Context, name: str) -> Agent:
    """The agent's record with the place of its CLI on this machine."""
    old = context.crew.agent(name)
    new = old.record.evolve(cli_folder=installed.folder_of(context, old.record.cli))
    if new != old.record:
        context.crew.put(old, new)
    return new
