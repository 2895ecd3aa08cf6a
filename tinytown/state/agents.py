"""The agents of a town: their records and their presence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from tinytown.errors import NotFoundError, StateError
from tinytown.missions.crew import TOWN_ROLES, Crew, Worker
from tinytown.missions.records.agent import Agent
from tinytown.missions.states import AgentState
from tinytown.state.database import Draft, answering
from tinytown.state.records import AdmissionView, LiveAttempt, Versioned, decode, encode, presence
from tinytown.state.store import Store

#: States, as an operator wants them, in which an agent takes no work.
_NOT_TAKING = frozenset({AgentState.PAUSED, AgentState.DRAINING, AgentState.COLD, AgentState.STOPPED})


#: Seconds for which an agent that was just spawned, or went silent, counts as busy: reviews wait for a reviewer that
#: is starting, and do not go to others.
COMING_SECS = 30.0


class CrewStore:
    """Reads and writes agents."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: By name: what was read last of an agent, as text and as the record that it is.
        self._known: dict[str, tuple[str, Versioned[Agent]]] = {}

    def agents(self) -> dict[str, Agent]:
        """All agents by name, in the order they were spawned."""
        key = self._store.keys.agents
        with answering():
            found = self._store.client.hgetall(key)
        agents = [decode(Agent, key, str(n), str(t)).record for n, t in found.items()]
        return {a.name: a for a in sorted(agents, key=lambda a: (a.spawned_at, a.name))}

    def agent(self, name: str) -> Versioned[Agent]:
        """One agent; raises ``NotFoundError``."""
        key = self._store.keys.agents
        with answering():
            text = self._store.client.hget(key, name)
        if text is None:
            raise NotFoundError(f"there is no agent `{name}`", remedy="see `tt list`")
        return decode(Agent, key, name, str(text))

    def find(self, word: str) -> str:
        """The name of the agent that ``word`` is the name, the nickname or the label of.

        Raises:
            NotFoundError: there is none.
            StateError: there are several.
        """
        agents = [agent for agent in self.agents().values() if agent.role not in TOWN_ROLES]
        if any(agent.name == word for agent in agents):
            return word
        called = [a.name for a in agents if word.casefold() in (a.nickname.casefold(), a.label.casefold())]
        if not called or not word:
            raise NotFoundError(f"there is no agent `{word}`", remedy="see `tt list`")
        if len(called) > 1:
            raise StateError(f"several agents are called {word}: {', '.join(called)}", remedy="use the agent's name")
        return called[0]

    def put(self, old: Versioned[Agent] | None, new: Agent) -> None:
        """Write an agent's record; raises ``ConflictError`` if it changed since it was read."""
        draft = Draft()
        version = old.version if old is not None else 0
        draft.expect(self._store.keys.agents, new.name, version)
        draft.write("HSET", self._store.keys.agents, new.name, encode(version + 1, new))
        draft.commit(self._store.scripts)

    def remove(self, name: str) -> None:
        """Forget an agent."""
        with answering():
            self._store.client.hdel(self._store.keys.agents, name)
            self._store.client.hdel(self._store.keys.rounds, name)
            self._store.client.zrem(self._store.keys.alive, name)

    def some(self, names: Collection[str]) -> dict[str, Versioned[Agent]]:
        """The records of these agents, as far as there are any."""
        key = self._store.keys.agents
        with answering():
            texts = self._store.client.hmget(key, list(names)) if names else []
        found = zip(names, texts, strict=True)
        return {name: self._decoded(key, name, str(text)) for name, text in found if text is not None}

    def _decoded(self, key: str, name: str, text: str) -> Versioned[Agent]:
        """The record; who serves an agent reads it each second, and it hardly ever changes."""
        known = self._known.get(name)
        if known is None or known[0] != text:
            self._known[name] = known = text, decode(Agent, key, name, text)
        return known[1]

    def rounds(self, names: Collection[str]) -> dict[str, int]:
        """How many runs each of them began since it was started."""
        with answering():
            found = self._store.client.hmget(self._store.keys.rounds, list(names)) if names else []
        return {name: int(count or 0) for name, count in zip(names, found, strict=True)}

    def announce(self, names: Iterable[str], seconds: float) -> None:
        """These agents are alive, for so many seconds from now."""
        milliseconds = round(seconds * 1000)
        if words := [word for name in names for word in (name, milliseconds)]:
            draft = Draft()
            draft.write("ZADD_IN", self._store.keys.alive, *words)
            draft.commit(self._store.scripts)

    def leave(self, *names: str) -> None:
        """These agents stop being alive; if their town only restarts, they are back before ``COMING_SECS`` are over."""
        self.announce(names, 0)

    def expect(self, names: Iterable[str]) -> None:
        """These agents are being started: until they are there, they count as busy and not as missing."""
        # Never later than now, or they would be there for a moment.
        now = int(self._store.now() * 1000)
        for name in names:
            with answering():
                self._store.client.zadd(self._store.keys.alive, {name: now}, gt=True)

    def note_full(self, host: str, missing: str, seconds: float) -> None:
        """The disks of a machine have no room for a run, for so many seconds unless it is said again."""
        self._put_full(host, f"{self._store.now() + seconds!r}\n{missing}")

    def note_room(self, host: str) -> bool:
        """The disks of a machine have room; gives whether they had none before."""
        with answering():
            known = self._store.client.hexists(self._store.keys.disks, host)
        if known:
            self._put_full(host, None)
        return bool(known)

    def _put_full(self, host: str, text: str | None) -> None:
        draft, keys = Draft(), self._store.keys
        if text is None:
            draft.write("HDEL", keys.disks, host)
        else:
            draft.write("HSET", keys.disks, host, text)
        # What was decided before is decided anew.
        draft.write("INCR", keys.admissions)
        draft.commit(self._store.scripts)

    def alive(self) -> set[str]:
        """Names of the agents that are present."""
        now = self._store.now()
        return {name for name, until in self.presence().items() if until > now}

    def presence(self) -> dict[str, float]:
        """Until when each agent is, or was, known to be alive."""
        with answering():
            return presence(self._store.client.zrange(self._store.keys.alive, 0, -1, withscores=True))


