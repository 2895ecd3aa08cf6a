"""The hosts of a town: where an agent can be, how each of them stands, and taking one out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tinytown.engine.commit import commit
from tinytown.engine.context import Context
from tinytown.engine.dispatch import placement
from tinytown.engine.operate import installed
from tinytown.errors import ConflictError, NotFoundError, StateError, UnreachableError
from tinytown.host import machine, seats
from tinytown.missions.agent_states import ENDED
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.host import Host
from tinytown.missions.states import AgentState
from tinytown.state.change import Change
from tinytown.state.hosts import HostLease, Hosts

#: Seconds between two looks at a host that is waited for.
_LOOK_SECS = 0.2
#: Seconds that a host may take to stop once nothing runs there any more.
_STOP_SECS = 60.0


@dataclass(frozen=True)
class Place:
    """A host on which an agent can be."""

    name: str
    #: It is another host than this one.
    other: bool
    #: How many agents it may have; 0: as many as the town.
    most: int
    record: Host | None = None

    def folder(self, context: Context, cli: str) -> str:
        """The folder of a CLI's program there; empty where it is not known, or does not matter."""
        if not self.other:
            return installed.folder_of(context, cli)
        found = self.record.cli(cli) if self.record is not None else None
        return found.folder if found is not None else ""


def place_for(context: Context, cli: str, wanted: str = "") -> Place:
    """Where an agent with this CLI shall be: on the host ``wanted``; without one here, else where the CLI is.

    Raises:
        ConfigurationError: nobody knows the CLI.
        NotFoundError: there is no such host.
        StateError: the CLI is not there, or not logged in, or the host is leaving the town.
        UnreachableError: the host is away.
    """
    town = context.town
    here = Place(town.machine, other=False, most=town.settings.host.max_agents or 0)
    if not town.home and wanted in ("", town.machine):
        mine = Hosts(context.store).get(town.machine)
        if mine is not None and mine.record.draining:
            raise StateError(f"this host, {town.machine}, is leaving the town", remedy="name another one with `--host`")
    if not wanted and installed.is_installed(context, cli):
        return here
    if wanted == town.machine:
        installed.require_cli(context, cli)
        return here
    every = Hosts(context.store).all()
    others = {name: one for name, one in every.items() if name != town.machine}
    if wanted:
        if wanted not in others:
            raise NotFoundError(f"the town has no host `{wanted[:60]}`", remedy="see `tt hosts`")
        _require_able(others[wanted], cli)
        return _place(others[wanted])
    if not others:
        installed.require_cli(context, cli)
    faults = {name: _fault(one, cli) for name, one in others.items()}
    able = [others[name] for name, fault in faults.items() if not fault]
    counts = _counts(context)
    town_most = town.settings.max_agents

    def room(one: HostLease) -> int:
        return (one.record.max_agents or town_most) - counts.get(one.record.name, 0)

    if not able:
        said = "; ".join(f"{name} {fault}" for name, fault in faults.items())
        raise StateError(
            f"the CLI `{cli}` is not installed here, and no other host can run it: {said}",
            remedy="install it on one of them, and see `tt hosts`; or name another one with `--cli`",
        )
    return _place(max(able, key=room))


def _place(one: HostLease) -> Place:
    return Place(one.record.name, other=True, most=one.record.max_agents, record=one.record)


def _fault(one: HostLease, cli: str) -> str:
    """Why no agent with this CLI can start on a host, as in "barn …"; empty if one can."""
    found = one.record.cli(cli)
    if not one.live:
        return "is away"
    if one.record.draining:
        return "is leaving the town"
    if found is None:
        return f"does not have `{cli}`"
    if found.logged_in is False:
        return f"is not logged in to `{cli}`"
    return ""


def _require_able(one: HostLease, cli: str) -> None:
    if not (fault := _fault(one, cli)):
        return
    name = one.record.name
    if not one.live:
        raise UnreachableError(f"the host {name} is away", remedy="run `tt start` there, and see `tt hosts`")
    raise StateError(f"the host {name} {fault}", remedy="see `tt hosts`, and name another one with `--host`")


