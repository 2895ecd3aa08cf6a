"""What must be true of every mission after every commit, told from the records alone.

The watcher compares each look with the one before, so it sees every transition that a commit made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from tinytown.missions import attention, gates, lanes, mission_state
from tinytown.missions.records.attempt import AttemptRecord
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, Outcome, Purpose
from tinytown.state.store import Store

#: Outcomes that count against ``max_attempts``, told once more: the engine's own list may be what is wrong.
CONSUMING = {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.STALLED, Outcome.OVER_LIMIT}


class ViolationError(AssertionError):
    """Something happened that must never happen."""


@dataclass
class _Seen:
    mission: Mission
    items: dict[str, Item]


@dataclass
class _Indexed:
    """What the indexes say."""

    entries: list[str]
    later: dict[str, float]
    notable: set[str]
    counts: dict[str, int]
    tally: dict[str, int]


@dataclass
class Watcher:
    """Looks at all missions of a town, and remembers what it saw."""

    store: Store
    missions: list[str] = field(default_factory=list)
    #: Items whose state a person gives in this commit, so that nothing has to prove it.
    told: Collection[str] = ()
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _parsed: dict[str, Item] = field(default_factory=dict)
    _settled: set[tuple[str, str]] = field(default_factory=set)
    _runs: dict[tuple[str, str], int] = field(default_factory=dict)

    def known_missions(self) -> list[str]:
        """The missions to look at."""
        return self.missions

    def remember(self) -> None:
        """Take the present for granted: it was changed by something else than a commit."""
        _, _, self._seen, _ = self._read()

    def look(self) -> None:
        """After a commit."""
        index, leased, seen, due = self._read()
        expected: dict[str, bool] = {}
        for mission_id, now in seen.items():
            self._look_at(now.mission, now.items, due[mission_id])
            for item in now.items.values():
                if item.attempt is not None:
                    expected[item.attempt.id] = item.attempt.claimed
        self._seen = seen
        hold(index == expected, f"the index of attempts is {index}, not {expected}")
        claimed = {i for i, taken in expected.items() if taken}
        hold(leased <= claimed, f"leases without an attempt: {leased - claimed}")

    def _read(self) -> tuple[dict[str, bool], set[str], dict[str, _Seen], dict[str, _Indexed]]:
        """Live attempts and whether they are claimed, leases, missions and their due sets, in one step."""
        keys = self.store.keys
        with self.store.client.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.attempts)
            pipe.zrange(keys.leases, 0, -1)
            missions = self.known_missions()
            for mission in missions:
                pipe.hget(keys.mission(mission), "head")
                pipe.hgetall(keys.items(mission))
                pipe.zrange(keys.lanes(mission), 0, -1)
                pipe.zrange(keys.later(mission), 0, -1, withscores=True)
                pipe.smembers(keys.notable(mission))
                pipe.hgetall(keys.counts(mission))
                pipe.hgetall(keys.tally(mission))
            attempts, leases, *rest = pipe.execute()
        index = {i: bool(json.loads(text.partition("\n")[2])["claimed"]) for i, text in attempts.items()}
        seen: dict[str, _Seen] = {}
        due: dict[str, _Indexed] = {}
        for at, mission in enumerate(missions):
            head, items, entries, later, notable, *hashes = rest[7 * at : 7 * at + 7]
            record = Mission.model_validate_json(head.partition("\n")[2])
            seen[mission] = _Seen(record, {key: self._item(text) for key, text in items.items()})
            counts, tally = ({name: int(n) for name, n in found.items() if int(n)} for found in hashes)
            due[mission] = _Indexed(sorted(entries), dict(later), set(notable), counts, tally)
        return index, set(leases), seen, due

    def _item(self, text: str) -> Item:
        if text not in self._parsed:
            self._parsed[text] = Item.model_validate_json(text.partition("\n")[2])
        return self._parsed[text]

    def _look_at(self, mission: Mission, items: dict[str, Item], due: _Indexed) -> None:
        live = [i for i in items.values() if i.attempt is not None]
        slots = [i for i in live if not i.messages]
        hold(len(slots) <= mission.policy.max_parallel_items, f"{len(slots)} slots are taken")
        hold(not (mission.state.ended and live), f"an ended mission has attempts: {[i.key for i in live]}")
        _hold_indexes(mission, items, due)
        if mission.state.value == "completed":
            hold(mission_state.finished(mission, items.values()), "completed without being finished")
        before = self._seen.get(mission.id)
        self._settled |= {(mission.id, key) for key, item in items.items() if item.state.settled}
        for key, item in items.items():
            old = before.items.get(key) if before is not None else None
            if old != item:
                self._transition(mission, old, item)
        if before is not None and before.mission.state.ended:
            hold(mission.state is before.mission.state, f"{before.mission.state} became {mission.state}")

    def _transition(self, mission: Mission, old: Item | None, new: Item) -> None:
        who = f"{new.key} of {mission.short}"
        before = old.attempt if old is not None else None
        now = new.attempt
        hold(
            old is None or new.fence >= old.fence,
            f"{who}: the fence went from {old.fence if old else 0} to {new.fence}",
        )
        if new.state in (ItemState.READY, ItemState.ASSIGNED, ItemState.RUNNING):
            self._in_order(mission, old, new, who)
        if now is not None and (before is None or now.id != before.id):
            hold(old is None or now.number > old.fence, f"{who}: attempt {now.number} is not newer than {old}")
            hold(now.number == new.fence, f"{who}: attempt {now.number} under fence {new.fence}")
            hold(mission.state.active, f"{who}: an attempt was sent in a {mission.state} mission")
        if now is not None and now.claimed and not (before is not None and before.id == now.id and before.claimed):
            hold(mission.state.active, f"{who}: an attempt was claimed in a {mission.state} mission")
            if now.purpose in (Purpose.WORK, Purpose.FIX):
                self._runs[mission.id, new.key] = self._runs.get((mission.id, new.key), 0) + 1
            if now.purpose is Purpose.REVIEW:
                hold(now.agent not in new.authors, f"{who}: {now.agent} reviews what it wrote")
        if now is not None and before is not None and now.id == before.id and before.claimed:
            kept = (now.agent, now.token) == (before.agent, before.token)
            hold(kept, f"{who}: {now.agent} took attempt {now.number} from {before.agent}")
        runs = self._runs.get((mission.id, new.key), 0)
        hold(new.attempts == runs, f"{who}: counts {new.attempts} runs of {runs}")
        if before is not None and before.claimed and old is not None and (now is None or now.id != before.id):
            self._ended(mission, old, new, before.number)
        if new.state is ItemState.DONE and (old is None or old.state is not ItemState.DONE):
            self._settles(mission, old, new, who)
        if new.merged is not None and (old is None or old.merged is None):
            hold(new.merged_head == new.head, f"{who}: {new.merged_head} was merged, but its head is {new.head}")
            self._gates_passed(mission, new, who)
        waits = new.attempt is None and not new.state.ended and new.state is not ItemState.PENDING
        if waits and new.waiting is not None:
            hold(new.waiting.remedy != "", f"{who} waits ({new.waiting.reason}) without a remedy")

    def _settles(self, mission: Mission, old: Item | None, new: Item, who: str) -> None:
        """It is done from now on."""
        if new.key not in self.told:
            hold(mission.state.active, f"{who} settled in a {mission.state} mission")
            self._proven(mission, new, who)

    def _in_order(self, mission: Mission, old: Item | None, new: Item, who: str) -> None:
        """It is under way, so what it waits for has settled."""
        early = [e.on for e in new.edges if (mission.id, e.on) not in self._settled]
        hold(not early and not new.blockers, f"{who} is {new.state} before {early or new.blockers}")

    def _proven(self, mission: Mission, item: Item, who: str) -> None:
        """It settled by itself, so what it changed passed all gates."""
        if item.head is not None and mission.policy.settle_on == "merged":
            hold(item.merged is not None and item.merged_head == item.head, f"{who} is done and not merged")
        self._gates_passed(mission, item, who)

    def _gates_passed(self, mission: Mission, item: Item, who: str) -> None:
        if item.head is not None and mission.policy.checks:
            hold(item.checked == item.head, f"{who}: {item.head} was not checked, but {item.checked}")
        if self._is_judged(mission, item):
            # Told here anew, so that a wrong rule is not judged by itself.
            subject = item.head or f"result/{item.attempts}"
            hold(item.approved == subject, f"{who}: {subject} was not approved, but {item.approved}")
            hold(item.approved_by not in item.authors, f"{who}: approved by its author {item.approved_by}")

    def _is_judged(self, mission: Mission, item: Item) -> bool:
        answers = item.kind == "message" or (item.kind == "review" and item.kind_named)
        return mission.policy.reviewer_required and (item.head is not None or not answers)

    def _ended(self, mission: Mission, old: Item, new: Item, number: int) -> None:
        text = self.store.client.hget(self.store.keys.mission_attempts(mission.id), f"{old.key}/{number}")
        who = f"{new.key} of {mission.short}"
        if text is None:
            return  # An operator took it back: redirected or cancelled.
        record = AttemptRecord.model_validate_json(str(text))
        name = record.purpose.kind.value
        had, has = old.failures.get(name, 0), new.failures.get(name, 0)
        outcome = record.report.outcome
        if outcome in CONSUMING:
            hold(has == had + 1, f"{who}: {outcome} counted {had} -> {has}")
        elif outcome is Outcome.SUCCEEDED:
            hold(has == 0, f"{who}: a success left {has} failures")
        else:
            hold(has == had, f"{who}: {outcome} counted {had} -> {has}")
        hold(has < mission.policy.max_attempts or new.waiting is not None, f"{who}: {has} failures and nobody asked")


def _hold_indexes(mission: Mission, items: dict[str, Item], found: _Indexed) -> None:
    """Every due item stands in its line, or waits for its time; what is notable is noted; all are counted."""
    wanted = {k for k, i in items.items() if gates.wants_attempt(i, mission.policy)}
    keys = [lanes.read_entry(entry)[1] for entry in found.entries]
    hold(sorted((*keys, *found.later)) == sorted(wanted), f"{found.entries} and {found.later} are due, not {wanted}")
    for entry, key in zip(found.entries, keys, strict=True):
        spot = lanes.spot(items[key], mission.policy)
        hold(spot is not None and spot.entry == entry, f"{key} stands at {entry}, not at {spot}")
    for key, time in found.later.items():
        spot = lanes.spot(items[key], mission.policy)
        hold(spot is not None and spot.later == time, f"{key} waits for {time}, not for {spot}")
    notable = {key for key, item in items.items() if attention.notable(item, mission.policy)}
    hold(found.notable == notable, f"{found.notable} are notable, not {notable}")
    counts = dict(Counter(attention.counted(item.state) for item in items.values()))
    hold(found.counts == counts, f"{found.counts} are counted, not {counts}")
    tally = dict(Counter(name for item in items.values() for name in attention.tallied(item)))
    hold(found.tally == tally, f"{found.tally} are counted by tag and agent, not {tally}")


def hold(true: bool, words: str) -> None:
    """Raise ``ViolationError`` where it is not true."""
    if not true:
        raise ViolationError(words)
