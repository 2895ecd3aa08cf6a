"""What must be true of messages, besides: each is answered once or its sender is told why not, and none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.story.backlog_invariants import BacklogWatcher
from tests.story.invariants import hold
from tinytown import contract, keys
from tinytown.missions import budget, gates, lanes
from tinytown.missions.records.agent import Message
from tinytown.missions.records.attempt import AttemptRecord
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, Outcome, Purpose, WaitReason

#: Kinds that ask for a run, told here anew.
ASKING = ("message", "query")
#: Who reads the conductor's mailbox.
PEOPLE = ("operator", "conductor", "dispatcher")


@dataclass
class MailWatcher(BacklogWatcher):
    """Looks at the mailboxes after every commit, too."""

    #: All messages to agents that were ever seen, as they were last; and where each waits for a brief.
    letters: dict[str, Message] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    #: The item that each asking message is in, or was when it was answered: its mission and key.
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Messages of items that ended once: nothing of these waits any more, even if they are tried again.
    over: set[str] = field(default_factory=set)
    #: Messages that the brief of a run held, by the id of its attempt; and of the last good run, by item.
    briefs: dict[str, frozenset[str]] = field(default_factory=dict)
    good: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    #: How often each message was answered by the end of its item.
    finished: Counter[str] = field(default_factory=Counter)
    #: Items that people want to be done anew.
    anew: set[str] = field(default_factory=set)
    #: What a run got that asks for nothing, in this commit; and how often each was got.
    _got: list[str] = field(default_factory=list)
    got: Counter[str] = field(default_factory=Counter)
    #: Items with messages that ended in this commit.
    _ends: list[tuple[Item | None, Item]] = field(default_factory=list)
    #: Attempts that were sent in this commit.
    _sent: list[tuple[str, Item]] = field(default_factory=list)
    #: How many messages of agents led to each, as far as runs answered those that they were begun for; those that do
    #: not count any more, since a person let their item go on; and when agents wrote to each other.
    links: dict[str, int] = field(default_factory=dict)
    forgiven: set[str] = field(default_factory=set)
    written: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    #: The items that agents are at who are writing just now.
    speaking: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: The most links of a chain, and messages of one agent to another within an hour; 0 for any.
    max_depth: int = 0
    max_per_hour: int = 0
    _read_to: str = "-"
    _before: Mapping[str, tuple[Mission, dict[str, Item]]] = field(default_factory=dict)

    def look(self) -> None:
        self._got, self._ends, self._sent = [], [], []
        self._before = {id_: (one.mission, one.items) for id_, one in self._seen.items()}
        super().look()
        store = self.store
        names = sorted(self.roles)
        with store.client.pipeline(transaction=True) as pipe:
            for name in names:
                pipe.hgetall(store.keys.mail_pending(name))
            pipe.xrange(store.keys.mail("conductor"), self._read_to if self._read_to == "-" else f"({self._read_to}")
            pipe.hkeys(store.keys.agents)
            pipe.hlen(store.keys.limits)
            *boxes, told, known, limited = pipe.execute()
        now = {
            message.id: (name, message)
            for name, texts in zip(names, boxes, strict=True)
            for message in (Message.model_validate_json(text.partition("\n")[2]) for text in texts.values())
        }
        hold(len(now) == sum(map(len, boxes)), f"a message waits in two mailboxes: {boxes}")
        news = [one for id_, (_, one) in now.items() if id_ not in self.letters]
        news += [Message.model_validate_json(fields["m"]) for _, fields in told]
        if told:
            self._read_to = told[-1][0]
        fresh = [one for id_, (_, one) in now.items() if id_ not in self.letters and one.kind in ASKING]
        self.letters |= {id_: one for id_, (_, one) in now.items()}
        self._each_at_home(now)
        for one in fresh:
            self._has_an_end(one)
        self._none_lost(now)
        self.waiting = {id_: name for id_, (name, _) in now.items()}
        for old, item in self._ends:
            self._is_told(old, item, news, set(known))
        if not limited:
            for mission, item in self._sent:
                self._goes_first(mission, item)

    # -- how far agents go by themselves ----------------------------------------------------------

    def _has_an_end(self, message: Message) -> None:
        """Agents that write to each other again and again wait for a person at last."""
        if message.sender in PEOPLE or message.sender not in self.speaking:
            return
        mission, key = self.speaking[message.sender]
        asked = [head.id for head in self._seen[mission].items[key].messages if head.id not in self.forgiven]
        self.links[message.id] = links = 1 + max((self.links.get(id_, 0) for id_ in asked), default=0)
        times = self.written.setdefault((message.sender, message.to), [])
        lately = sum(1 for at in times if at > message.at - 3600)
        times.append(message.at)
        home, key = self.homes[message.id]
        waiting = self._seen[home].items[key].waiting
        held = waiting is not None and waiting.reason is WaitReason.NEEDS_HELP
        far = 0 < self.max_depth < links
        hold(held or not far, f"{message.id} is the {links}th of a chain, and {key} goes on")
        often = 0 < self.max_per_hour <= lately
        hold(held or not often, f"{message.id} is the {lately + 1}th from {message.sender} to {message.to} in an hour")

    # -- where messages are ----------------------------------------------------------------------

    def _each_at_home(self, now: Mapping[str, tuple[str, Message]]) -> None:
        """Each asking message is in one item, and waits for its agent until that ends, or the message is answered."""
        found: dict[str, tuple[str, Item]] = {}
        for one in self._seen.values():
            for item in one.items.values():
                for head in item.messages:
                    hold(head.id not in found, f"{head.id} is in {found.get(head.id)} and in {item.key}")
                    found[head.id] = one.mission.id, item
                    self.homes[head.id] = one.mission.id, item.key
                    hold(
                        item.state.ended or not one.mission.state.ended,
                        f"{head.id} is in {item.key}, which is {item.state} in a mission that has ended",
                    )
        for id_, (name, message) in now.items():
            if message.kind not in ASKING:
                continue
            hold(id_ in found, f"{id_} waits for {name}, and is in no item")
            item = found[id_][1]
            hold(not item.state.ended, f"{id_} waits for {name}, and {item.key} is {item.state}")
            hold(item.directed_to == name, f"{id_} waits for {name}, and {item.key} is for {item.directed_to}")
        for id_, (_, item) in found.items():
            gone = id_ in now or id_ in self.over or item.state.ended
            hold(gone, f"{id_} is in {item.key}, which is {item.state}, and waits for nobody")
            if item.state.ended:
                self.over.add(id_)

    def _none_lost(self, now: Mapping[str, tuple[str, Message]]) -> None:
        """What asks for nothing waits until a run got it that ended well, and no other run gets it."""
        self.got.update(self._got)
        for id_ in self.waiting.keys() - now.keys():
            kind = self.letters[id_].kind
            if kind not in ASKING:
                hold(f"{kind} {id_}" in self._got, f"{id_} is lost: nobody got it, and it waits for nobody")
        twice = [name for name in self._got if self.got[name] > 1]
        hold(not twice, f"{twice} were in the briefs of two runs that ended well")

    # -- items that answer messages --------------------------------------------------------------

    def _transition(self, mission: Mission, old: Item | None, new: Item) -> None:
        super()._transition(mission, old, new)
        if new.attempt is not None and (old is None or old.attempt is None or old.attempt.id != new.attempt.id):
            self._sent.append((mission.id, new))
        if not new.messages:
            return
        if old is not None and new.depth < old.depth:
            self.forgiven.update(head.id for head in old.messages)
        if old is not None and old.state in (ItemState.READY, ItemState.ASSIGNED) and not new.state.ended:
            late = {head.id for head in new.messages} & (set(new.answered) - set(old.answered))
            hold(not late, f"{late} are answered, and {new.key} asks for them still")
        if new.state.ended and (old is None or not old.state.ended):
            self._ends.append((old, new))
            if new.state is ItemState.DONE and new.key not in self.told:
                self._is_done(mission, new)
        elif old is not None and old.state is ItemState.DONE and not new.state.ended:
            hold(new.key in self.anew, f"{new.key} was done, and begins again, which nobody wanted")
            for head in new.messages:
                self.finished[head.id] = 0

    def _is_done(self, mission: Mission, item: Item) -> None:
        ids = {head.id for head in item.messages}
        self.finished.update(ids)
        twice = [id_ for id_ in ids if self.finished[id_] > 1]
        hold(not twice, f"{twice} were answered twice")
        unread = ids - set(item.answered) - self.good.get((mission.id, item.key), frozenset())
        hold(not unread, f"{item.key} is done, and {unread} were in no brief that was finished")

    def _is_told(self, old: Item | None, item: Item, news: list[Message], known: set[str]) -> None:
        """Everybody who wrote hears how it ended, once, in one answer to the last message."""
        boxes: dict[str, list[str]] = {}
        for head in item.messages:
            boxes.setdefault("conductor" if head.sender in PEOPLE else head.sender, []).append(head.id)
        for box, ids in boxes.items():
            if box != "conductor" and box not in known:
                continue
            said = [one.reply_to for one in news if one.to == box and one.reply_to in ids]
            answered = item.state is ItemState.DONE and ids[-1] in item.answered
            hold(said == ids[-1:] or answered, f"{item.key} is {item.state}; {box}, who sent {ids}, is told {said}")
            hold(len(said) < 2, f"{box} is told twice of the end of {item.key}")

    def _settles(self, mission: Mission, old: Item | None, new: Item, who: str) -> None:
        by_word = new.messages and old is not None and {head.id for head in new.messages} <= set(new.answered)
        if not by_word or new.head is not None:  # An agent's word is worth the same in a mission that is paused.
            super()._settles(mission, old, new, who)

    def _ended(self, mission: Mission, old: Item, new: Item, number: int) -> None:
        super()._ended(mission, old, new, number)
        text = self.store.client.hget(self.store.keys.mission_attempts(mission.id), f"{old.key}/{number}")
        if text is None:
            return
        record = AttemptRecord.model_validate_json(str(text))
        if record.report.outcome is not Outcome.SUCCEEDED:
            return
        self._got += [name for name in record.report.got if name.partition(" ")[2] in self.waiting
                      and self.waiting[name.partition(" ")[2]] == record.agent]  # fmt: skip
        if record.purpose in (Purpose.WORK, Purpose.FIX) and old.attempt is not None:
            self.good[mission.id, new.key] = self.briefs.get(old.attempt.id, frozenset())

    # -- what goes first -------------------------------------------------------------------------

    def _goes_first(self, mission: str, item: Item) -> None:
        """Before an agent is sent anything else, it is sent what waits for it, and that which is urgent first."""
        attempt = item.attempt
        assert attempt is not None
        if not attempt.purpose.runs_agent:
            return
        for name, role in self.roles.items():
            if attempt.queue != contract.agent_queue(name):
                continue
            for other in self._could_go(name):
                if other.key == item.key:
                    continue
                later = self._is_urgent(other) and not self._is_urgent(item)
                what = f"{item.key} of {mission[:8]}, and {'urgent ' * later}{other.key} waits"
                hold(bool(item.messages) and not later, f"{name} [{role}] is sent {what}")

    def _is_urgent(self, item: Item) -> bool:
        return any(self.letters[head.id].urgent for head in item.messages if head.id in self.letters)

    def _could_go(self, name: str) -> Iterator[Item]:
        """Items with messages for this agent that could have been sent before this commit, and were not in it."""
        for id_, (mission, items) in self._before.items():
            if not mission.state.active:
                continue
            flying = sum(1 for i in items.values() if i.attempt is not None and i.attempt.purpose.runs_agent)
            if budget.runs_left(mission, flying) == 0:
                continue
            for key, item in items.items():
                if not item.messages or item.directed_to != name or self._seen[id_].items[key] != item:
                    continue
                spot = lanes.spot(item, mission.policy)
                step = gates.next_step(item, mission.policy)
                work = isinstance(step, gates.Run) and step.purpose in (Purpose.WORK, Purpose.FIX)
                if work and spot is not None and spot.later is None:
                    yield item

    def check_all_answered(self) -> None:
        """At the end: each message that asks was answered or its sender was told, or a person was asked."""
        for id_, message in self.letters.items():
            if message.kind not in ASKING:
                hold(id_ in self.waiting or self.got[f"{message.kind} {id_}"] == 1, f"{id_} is lost")
                continue
            mission, key = self.homes[id_]
            item = self._seen[mission].items[key]
            left = id_ not in {head.id for head in item.messages}  # It was answered from within another run.
            asks = item.waiting is not None or self._seen[mission].mission.help is not None
            hold(left or item.state.ended or asks, f"{id_} is in {keys.typed(key)}, which is {item.state}, in silence")
