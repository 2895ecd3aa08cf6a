"""What an operator does with an agent that is there: interrupt, resume, close, kill, restart, wait, prune.

The record says what the agent shall do. Its worker, which serves others as well, hears of it within a second or so,
obeys, and says that it did.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tinytown.engine.commit import commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch import placement
from tinytown.engine.dispatch.advance import advance_all
from tinytown.engine.operate import agents, hosts
from tinytown.engine.operate.present import AgentView, agent_view, agent_views
from tinytown.errors import NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.host import seats
from tinytown.missions.agent_states import ENDED
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState
from tinytown.state import lookup
from tinytown.state.change import Change

#: Seconds that a worker is given to obey: one, or many on a machine that has much else to do.
OBEY_SECS = 30.0
#: Seconds that a run may take, beyond its grace, until what it wrote is saved and its lease given back.
WIND_DOWN_SECS = 20.0
#: Seconds between two looks at an agent that is waited for.
LOOK_SECS = 0.1


def interrupt(context: Context, name: str) -> AgentView:
    """Have an agent take nothing, and suspend its run; gives it once that is so.

    Raises:
        NotFoundError: there is no such agent.
        StateError: it has ended, or is being closed.
        UnreachableError: its worker has not obeyed within ``OBEY_SECS``; it does as soon as it can.
    """

    def pause(agent: Agent) -> Agent:
        _refuse_ended(agent)
        if agent.state is AgentState.DRAINING:
            raise StateError(f"`{agent.name}` is being closed", remedy=f"run `tt kill {agent.name}` to end it now")
        # What its worker said of an earlier interruption counts no more.
        return agent if agent.state is AgentState.PAUSED else agent.evolve(state=AgentState.PAUSED, still=False)

    def obeyed(_: AgentView) -> bool:
        # One that is not there takes nothing either.
        return context.crew.agent(name).record.still or name not in context.crew.alive()

    _put(context, name, pause, why="interrupted")
    found = _wait(context, name, obeyed, OBEY_SECS)
    if not obeyed(found):
        raise UnreachableError(
            f"`{name}` takes nothing more, but its worker has not suspended its run within {OBEY_SECS:.0f} s",
            remedy=f"it does so as soon as it can; `tt interrupt {name}` waits again, `tt kill {name}` ends the run",
        )
    return found


def resume(context: Context, name: str) -> AgentView:
    """Have an agent go on that was interrupted; gives it once that is so.

    Raises:
        NotFoundError: there is no such agent.
        StateError: it was not interrupted.
        UnreachableError: its worker has not obeyed within ``OBEY_SECS``; it does as soon as it can.
    """

    def go_on(agent: Agent) -> Agent:
        if agent.state is not AgentState.PAUSED:
            remedy = f"run `tt restart {agent.name}`" if agent.state in ENDED else "see `tt list`"
            raise StateError(f"`{agent.name}` is not interrupted, but {agent.state.value}", remedy=remedy)
        return agent.evolve(state=AgentState.IDLE)

    _put(context, name, go_on, why="resumed")
    advance_all(context, context.store.wanting())
    found = _wait(context, name, lambda view: view.state != AgentState.PAUSED, OBEY_SECS)
    if found.state == AgentState.PAUSED:
        raise UnreachableError(
            f"the worker of `{name}` has not let it go on within {OBEY_SECS:.0f} s",
            remedy=f"it does so as soon as it can: see `tt list`; `tt kill {name}` ends the run",
        )
    return found


def close(context: Context, name: str) -> AgentView:
    """Have an agent finish what it is at, take nothing more, and stop.

    One that was interrupted goes on with its run for that.

    Raises:
        NotFoundError: there is no such agent.
        StateError: it has ended.
    """
    there = name in agents.running(context)

    def drain(agent: Agent) -> Agent:
        _refuse_ended(agent)
        # One that has not started yet has nothing to finish, and nobody who would say that it has.
        drains = there and agent.state is not AgentState.STARTING
        return agent.evolve(state=AgentState.DRAINING if drains else AgentState.COLD)

    _put(context, name, drain, why="closed")
    return agent_view(context, name)


@dataclass(frozen=True)
class Killed:
    """An agent that was killed."""

    agent: AgentView
    #: It was running until then.
    ran: bool


def kill(context: Context, name: str) -> Killed:
    """End an agent now: its run is ended, its work kept, its task given back. It stays listed until it is pruned.

    Raises:
        NotFoundError: there is no such agent.
    """
    ran = name in agents.running(context)
    # In this order: whoever finds the seat sees that it is not to be served.
    _put(context, name, lambda agent: agent.evolve(state=AgentState.STOPPED, returns=False), why="killed")
    seats.leave(context.town, name)
    context.crew.leave(name)
    return Killed(agent_view(context, name), ran)


def restart(context: Context, name: str, *, max_rounds: int | None = None) -> Agent:
    """Have an agent come back that ended; ``agents.begin`` has it run. ``None``: as many runs as it was spawned for.

    If the last run of one that was killed is still being ended, it waits for that.

    Raises:
        NotFoundError: there is no such agent.
        StateError: it has not ended, its CLI is not installed any more, or the town is full.
    """
    view = agent_view(context, name)
    if context.crew.agent(name).record.state in ENDED:
        winding_down = context.town.settings.timing.kill_grace_secs + WIND_DOWN_SECS
        view = _wait(context, name, lambda view: view.state in ENDED, winding_down)
    if view.state not in ENDED:
        remedies = {
            AgentState.PAUSED: f"run `tt resume {name}`",
            AgentState.DRAINING: f"run `tt wait {name}`, or `tt kill {name}` to end it now",
        }
        remedy = remedies.get(AgentState(view.state), f"run `tt close {name}` or `tt kill {name}` first")
        raise StateError(f"`{name}` has not ended: it is {view.state}", remedy=remedy)
    known = context.crew.agent(name).record
    place = hosts.place_for(context, view.cli, known.host if placement.is_elsewhere(context, known) else "")

    def again(agent: Agent) -> Agent:
        rounds = agent.max_rounds if max_rounds is None else max_rounds
        new = agent.evolve(state=AgentState.STARTING, still=False, returns=False, max_rounds=rounds, host=place.name)
        return new.evolve(cli_folder=place.folder(context, agent.cli))

    def decide(change: Change) -> Agent:
        version = context.store.admissions()
        old, now = context.crew.agent(name), context.store.now()
        hosts.require_room(context, name, place)
        change.admissions(version)
        new = again(old.record)
        change.put_agent(old, new, why="restarted", at=now)
        change.forget_rounds(name)
        return new

    return commit(context, decide)


def wait(context: Context, name: str, *, timeout: float | None = None, idle: bool = False) -> AgentView:
    """Wait until an agent has ended, and give it; ``timeout`` is in seconds, ``None`` for ever.

    With ``idle`` also until it works on nothing, nothing was sent to it, and no task of its own could begin.

    Raises:
        NotFoundError: there is no such agent.
        TinytownError: it has not ended by then.
    """

    def over(view: AgentView) -> bool:
        return view.state in ENDED or (
            idle and view.state == AgentState.IDLE and not lookup.wanted(context.store, name)
        )

    found = _wait(context, name, over, timeout)
    if not over(found):
        raise TinytownError(f"`{name}` is still {found.state} after {timeout:g} s", remedy=f"`tt close {name}` ends it")
    return found


def prune(context: Context, *, everything: bool = False, dry: bool = False) -> list[AgentView]:
    """Forget agents that have ended and don't come back by themselves; with ``everything`` those, too, that would.

    With ``dry`` only tell which. Nobody is forgotten who is there; mailboxes and history stay.
    """
    gone = [view for view in agent_views(context) if view.state in ENDED and (everything or not view.returns)]
    for view in [] if dry else gone:
        try:
            _forget(context, view.name)
        except NotFoundError:
            continue
    return gone


def _forget(context: Context, name: str) -> None:
    # One that fails again and again still has a seat.
    _put(context, name, lambda agent: agent.evolve(state=AgentState.STOPPED, returns=False), why="pruned")
    seats.leave(context.town, name)

    def decide(change: Change) -> None:
        change.forget_agent(context.crew.agent(name))
        change.event(event("agent_pruned", at=context.store.now(), agent=name))

    commit(context, decide)


def _refuse_ended(agent: Agent) -> None:
    if agent.state in ENDED:
        raise StateError(f"`{agent.name}` is {agent.state.value}", remedy=f"run `tt restart {agent.name}` first")


def _put(context: Context, name: str, step: Callable[[Agent], Agent], *, why: str) -> Agent:
    def decide(change: Change) -> Agent:
        old = context.crew.agent(name)
        new = step(old.record)
        if new != old.record:
            change.put_agent(old, new, why=why, at=context.store.now())
        return new

    return commit(context, decide)


def _wait(context: Context, name: str, holds: Callable[[AgentView], bool], timeout: float | None) -> AgentView:
    """The agent as soon as this holds, or as it is when the time is over."""
    deadline = time.monotonic() + timeout if timeout is not None else None
    while True:
        view = agent_view(context, name)
        if holds(view) or (deadline is not None and time.monotonic() >= deadline):
            return view
        time.sleep(LOOK_SECS)
