"""The hosts of a town: their records and leases, what wakes them, and the settings that they are told.

Each host renews a lease of its own; one whose lease ran out is away, and its agents with it. What a host shall do is
on record (``Agent.host``, ``Host.draining``, the published settings); a word in its list only makes it look at once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tinytown.errors import UnreachableError
from tinytown.missions.crew import TOWN_ROLES
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.host import Host, HostCli, Published
from tinytown.missions.states import AgentState
from tinytown.state.database import Draft, answering, connect
from tinytown.state.keys import Keys
from tinytown.state.records import Versioned, decode, encode, presence
from tinytown.state.store import Store

__all__ = ["LOOK", "Host", "HostCli", "HostLease", "Hosts", "Published", "Versioned", "towns_in"]

#: Words for which a host that is away has room; later ones replace them, as they only say to look.
_WORDS = 50
#: Seconds for which an answer waits for whoever asked.
_ANSWER_SECS = 60
#: The word that says nothing but to look.
LOOK = "look"
_ENDED = frozenset({AgentState.COLD, AgentState.STOPPED})


@dataclass(frozen=True)
class HostLease:
    """A host's record and its lease."""

    record: Host
    version: int
    #: Until when it is, or was, known to be there.
    until: float
    now: float

    @property
    def live(self) -> bool:
        return self.until > self.now


class Hosts:
    """Reads and writes hosts."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- records and leases ----------------------------------------------------------------------

    def all(self) -> dict[str, HostLease]:
        """All hosts by name, the home first."""
        keys = self.store.keys
        with answering(), self.store.client.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.hosts)
            pipe.zrange(keys.hosts_alive, 0, -1, withscores=True)
            pipe.time()
            texts, until, time = pipe.execute()
        ends, now = presence(until), int(time[0]) + int(time[1]) / 1e6
        found = [decode(Host, keys.hosts, str(name), str(text)) for name, text in texts.items()]
        found.sort(key=lambda one: (not one.record.home, one.record.name))
        return {
            one.record.name: HostLease(one.record, one.version, ends.get(one.record.name, 0.0), now) for one in found
        }

    def count(self) -> int:
        """How many there are."""
        with answering():
            return int(self.store.client.hlen(self.store.keys.hosts))

    def get(self, name: str) -> Versioned[Host] | None:
        """The record of a host."""
        key = self.store.keys.hosts
        with answering():
            text = self.store.client.hget(key, name)
        return None if text is None else decode(Host, key, name, str(text))

    def put(self, old: Versioned[Host] | HostLease | None, new: Host, *, seconds: float | None = None) -> None:
        """Write a record; with ``seconds`` its lease begins anew.

        Raises:
            ConflictError: it changed since it was read.
        """
        version = old.version if old is not None else 0
        draft = Draft()
        draft.expect(self.store.keys.hosts, new.name, version)
        draft.write("HSET", self.store.keys.hosts, new.name, encode(version + 1, new))
        if seconds is not None:
            draft.write("ZADD_IN", self.store.keys.hosts_alive, new.name, str(round(seconds * 1000)))
        draft.commit(self.store.scripts)

    def renew(self, known: Versioned[Host], seconds: float) -> None:
        """Renew its lease; raises ``ConflictError`` if its record is another one by now."""
        draft = Draft()
        draft.expect(self.store.keys.hosts, known.record.name, known.version)
        draft.write("ZADD_IN", self.store.keys.hosts_alive, known.record.name, str(round(seconds * 1000)))
        draft.commit(self.store.scripts)

    def remove(self, known: Versioned[Host] | HostLease) -> None:
        """Forget a host; raises ``ConflictError`` if its record is another one by now."""
        keys, name = self.store.keys, known.record.name
        draft = Draft()
        draft.expect(keys.hosts, name, known.version)
        draft.write("HDEL", keys.hosts, name)
        draft.write("ZREM", keys.hosts_alive, name)
        draft.write("DEL", keys.host_words(name))
        draft.commit(self.store.scripts)

    # -- words -----------------------------------------------------------------------------------

    def tell(self, names: Collection[str], word: str = LOOK) -> None:
        """Have these hosts look at once at what is on record."""
        with answering(), self.store.client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.lpush(self.store.keys.host_words(name), word)
                pipe.ltrim(self.store.keys.host_words(name), 0, _WORDS - 1)
            pipe.execute()

    def hear(self, name: str, seconds: float) -> str | None:
        """The next word for a host, waited for up to ``seconds``."""
        with answering():
            found = self.store.client.blpop([self.store.keys.host_words(name)], seconds)
        return None if found is None else str(found[1])

    def ask(self, names: Collection[str], what: str, *, seconds: float) -> dict[str, Any]:
        """What these hosts answer, by name, within ``seconds``; one that does not answer is left out."""
        reply = uuid.uuid4().hex
        self.tell(names, f"{what} {reply}")
        found: dict[str, Any] = {}
        until = self.store.now() + seconds
        while len(found) < len(names) and (left := until - self.store.now()) > 0:
            with answering():
                said = self.store.client.blpop([self.store.keys.host_answer(reply)], min(left, 5.0))
            if said is not None:
                answer = json.loads(str(said[1]))
                found[str(answer["host"])] = answer["answer"]
        return found

    def answer(self, name: str, reply: str, answer: Any) -> None:
        """Answer whoever asked this."""
        key = self.store.keys.host_answer(reply)
        with answering(), self.store.client.pipeline(transaction=True) as pipe:
            pipe.rpush(key, json.dumps({"host": name, "answer": answer}))
            pipe.expire(key, _ANSWER_SECS)
            pipe.execute()

    # -- what a host shall do --------------------------------------------------------------------

    def seated_at(self, name: str) -> tuple[dict[str, Agent], set[str]]:
        """Agents that this host is to start, and names of all that have a place there and have not ended."""
        wanted, there = {}, set()
        key = self.store.keys.agents
        with answering():
            texts = self.store.client.hgetall(key)
        for agent_name, text in texts.items():
            agent = decode(Agent, key, str(agent_name), str(text)).record
            if agent.host != name or agent.role in TOWN_ROLES:
                continue
            if agent.state is AgentState.STARTING:
                wanted[agent.name] = agent
            if agent.state not in _ENDED:
                there.add(agent.name)
        return wanted, there

    # -- settings --------------------------------------------------------------------------------

    def publish(self, new: Published) -> bool:
        """Tell the hosts the town's settings; gives whether they are other ones than before."""
        key, text = self.store.keys.settings, new.model_dump_json()
        with answering():
            if self.store.client.get(key) == text:
                return False
            self.store.client.set(key, text)
        if names := [name for name, one in self.all().items() if not one.record.home]:
            self.tell(names)
        return True

    def published(self) -> Published | None:
        """What the home told last; ``None`` if it never did."""
        with answering():
            text = self.store.client.get(self.store.keys.settings)
        return None if text is None else Published.model_validate_json(str(text))


def towns_in(url: str) -> Mapping[str, str]:
    """The towns of a database: the epoch of each, by its id.

    Raises:
        UnreachableError: it does not answer.
    """
    client: Any = connect(url, retries=0)
    try:
        with answering():
            return dict(_towns(client))
    except ValueError as error:
        raise UnreachableError(f"that is no address of a server: {error}") from None
    finally:
        client.close()


def _towns(client: Any) -> Iterator[tuple[str, str]]:
    pattern = Keys("tt:*:").epoch
    for key in sorted(map(str, client.scan_iter(match=pattern, count=1000))):
        if (epoch := client.get(key)) is not None:
            yield key.split(":")[1], str(epoch)
