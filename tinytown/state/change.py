"""What one commit writes: the records, and the indexes that are kept in step with them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tinytown.missions import lanes, mission_state
from tinytown.missions.messages import pending_field
from tinytown.missions.records.agent import Agent, Event, Message
from tinytown.missions.records.asked import Asked
from tinytown.missions.records.forge_evidence import ChangeWatch
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState
from tinytown.state import traces
from tinytown.state.attempt_changes import AttemptChanges
from tinytown.state.briefs import Read
from tinytown.state.database import Draft, Scripts
from tinytown.state.indexes import FIELD, FORM, MANY, Indexes
from tinytown.state.keys import Keys
from tinytown.state.records import Versioned, body, encode
from tinytown.state.steps import Steps

#: Events kept of a mission, and of the town.
MISSION_EVENTS = 10_000
TOWN_EVENTS = 20_000
#: Kind of the event that tells of an agent's new state.
AGENT_MOVED = "agent_state_changed"
#: Messages kept in a mailbox.
MAILBOX = 1000


class Change(AttemptChanges):
    """Everything that shall happen in one commit."""

    def __init__(self, keys: Keys, scripts: Scripts, *, by: str = "") -> None:
        self._keys = keys
        self._scripts = scripts
        #: Who does it: ``operator``, the name of an agent, or nothing for the town itself.
        self.by = by
        self.draft = Draft()
        self._indexes: dict[str, Indexes] = {}
        self.events: list[Event] = []
        #: After the commit: the missions that were waiting for a worker at that moment, if ``ask_wanted`` was called.
        self.wanted: frozenset[str] = frozenset()
        #: What the commit shall read besides, and after it the answers.
        self.reads: Sequence[Read] = ()
        self.answers: Sequence[Any] = ()
        self._asks = False
        self._admits = False
        #: Something became due or startable, or a worker free: what was decided before must be decided anew.
        self._moves = False
        #: Whether it changes what is on record of an agent.
        self.of_agents = False
        self._steps = Steps()
        #: Items that end by it.
        self._over: list[tuple[str, Item]] = []
        #: What this commit adds about items that answer messages, once it is known what becomes of them.
        self.completes: Callable[[Change], None] | None = None
        #: By mission and key: such items, as they were and as they will be; what items leave by this change.
        self.answering: dict[tuple[str, str], tuple[Item, Item]] = {}
        self.left: dict[tuple[str, str], str] = {}

    def __bool__(self) -> bool:
        return bool(self.draft or self.events)

    def once(self) -> None:
        """It puts something new on record; the first thing that a change is told. See ``Draft.once``."""
        # No number would do: those of a town that is reset or restored begin anew.
        self.draft.once(self._keys.once(uuid.uuid4().hex))

    def create_mission(
        self,
        mission: Mission,
        items: Sequence[Item],
        issues: Sequence[Issue],
        *,
        graph: Mapping[str, Any],
        canvas: Mapping[str, Any],
        docs: Mapping[str, str] | None = None,
        prompts: Mapping[str, str] | None = None,
        plan: str | None = None,
        results: Mapping[str, str] | None = None,
    ) -> None:
        """A new mission; its issues must not be in another live one.

        Of a plan also its file, and what tasks left that were done before.
        """
        keys, draft = self._keys, self.draft
        key = keys.mission(mission.id)
        draft.expect(key, "head", 0)
        draft.write("HSET", key, "head", encode(1, mission.evolve(objectives=())), FIELD, FORM)
        draft.write("HSET", key, "graph", json.dumps(graph), "canvas", json.dumps(canvas))
        draft.write("HSET", key, "objectives", json.dumps(mission.objectives))
        if docs:
            draft.write("HSET", key, "docs", json.dumps(docs))
        if prompts is not None:
            draft.write("HSET", key, "prompts", json.dumps(prompts))
        if plan is not None:
            draft.write("HSET", key, "plan", json.dumps(plan), "edition", "0")
            draft.write("SET", keys.plan, mission.id)
        for done, result in (results or {}).items():
            self.put_result(mission.id, done, result)
        if mission.tasks == "hand":
            draft.write("HSET", key, "edition", "0")
            draft.write("SET", keys.hand, mission.id)
            self._note_tasks(mission.id, items)
        draft.write("ZADD", keys.missions, mission.created_at, mission.id)
        draft.write("SADD", keys.live, mission.id)
        known = {item.key: item for item in items}
        for item in items:
            self._add_item(mission, item, known)
        for issue in issues:
            self.put_issue(mission.id, issue)

    def _note_tasks(self, mission: str, items: Iterable[Item]) -> None:
        for item in items:
            self.draft.write("HSET", self._keys.tasks, item.typed, mission)

    def _add_item(self, mission: Mission, item: Item, known: Mapping[str, Item]) -> None:
        keys, draft, indexes = self._keys, self.draft, self._of(mission)
        draft.write("HSET", keys.items(mission.id), item.key, encode(1, item))
        indexes.move(None, item)
        if mission_state.startable(item, known):
            indexes.open(item.key)
        if item.state is not ItemState.SKIPPED:
            draft.expect(keys.issues, item.key.casefold(), 0)
            draft.write("HSET", keys.issues, item.key.casefold(), mission.id)

    def change_plan(
        self,
        old: Versioned[Mission],
        new: Mission,
        *,
        plan: str | None,
        graph: Mapping[str, Any],
        canvas: Mapping[str, Any],
        edition: int,
        added: Mapping[str, Item],
        known: Mapping[str, Item],
    ) -> None:
        """Replace what is recorded of a plan, or of tasks by hand, and add items; ``known`` are all as they will be.

        Whatever else moves the mission at this moment is decided anew, from the plan as it is then.
        """
        key = self._keys.mission(new.id)
        self.put_mission(old, new.evolve(objectives=()))
        self.draft.write("HSET", key, "graph", json.dumps(graph), "canvas", json.dumps(canvas))
        self.draft.write("HSET", key, "objectives", json.dumps(new.objectives))
        if plan is not None:
            self.record_plan(new.id, plan)
        else:
            self._note_tasks(new.id, added.values())
        self.draft.write("HSET", key, "edition", str(edition))
        for item in added.values():
            self._add_item(new, item, known)
        self._moves = True

    def record_plan(self, mission: str, plan: str) -> None:
        """Replace the file of a plan that says the same, e.g. after what is recorded was written into it."""
        self.draft.write("HSET", self._keys.mission(mission), "plan", json.dumps(plan))

    def put_issue(self, mission: str, issue: Issue) -> None:
        """Replace the issue that the next briefs have; only with a change of its item, whose version guards both."""
        self.draft.write(
            "HSET", self._keys.mission_issues(mission), issue.key, issue.model_dump_json(exclude_defaults=True)
        )

    def put_watch(self, mission: str, key: str, watch: ChangeWatch) -> None:
        """Replace what was seen of an item's change; only with a change of the item, whose version guards both."""
        self.draft.write("HSET", self._keys.mission_watches(mission), key, watch.model_dump_json(exclude_defaults=True))

    def expect_mission(self, mission: Versioned[Mission]) -> None:
        """Let the commit fail if the mission's head changed since it was read."""
        self.draft.expect(self._keys.mission(mission.record.id), "head", mission.version)

    def put_mission(self, old: Versioned[Mission], new: Mission) -> None:
        """Replace the head of a mission; one that ends leaves the lists of those that live or wait for a worker."""
        key = self._keys.mission(new.id)
        self.draft.expect(key, "head", old.version)
        self.draft.write("HSET", key, "head", encode(old.version + 1, new))
        self._steps.note(new.id, "", old.record.state, new.state)
        if new.state.ended and not old.record.state.ended:
            self.draft.write("SREM", self._keys.live, new.id)
            self.draft.write("SREM", self._keys.wanting, new.id)

    def release_issues(self, items: Iterable[Item]) -> None:
        """An ended mission's issues may be taken by another."""
        names = [item.key.casefold() for item in items]
        for first in range(0, len(names), MANY):
            self.draft.write("HDEL", self._keys.issues, *names[first : first + MANY])

    def hold_issues(self, mission: str, items: Iterable[Item]) -> None:
        """No other mission may take these."""
        for item in items:
            self.draft.write("HSET", self._keys.issues, item.key.casefold(), mission)

    def put_item(self, mission: Mission, old: Versioned[Item], new: Item, *, lease: float | None = None) -> None:
        """Replace an item; ``lease`` (seconds) starts the lease of an attempt that is claimed by this change."""
        if new is old.record:
            return
        keys, draft = self._keys, self.draft
        draft.expect(keys.items(mission.id), new.key, old.version)
        draft.write("HSET", keys.items(mission.id), new.key, encode(old.version + 1, new))
        self._index(mission, old.record, new)
        self._index_attempt(mission, old.record.attempt, new.attempt, new, lease)
        self._steps.note(mission.id, new.key, old.record.state, new.state)
        if new.state.ended and not old.record.state.ended:
            self._over.append((mission.id, new))
        if old.record.messages or new.messages:
            before, _ = self.answering.get((mission.id, new.key), (old.record, new))
            self.answering[mission.id, new.key] = (before, new)

    def released(self, mission: Mission, keys: Iterable[str]) -> None:
        """Say that this change makes ready whatever waited for these items, which settle in it."""
        self._of(mission).released.update(keys)

    def ripen(self, mission: Mission, item: Versioned[Item]) -> None:
        """Put an item into its line, as the time that it waited for has come."""
        self._expect(mission, item)
        self._of(mission).ripen(item.record)
        self._moves = True

    def looked(self, mission: Mission, item: Versioned[Item]) -> None:
        """Note that the dependents of this item have been looked at, unless it changed meanwhile."""
        self._expect(mission, item)
        self._of(mission).forget_opens(item.record.key)

    def mend_due(self, mission: Mission, item: Versioned[Item], *, entries: Iterable[str], later: bool) -> None:
        """Put an unchanged item where it belongs: these entries and, with ``later``, its time are wrong."""
        self._expect(mission, item)
        indexes = self._of(mission)
        indexes.forget_entries(entries)
        if later:
            indexes.forget_later([item.record.key])
        spot = lanes.spot(item.record, mission.policy)
        if spot is not None:
            indexes.place(item.record.key, spot)
            self._moves = True

    def rebuild(self, mission: Mission, items: Iterable[Versioned[Item]]) -> None:
        """Make the indexes of a mission anew, from all of its items."""
        every = list(items)
        for item in every:
            self._expect(mission, item)
        self._of(mission).rebuild(self.draft, [item.record for item in every])
        self._moves = True

    def _expect(self, mission: Mission, item: Versioned[Item]) -> None:
        self.draft.expect(self._keys.items(mission.id), item.record.key, item.version)

    def _of(self, mission: Mission) -> Indexes:
        if mission.id not in self._indexes:
            self._indexes[mission.id] = Indexes(self._keys, mission.id, mission.policy)
        return self._indexes[mission.id]

    def _index(self, mission: Mission, old: Item, new: Item) -> None:
        self._moves = self._of(mission).move(old, new) or self._moves

    def admissions(self, version: int) -> None:
        """Let the commit fail if anything that admissions are decided from changed in the town since ``version``."""
        if not self._admits:
            self.draft.expect(self._keys.admissions, "", version)
            self.draft.write("INCR", self._keys.admissions)
        self._admits = True

    def ask_wanted(self) -> None:
        """Have the commit set ``wanted`` to the missions that are waiting for a worker at that moment."""
        self._asks = True

    def put_agent(self, old: Versioned[Agent] | None, new: Agent, *, why: str, at: float, told: bool = True) -> None:
        """An agent's record; a new state is a line of history, with ``why``, unless another line tells of it."""
        before = old.record if old is not None else None
        version = old.version if old is not None else 0
        if before is not None and before.state is not new.state:
            new = new.evolve(since=at, why=why)
            self._moves = True
            if told:
                step = {"from": before.state.value, "to": new.state.value}
                self.event(Event(at=at, kind=AGENT_MOVED, data={"agent": new.name, "why": why, **step}))
        self.of_agents = True
        self.draft.expect(self._keys.agents, new.name, version)
        self.draft.write("HSET", self._keys.agents, new.name, encode(version + 1, new))

    def forget_agent(self, old: Versioned[Agent]) -> None:
        """Remove an agent's record."""
        self.of_agents = True
        self.draft.expect(self._keys.agents, old.record.name, old.version)
        self.draft.write("HDEL", self._keys.agents, old.record.name)
        self.draft.write("ZREM", self._keys.alive, old.record.name)
        self.draft.write("HDEL", self._keys.rounds, old.record.name)

    def announce(self, names: Iterable[str], seconds: float) -> None:
        """These agents are alive, for so many seconds from now."""
        for name in names:
            self.draft.write("ZADD_IN", self._keys.alive, name, str(round(seconds * 1000)))

    def forget_rounds(self, agent: str) -> None:
        """It is started anew: its runs are counted from here."""
        self.draft.write("HDEL", self._keys.rounds, agent)

    def count_round(self, agent: str) -> None:
        """It begins a run."""
        self.draft.write("HINCRBY", self._keys.rounds, agent, "1")

    def expect_questions(self, count: int) -> None:
        """Let the commit fail unless the unattended conductor was given just so many questions; count one more."""
        self.draft.expect(self._keys.questions_number, "", count)
        self.draft.write("INCR", self._keys.questions_number)

    def put_asked(self, old: Versioned[Asked] | None, new: Asked) -> None:
        """What the unattended conductor was asked, and what came of it."""
        version = old.version if old is not None else 0
        self.draft.expect(self._keys.questions, new.run, version)
        self.draft.write("HSET", self._keys.questions, new.run, encode(version + 1, new))

    def forget_asked(self, old: Versioned[Asked]) -> None:
        """Remove that record."""
        self.draft.expect(self._keys.questions, old.record.run, old.version)
        self.draft.write("HDEL", self._keys.questions, old.record.run)

    def wanting(self, mission: str, wants: bool) -> None:
        """Record whether items of this mission wait for a worker."""
        self.draft.write("SADD" if wants else "SREM", self._keys.wanting, mission)

    def event(self, event: Event) -> None:
        """Add a line to the history of the mission and of the town."""
        self.events.append(event)

    def message(self, message: Message, *, pending: bool = False) -> None:
        """Put a message into its mailbox; ``pending``: it is for an agent, that gets it with a brief."""
        box = self._keys.mail(message.to)
        self.draft.write("XADD", box, "MAXLEN", "~", str(MAILBOX), "*", "m", body(message))
        if pending:
            assert message.id
            self.draft.write("HSET", self._keys.mail_pending(message.to), pending_field(message), encode(1, message))

    def answer_in(self, slot: str, mission: str, key: str, *, before: str) -> None:
        """This item takes the next message to an agent; until now it was ``before``, or none."""
        value = f"{mission} {key}"
        if before != value:
            self.draft.expect(self._keys.messages_open, slot, before or "0")
            self.draft.write("HSET", self._keys.messages_open, slot, value)

    def note_sent(self, sender: str, to: str, times: Sequence[float], *, version: int) -> None:
        """One agent wrote to another at these times; ``version`` is that of the record before."""
        field = f"{sender} {to}"
        self.draft.expect(self._keys.messages_rate, field, version)
        self.draft.write("HSET", self._keys.messages_rate, field, f"{version + 1}\n{json.dumps(list(times))}")

    def got(self, name: str, message: Versioned[Message]) -> None:
        """An agent has got a message that was pending: nobody else counts it as got."""
        key, field = self._keys.mail_pending(name), pending_field(message.record)
        self.draft.expect(key, field, message.version)
        self.draft.write("HDEL", key, field)

    def mark_seen(self, name: str, position: str, *, before: str) -> None:
        """A mailbox was read up to this message; until now it was read up to ``before`` (``-``: to none)."""
        key = self._keys.mail_seen(name)
        self.draft.expect(key, "", "0" if before == "-" else before)
        self.draft.write("SET", key, position)

    def offer(self, queue: str, message: str) -> None:
        """A message for a queue of Celery's, there if and only if this is committed."""
        self.draft.write("LPUSH", f"{self._keys.prefix}{queue}", message)

    def notice(self, text: str) -> None:
        """News for the command of ``[notify]``, sent if and only if this is committed."""
        self.draft.write("RPUSH", self._keys.notices, text)

    def commit(self) -> None:
        """Write everything; the errors are those of ``Draft.commit``."""
        if self.completes is not None and self.answering:
            self.completes(self)
            self.answering.clear()
        for told in self._steps.tell(self.events, by=self.by, now=self._scripts.now):
            own = (self._keys.mission_events(told.mission), MISSION_EVENTS) if told.mission else None
            self.draft.append(self._keys.events, TOWN_EVENTS, body(told), also=own)
        for indexes in self._indexes.values():
            indexes.write(self.draft)
        self._indexes.clear()
        if self._moves and not self._admits:
            self.draft.write("INCR", self._keys.admissions)
        if self._asks:
            self.draft.write("SMEMBERS", self._keys.wanting)
        for read in self.reads:
            self.draft.write(*read)
        answers = self.draft.commit(self._scripts)
        self.answers = answers[len(answers) - len(self.reads) :]
        if self._asks and answers:
            self.wanted = frozenset(str(mission) for mission in answers[-1 - len(self.reads)])
        for mission, item in self._over:
            traces.ended(mission, item, at=self.events[-1].at if self.events else self._scripts.now())
