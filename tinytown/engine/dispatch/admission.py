"""One decision about a mission: what settles, what is sent, what stays and why. Only its commit writes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinytown import contract
from tinytown.engine.allowance import allowance_of
from tinytown.engine.conductor.limits import ask_about_limits
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch import waking
from tinytown.missions import budget, escalation, gates, lifecycle, mission_state, pauses, scheduler
from tinytown.missions.limits import Limit
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.spending import Allowance, Caps
from tinytown.missions.states import AgentState, MissionState, Purpose, WaitReason
from tinytown.state.agents import crew_of
from tinytown.state.change import Change
from tinytown.state.records import AdmissionView, Versioned, decode


@dataclass
class Decision:
    """What one commit will do, and what is sent after it.

    An item may move several steps within it: ``read`` has it as it was read, ``moved`` as it will be written.
    """

    change: Change
    view: AdmissionView
    #: By role: the CLIs that take its runs while the CLI of its agents is at a usage limit.
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: Agents that have a message to answer in another mission first.
    reserved: frozenset[str] = frozenset()
    #: The limits of the town.
    caps: Caps = field(default_factory=Caps)
    read: dict[str, Versioned[Item]] = field(init=False)
    moved: dict[str, Item] = field(default_factory=dict)
    #: Items that are due: each moves as soon as it may.
    due: dict[str, Item] = field(init=False)
    head: Mission = field(init=False)
    admitted: list[Item] = field(default_factory=list)
    #: The one of them that its commit takes as well, so that it is not sent, and the seconds of its lease.
    taken: tuple[str, float] | None = None
    #: Those of them whose message must follow the commit.
    unsent: list[Item] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    #: Agents that come back, because there is work for them.
    woken: list[Agent] = field(default_factory=list)
    #: Something waits for a worker that is busy or not there.
    starved: bool = False
    #: A limit of the day holds something up, and nobody was asked about it yet.
    limited: str = ""
    #: Another decision must follow this one.
    unfinished: bool = False
    #: That one must read more of each line than this one did.
    short: bool = False

    def __post_init__(self) -> None:
        self.read = {**self.view.items, **self.view.due}
        self.due = {key: item.record for key, item in self.view.due.items()}
        self.head = self.view.mission.record

    @property
    def mission(self) -> str:
        return self.head.id

    def put(self, new: Item) -> None:
        """Take the next step of an item; ``write`` puts it into the change."""
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
        """Something needs a person because of this decision, or a question that was asked may be settled by it."""
        before, head = self.view.mission.record, self.head
        if before.state is not head.state and (head.help is not None or head.state is MissionState.PAUSED):
            return True
        return any(
            key in self.nobody or escalation.newly_asks(self.read[key].record, new, head)
            for key, new in self.moved.items()
        )

    def items(self) -> dict[str, Item]:
        """All items that were read, as they will be."""
        return {key: item.record for key, item in self.read.items()} | self.moved

    def end(self, attempt: str) -> None:
        """Count this attempt as ended: whoever ran it is free."""
        self.view = replace(self.view, attempts=[a for a in self.view.attempts if a.id != attempt])

    def limit(self, account: str, limit: Limit) -> None:
        """Record a usage limit that was reached; this decision reckons with it already."""
        self.view = replace(self.view, limits={**self.view.limits, account: limit})
        self.change.put_limit(account, limit)

    def settle(self, item: Item) -> Item | None:
        """Settle an item that went through all its gates; ``None`` if it cannot settle."""
        new = lifecycle.settle(item, now=self.view.now)
        if new is not None:
            self.put(new)
            self.settled.append(new.key)
            self.tell("item_done", item=new.key, agent=new.agent or "")
        return new

    def tell(self, kind: str, *, item: str = "", **data: object) -> None:
        """Add a line to the history."""
        self.change.event(event(kind, at=self.view.now, mission=self.mission, item=item, **data))

    def take(self, new: Item, *, lease: float) -> None:
        """Have the commit take an attempt that it admits."""
        self.put(new)
        self.taken = new.key, lease

    def wake(self, name: str, key: str) -> None:
        """Have a cold agent come back for this item."""
        old = decode(Agent, "agents", name, self.view.agents[name])
        new = old.record.evolve(state=AgentState.STARTING)
        self.change.put_agent(old, new, why=f"there is work for it: {key}", at=self.view.now)
        self.woken.append(new)

    def write(self, context: Context) -> None:
        """Put all of it into the change, which the caller commits, with the messages that offer what was admitted."""
        change, mission = self.change, self.view.mission
        taken, lease = self.taken or ("", None)
        for key, new in self.moved.items():
            change.put_item(self.head, self.read[key], new, lease=lease if key == taken else None)
        if self.limited:
            ask_about_limits(context, change, self.view, self.caps, self.limited)
        if self.head is not mission.record:
            change.put_mission(mission, self.head)
        elif change:
            # If the mission was paused meanwhile, nothing may move.
            change.expect_mission(mission)
        for item in self.admitted:
            if item.key == taken:
                continue
            assert item.attempt is not None
            message = context.attempt_message(self.mission, item.key, item.attempt)
            if message is None:
                self.unsent.append(item)
            else:
                change.offer(item.attempt.queue, message)

    def send(self, context: Context) -> None:
        """Send what the commit did not, and start those who were woken; to be called after it."""
        for agent in self.woken:
            waking.start(context, agent)
        for item in self.unsent:
            assert item.attempt is not None
            context.send_attempt(self.mission, item.key, item.attempt)


def release(decision: Decision) -> None:
    """Make ready what waited for the items that this decision settles, as far as it was read."""
    items = decision.items()
    for item in items.values():
        if mission_state.startable(item, items) and any(edge.on in decision.settled for edge in item.edges):
            new = lifecycle.make_ready(item, now=decision.view.now)
            assert new is not None
            decision.put(new)
            decision.tell("item_ready", item=new.key, after=mission_state.released_by(new, items))


def publish_due(item: Item, view: AdmissionView) -> bool:
    """Whether the item's head must be published at the forge before it can move."""
    pause = item.not_before is not None and item.not_before > view.now
    return not pause and isinstance(gates.next_step(item, view.policy), gates.Publish)


