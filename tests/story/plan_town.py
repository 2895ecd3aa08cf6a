"""Stories of plans and of tasks by hand: files that change while their plan runs, tasks that wait for others, agents
that are interrupted, closed, killed, started again or go cold.

Agents obey as they do in their worker's process, by its own code; only its threads, files and locks are replaced.
"""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from tests.story import plan_files
from tests.story.invariants import ViolationError, Watcher
from tests.story.plan_invariants import PlanWatcher
from tests.story.simulation import StoryTown, Worker
from tinytown import contract, keys
from tinytown.engine.dispatch import attempts
from tinytown.engine.dispatch.advance import advance_all
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.operate import agents as operate_agents
from tinytown.engine.operate import installed, lives, missions, notes, recovery
from tinytown.engine.operate import items as operate_items
from tinytown.engine.plan import again, by_hand, sync
from tinytown.errors import StateError
from tinytown.host import lifecycle as host_lifecycle
from tinytown.host import seats
from tinytown.host.process_specs import Seat
from tinytown.missions.agent_states import ENDED
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import AgentState, ItemState, Outcome, Purpose
from tinytown.plans.model import STATES
from tinytown.settings import Settings
from tinytown_workers.run.hold import Part
from tinytown_workers.serve.roster import Roster
from tinytown_workers.serve.slots import Slot, Slots

#: Whom tasks are given to by hand.
TAKERS = ("worker", "worker", "worker0", "worker0", "backend", "reviewer", "tester1", "zoe")
#: Who is spawned so that there is somebody for everything.
STAFF = (
    ("zoe", "backend"),
    ("tester1", "tester"),
    ("worker0", "worker"),
    ("new-backend", "backend"),
    ("new-reviewer", "reviewer"),
    ("other-reviewer", "reviewer"),
    ("new-worker", "worker"),
)
#: States of a task that an agent has begun with.
BEGUN = (ItemState.ASSIGNED, ItemState.RUNNING, ItemState.IN_REVIEW, ItemState.FIXING)
#: What a file can wish.
WISHES = {word for word, state in STATES.items() if state.ended}


@dataclass
class Agent(Worker):
    """An agent, its seat in a worker process, and what that process makes of it."""

    slot: Slot = field(kw_only=True)
    roster: Roster = field(kw_only=True)
    part: Part = field(default_factory=Part)

    @property
    def queues(self) -> tuple[str, ...]:
        self.slot.busy = self.claim is not None
        return super().queues if self.slot.takes else ()

    @property
    def works(self) -> bool:
        return super().works and not self.part.still