def crew_of(view: AdmissionView, fallbacks: Mapping[str, Sequence[str]]) -> Crew:
    """The live workers of an admission's view, and what is under way to them; ``fallbacks`` are the CLIs by role."""
    agents = [decode(Agent, "agents", name, text).record for name, text in view.agents.items()]
    crew = gather(agents, view.attempts, presence=view.presence, now=view.now, fallbacks=fallbacks)
    return replace(crew, limits=view.limits, full=view.full)


def gather(
    agents: Iterable[Agent],
    attempts: Iterable[LiveAttempt],
    *,
    presence: Mapping[str, float],
    now: float,
    fallbacks: Mapping[str, Sequence[str]] | None = None,
) -> Crew:
    """A crew of the agents that take work; ``presence`` says until when each is, or was, alive."""
    busy: set[str | None] = set()
    sent: dict[str, int] = {}
    for attempt in attempts:
        if attempt.claimed:
            busy.add(attempt.agent)
        else:
            sent[attempt.queue] = sent.get(attempt.queue, 0) + 1
    workers, interrupted, away = [], [], []
    agents = sorted(agents, key=lambda a: a.name)
    # The town's own workers are at its home.
    home = {agent.host for agent in agents if agent.role in TOWN_ROLES}
    for agent in agents:
        until = presence.get(agent.name, 0.0)
        here = until > now
        begun = agent.since if agent.state is AgentState.STARTING else 0.0
        coming = max(until, agent.spawned_at, begun) > now - COMING_SECS
        asleep = agent.state is AgentState.COLD and agent.returns
        if agent.state is AgentState.PAUSED:
            interrupted.append(Worker(agent.name, agent.role, idle=False))
        if asleep or ((here or coming) and agent.state not in _NOT_TAKING):
            clis = (agent.cli, *(fallbacks or {}).get(agent.role, ())) if agent.cli else ()
            idle = here and not asleep and agent.name not in busy
            workers.append(Worker(agent.name, agent.role, idle=idle, clis=clis, host=agent.host, asleep=asleep))
        elif home and agent.host and agent.host not in home and agent.state not in _NOT_TAKING:
            away.append(Worker(agent.name, agent.role, idle=False, host=agent.host))
    return Crew(workers=workers, sent=sent, interrupted=interrupted, away=away)
