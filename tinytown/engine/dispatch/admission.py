"""One decision about a mission: what settles, what is sent, what stays and why; nothing is written but by a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinytown.engine.context import Context, event
from tinytown.missions import budget, escalation, gates, lifecycle, mission_state, scheduler
from tinytown.missions.limits import Limit
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState, Purpose, WaitReason
from tinytown.state.agents import crew_of
from tinytown.state.change import Change
from tinytown.state.records import AdmissionView, Versioned


@dataclass
class Round:
    """What one commit will do, and what is sent after it.

    An item may move several steps within it: ``read`` has it as it was read, ``moved`` as it will be written.
    """

    change: Change
    view: AdmissionView
    #: CLIs that take a role's runs while its agents' own are at a usage limit.
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    read: dict[str, Versioned[Item]] = field(init=False)
    moved: dict[str, Item] = field(default_factory=dict)
    #: What would move now, if it could.
    due: dict[str, Item] = field(init=False)
    head: Mission = field(init=False)
    admitted: list[Item] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    #: Something waits for a worker that is busy or not there.
    starved: bool = False
    #: Another round must follow this one.
    unfinished: bool = False
    #: It must see more of the lines than this one did.
    short: bool = False

    def __post_init__(self) -> None:
        self.read = {**self.view.items, **self.view.due}
        self.due = {key: item.record for key, item in self.view.due.items()}
        self.head = self.view.mission.record

    @property
    def mission(self) -> str:
        return self.head.id

    def put(self, new: Item) -> None:
        """The next step of an item."""
        self.moved[new.key] = new
        if gates.wants_attempt(new, self.view.policy):
            self.due[new.key] = new
        else:
            self.due.pop(new.key, None)

    @property
    def still(self) -> bool:
        """Nothing of the mission is under way, and nothing that is due could be taken by anybody alive."""
        if not self.head.state.active or self.admitted or any(a.mission == self.mission for a in self.view.attempts):
            return False
        return not self.view.later and self.due.keys() <= set(self.nobody)

    @property
    def asks(self) -> bool:
        """This round made something need a person, or may have answered the question that stands."""
        before, head = self.view.mission.record, self.head
        if before.state is not head.state and (head.help is not None or head.state is MissionState.PAUSED):
            return True
        return any(
            key in self.nobody or escalation.newly_asks(self.read[key].record, new, head)
            for key, new in self.moved.items()
        )

    @property
    def started(self) -> set[str]:
        """What this round made ready, and perhaps sent as well."""
        pending = ItemState.PENDING
        return {k for k, new in self.moved.items() if self.read[k].record.state is pending is not new.state}

    def items(self) -> dict[str, Item]:
        """All items that were read, as they will be."""
        return {key: item.record for key, item in self.read.items()} | self.moved

    def end(self, attempt: str) -> None:
        """Whoever ran this attempt is free."""
        self.view = replace(self.view, attempts=[a for a in self.view.attempts if a.id != attempt])

    def limit(self, account: str, limit: Limit) -> None:
        """A usage limit was reached; it holds for this very round, too."""
        self.view = replace(self.view, limits={**self.view.limits, account: limit})
        self.change.put_limit(account, limit)

    def settle(self, item: Item) -> Item | None:
        """An item went through all its gates."""
        new = lifecycle.settle(item, now=self.view.now)
        if new is not None:
            self.put(new)
            self.settled.append(new.key)
            self.tell("item_done", item=new.key, agent=new.agent or "")
        return new

    def tell(self, kind: str, *, item: str = "", **data: object) -> None:
        """A line of history."""
        self.change.event(event(kind, at=self.view.now, mission=self.mission, item=item, **data))

    def write(self) -> None:
        """Put it into the change, which is committed then."""
        change, mission = self.change, self.view.mission
        for key, new in self.moved.items():
            change.put_item(self.head, self.read[key], new)
        if self.head is not mission.record:
            change.put_mission(mission, self.head)
        elif change.draft:
            # Paused meanwhile: nothing may move.
            change.expect_mission(mission)

    def send(self, context: Context) -> None:
        """Offer what was admitted, after the commit."""
        for item in self.admitted:
            assert item.attempt is not None
            context.send_attempt(self.mission, item.key, item.attempt)


def release(done: Round) -> None:
    """What waited for an item that settles in this round becomes ready in it, as far as it was read."""
    items = done.items()
    for item in items.values():
        if mission_state.startable(item, items) and any(edge.on in done.settled for edge in item.edges):
            new = lifecycle.make_ready(item, now=done.view.now)
            assert new is not None
            done.put(new)
            done.tell("item_ready", item=new.key, after=mission_state.released_by(new, items))


def publish_due(item: Item, view: AdmissionView) -> bool:
    """The forge has to be asked before this item can move."""
    pause = item.not_before is not None and item.not_before > view.now
    return not pause and isinstance(gates.next_step(item, view.policy), gates.Publish)


def decide(done: Round) -> None:
    """Settle and admit what is due."""
    view = done.view
    due = dict(done.due)
    for item in due.values():
        if isinstance(gates.next_step(item, view.policy), gates.Settle):
            done.settle(item)
            done.unfinished = True  # What settled by its approval may be merged now.
    mine = [a for a in view.attempts if a.mission == done.mission]
    flying = sum(1 for a in mine if a.purpose != Purpose.CHECK)
    runs = budget.runs_left(done.head, flying)
    decisions = scheduler.admit(
        done.head,
        due.values(),
        live=len(mine),
        crew=crew_of(view, done.fallbacks),
        now=view.now,
        runs=runs,
        ends=view.ends,
    )
    broke = False
    for decision in decisions:
        if isinstance(decision, scheduler.More):
            done.unfinished = done.short = True
        elif isinstance(decision, scheduler.Refuse):
            broke = broke or decision.reason is WaitReason.BUDGET
            _refuse(done, due[decision.key], decision)
        else:
            _admit(done, due[decision.key], decision)
    if broke and not (mine or done.admitted) and done.settled:
        # Nothing settles in a mission that pauses: the next round sees to that.
        done.unfinished = True
    elif broke and not (mine or done.admitted):
        # Nothing is left whose end could leave room.
        done.head = done.head.evolve(state=MissionState.PAUSED, reason=budget.remedy(done.head))
        done.tell("mission_paused", reason=done.head.reason)
    if done.head.state is MissionState.BLOCKED and (done.admitted or view.later or done.due.keys() - set(done.nobody)):
        # What else was asked stays asked.
        done.head = done.head.evolve(state=MissionState.RUNNING)
        done.tell("mission_running")
    starving = done.starved and not view.wanting
    if done.admitted or starving:
        done.change.admissions(view.version)
    if done.starved != view.wanting:
        done.change.wanting(done.mission, done.starved)


def _refuse(done: Round, item: Item, decision: scheduler.Refuse) -> None:
    """The item stays, and says why, unless that is only that others are before it: this is told when it is shown."""
    done.starved = done.starved or decision.reason not in (WaitReason.SLOTS, WaitReason.BUDGET)
    if decision.nobody:
        done.nobody.append(decision.key)
    new = lifecycle.wait(item, decision.reason, now=done.view.now, remedy=decision.remedy, until=decision.until)
    told = decision.nobody or decision.reason in (WaitReason.USAGE_LIMIT, WaitReason.BUDGET)
    if new is not item and (told or decision.key in done.moved):
        done.put(new)


def _admit(done: Round, item: Item, decision: scheduler.Admit) -> None:
    """The item gets an attempt."""
    new = lifecycle.send(
        item,
        mission=done.mission,
        purpose=decision.purpose,
        queue=decision.queue,
        role=decision.role,
        agent=decision.agent,
        now=done.view.now,
    )
    if new is None:
        return
    done.admitted.append(new)
    done.put(new)
    done.tell("attempt_sent", item=new.key, purpose=decision.purpose.kind.value, queue=decision.queue, number=new.fence)
