"""Whole missions on the real store and the real engine, with everything around them going wrong.

One seed decides everything: the graph, the policy, the crew, what each message meets (delivered, dropped,
delivered twice, late, in any order), what each run ends with, who dies when, what operators type, and where
a process crashes. Two processes meet by interleaving: before a commit of one, another may act completely,
which is what a concurrent dispatcher, worker or operator looks like to compare-and-set.

Only Celery, git and the clock are replaced. Messages are a list; the forge is in memory; time passes by moving
everything that is stored as a time into the past. What the code under test asks for, here and in the server's scripts,
is the story's own time (``clock``).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from tests.story.clock import decided
from tests.story.forge import MemoryForge
from tests.story.invariants import ViolationError, Watcher
from tinytown import contract
from tinytown.canvases.canvas import WIDE, Canvas
from tinytown.engine import answers
from tinytown.engine.conductor import escalate
from tinytown.engine.context import Context
from tinytown.engine.dispatch import attempts, claiming, costs, reconcile
from tinytown.engine.dispatch.advance import advance, advance_all
from tinytown.engine.dispatch.attempts import HandedIn
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.dispatch.costs import Spent
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import missions, notes
from tinytown.engine.start.start import Order, start
from tinytown.engine.views.missions import mission_view
from tinytown.engine.watch import outside
from tinytown.errors import StateError, TinytownError, UnreachableError
from tinytown.missions import gates
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.attempt import Attempt, Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import AgentState, ItemState, MissionState, Outcome, Purpose, WaitReason
from tinytown.settings import Settings
from tinytown.settings import parse as parse_settings
from tinytown.state.change import Change
from tinytown.state.mail import CONDUCTOR
from tinytown.state.store import Store
from tinytown.town import Town

#: How deep actions may interleave: one between another's reading and writing, and one within that.
DEPTH = 2
#: Seconds for which a worker counts as alive without a sign of it; a minute passes in less than one.
PRESENCE = 60.0
#: Rounds of ticks after which everything that can happen by itself must have happened.
ROUNDS = 60
#: How often whoever hands in an attempt is ready to go on with the next at once.
GOES_ON = 0.6


class Crash(BaseException):
    """A process died here. No code of ours may catch it."""


@dataclass(frozen=True)
class Message:
    """A hint under way."""

    name: str
    args: tuple[Any, ...]
    queue: str


@dataclass
class Worker:
    """A worker process, and what it runs."""

    name: str
    role: str
    alive: bool = True
    #: Stopped by a signal: neither renews nor reports, but may wake up.
    frozen: bool = False
    claim: Claim | None = None
    #: Its run was ended from outside; it winds down, and has yet to say what it cost.
    ended: bool = False
    #: It is within a step of its own, so nothing else can happen to it.
    acting: bool = False
    #: No message comes to it.
    cut_off: bool = False

    @property
    def queues(self) -> tuple[str, ...]:
        if self.cut_off:
            return ()
        if self.role == "checks":
            return (contract.QUEUE_CHECKS,)
        return (contract.agent_queue(self.name), contract.role_queue(self.role))

    @property
    def free(self) -> bool:
        return self.alive and not self.frozen and not self.acting

    @property
    def works(self) -> bool:
        """Its run can go on and end."""
        return self.free and self.claim is not None


class StoryChange(Change):
    """A change whose commit others may forestall, and which may be cut off on either side."""

    def __init__(self, store: StoryStore) -> None:
        super().__init__(store.keys, store.scripts)
        self._town = store.town

    def commit(self) -> None:
        town = self._town
        if not self.draft:
            super().commit()
            return
        town.meanwhile()
        town.maybe_cut("before a commit")
        watched = any(part in key for key in self.draft._keys for part in town.watched)
        try:
            super().commit()
        except TinytownError:
            if watched:
                town.missed()
            raise
        if watched:
            town.look()
        town.maybe_cut("after a commit")
        if town.rng.random() < town.chaos.resent:
            town.note("its answer is lost, and it is sent again")
            town.faults["lost answer"] += 1
            town.meanwhile()
            self.draft.commit(self._scripts)


class StoryStore(Store):
    def __init__(self, url: str, prefix: str, town: StoryTown) -> None:
        super().__init__(url, prefix)
        self.town = town

    def change(self) -> Change:
        change = StoryChange(self)
        change.completes = self.completes
        return change


class StoryContext(Context):
    """A context that sends into a list."""

    def __init__(self, town: Town, url: str, story: StoryTown) -> None:
        super().__init__(town, url)
        self.store.client.close()
        self.store = StoryStore(url, town.prefix, story)
        self.store.completes = functools.partial(answers.complete, self.store)
        self.crew._store = self.store
        self.mail._store = self.store
        self.story = story
        self.__dict__["forge"] = story.forge

    def _send(self, name: str, args: tuple[object, ...], queue: str, shown: str) -> None:
        self.story.maybe_cut(f"before sending {shown}")
        self.story.post(Message(name, args, queue))

    def attempt_message(self, mission: str, key: str, attempt: Attempt) -> None:
        """It is sent after the commit, into the list, so that it can be lost, too."""

    def canvas(self, mission: str) -> Canvas:
        """Where graphs are small, a chord has to count few already."""
        return replace(super().canvas(mission), wide=self.story.wide)

    def send_settled(self, mission: str, keys: Iterable[str]) -> None:
        canvas = self.canvas(mission)
        for key in keys:
            for target in canvas.targets(key):
                name, args = (contract.TASK_EDGE, (mission, key, target, canvas.edition))
                if len(canvas.sources[target]) > 1 and not canvas.is_counted(target):
                    name, args = (contract.TASK_START, (mission, target))
                self._send(name, args, contract.QUEUE_CONTROL, f"{key} -> {target}")

    def _freeze(self, canvas: Canvas) -> None:
        """Sizes are told by the canvas."""

    def _tell_joins(self, canvas: Canvas, edges: Iterable[tuple[str, str]]) -> None:
        for key, target in edges:
            args = (canvas.mission, key, target, canvas.edition)
            self._send(contract.TASK_EDGE, args, contract.QUEUE_CONTROL, f"{key} -> {target}")

    def begin(self, canvas: Canvas) -> None:
        key = canvas.roots()[0]
        self._send(contract.TASK_START, (canvas.mission, key), contract.QUEUE_CONTROL, f"start {key}")

    def end_attempts(self, ids: Iterable[str]) -> None:
        self.story.end_runs(set(ids))


@dataclass
class Chaos:
    """How likely each fault is; all zero is a world without faults."""

    drop: float = 0.12
    double: float = 0.12
    crash: float = 0.01
    unanswered: float = 0.01
    interleave: float = 0.15
    trouble: float = 0.35
    #: The answer to a commit is lost, and the client sends it again by itself.
    resent: float = 0.01

    @classmethod
    def none(cls) -> Chaos:
        return cls(0, 0, 0, 0, 0, 0, 0)


@dataclass
class StoryTown:
    """One town, from one seed."""

    seed: int
    url: str
    trace: list[str] = field(default_factory=list)
    #: Parts of the keys whose commits are looked at.
    watched: ClassVar[tuple[str, ...]] = (":mission:", ":backlog")

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.chaos = Chaos()
        #: What went wrong, by its kind, and seconds that passed.
        self.faults: Counter[str] = Counter()
        self.passed = 0.0
        #: See ``Canvas.wide``.
        self.wide = self.rng.choice([1, 2, WIDE])
        self.depth = 0
        #: What a person says of items, by the depth of the action that says it.
        self.told: dict[int, Collection[str]] = {}
        self.heads = 0
        self.messages: list[Message] = []
        self.joins: dict[tuple[str, str, int], set[str]] = {}
        #: What every run that began costs, and those that their machine has not seen counted.
        self.costs: dict[tuple[str, str, int], Spent] = {}
        self.bills: set[tuple[str, str, int]] = set()
        self.workers: list[Worker] = []
        self.settings = self._settings()
        self.town = Town(root=self._root(), id=f"story-{self.seed}-{random.SystemRandom().getrandbits(32):x}",
                         settings=self.settings)  # fmt: skip
        self.forge = MemoryForge(self.town)
        self.context = StoryContext(self.town, self.url, self)
        #: The machine that all agents run on.
        self.host = "h"
        self.watcher = self._watcher()

    def _watcher(self) -> Watcher:
        return Watcher(self.context.store)

    def _root(self) -> Path:
        return Path("/nonexistent")

    def look(self) -> None:
        """Something was committed."""
        self.watcher.told = self.told.get(self.depth, ())
        self.watcher.look()

    def missed(self) -> None:
        """A commit failed; here nothing of it was written."""

    def close(self) -> None:
        """Leave nothing in the server."""
        client = self.context.store.client
        found = list(client.scan_iter(match=f"{self.town.prefix}*", count=1000))
        if found:
            client.delete(*found)
        client.close()

    # -- the world -------------------------------------------------------------------------------

    def _settings(self) -> Settings:
        rng = self.rng
        policy: dict[str, Any] = {
            "max_parallel_items": rng.choice([1, 2, 2, 3]),
            "reviewer_required": rng.random() < 0.8,
            "auto_merge": rng.random() < 0.75,
            "max_attempts": rng.choice([1, 2, 3]),
            "max_fix_rounds": rng.choice([0, 1, 3]),
        }
        if rng.random() < 0.6:
            policy["settle_on"] = rng.choice(["merged", "approved"])
        if rng.random() < 0.25:
            policy["budget_usd"] = rng.choice([0.3, 1.0, 3.0])
        checks = ["make test"] if rng.random() < 0.8 else []
        return parse_settings(
            {"forge": {"kind": "local", "base": "main", "local": {"checks": checks}}, "policy": policy}, source="story"
        )

    def build(self) -> None:
        """Agents, issues and missions."""
        rng = self.rng
        roles = ["worker", *rng.choices(["worker", "backend", "reviewer", "reviewer", "tester"], k=rng.randint(0, 3))]
        self.enlist(Worker("checks", "checks"))
        for number, role in enumerate(roles):
            self.enlist(Worker(f"{role}{number}", role))
        first = 1
        for _ in range(rng.choice([1, 1, 2])):
            size = rng.randint(1, 6)
            numbers = list(range(first, first + size))
            first += size
            for number in numbers:
                self.forge.issues[self.key(number)] = self._issue(number, numbers[: number - numbers[0]])
            started = start(self.context, Order(issues=[str(n) for n in numbers], base_check=False))
            self.watcher.missions.append(started.mission.id)
            graph = [(i.number, i.role, [e.on for e in i.edges]) for i in started.items]
            self.note(f"mission {started.mission.short}: {graph}")
        self.watcher.look()

    def _issue(self, number: int, earlier: list[int]) -> Issue:
        rng = self.rng
        waits = [self.key(n) for n in earlier if rng.random() < 0.4]
        if rng.random() < 0.08:
            waits.append(self.key(900 + number))
        labels = rng.choice([(), (), (), ("backend",), ("researcher",), ("role:reviewer",)])
        return Issue(key=self.key(number), number=number, title="Do it", blocked_by=tuple(waits), labels=labels)

    def key(self, number: int) -> str:
        return f"{self.forge.repo}#{number}"

    def enlist(self, worker: Worker) -> None:
        self.workers.append(worker)
        now = self.context.store.now()
        cli = "" if worker.role == "checks" else "x"
        self.context.crew.put(None, Agent(name=worker.name, role=worker.role, cli=cli, host=self.host, spawned_at=now,
                                          state=AgentState.IDLE))  # fmt: skip
        self.context.crew.announce([worker.name], PRESENCE)

    def note(self, words: str) -> None:
        self.trace.append(f"{'  ' * self.depth}{words}")

    def history(self) -> str:
        """A fingerprint of all that happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    # -- faults ----------------------------------------------------------------------------------

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Nothing goes wrong in here."""
        chaos, self.chaos = self.chaos, Chaos.none()
        try:
            yield
        finally:
            self.chaos = chaos

    def meanwhile(self) -> None:
        """Somebody else acts between this process's reading and its writing."""
        if self.depth < DEPTH and self.rng.random() < self.chaos.interleave:
            self.faults["others acted in between"] += 1
            self.act()

    def maybe_cut(self, where: str) -> None:
        """This process dies here, or its connection does."""
        dice = self.rng.random()
        if dice < self.chaos.crash:
            self.note(f"CRASH {where}")
            self.faults["process crashed"] += 1
            raise Crash
        if dice < self.chaos.crash + self.chaos.unanswered:
            self.note(f"no answer {where}")
            self.faults["no answer"] += 1
            raise UnreachableError("the town's database does not answer")

    def guarded(self, words: str, step: Callable[[], object]) -> bool:
        """One step of one process, which may die or be refused; says whether it came to its end."""
        self.note(words)
        self.depth += 1
        try:
            answer = step()
            if answer not in (None, []):
                self.note(f"= {answer if not isinstance(answer, Claim) else answer.attempt.id}")
        except Crash:
            return False
        except TinytownError as error:
            self.note(f"refused: {error}")
            return False
        finally:
            self.depth -= 1
        return True

    # -- what can happen -------------------------------------------------------------------------

    def act(self) -> None:
        """One thing happens."""
        weights, choices = zip(*self.actions(), strict=True)
        self.rng.choices(choices, weights)[0]()

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        """What can happen, and how likely it is."""
        actions: list[tuple[float, Callable[[], None]]] = [
            (10, self.deliver),
            (9, self.work),
            (3, self.tick),
            (1, self.sweep),
            (1, self.look_outside),
            (1, self.cry),
            # Between another's reading and writing, what contends with it matters most.
            (6 if self.depth else 1.2, self.operator),
            (1.2, self.casualty),
            (1, self.recover),
        ]
        if self.depth == 0:
            actions.append((3, lambda: self.pass_time(self.rng.choice([5, 20, 35, 70]))))
        return actions

    def post(self, message: Message) -> None:
        if self.rng.random() < self.chaos.drop:
            self.note(f"lost: {message.name} {message.args}")
            self.faults["message lost"] += 1
            return
        self.messages.append(message)

    def deliver(self) -> None:
        """One message, whichever, meets one who serves its queue and is free."""
        order = list(range(len(self.messages)))
        self.rng.shuffle(order)
        for at in order:
            message = self.messages[at]
            takers = [w for w in self.workers if w.free and w.claim is None and message.queue in w.queues]
            if message.queue != contract.QUEUE_CONTROL and not takers:
                continue
            if self.rng.random() >= self.chaos.double:
                del self.messages[at]
            else:
                self.faults["message doubled"] += 1
            if message.queue == contract.QUEUE_CONTROL:
                self.guarded(f"deliver {message.name} {message.args}", lambda m=message: self._control(m))  # type: ignore[misc]
            else:
                self._claim(self.rng.choice(takers), message)
            return

    def _control(self, message: Message) -> None:
        match message.name:
            case contract.TASK_EDGE:
                self._edge(*message.args)
            case contract.TASK_START:
                reconcile.start_item(self.context, *message.args)
            case contract.TASK_ADVANCE:
                advance(self.context, *message.args)

    def _edge(self, mission: str, key: str, target: str, edition: int) -> None:
        """Celery's part: follow the chain, or count the chord and send its body when it is full."""
        sources = self.context.canvas(mission).sources.get(target, ())
        arrived = self.joins.setdefault((mission, target, edition), set())
        news = key not in arrived
        arrived.add(key)
        if (news and len(arrived) == len(sources)) or len(sources) == 1:
            self.post(Message(contract.TASK_START, (mission, target), contract.QUEUE_CONTROL))

    def _claim(self, worker: Worker, message: Message) -> None:
        mission, key, number = message.args

        def claim() -> Claim | None:
            return self._holds(
                worker, claiming.claim(self.context, mission, key, number, agent=worker.name, cli="x", host=self.host)
            )

        self._as(worker, f"{worker.name} claims {key}/{number}", claim)
        if worker.claim is not None:
            self._begun(worker, worker.claim)

    def _begun(self, worker: Worker, claimed: Claim) -> None:
        """What a worker does first with what it has taken, by a message or with its last report."""

    def _holds(self, worker: Worker, claimed: Claim | None) -> Claim | None:
        """What a worker has taken, if anything, is what it runs."""
        worker.claim = claimed
        worker.ended = False
        if claimed is not None and claimed.attempt.purpose.runs_agent:
            self.costs[_bill_of(claimed)] = Spent(self.rng.choice([None, 0.0, 0.1, 0.4]))
            self.bills.add(_bill_of(claimed))
        return claimed

    def _as(self, worker: Worker, words: str, step: Callable[[], object]) -> bool:
        worker.acting = True
        try:
            return self.guarded(words, step)
        finally:
            worker.acting = False

    def work(self) -> None:
        """A worker's run comes to its end."""
        busy = [w for w in self.workers if w.works]
        if not busy:
            return
        worker = self.rng.choice(busy)
        claimed = worker.claim
        assert claimed is not None

        def hand_in() -> object:
            # What a run does outside the database it does while it holds its lease.
            refused = worker.ended or not attempts.renew(self.context, claimed)
            report = self._cost(claimed, Report(outcome=Outcome.CANCELLED) if refused else self.outcome(claimed))
            taker = claiming.Taker(worker.name, lambda *_: "x", host=self.host, queues=worker.queues)
            goes_on = taker if self.rng.random() < GOES_ON else None
            answer = HandedIn(False) if refused else attempts.hand_in(self.context, claimed, report, goes_on)
            if not answer.counted:
                attempts.write_off(self.context, claimed, report)
            self.bills.discard(_bill_of(claimed))
            self._holds(worker, answer.next)
            if answer.counted:
                self._counted(claimed, report)
            follows = f" and goes on with {answer.next.attempt.id[-4:]}" if answer.next is not None else ""
            return f"{report.outcome} {report.head or ''} {answer.counted}{follows}"

        self._as(worker, f"{worker.name} ends {claimed.attempt.purpose} {claimed.attempt.id[-4:]}", hand_in)
        if worker.claim is not None and worker.claim is not claimed:
            self._begun(worker, worker.claim)

    def _counted(self, claimed: Claim, report: Report) -> None:
        """A report that was accepted ended this very attempt, and no other."""
        mission, key, number = claimed.mission.id, claimed.item.key, claimed.attempt.number
        found = [r for r in self.context.store.finished_attempts(mission, key) if r.number == number]
        if [(r.agent, r.report.outcome) for r in found] != [(claimed.agent, report.outcome)]:
            raise ViolationError(
                f"the report of {claimed.attempt.id} by {claimed.agent} was taken for another's: {found}"
            )

    def end_runs(self, ids: set[str]) -> None:
        """The broadcast that ends attempts reaches each worker, or it doesn't."""
        for worker in self.workers:
            if worker.claim is not None and worker.claim.attempt.id in ids and worker.free and self.rng.random() < 0.5:
                worker.ended = True

    def _cost(self, claimed: Claim, report: Report) -> Report:
        """The report with what its run cost."""
        spent = self.costs.get(_bill_of(claimed), Spent())
        return report.evolve(cost_usd=spent.cost_usd)

    def tick(self) -> None:
        self.guarded("tick", lambda: reconcile.reconcile_all(self.context))

    def sweep(self) -> None:
        """What dead workers left unpaid is read from the logs of their agents."""
        held = {_bill_of(w.claim) for w in self.workers if w.claim is not None}
        for bill in sorted(self.bills - held):
            self.guarded(
                f"pay {bill}", lambda b=bill: costs.add(self.context, *b, self.costs[b]) and self.bills.discard(b)
            )  # type: ignore[misc]

    def check_costs(self) -> None:
        """Whatever ended them, the runs of a mission are counted: each of them, and once.

        One that stands still with its agent has not ended.
        """
        held = {_bill_of(w.claim) for w in self.workers if w.claim is not None}
        for mission in self.watcher.missions:
            head = self.context.store.mission(mission).record
            mine = {bill: spent for bill, spent in self.costs.items() if bill[0] == mission and bill not in held}
            known = {bill: spent.cost_usd for bill, spent in mine.items() if spent.cost_usd is not None}
            sums = dict.fromkeys(self.items(mission), 0.0)
            for (_, item, _), cost in known.items():
                sums[item] += cost
            found = {key: item.cost_usd for key, item in self.items(mission).items()}
            if (
                any(abs(found[key] - sums[key]) > 1e-6 for key in sums)
                or abs(head.spent_usd - sum(sums.values())) > 1e-6
            ):
                raise ViolationError(f"{known} was spent, but {found} and {head.spent_usd} are counted")
            if head.costed_runs != len(known):
                raise ViolationError(f"{len(known)} runs said what they cost, {head.costed_runs} are counted")

    def look_outside(self) -> None:
        if self.rng.random() < 0.3:
            self.forge.closed |= {self.key(900 + n) for n in range(20) if self.rng.random() < 0.2}
        self.guarded("watch", lambda: outside.watch_all(self.context))

    def cry(self) -> None:
        self.guarded("escalate", lambda: escalate.escalate_all(self.context))

    def operator(self) -> None:
        rng = self.rng
        mission = rng.choice(self.watcher.missions)
        number = rng.choice([i.number for i in self.items(mission).values()])
        agent = rng.choice(self.workers).name
        words = rng.choice(
            ["pause", *["resume"] * 3, "retry", *[f"retry #{number}"] * 2, f"cancel #{number}",
             *[f"redirect #{number} to {agent}"] * 2, "merge", "by hand", "mind the gap",
             *["pause"] * (6 if self.depth else 0)]
        )  # fmt: skip
        if words == "merge":
            self.guarded(f"merge #{number}", lambda: operate_items.merge(self.context, mission, str(number)).state)
        elif words == "by hand":
            self.merge_by_hand(mission)
        elif rng.random() < 0.04:
            self.guarded("stop --force", lambda: missions.cancel(self.context, mission).state)
        else:
            self.guarded(words, lambda: notes.note(self.context, mission, words))

    def merge_by_hand(self, mission: str) -> None:
        """A person merges what waits for it."""
        for item in self.items(mission).values():
            if item.waiting is not None and item.waiting.reason is WaitReason.MERGE and item.head is not None:
                self.note(f"a person merges {item.key}")
                self.forge.base.setdefault(item.head, f"by-hand-{item.typed}")

    def casualty(self) -> None:
        """A worker dies, freezes or is told to pause."""
        busy = [w for w in self.workers if w.free and w.claim is not None]
        worker = self.rng.choice(busy if busy and self.rng.random() < 0.7 else self.workers)
        if not worker.free:
            return
        what = self.rng.choice(["dies", "dies", "freezes", "freezes", "pauses"])
        self.note(f"{worker.name} {what}")
        self.faults[f"worker {what}"] += 1
        if what == "dies":
            worker.alive, worker.claim = False, None
        elif what == "freezes":
            worker.frozen = True
        else:
            self.guarded("pause it", lambda: self._set_state(worker, AgentState.PAUSED))

    def _set_state(self, worker: Worker, state: AgentState) -> None:
        old = self.context.crew.agent(worker.name)
        self.context.crew.put(old, old.record.evolve(state=state))

    def recover(self) -> None:
        """A worker wakes, or begins anew under its name."""
        if down := [w for w in self.workers if not w.acting and (not w.alive or w.frozen)]:
            worker = self.rng.choice(down)
            self._as(worker, f"{worker.name} is back", lambda: self._begin(worker))

    def _begin(self, worker: Worker) -> None:
        """It serves again, whatever became of it."""
        if not worker.alive:
            worker.claim = None
            attempts.abandon(self.context, {worker.name}, ended=lambda _: True)
            worker.alive = True
        worker.frozen = False
        self._set_state(worker, AgentState.IDLE)
        self.context.crew.announce([worker.name], PRESENCE)
        advance_all(self.context, self.context.store.mission_ids(live=True))

    # -- runs ------------------------------------------------------------------------------------

    def outcome(self, claimed: Claim) -> Report:
        """What a run ends with."""
        if claimed.attempt.purpose is Purpose.MERGE:
            return self._merge(claimed)
        if self.rng.random() < self.chaos.trouble:
            return self._trouble(claimed)
        match claimed.attempt.purpose:
            case Purpose.WORK | Purpose.FIX:
                return self._succeeded(claimed)
            case _:
                return self._verdict(claimed, passed=True)

    def _succeeded(self, claimed: Claim) -> Report:
        if claimed.item.kind in ("research", "review") and claimed.attempt.purpose is Purpose.WORK:
            return self._report(Outcome.SUCCEEDED, result="an answer")
        self.heads += 1
        return self._report(Outcome.SUCCEEDED, head=f"c{self.heads}", result="what I did")

    def _verdict(self, claimed: Claim, *, passed: bool) -> Report:
        said = Verdict(passed=passed, sha=claimed.attempt.sha or "", why="" if passed else "not yet")
        return self._report(Outcome.SUCCEEDED, verdict=said, tree="t")

    def _report(self, outcome: Outcome, **words: Any) -> Report:
        return Report(outcome=outcome, summary=f"it ended as {outcome}", **words)

    def _trouble(self, claimed: Claim) -> Report:
        rng = self.rng
        ends = [Outcome.FAILED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.STALLED, Outcome.OVER_LIMIT,
                Outcome.NOT_LOGGED_IN,
                Outcome.USAGE_LIMIT, Outcome.UNREACHABLE, Outcome.DISK_FULL, Outcome.NO_WORKSPACE,
                Outcome.CANCELLED]  # fmt: skip
        purpose = claimed.attempt.purpose
        if purpose in (Purpose.WORK, Purpose.FIX) or rng.random() < 0.3:
            end = rng.choice(ends)
            salvage = "s" if end.consumes else None
            retry_at = self.context.store.now() + 300 if end is Outcome.USAGE_LIMIT else None
            return self._report(end, salvage=salvage, retry_at=retry_at)
        if purpose is Purpose.REVIEW and rng.random() < 0.3:
            return self._report(Outcome.SUCCEEDED)
        return self._verdict(claimed, passed=False)

    def _merge(self, claimed: Claim) -> Report:
        head = claimed.attempt.sha
        assert head is not None
        if self.rng.random() < self.chaos.trouble:
            match self.rng.choice(["conflict", "dirty", "moved", "lost"]):
                case "conflict":
                    return self._verdict(claimed, passed=False)
                case "dirty" | "moved" as why:
                    reason = WaitReason.BASE_DIRTY if why == "dirty" else WaitReason.MERGE
                    said = Waiting(reason=reason, since=self.context.store.now(), remedy="the base stands in the way")
                    return Report(outcome=Outcome.SUCCEEDED, waiting=said)
                case _:
                    return Report(outcome=Outcome.UNREACHABLE, summary="the forge does not answer")
        return Report(
            outcome=Outcome.SUCCEEDED, merged=self.forge.base.setdefault(head, f"merge-{len(self.forge.base)}")
        )

    # -- time ------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Everything that was stored as a time moves into the past; who lives gives a sign of it."""
        self.note(f"{seconds:g} s pass")
        with self.calm():
            self._pass_time(seconds)

    def _pass_time(self, seconds: float) -> None:
        self.passed += seconds
        move_into_the_past(self.watcher.store, self.watcher.missions, seconds)
        for worker in self.workers:
            if worker.free:
                self.show_life(worker)
        self.watcher.remember()

    def show_life(self, worker: Worker) -> None:
        """Who is alive says so again, and keeps what it has; the others' presence and leases run out."""
        self.context.crew.announce([worker.name], PRESENCE)
        if worker.claim is not None and not attempts.renew(self.context, worker.claim):
            worker.ended = True

    # -- the story -------------------------------------------------------------------------------

    def items(self, mission: str) -> dict[str, Item]:
        return {k: v.record for k, v in self.context.store.items(mission).items()}

    def run(self, steps: int) -> None:
        """Trouble; then quiet, in which all must end or ask; then, in every second story, an operator who answers
        every cry, and all must complete.
        """
        with self.calm():
            self.build()
        for _ in range(steps):
            if self.rng.random() < 0.03 * (self.chaos.trouble > 0):
                self.forge.faults.append(
                    self.rng.choice([UnreachableError("no"), UnreachableError("no"), StateError("no")])
                )
            self.act()
        self.note("-- no faults from here on")
        self.chaos = Chaos.none()
        self.forge.faults.clear()
        self.part_with_some()
        for mission in self.watcher.missions:
            if self.context.store.mission(mission).record.state is MissionState.PAUSED:
                self.guarded("resume", lambda m=mission: missions.resume(self.context, m, budget_usd=1e6))  # type: ignore[misc]
        self.settle_down()
        for mission in self.watcher.missions:
            self._ends_or_asks(mission)
        if self.seed % 2:
            return
        self.note("-- an operator answers every cry")
        self._answer()
        for mission in self.watcher.missions:
            head = self.context.store.mission(mission).record
            if head.state not in (MissionState.COMPLETED, MissionState.CANCELLED):
                asked = head.help and head.help.reasons
                raise ViolationError(f"whatever the operator answers, {mission[:8]} stays {head.state}: {asked}")

    def part_with_some(self) -> None:
        """Some agents never come back; the others do."""
        gone = {w.name for w in self.workers if self.rng.random() < 0.3}
        for worker in self.workers:
            if worker.name in gone:
                worker.alive, worker.claim = False, None
            elif (
                not worker.alive
                or worker.frozen
                or self.context.crew.agent(worker.name).record.state is AgentState.PAUSED
            ):
                self._as(worker, f"{worker.name} is back", lambda w=worker: self._begin(w))  # type: ignore[misc]

    def attend(self) -> None:
        """What agents and their processes do by themselves in quiet times."""

    def settle_down(self) -> None:
        """Ticks, messages and runs until nothing changes any more."""
        quiet = 0
        for _ in range(ROUNDS):
            before = self._picture()
            self.tick()
            self.sweep()
            self.guarded("watch", lambda: outside.watch_all(self.context))
            self.cry()
            self.attend()
            while self.messages or any(w.works for w in self.workers):
                waiting = len(self.messages)
                self.deliver()
                self.work()
                if len(self.messages) == waiting and not any(w.works for w in self.workers):
                    self.messages.clear()  # Nobody serves these queues.
            self.pass_time(40)
            quiet = quiet + 1 if self._picture() == before else 0
            if quiet == 2:
                self.check_costs()
                return
            if quiet:
                self.pass_time(4000)
        raise ViolationError(f"after {ROUNDS} quiet ticks it still goes on: {self._picture()}")

    def _picture(self) -> list[Any]:
        found: list[Any] = []
        for mission in self.watcher.missions:
            head = self.context.store.mission(mission).record
            found.append((head.state, head.spent_usd))
            found += [(i.state, i.fence, i.waiting and i.waiting.reason) for i in self.items(mission).values()]
        return found

    def _ends_or_asks(self, mission: str) -> None:
        head = self.context.store.mission(mission).record
        if head.state.ended:
            return
        if head.help is None:
            raise ViolationError(f"{mission[:8]} is {head.state} and nobody was asked: {self._picture()}")
        for item in mission_view(self.context, mission).items:
            if not item.state.ended and item.waiting is None:
                raise ViolationError(f"{item.key} is {item.state} and names no reason")
        if not any(m.mission == mission for m in self.context.mail.read(CONDUCTOR)):
            raise ViolationError(f"{mission[:8]} asks for help, but the conductor has no message")
        if head.state is MissionState.RUNNING:
            held = [gates.next_step(i, head.policy) for i in self.items(mission).values()]
            if not any(isinstance(step, gates.Hold) for step in held):
                raise ViolationError(f"{mission[:8]} is said to run, but nothing moves")

    def _answer(self) -> None:
        for worker in self.workers:
            self._as(worker, f"{worker.name} is back", lambda w=worker: self._begin(w))  # type: ignore[misc]
        for role in ("backend", "reviewer", "reviewer", "researcher"):
            self.enlist(Worker(f"new-{role}{len(self.workers)}", role))
        self.forge.closed |= {self.key(900 + n) for n in range(20)}
        # A chain of held changes takes a round for each, a pause one more.
        for _ in range(8):
            for mission in self.watcher.missions:
                self._let_go_on(mission)
            self.settle_down()
            if all(self.context.store.mission(m).record.state.ended for m in self.watcher.missions):
                return

    def _let_go_on(self, mission: str) -> None:
        """A person lets a mission go on, whatever it waits for."""
        head = self.context.store.mission(mission).record
        if head.state.ended:
            return
        if head.state is MissionState.PAUSED:
            self.guarded("resume", lambda: missions.resume(self.context, mission, budget_usd=1e6))
        self.guarded("retry", lambda: notes.note(self.context, mission, "retry"))
        self.tick()
        for item in self.items(mission).values():
            if isinstance(gates.next_step(item, head.policy), gates.Hold):
                self.guarded(f"merge {item.key}", lambda i=item: operate_items.merge(self.context, mission, i.key))  # type: ignore[misc]