def require_room(context: Context, name: str, place: Place) -> None:
    """Raise ``StateError`` if the town, or this host of it, has all the agents beside ``name`` that it may have."""
    agents, town = context.crew.agents(), context.town
    alive, seated = context.crew.alive(), seats.processes(town)

    def counts(agent: Agent) -> bool:
        if agent.name == name or agent.role in TOWN_ROLES:
            return False
        if agent.state in ENDED:
            return agent.returns
        return agent.name in alive or agent.name in seated or agent.returns or _elsewhere(context, agent)

    others = [agent for agent in agents.values() if counts(agent)]
    if len(others) >= town.settings.max_agents:
        raise StateError(
            f"the town already has {town.settings.max_agents} agents, the most it may have",
            remedy="raise `max_agents` in tinytown.toml, or `tt kill NAME`",
        )
    there = [agent for agent in others if _is_at(context, agent, place)]
    if place.most and len(there) >= place.most:
        raise StateError(
            f"the host {place.name} already has {place.most} agents, the most it may have",
            remedy="raise `max_agents` under [host] in its tinytown.toml, or name another one with `--host`",
        )


def _elsewhere(context: Context, agent: Agent) -> bool:
    """Whether another host has it, be that away: it comes back with its host."""
    return placement.is_elsewhere(context, agent) and Hosts(context.store).get(agent.host) is not None


def _is_at(context: Context, agent: Agent, place: Place) -> bool:
    return agent.host == place.name if place.other else not placement.is_elsewhere(context, agent)


def _counts(context: Context) -> dict[str, int]:
    """How many agents each host has, by the name that their records say."""
    found: dict[str, int] = {}
    for agent in context.crew.agents().values():
        if agent.role not in TOWN_ROLES and (agent.state not in ENDED or agent.returns):
            found[agent.host] = found.get(agent.host, 0) + 1
    return found


# -- how they stand ------------------------------------------------------------------------------


@dataclass(frozen=True)
class CliView:
    """An agents' CLI on a host."""

    name: str
    #: ``null`` where it cannot be told.
    logged_in: bool | None


@dataclass(frozen=True)
class HostView:
    """A host as people see it. Times are seconds since 1970, by the server's clock."""

    #: What the town calls it.
    name: str
    #: ``here``, ``live``, ``away`` or ``draining``.
    state: str
    #: The question was asked in its folder, or by its control.
    here: bool
    #: It has the user's repository.
    home: bool
    #: Release of tinytown.
    release: str
    #: Version of Python.
    python: str
    #: The machine's own name.
    address: str
    #: Its folder there.
    root: str
    #: When it joined.
    joined_at: float
    #: When it was last started.
    started_at: float
    #: Until when it is, or was, known to be there.
    seen_until: float
    #: How many agents it has.
    agents: int
    #: How many of them are at work.
    working: int
    #: How many it may have.
    max_agents: int
    #: The agents' CLIs whose programs are there, each with `name` and `logged_in`: `null` where it cannot be told.
    clis: Sequence[CliView]
    #: `[sandbox] kind` there.
    sandbox: str
    #: What its agents could do that they should not be able to, a sentence each.
    weak: Sequence[str]
    #: Seconds by which its clock is ahead of the server's; nothing depends on it.
    clock_ahead: float
    #: Settings of the town that its release does not know.
    unknown_settings: Sequence[str] = field(default=())


def host_views(context: Context) -> list[HostView]:
    """All hosts, the home first. A town that never had another one has only this one, without a record."""
    town = context.town
    every = Hosts(context.store).all()
    at_work = {a.agent for a in context.store.live_attempts() if a.claimed}
    agents = [a for a in context.crew.agents().values() if a.role not in TOWN_ROLES]
    if town.home and town.machine not in every:
        now = context.store.now()
        record = machine.describe(town, Host(name=town.machine, folder="", home=True), now=now)
        every = {town.machine: HostLease(record, 0, now + 1, now), **every}
    found = []
    for name, one in every.items():
        record, here = one.record, name == town.machine
        mine = [a for a in agents if (a.host or town.machine) == name and (a.state not in ENDED or a.returns)]
        state = "here" if here else "live" if one.live else "away"
        found.append(
            HostView(
                name=name,
                state="draining" if record.draining and one.live else state,
                here=here,
                home=record.home,
                release=record.release,
                python=record.python,
                address=record.address,
                root=record.root,
                joined_at=record.joined_at,
                started_at=record.started_at,
                seen_until=one.until,
                agents=len(mine),
                working=sum(a.name in at_work for a in mine),
                max_agents=record.max_agents or town.settings.max_agents,
                clis=[CliView(cli.name, cli.logged_in) for cli in record.clis],
                sandbox=record.sandbox,
                weak=record.weak,
                clock_ahead=record.clock_ahead,
                unknown_settings=record.unknown,
            )
        )
    return found


