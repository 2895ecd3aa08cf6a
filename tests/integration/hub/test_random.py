"""Stories of chance: three machines and a hub that is cut off, emptied and raced for; in the end it has everything."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.fakes.git_server import Fault, GitServer, serving
from tests.fakes.repositories import Repository
from tests.integration.hub.bench import Bench, a_bench, a_hub
from tinytown.errors import HubAwayError
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub

#: How many are told; `HUB_STORIES=50` tells more.
STORIES = int(os.environ.get("HUB_STORIES", "1"))
STEPS = 50
FAULTS: tuple[Fault, ...] = ("down", "lost reply", "cut", "busy")


@dataclass
class Story:
    """What happens is chosen by the seed; ``made`` are all commits that a machine collected, with the machine's ref."""

    chance: random.Random
    bench: Bench
    machines: list[Hub]
    server: GitServer
    made: dict[str, tuple[Hub, str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def step(self) -> None:
        acts: dict[Callable[[Hub], None], int] = {
            self.work: 6, self.go_on: 3, self.offer: 6, self.race: 2, self.survey: 1, self.refresh: 1, self.need: 1,
            self.fault: 5, self.calm: 1, self.commit: 1, self.empty: 1, self.forget: 2,
        }  # fmt: skip
        [act] = self.chance.choices(list(acts), list(acts.values()))
        machine = self.chance.choice(self.machines)
        self.told.append(f"{act.__name__} {self.machines.index(machine)}")
        act(machine)

    def may_fail(self, call: Callable[[], object]) -> None:
        try:
            call()
        except HubAwayError as error:
            self.told.append(str(error))

    def collect(self, machine: Hub, ref: str, on: str) -> None:
        sha = self.bench.work(machine, {"a.txt": f"{len(self.made)}\n"}, on=on, ref=ref)
        self.made[sha] = machine, ref

    def work(self, machine: Hub) -> None:
        """An attempt; now and then one with the number of another machine's, as of an old database."""
        ref = f"refs/tinytown/attempts/m/item-{self.chance.randint(1, 2)}/{self.chance.randint(1, 8)}"
        base = machine.own.commit("refs/heads/main")
        if base and machine.own.commit(ref) is None:
            self.collect(machine, ref, base)

    def go_on(self, _: Hub) -> None:
        if self.made:
            machine, ref = self.chance.choice(list(self.made.values()))
            if head := machine.own.commit(ref):
                self.collect(machine, ref, head)

    def offer(self, machine: Hub) -> None:
        self.may_fail(machine.offer)

    def race(self, machine: Hub) -> None:
        pushing = [*self.machines, machine]
        threads = [threading.Thread(target=self.may_fail, args=(one.offer,)) for one in pushing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def survey(self, _: Hub) -> None:
        self.may_fail(lambda: self.bench.home.survey(["main"]))

    def refresh(self, machine: Hub) -> None:
        if not machine.home:
            self.may_fail(lambda: machine.refresh(["work/attempts/m/item-1/*"]))

    def need(self, machine: Hub) -> None:
        if self.made:
            self.may_fail(lambda: machine.need([self.chance.choice(list(self.made))]))

    def fault(self, _: Hub) -> None:
        self.server.befall(self.chance.choice(FAULTS), self.chance.choice((1, 3, 10)))

    def calm(self, _: Hub) -> None:
        self.server.befall("")

    def commit(self, _: Hub) -> None:
        self.bench.repository.commit("More", {"c.txt": f"{len(self.told)}\n"})
        self.may_fail(self.bench.publish)

    def empty(self, _: Hub) -> None:
        shutil.rmtree(self.bench.hub.root)
        a_hub(self.bench.hub.root)

    def forget(self, machine: Hub) -> None:
        """A process died before it could note what it had pushed."""
        if known := list(machine.known("work/*")):
            machine.own.run("update-ref", "-d", names.KNOWN + self.chance.choice(known))

    def end(self) -> None:
        """The hub answers, and each machine sweeps."""
        self.calm(self.bench.home)
        self.bench.home.survey(["main"])
        for machine in self.machines[1:]:
            machine.refresh()
            machine.offer()
        self.bench.home.survey(["main"])


@pytest.mark.parametrize("seed", range(STORIES))
def test_nothing_is_lost_whatever_happens(seed: int, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as server:
        hub = a_hub(tmp_path / "served" / "hub.git")
        bench = a_bench(tmp_path, server.url("hub"), hub=hub)
        hosts = [replace(bench.host, folder=tmp_path / f"host{n}" / "project.git") for n in range(2)]
        story = Story(random.Random(seed), bench, [bench.home, *hosts], server)
        bench.publish()
        for host in hosts:
            host.refresh()
        for _ in range(STEPS):
            story.step()
        story.end()
        there = {*Repository(hub.root).git("rev-list", "--all").split()}
        assert story.made.keys() <= there, story.told
        assert not any(machine.pending() for machine in story.machines), story.told
        kept = {*Repository(bench.home.folder).git("rev-list", "--glob=refs/tinytown/*").split()}
        assert story.made.keys() <= kept, story.told
        hosts[0].need(story.made)
        for host in hosts:
            host.refresh()
            assert host.base("main") == bench.repository.rev("main"), story.told