def _bill_of(claimed: Claim) -> tuple[str, str, int]:
    return claimed.mission.id, claimed.item.key, claimed.attempt.number


def move_into_the_past(store: Store, missions: Iterable[str], seconds: float) -> None:
    """Everything that is stored as a time."""
    client, keys = store.client, store.keys
    millis = round(seconds * 1000)
    with client.pipeline(transaction=True) as pipe:
        for mission in missions:
            for key, text in client.hgetall(keys.items(mission)).items():
                pipe.hset(keys.items(mission), key, _earlier(text, seconds))
            for member, score in client.zrange(keys.later(mission), 0, -1, withscores=True):
                pipe.zadd(keys.later(mission), {member: score - seconds})
            pipe.hset(keys.mission(mission), "head", _earlier(client.hget(keys.mission(mission), "head"), seconds))
        for attempt, text in client.hgetall(keys.attempts).items():
            pipe.hset(keys.attempts, attempt, _earlier(text, seconds))
        for member, score in client.zrange(keys.leases, 0, -1, withscores=True):
            pipe.zadd(keys.leases, {member: score - millis})
        for name, text in client.hgetall(keys.limits).items():
            limit = json.loads(text)
            pipe.hset(keys.limits, name, json.dumps({at: value - seconds for at, value in limit.items()}))
        for name, text in client.hgetall(keys.agents).items():
            pipe.hset(keys.agents, name, _earlier(text, seconds))
        for member, score in client.zrange(keys.alive, 0, -1, withscores=True):
            pipe.zadd(keys.alive, {member: score - millis})
        pipe.execute()


