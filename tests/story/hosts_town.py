"""Stories of a town on several hosts: each has processes, caches and a clock of its own, and a way to the server.

Hosts are cut off, go deaf, crash with all that runs there, stand still beyond every lease and come back; two of them
decide. Commands of the one come late, after others have acted on what they did not bring.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from tests.story.invariants import ViolationError
from tests.story.mail_town import MailTown
from tests.story.network import Link, Weather, arrive, connect_through
from tests.story.simulation import Crash, StoryContext, StoryTown, Worker, tell
from tinytown.engine.dispatch.claiming import Claim
from tinytown.errors import TinytownError
from tinytown.missions.records.item import Item
from tinytown.state.store import Store

#: Clocks of hosts, in seconds ahead of the server's.
SKEWS = (0.0, 0.0, 0.4, -0.4, 130.0, -130.0, 7200.0, -7200.0)
#: What a server says that cannot write.
FULL = (
    "MISCONF Errors writing to the AOF file: No space left on device",
    "OOM command not allowed when used memory > 'maxmemory'.",
)


@dataclass
class Host:
    """A machine."""

    name: str
    link: Link
    skew: float = 0.0
    context: StoryContext = field(init=False)
    #: Steps that processes of it are within.
    acting: int = 0

    @property
    def away(self) -> bool:
        return self.link.cut or self.link.deaf


class HostsTown(StoryTown):
    """A town on several hosts. ``context`` is that of whoever acts."""

    def __init__(self, seed: int, url: str) -> None:
        self.hosts: list[Host] = []
        self.at: list[Host] = []
        #: By the names of workers: where they run.
        self.places: dict[str, Host] = {}
        super().__init__(seed, url)

    def __post_init__(self) -> None:
        super().__post_init__()
        rng = self.rng
        for number in range(1, rng.choice([2, 3])):
            self.hosts.append(self._new_host(f"h{number}", rng.choice(SKEWS)))
        self.weather.calm = False

    # -- who acts --------------------------------------------------------------------------------

    @property
    def context(self) -> StoryContext:  # type: ignore[override]
        return self.at[-1].context

    @context.setter
    def context(self, made: StoryContext) -> None:
        """The first host is made with the town."""
        self.weather = Weather(self.rng, calm=True, faults=self.faults)
        home = Host("h0", Link(self.weather))
        home.context = made
        self.observer = Store(self.url, self.town.prefix)
        connect_through(made.store.client, home.link, made.store.scripts)
        self.hosts.append(home)
        self.at.append(home)

    @property
    def host(self) -> str:  # type: ignore[override]
        return self.at[-1].name

    @host.setter
    def host(self, name: str) -> None:
        """It is that of whoever acts."""

    def _new_host(self, name: str, skew: float) -> Host:
        host = Host(name, Link(self.weather), skew)
        self._boot(host)
        return host

    def _boot(self, host: Host) -> None:
        """Its processes begin with nothing in memory."""
        host.context = StoryContext(self.town, self.url, self)
        connect_through(host.context.store.client, host.link, host.context.store.scripts)

    @contextmanager
    def on(self, host: Host) -> Iterator[None]:
        """A process of this host acts."""
        self.at.append(host)
        host.acting += 1
        try:
            yield
        finally:
            host.acting -= 1
            self.at.pop()

    def _watcher(self) -> Any:
        made = super()._watcher()
        made.store = self.observer
        return made

    def missed(self) -> None:
        """Whether it was committed, whoever did so does not know."""
        self.look()

    def close(self) -> None:
        for host in self.hosts[1:]:
            host.context.store.client.close()
        self.weather.calm, self.weather.full = True, ""
        self.hosts[0].link.cut = self.hosts[0].link.deaf = False
        del self.at[1:]
        self.observer.client.close()
        super().close()

    def items(self, mission: str) -> dict[str, Item]:
        return {k: v.record for k, v in self.observer.items(mission).items()}

    def _as(self, worker: Worker, words: str, step: Callable[[], object]) -> bool:
        host = self.place(worker.name)
        with self.on(host):
            return super()._as(worker, f"{words} ({host.name})", step)

    def act(self) -> None:
        # Either decides: two dispatchers, two beats and two people at terminals do no harm.
        with self.on(self.rng.choice(self.hosts[:2])):
            try:
                super().act()
            except TinytownError as error:
                self.note(f"refused: {error}")

    def place(self, name: str) -> Host:
        """Where a worker of this name runs."""
        if name not in self.places:
            self.places[name] = self.hosts[0] if name == "checks" else self.rng.choice(self.hosts)
        return self.places[name]

    def enlist(self, worker: Worker) -> None:
        with self.on(self.place(worker.name)):
            super().enlist(worker)

    def deliver(self) -> None:
        for worker in self.workers:
            worker.cut_off = self.place(worker.name).away
        super().deliver()

    # -- faults ----------------------------------------------------------------------------------

    @contextmanager
    def calm(self) -> Iterator[None]:
        before, self.weather.calm = self.weather.calm, True
        try:
            with super().calm():
                yield
        finally:
            self.weather.calm = before

    def maybe_cut(self, where: str) -> None:
        super().maybe_cut(where)
        host = self.at[-1]
        if host.acting == 1 and self.rng.random() < self.chaos.crash * 0.3:
            self.note(f"{host.name} CRASHES {where}")
            self._go_down(host)
            raise Crash

    def _go_down(self, host: Host) -> None:
        self.faults["host crashed"] += 1
        for worker in self._of(host):
            worker.alive, worker.frozen, worker.claim = False, False, None
        # Its memory is gone; what it had sent may still be under way.
        host.context.store.client.close()
        self._boot(host)

    def _of(self, host: Host) -> list[Worker]:
        return [w for w in self.workers if self.place(w.name) is host]

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        """What can happen to one agent, and to a host."""
        return [*super().actions(), (1.5, self.disaster), (2.5, self.relief), (3, self.arrives)]

    def disaster(self) -> None:
        """Something happens to a host as a whole, or to the server."""
        rng, faults = self.rng, self.faults
        host = rng.choice(self.hosts)
        match rng.choice(["cut", "cut", "deaf", "crash", "pause", "full"]):
            case "cut":
                self.note(f"{host.name} is cut off")
                host.link.cut = True
                faults["host cut off"] += 1
            case "deaf":
                self.note(f"{host.name} hears nothing")
                host.link.deaf = True
                faults["host hears no answers"] += 1
            case "crash" if not host.acting:
                self.note(f"{host.name} crashes")
                self._go_down(host)
            case "pause":
                self.note(f"{host.name} stands still")
                faults["host stood still"] += 1
                for worker in self._of(host):
                    worker.frozen = worker.frozen or worker.free
            case "full":
                self.weather.full = rng.choice(FULL)
                self.note(f"the server says: {self.weather.full}")

    def relief(self) -> None:
        """One of them is over."""
        host = self.rng.choice(self.hosts)
        self.weather.full = ""
        if host.away:
            self.note(f"{host.name} is back on the network")
            host.link.cut = host.link.deaf = False

    def arrives(self) -> None:
        """A late command reaches the server at last."""
        if self.weather.under_way:
            at = self.rng.randrange(len(self.weather.under_way))
            self.note("a late command arrives")
            arrive(self.url, self.weather.under_way.pop(at))
            self.look()

    def part_with_some(self) -> None:
        """The network and the disk are well again; what is still under way comes now, or later."""
        self.weather.full, self.weather.calm = "", True
        for host in self.hosts:
            host.link.cut = host.link.deaf = False
        while self.weather.under_way and self.rng.random() < 0.7:
            self.arrives()
        super().part_with_some()
        while self.weather.under_way:
            self.arrives()

    def run(self, steps: int) -> None:
        real = time.time

        def told() -> float:
            return real() + self.at[-1].skew

        with mock.patch("time.time", told):
            super().run(steps)

    # -- time ------------------------------------------------------------------------------------

    def show_life(self, worker: Worker) -> None:
        with self.on(self.place(worker.name)):
            try:
                super().show_life(worker)
            except TinytownError as error:
                self.note(f"{worker.name}: {error}")
                return
        if worker.claim is not None and not worker.ended:
            self._goes_on(worker.name, worker.claim)

    def _goes_on(self, name: str, claimed: Claim) -> None:
        """Who has just been told to go on runs the attempt that its item has, and no older one."""
        live = self.items(claimed.mission.id)[claimed.item.key].attempt
        if live is None or (live.id, live.token) != (claimed.attempt.id, claimed.token):
            raise ViolationError(f"{name} goes on with {claimed.attempt.id} beside {live and live.id}")


def tell_of_hosts(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of a town on several hosts."""
    return tell(seed, url, steps=steps, town_of=HostsTown, again='test_hosts.py -k "again and quiet"')