# -- leaving -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """A host that left the town, and its agents, which ended with it."""

    name: str
    agents: Sequence[str]


def leave(
    context: Context,
    name: str,
    *,
    now: bool = False,
    gone: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Left:
    """Take a host out of the town: nothing new is taken there, what runs ends, and then it stops.

    ``now`` ends what runs there at once; its work is kept. ``gone``: it will not come back, and nothing is waited for.
    ``tell`` is called with what is waited for.

    Raises:
        NotFoundError: there is no such host.
        StateError: it is the home; or it is there, though it should be gone; or away, and should drain.
    """
    hosts = Hosts(context.store)
    one = _drain(hosts, name, gone=gone)
    agents = [a.name for a in context.crew.agents().values() if a.host == name and a.role not in TOWN_ROLES]
    why = f"its host {name} left the town"
    ends = AgentState.STOPPED if now or gone else AgentState.DRAINING
    ended = [agent for agent in agents if _end(context, agent, ends, why=why)]
    hosts.tell([name])
    if gone:
        hosts.remove(hosts.get(name) or one)
        return Left(name, ended)
    waits: frozenset[str] = frozenset()
    while left := _unfinished(context, agents):
        if left != waits:
            tell(f"waiting for {', '.join(sorted(left))}")
            waits = left
        if (still := hosts.all().get(name)) is None:
            return Left(name, ended)
        if not still.live:
            raise UnreachableError(
                f"the host {name} went away while it was leaving",
                remedy=f"run `tt leave {name} --gone` if it stays away",
            )
        time.sleep(_LOOK_SECS)
    hosts.tell([name], "stop")
    until = time.monotonic() + _STOP_SECS
    while hosts.get(name) is not None:
        if time.monotonic() >= until:
            raise UnreachableError(f"the host {name} has not stopped yet", remedy="see `tt hosts`, and its logs there")
        time.sleep(_LOOK_SECS)
    return Left(name, ended)


def _drain(hosts: Hosts, name: str, *, gone: bool) -> HostLease:
    """Mark a host as leaving."""
    while True:
        one = hosts.all().get(name)
        if one is None:
            raise NotFoundError(f"the town has no host `{name[:60]}`", remedy="see `tt hosts`")
        if one.record.home:
            raise StateError(f"{name} is the home of the town", remedy="run `tt stop` there to stop it")
        if gone and one.live:
            raise StateError(f"the host {name} is there", remedy=f"run `tt leave {name}`")
        if not gone and not one.live:
            raise UnreachableError(
                f"the host {name} is away", remedy=f"run `tt start` there, or `tt leave {name} --gone` if it stays away"
            )
        try:
            hosts.put(one, one.record.evolve(draining=True))
        except ConflictError:
            continue
        return one


def _end(context: Context, name: str, state: AgentState, *, why: str) -> bool:
    """Have an agent end; gives whether it had not ended yet."""

    def decide(change: Change) -> bool:
        old = context.crew.agent(name)
        if old.record.state in ENDED and not old.record.returns:
            return False
        # One that is cold, or has not started yet, has nothing to finish.
        idle = old.record.state in (AgentState.COLD, AgentState.STARTING)
        new = AgentState.COLD if idle and state is AgentState.DRAINING else state
        change.put_agent(old, old.record.evolve(state=new, returns=False, still=False), why=why, at=context.store.now())
        return True

    try:
        return commit(context, decide)
    except NotFoundError:
        return False


def _unfinished(context: Context, names: Sequence[str]) -> frozenset[str]:
    """Those of these agents that are at work, or have not ended."""
    at_work = {a.agent for a in context.store.live_attempts() if a.claimed}
    known: Mapping[str, Agent] = {name: one.record for name, one in context.crew.some(names).items()}
    return frozenset(name for name, agent in known.items() if name in at_work or agent.state not in ENDED)