def _earlier(text: str, seconds: float) -> str:
    """A stored record, with its times moved into the past."""
    version, _, body = text.partition("\n")
    record = json.loads(body)
    for holder, name in (
        (record, "not_before"),
        (record, "spawned_at"),
        (record, "since"),
        (record, "sent_at"),
        (record.get("attempt"), "sent_at"),
        (record.get("waiting"), "until"),
        (record.get("help"), "next_at"),
        (record, "troubled_at"),
    ):
        if holder and holder.get(name) is not None:
            holder[name] -= seconds
    return f"{version}\n{json.dumps(record)}"


def tell(
    seed: int, url: str, *, steps: int = 60, town_of: Callable[[int, str], StoryTown] | None = None, again: str = ""
) -> StoryTown:
    """One story, in a town of this kind; a violation names the seed, what led to it and how to see it ``again``.

    Gives the town, for what was counted there.

    Raises:
        ViolationError: something happened that must never happen, or something did not that must.
    """
    with decided(url, seed):
        town = (town_of or StoryTown)(seed, url)
        try:
            town.run(steps)
        except Exception as error:
            lines = "\n".join(town.trace[-int(os.environ.get("STORY_LINES", "120")) :])
            hashes = os.environ.get("PYTHONHASHSEED", "random")
            how = f"PYTHONHASHSEED={hashes} STORY_SEED={seed} make test ARGS='tests/story/{again}'\n" if again else ""
            said = f"seed {seed}: {type(error).__name__}: {error}"
            raise ViolationError(f"seed {seed}: {error}\n{lines}\n{how}{said}") from error
        finally:
            town.close()
    return town


__all__ = ["Chaos", "ItemState", "StoryTown", "tell"]