class PlanTown(StoryTown):
    """A town with a plan, tasks by hand, and agents that people look after."""

    watcher: PlanWatcher

    def __init__(self, seed: int, url: str) -> None:
        self.seats: dict[str, tuple[str, Seat]] = {}
        #: Agents whose machine is gone.
        self.unserved: set[str] = set()
        self.file = ""
        #: What was given by hand, by id: its mission.
        self.given: dict[str, str] = {}
        #: What the last run of an item left whose report was taken, and its number.
        self.left: dict[tuple[str, str], int] = {}
        #: Depths of actions that may end no run.
        self.gentle: set[int] = set()
        self._patches = contextlib.ExitStack()
        super().__init__(seed, url)
        self.host = socket.gethostname()
        self._patch()

    def _patch(self) -> None:
        """What reads and writes files, or waits, is replaced."""
        values: list[tuple[Any, str, Any]] = [
            (seats, "take", self._take_seat),
            (seats, "leave", self._leave_seat),
            (seats, "processes", lambda town: {name: role for name, (role, _) in self.seats.items()}),
            (host_lifecycle, "processes", lambda town: []),
            (installed, "require_cli", lambda context, name: None),
            (installed, "is_installed", lambda context, name: True),
            (installed, "folder_of", lambda context, cli: ""),
            (lives, "OBEY_SECS", 0.0),
            (by_hand, "MOST", self.rng.choice([2, 3, 200])),
        ]
        for where, name, value in values:
            self._patches.enter_context(mock.patch.object(where, name, value))

    def close(self) -> None:
        self._patches.close()
        super().close()

    def _watcher(self) -> Watcher:
        return PlanWatcher(self.context.store)

    def _settings(self) -> Settings:
        # Read again from what the base made, with what only matters here.
        base = super()._settings()
        return base.model_copy(
            update={
                "default_cli": "x",
                "max_agents": 50,
                "agent": base.agent.model_copy(update={"idle_timeout_secs": self.rng.choice([0, 0, 60])}),
            }
        )

    def look(self) -> None:
        self.watcher.gentle = self.depth in self.gentle
        super().look()

    # -- agents ----------------------------------------------------------------------------------

    def _take_seat(self, town: object, agent: str, role: str, *, cli_folder: str = "") -> None:
        self.maybe_cut(f"before {agent} gets a seat")
        self.seats[agent] = role, Seat("", uuid.uuid4().hex[:8])

    def _leave_seat(self, town: object, agent: str, *, token: str | None = None) -> bool:
        if agent not in self.seats or token not in (None, self.seats[agent][1].token):
            return False
        del self.seats[agent]
        return True

    def employ(self, name: str, role: str | None = None, **words: Any) -> None:
        """``tt spawn``."""
        agent, _ = operate_agents.spawn(self.context, name, role=role, cli="x", **words)
        self.watcher.roles[name] = agent.role
        operate_agents.begin(self.context, agent)

    def member(self, name: str) -> Agent | None:
        """The agent of this name that is served now."""
        return next((w for w in self.workers if isinstance(w, Agent) and w.name == name and w.alive), None)

    def serve(self, name: str) -> None:
        """The process of its role begins to serve an agent."""
        role, seat = self.seats[name]
        roster = Roster(self.context, Slots(contract.role_queue(role)), dict, role=role)
        known = self.context.crew.some([name]).get(name)
        attempts.abandon(self.context, {name}, ended=lambda _: True)
        record = roster._enlist(name, known, seat)
        if record is None:
            return
        paused = record.state in (AgentState.PAUSED, AgentState.DRAINING)
        slot = Slot(name, record.role, "x", seat.token, paused=paused, idle_since=time.monotonic())
        rounds = self.context.crew.rounds([name])[name]
        slot.rounds_left = max(0, record.max_rounds - rounds) if record.max_rounds else None
        self.workers = [w for w in self.workers if w.name != name]
        self.workers.append(Agent(name, record.role, slot=slot, roster=roster))
        self.context.crew.announce([name], roster._context.town.settings.timing.heartbeat_secs * 3)
        advance_all(self.context, self.context.store.mission_ids(live=True))

    def hear(self, agent: Agent) -> None:
        """An agent's process learns what people want of it, and does it."""
        agent.slot.busy = agent.claim is not None
        agent.roster._obey(agent.slot, self.context.crew.some([agent.name]).get(agent.name))
        agent.part.still = agent.claim is not None and agent.slot.hold.wanted
        if agent.slot.gone and agent.claim is None:
            agent.alive = False

    def listen(self) -> None:
        """Some agent's process looks at its record."""
        if found := [w for w in self.workers if isinstance(w, Agent) and w.free]:
            agent = self.rng.choice(found)
            self._as(agent, f"{agent.name} hears", lambda: self.hear(agent))

    def supervise(self) -> None:
        """A process that ended is started again, or wakes."""
        waiting = [name for name in self.seats if self.member(name) is None and name not in self.unserved]
        frozen = [w for w in self.workers if w.alive and w.frozen and not w.acting]
        if waiting and (not frozen or self.rng.random() < 0.5):
            name = self.rng.choice(waiting)
            self.guarded(f"{name} is served", lambda: self.serve(name))
        elif frozen:
            worker = self.rng.choice(frozen)
            worker.frozen = False
            self._as(worker, f"{worker.name} wakes", lambda: self.context.crew.announce([worker.name], 45.0))
        elif down := [w for w in self.workers if w.role == "checks" and not w.alive and not w.acting]:
            self._as(down[0], "checks is back", lambda: self._begin(down[0]))

    def _begun(self, worker: Worker, claimed: Claim) -> None:
        super()._begun(worker, claimed)
        if not isinstance(worker, Agent):
            return
        worker.part = Part()
        worker.slot.hold._parts[:] = [worker.part]
        worker.slot.begins()
        if worker.slot.rounds_left == 0:
            self._as(worker, f"the last run of {worker.name}", lambda: worker.roster.last_run(worker.slot))

    def work(self) -> None:
        super().work()
        for worker in self.workers:
            if isinstance(worker, Agent) and worker.claim is None:
                if worker.slot.busy:
                    worker.slot.idle_since = time.monotonic()
                worker.slot.hold._parts.clear()
                worker.slot.busy = False
                worker.alive = worker.alive and not worker.slot.gone

    def outcome(self, claimed: Claim) -> Report:
        worker = self.member(claimed.agent)
        if worker is not None and worker.slot.gone:
            return self._report(Outcome.CANCELLED, salvage="s")
        return super().outcome(claimed)

    def _succeeded(self, claimed: Claim) -> Report:
        said = f"what {claimed.item.typed} left at {claimed.attempt.number}"
        if claimed.attempt.purpose is Purpose.WORK and self.rng.random() < 0.4:
            return self._report(Outcome.SUCCEEDED, result=said)
        self.heads += 1
        return self._report(Outcome.SUCCEEDED, head=f"c{self.heads}", result=said)

    def _counted(self, claimed: Claim, report: Report) -> None:
        super()._counted(claimed, report)
        if report.result and claimed.attempt.purpose in (Purpose.WORK, Purpose.FIX):
            self.left[claimed.mission.id, claimed.item.key] = claimed.attempt.number

    def _pass_time(self, seconds: float) -> None:
        for worker in self.workers:
            if isinstance(worker, Agent):
                worker.slot.idle_since -= seconds
        super()._pass_time(seconds)

    def casualty(self) -> None:
        worker = self.rng.choice(self.workers)
        if not worker.free:
            return
        what = self.rng.choice(["dies", "freezes"])
        self.note(f"{worker.name} {what}")
        self.faults[f"worker {what}"] += 1
        if what == "freezes":
            worker.frozen = True
            return
        worker.alive, worker.claim = False, None

    # -- what people do --------------------------------------------------------------------------

    def build(self) -> None:
        rng = self.rng
        self.watcher.roles["checks"] = "checks"
        self.enlist(Worker("checks", "checks"))
        for number, role in enumerate(self.roles()):
            name = f"{role}{number}"
            self.employ(name, role, max_rounds=rng.choice([0, 0, 0, 2]))
            self.serve(name)
        self.file = self.plan()
        self.push(self.file, dry=False)
        if rng.random() < 0.7:
            sync.start(self.context)
        for _ in range(rng.choice([0, 0, 1, 3])):
            self.assign()

    def roles(self) -> list[str]:
        """Those of the agents that are there at the beginning."""
        rng = self.rng
        return ["worker", *rng.choices(["worker", "backend", "reviewer", "reviewer", "tester"], k=rng.randint(0, 3))]

    def plan(self) -> str:
        """The file that is pushed first."""
        return plan_files.written(self.rng)

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        replaced = {self.operator, self.recover, self.casualty}
        found = [(weight, action) for weight, action in super().actions() if action not in replaced]
        return [
            *found,
            (7 if self.depth else 2.5, self.operator),
            (1.2, self.casualty),
            (2.5, self.supervise),
            (3, self.listen),
            (1.5, self.change_begun),
        ]

    def operator(self) -> None:
        deeds: list[tuple[float, Callable[[], None]]] = [
            (6, self.edit),
            (1, self.push_again),
            (1.5, self.pull),
            (2, lambda: self.do("start the plan", lambda: sync.start(self.context))),
            (4, self.assign),
            (7, self.task),
            (6, self.look_after),
            (4, self.mission),
        ]
        weights, choices = zip(*deeds, strict=True)
        self.rng.choices(choices, weights)[0]()

    def do(self, words: str, step: Callable[[], object], *, told: Collection[str] = (), gentle: bool = False) -> bool:
        """What a person does; ``told`` are the items whose state they give."""

        def said() -> None:
            depth = self.depth
            self.told[depth] = told
            if gentle:
                self.gentle.add(depth)
            try:
                step()
            finally:
                del self.told[depth]
                self.gentle.discard(depth)

        return self.guarded(words, said)

    def edit(self) -> None:
        self.push(plan_files.edited(self.rng, self.file))

    def change_begun(self) -> None:
        """Somebody takes away, or tells otherwise, what an agent has begun."""
        items = [item for mission in self.watcher.plans for item in self.items(mission).values()]
        begun = [item.typed for item in items if item.state in BEGUN and item.kind not in ("epic", "verdict")]
        if begun:
            id_, rng = self.rng.choice(begun), self.rng
            text = self.file
            text = plan_files.without(text, id_) if rng.random() < 0.4 else plan_files.otherwise(rng, text, id_)
            self.push(text, dry=False, force=rng.random() < 0.7)

    def push_again(self) -> None:
        self.push(self.file)

    def push(self, text: str, *, dry: bool | None = None, force: bool | None = None) -> None:
        force = self.rng.random() < 0.3 if force is None else force
        dry = self.rng.random() < 0.1 if dry is None else dry

        def bring() -> None:
            self.note(text.replace("\n", "|"))
            sync.push(self.context, sync.Wanted(sync.File(text.encode(), "tasks.toml"), dry_run=dry, force=force))

        sound = plan_files.is_sound(text)
        tasks = plan_files.parse(text)["tasks"]
        told = [keys.task_key(task["id"]) for task in tasks if task.get("status") in WISHES]
        if (
            self.do(f"push {'--force' if force else ''}", bring, told=told, gentle=not force) or self.rng.random() < 0.5
        ) and sound:
            self.file = text

    def pull(self) -> None:
        def bring() -> None:
            found = sync.pull(self.context, sync.Wanted(sync.File(self.file.encode(), "tasks.toml")))
            self.file = found.content.decode()
            sync.pulled(self.context, found)

        if self.file:
            self.do("pull", bring)

    def assign(self) -> None:
        rng = self.rng
        names = [*TAKERS, *(w.name for w in self.workers if w.role != "checks")]
        after = rng.sample(sorted(self.given), min(len(self.given), rng.choice([0, 0, 1, 1, 2])))
        wanted = by_hand.Assignment(rng.choice(names), f"Do it after {' '.join(after) or 'nothing'}", after=after)

        def give() -> None:
            given = by_hand.assign(self.context, wanted)
            self.given[given.item.typed] = given.mission.id

        self.do(f"assign {wanted}", give)

    def task(self) -> None:
        rng = self.rng
        ids = [*self.given, *plan_files.IDS[:5]]
        if not ids:
            return
        id_ = rng.choice(ids)
        verb = rng.choice(["complete", "fail", "cancel", "retry", "retry", "retry --from"])
        if verb in ("complete", "fail"):
            state = ItemState.DONE if verb == "complete" else ItemState.FAILED
            told = [keys.task_key(id_), keys.task_key(id_, plan="hand")]
            text = rng.choice(["", "a person did it"])
            self.do(f"task {verb} {id_}", lambda: by_hand.settle(self.context, id_, state, text), told=told)
            return

        def act() -> None:
            found = by_hand.find(self.context, id_)
            if verb == "retry --from":
                again.begin_again(self.context, id_)
            elif verb == "cancel":
                operate_items.cancel(self.context, found.mission.id, found.item.key, why="by hand")
            else:
                operate_items.retry(self.context, found.mission.id, found.item.key)

        self.do(f"task {verb} {id_}", act)

    def look_after(self) -> None:
        """What people do with agents."""
        rng = self.rng
        known = list(self.context.crew.agents())
        names = [name for name in known if name != "checks"]
        name = rng.choice(names) if names else "worker0"
        match rng.choice(["interrupt", "resume", "resume", "close", "kill", "restart", "restart", "restart", "spawn",
                          "prune", "recover", "reclaim"]):  # fmt: skip
            case "interrupt":
                self.do(f"interrupt {name}", lambda: lives.interrupt(self.context, name))
            case "resume":
                self.do(f"resume {name}", lambda: lives.resume(self.context, name))
            case "close":
                self.do(f"close {name}", lambda: lives.close(self.context, name))
            case "kill":
                self.do(f"kill {name}", lambda: lives.kill(self.context, name))
            case "restart":
                self.do(f"restart {name}", lambda: self.restart(name))
            case "spawn":
                name, role = rng.choice([("worker0", "worker"), ("zoe", "backend"), ("tester1", "tester")])
                self.do(f"spawn {name}", lambda: self.employ(name, role))
            case "prune":
                self.do("prune", lambda: lives.prune(self.context, everything=rng.random() < 0.5))
            case "recover":
                self.do("recover", lambda: recovery.recover(self.context))
            case "reclaim":
                self.do(f"reclaim --to {name}", lambda: recovery.reclaim(self.context, to=name))

    def restart(self, name: str) -> None:
        """``tt restart``."""
        operate_agents.begin(self.context, lives.restart(self.context, name))

    def mission(self) -> None:
        """What people do with missions."""
        rng = self.rng
        mission = rng.choice(self.watcher.missions)
        item = rng.choice(list(self.items(mission).values()))
        agent = rng.choice(self.workers).name
        words = rng.choice(
            ["pause", *["resume"] * 3, "retry", f"redirect {item.typed} to {agent}", "merge", "by hand", "mind the gap",
             *["pause"] * (6 if self.depth else 0)]
        )  # fmt: skip
        if words == "merge":
            self.do(f"merge {item.typed}", lambda: operate_items.merge(self.context, mission, item.typed))
        elif words == "by hand":
            self.merge_by_hand(mission)
        elif rng.random() < 0.06:
            self.do("stop --force", lambda: missions.cancel(self.context, mission))
        else:
            self.do(words, lambda: notes.note(self.context, mission, words))

    # -- the end ---------------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        super().run(steps)
        if self.seed % 2 == 0:
            self.note("-- the plan is done, and goes on with one more task")
            self.push(plan_files.with_more(self.file), dry=False)
            self.do("start the plan", lambda: sync.start(self.context))

    def part_with_some(self) -> None:
        self.unserved = {name for name in self.seats if self.rng.random() < 0.2}
        for worker in self.workers:
            if worker.name in self.unserved:
                worker.alive, worker.claim = False, None
            else:
                worker.frozen = False
        if not self.workers[0].alive:
            self._as(self.workers[0], "checks is back", lambda: self._begin(self.workers[0]))

    def attend(self) -> None:
        for worker in list(self.workers):
            if isinstance(worker, Agent) and worker.free:
                self._as(worker, f"{worker.name} hears", lambda w=worker: self.hear(w))  # type: ignore[misc]
        for name in list(self.seats):
            if self.member(name) is None and name not in self.unserved:
                self.guarded(f"{name} is served", lambda n=name: self.serve(n))  # type: ignore[misc]

    def _ends_or_asks(self, mission: str) -> None:
        """Nobody is asked about a run that stands still: who interrupted its agent knows."""
        still = [worker.claim for worker in self.workers if isinstance(worker, Agent) and worker.part.still]
        if not any(claim is not None and claim.mission.id == mission for claim in still):
            super()._ends_or_asks(mission)

    def settle_down(self) -> None:
        super().settle_down()
        self._all_there()
        self._all_told()
        self._followers_settled()
        self._push_and_pull()

    def _all_there(self) -> None:
        """No task that was given is lost, nor is what a run left of it."""
        store = self.context.store
        for id_, mission in self.given.items():
            found = by_hand.find(self.context, id_)
            if found.mission.id != mission:
                raise ViolationError(f"task {id_} was given to {mission}, and is in {found.mission.id}")
        for mission in self.watcher.missions:
            results, items = store.results(mission), self.items(mission)
            for key in (key for one, key in self.left if one == mission):
                known, number = results.get(key, ""), self.left[mission, key]
                worded = (mission, key) in self.watcher.worded or items[key].kind in ("epic", "verdict")
                if not worded and int(known.rpartition(" ")[2] or -1) < number:
                    raise ViolationError(f"{key} left something at {number}, but {known!r} is kept")

    def _all_told(self) -> None:
        """The history tells of every settling, and of each once."""
        for mission in self.watcher.missions:
            told: dict[str, int] = {}
            for _, event in self.context.store.events(mission, count=10_000):
                if event.kind in ("item_done", "item_answered"):
                    told[event.item] = told.get(event.item, 0) + 1
            for key in self.items(mission):
                seen = self.watcher.settlings[mission, key]
                if told.get(key, 0) != seen:
                    raise ViolationError(f"{key} settled {seen} times, and the history says {told.get(key, 0)}")

    def _followers_settled(self) -> None:
        """An epic, or a task that judges, is done as soon as all in it is."""
        for mission in self.watcher.missions:
            if not self.context.store.mission(mission).record.state.active:
                continue
            items = self.items(mission)
            for item in items.values():
                late = not item.state.ended and all(items[edge.on].state.settled for edge in item.edges)
                if late and item.kind in ("epic", "verdict"):
                    raise ViolationError(
                        f"{item.key}, a {item.kind}, is {item.state}, and all that it waits for is done"
                    )

    def _push_and_pull(self) -> None:
        """What is recorded changes nothing when it is pushed again; nor does what was pulled."""
        recorded = sync.recorded(self.context)
        assert recorded is not None
        if recorded.mission.record.state.ended:
            return
        before = self._dump(recorded.mission.record.id)
        wanted = sync.Wanted(sync.File(recorded.text.encode(), "tasks.toml"))
        if not sync.push(self.context, wanted).difference.nothing or self._dump(recorded.mission.record.id) != before:
            raise ViolationError("the recorded plan was pushed again, and something changed")
        pulled = sync.pull(self.context, wanted)
        sync.pulled(self.context, pulled)
        again = sync.Wanted(sync.File(pulled.content, "tasks.toml"))
        if not sync.push(self.context, again).difference.nothing:
            raise ViolationError(f"what was pulled is another plan: {pulled.content.decode()}")
        if sync.pull(self.context, again).content != pulled.content:
            raise ViolationError(f"pulled twice, the file differs: {pulled.content.decode()}")

    def _dump(self, mission: str) -> object:
        client, names = self.context.store.client, self.context.store.keys
        return client.hgetall(names.mission(mission)), client.hgetall(names.items(mission))

    def _answer(self) -> None:
        self.unserved.clear()
        with contextlib.suppress(StateError):
            self.push(self.file)
        for _ in range(8):
            self._staff()
            for mission in list(self.watcher.missions):
                self.attend()
                self._let_go_on(mission)
            self.settle_down()
            if all(self.context.store.mission(m).record.state.ended for m in self.watcher.missions):
                return

    def _staff(self) -> None:
        """There is somebody for everything."""
        for name, agent in self.context.crew.agents().items():
            if agent.state is AgentState.PAUSED:
                self.do(f"resume {name}", lambda n=name: lives.resume(self.context, n))  # type: ignore[misc]
            elif agent.role != "checks" and (agent.state in ENDED or self.member(name) is None):
                self.do(f"restart {name}", lambda n=name: self.restart(n))  # type: ignore[misc]
        known = {*self.context.crew.agents(), *(name for name, _ in STAFF)}
        items = [item for mission in self.watcher.missions for item in self.items(mission).values()]
        meant = {item.directed_to: item.role for item in items if item.directed_to}
        meant |= {item.judge_agent: "reviewer" for item in items if item.judge_agent}
        for name, role in (*STAFF, *sorted(one for one in meant.items() if one[0] not in known)):
            self.do(f"spawn {name}", lambda n=name, r=role: self.employ(n, r))  # type: ignore[misc]
        self.attend()