def decide(decision: Decision) -> None:
    """Settle and admit what is due."""
    view = decision.view
    due = dict(decision.due)
    for item in due.values():
        if isinstance(gates.next_step(item, view.policy), gates.Settle):
            decision.settle(item)
            decision.unfinished = True  # What settled by its approval may be merged now.
    mine = [a for a in view.attempts if a.mission == decision.mission]
    flying = sum(1 for a in mine if Purpose(a.purpose).runs_agent)
    runs = budget.runs_left(decision.head, flying)
    allowance = allowance_of(decision.caps, view)
    decisions = scheduler.admit(
        decision.head,
        due.values(),
        live=sum(1 for a in mine if a.queue != contract.QUEUE_FORGE),
        crew=replace(crew_of(view, decision.fallbacks), reserved=decision.reserved),
        now=view.now,
        runs=runs,
        allowance=allowance,
        ends=view.ends,
    )
    broke = limited = False
    for answer in decisions:
        if isinstance(answer, scheduler.More):
            decision.unfinished = decision.short = True
        elif isinstance(answer, scheduler.Refuse):
            broke = broke or answer.reason is WaitReason.BUDGET
            limited = limited or answer.reason is WaitReason.DAY_LIMIT
            _refuse(decision, due[answer.key], answer)
            if answer.wakes:
                decision.wake(answer.wakes, answer.key)
        else:
            _admit(decision, due[answer.key], answer)
    if allowance is not None:
        _note_limits(decision, allowance, limited=limited)
    if broke:
        _out_of_budget(decision, flying=bool(mine))
    if decision.head.state is MissionState.BLOCKED and (
        decision.admitted or view.later or decision.due.keys() - set(decision.nobody)
    ):
        # Other questions stay open.
        decision.head = decision.head.evolve(state=MissionState.RUNNING)
        decision.tell("mission_running")
    starving = decision.starved and not view.wanting
    if decision.admitted or starving:
        decision.change.admissions(view.version)
    if decision.starved != view.wanting:
        decision.change.wanting(decision.mission, decision.starved)


def _note_limits(decision: Decision, allowance: Allowance, *, limited: bool) -> None:
    """Record when a run began, and ask, once, where a limit of the day is used up."""
    day = decision.view.day
    if allowance.last_start != day.last_start:
        decision.change.put_last_start(allowance.last_start)
    if limited and day.asked != allowance.caps.of_day:
        decision.limited = allowance.reached


def _out_of_budget(decision: Decision, *, flying: bool) -> None:
    """Pause the mission, unless something is under way that may still cost less than was reckoned."""
    if flying or decision.admitted:
        return
    if decision.settled:
        # In a mission that pauses nothing settles, so whether to pause is left to the next decision.
        decision.unfinished = True
        return
    decision.head = decision.head.evolve(state=MissionState.PAUSED, reason=budget.remedy(decision.head))
    decision.tell("mission_paused", reason=decision.head.reason)


def _refuse(decision: Decision, item: Item, answer: scheduler.Refuse) -> None:
    """Leave the item where it is, and record why. That others go first is not recorded: it is told when it is shown."""
    decision.starved = decision.starved or answer.reason not in (WaitReason.SLOTS, WaitReason.BUDGET)
    if answer.nobody:
        decision.nobody.append(answer.key)
    new = pauses.wait(item, answer.reason, now=decision.view.now, remedy=answer.remedy, until=answer.until)
    told = answer.nobody or answer.reason in (WaitReason.USAGE_LIMIT, WaitReason.BUDGET)
    if new is not item and (told or answer.key in decision.moved):
        decision.put(new)


def _admit(decision: Decision, item: Item, answer: scheduler.Admit) -> None:
    """Give the item an attempt."""
    new = lifecycle.send(
        item,
        mission=decision.mission,
        purpose=answer.purpose,
        queue=answer.queue,
        role=answer.role,
        agent=answer.agent,
        now=decision.view.now,
    )
    if new is None:
        return
    decision.admitted.append(new)
    decision.put(new)
    decision.tell("attempt_sent", item=new.key, purpose=answer.purpose.kind.value, queue=answer.queue, number=new.fence)