class BusyHostsTown(HostsTown, MailTown):
    """The same with plans, tasks by hand, a backlog and messages."""

    def serve(self, name: str) -> None:
        with self.on(self.place(name)):
            super().serve(name)

    def _begun(self, worker: Worker, claimed: Claim) -> None:
        # What it reads of the records here is what the watcher is to know, and no deed of the worker.
        with self._fair(self.place(worker.name)):
            super()._begun(worker, claimed)

    @contextmanager
    def _fair(self, host: Host) -> Iterator[None]:
        """Nothing is wrong with the network for a moment."""
        link, weather = host.link, self.weather
        before = link.cut, link.deaf, weather.full, weather.calm
        link.cut, link.deaf, weather.full, weather.calm = False, False, "", True
        try:
            with self.on(host):
                yield
        finally:
            link.cut, link.deaf, weather.full, weather.calm = before


def tell_of_busy_hosts(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of several hosts on which people and agents do all that can be done in a town."""
    return tell(seed, url, steps=steps, town_of=BusyHostsTown, again='test_hosts.py -k "again and busy"')


class BadLinesTown(BusyHostsTown):
    """The same, where many an answer is lost: what is new comes again."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weather.lost = 0.05


def tell_of_bad_lines(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of hosts whose lines to the database break again and again."""
    return tell(seed, url, steps=steps, town_of=BadLinesTown)
