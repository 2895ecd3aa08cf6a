"""What must be true, besides, of missions whose items are tasks: of the town's plan, and of those given by hand."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.story.invariants import Watcher, hold
from tinytown import contract, keys
from tinytown.engine.plan.sync import File
from tinytown.missions.records.agent import Agent
from tinytown.missions.records.attempt import Attempt
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import AgentState, ItemState, Purpose
from tinytown.plans.stages import Stages

#: States of a task whose agent is, or will be, at work on it.
BEGUN = (ItemState.READY, ItemState.ASSIGNED, ItemState.RUNNING)
#: The budget of a person who lets a mission go on.
MORE = 1e6


@functools.lru_cache(maxsize=64)
def stages_of(text: str) -> Stages:
    return File(text.encode(), "the recorded plan").read()


@dataclass
class PlanWatcher(Watcher):
    """Looks at all missions that there are."""

    #: Role of each agent that was ever there.
    roles: dict[str, str] = field(default_factory=dict)
    #: Missions of plans, each with its file as it was recorded last.
    plans: dict[str, str] = field(default_factory=dict)
    #: How often each item settled by an agent's work or a person's word at the task.
    settlings: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: This commit may end no run.
    gentle: bool = False
    #: What each task was called when its agent began with it last.
    called: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Items that stand as a person said.
    worded: set[tuple[str, str]] = field(default_factory=set)
    #: The plan of the mission that is looked at, as it was recorded before.
    _text: str = ""
    _now: Mapping[str, Item] = field(default_factory=dict)
    #: Attempts of agents that were sent in this commit.
    _sends: list[Attempt] = field(default_factory=list)

    def known_missions(self) -> list[str]:
        self.missions[:] = [str(one) for one in self.store.client.zrange(self.store.keys.missions, 0, -1)]
        return self.missions

    def look(self) -> None:
        self._sends = []
        super().look()
        self._nothing_lost()
        if self._sends:
            self._somebody_takes()

    # -- the town --------------------------------------------------------------------------------

    def _nothing_lost(self) -> None:
        """Every task by hand is in its mission, and every item that is to be done in the one mission that does it."""
        store = self.store
        with store.client.pipeline(transaction=True) as pipe:
            pipe.hgetall(store.keys.tasks)
            pipe.hgetall(store.keys.issues)
            given, held = pipe.execute()
        lost = {
            id_ for id_, mission in given.items() if keys.task_key(id_, plan="hand") not in self._seen[mission].items
        }
        hold(not lost, f"tasks {lost} are in no mission")
        wanted = {
            key.casefold(): one.mission.id
            for one in self._seen.values()
            if not one.mission.state.ended
            for key, item in one.items.items()
            if item.state is not ItemState.SKIPPED and self._is_there(one.mission, key)
        }
        missing = {key: mission for key, mission in wanted.items() if held.get(key) != mission}
        hold(not missing, f"{missing} are not held: {held}")
        ended = {key: mission for key, mission in held.items() if self._seen[mission].mission.state.ended}
        hold(not ended, f"{ended} are held by missions that have ended")

    def _somebody_takes(self) -> None:
        """Nothing is sent where all are interrupted, or end: it would be taken back, and sent again for ever."""
        texts = self.store.client.hgetall(self.store.keys.agents).values()
        agents = [Agent.model_validate_json(text.partition("\n")[2]) for text in texts]
        for attempt in self._sends:
            able = [a for a in agents if attempt.queue in (contract.agent_queue(a.name), contract.role_queue(a.role))]
            rest = all(agent.state in (AgentState.PAUSED, AgentState.DRAINING) for agent in able)
            hold(not rest, f"{attempt.id} is sent to {attempt.queue}, where nobody takes it: {able}")

    def _is_there(self, mission: Mission, key: str) -> bool:
        return mission.tasks != "plan" or keys.typed(key) in stages_of(self.plans[mission.id]).stages

    # -- a mission -------------------------------------------------------------------------------

    def _look_at(self, mission: Mission, items: dict[str, Item], due: object) -> None:
        before = self._seen.get(mission.id)
        self._now = items
        self._text = self.plans.get(mission.id, "")
        if mission.tasks == "plan":
            self._read_plan(mission, items)
        super()._look_at(mission, items, due)  # type: ignore[arg-type]
        for item in items.values():
            if item.kind in ("epic", "verdict"):
                self._follows(mission, item)
            elif item.state.ended and item.attempt is not None:
                hold(item.attempt.purpose is Purpose.MERGE, f"{item.key} is {item.state} with an attempt")
        if mission.tasks == "plan":
            self._look_at_plan(mission, items)
        if before is not None:
            self._same_rules(before.mission, mission)
            self._in_budget(mission, items, before.items)
            for key, item in before.items.items() if self.gentle else ():
                # What was lost before is only found out by the push.
                live = item.attempt is not None and item.attempt.claimed and items[key].faults == item.faults
                hold(not live or items[key].attempt == item.attempt, f"a push without `--force` ended the run of {key}")

    def _follows(self, mission: Mission, item: Item) -> None:
        """It is done in others, and never before them."""
        who = f"{item.key}, a {item.kind}"
        hold(item.attempt is None, f"{who}, has an attempt")
        if item.state is ItemState.DONE and (mission.id, item.key) not in self.worded and item.key not in self.told:
            late = [edge.on for edge in item.edges if not self._now[edge.on].state.settled]
            hold(not late or mission.policy.settle_on == "approved", f"{who}, is done, and {late} in it are not")

    def _read_plan(self, mission: Mission, items: dict[str, Item]) -> None:
        text = json.loads(self.store.client.hget(self.store.keys.mission(mission.id), "plan"))
        if mission.id not in self.plans:
            self._succeeds(mission, items, text)
        self._text = self.plans.get(mission.id, text)
        self.plans[mission.id] = text

    def _look_at_plan(self, mission: Mission, items: dict[str, Item]) -> None:
        if mission.state.ended:
            return
        stages = stages_of(self.plans[mission.id]).stages
        for key, item in items.items():
            stage = stages.get(keys.typed(key))
            if stage is None:
                # What was approved, so that others build on it, is merged all the same.
                merges = item.attempt is not None and item.attempt.purpose is Purpose.MERGE and item.state.settled
                hold(item.attempt is None or merges, f"{key} was removed, and an attempt at it is {item.state}")
                hold(item.state.settled, f"{key} was removed, and is {item.state}")
                continue
            on = {keys.typed(edge.on) for edge in item.edges}
            hold(on == {wait.on for wait in stage.waits}, f"{key} waits for {on}, not for what the plan says")
            hold((item.kind == "epic") is (stage.grouping is not None), f"{key} is {item.kind}, not what the plan says")
        missing = [id_ for id_ in stages if keys.task_key(id_) not in items]
        hold(not missing, f"{missing} of the plan are no items")

    def _succeeds(self, mission: Mission, items: dict[str, Item], text: str) -> None:
        """A new plan mission: what was done in the one before stays done, unless the file wants it otherwise."""
        before = [one for one in self.plans if one != mission.id]
        if not before:
            return
        old, was, now = self._seen[before[-1]], stages_of(self.plans[before[-1]]).stages, stages_of(text).stages
        for key, item in old.items.items():
            id_ = keys.typed(key)
            if item.state is not ItemState.DONE or not {id_} <= now.keys() & was.keys():
                continue
            # An epic is done only with what is in it now.
            if now[id_].task.status == was[id_].task.status and items[key].kind not in ("epic", "verdict"):
                hold(items[key].state.settled, f"{key} was done in mission {old.mission.short}, and begins again")
                self._settled.add((mission.id, key))

    def _same_rules(self, before: Mission, now: Mission) -> None:
        """A mission keeps its rules until a person gives it others."""
        if before.policy == now.policy and before.checks == now.checks and before.base == now.base:
            return
        more = before.policy.evolve(budget_usd=now.policy.budget_usd)
        if now.policy == more and now.policy.budget_usd == MORE and before.checks == now.checks:
            return
        metas = [stages_of(one).plan.meta for one in (self._text, self.plans.get(now.id, "")) if one]
        hold(
            len(metas) == 2 and metas[0] != metas[1],
            f"{now.short} has other rules: {before.policy} became {now.policy}",
        )

    def _in_budget(self, mission: Mission, items: dict[str, Item], before: Mapping[str, Item]) -> None:
        """Before the last run was sent, what was spent and what was under way left room for it."""
        cap = mission.policy.budget_usd
        flying = [i.attempt for i in items.values() if i.attempt is not None and i.attempt.purpose.runs_agent]
        known = {i.attempt.id for i in before.values() if i.attempt is not None}
        if cap is None or all(attempt.id in known for attempt in flying):
            return
        each = mission.spent_usd / mission.costed_runs if mission.costed_runs else 0.5
        spent = mission.spent_usd + (len(flying) - 1) * each
        hold(spent < cap, f"{mission.short} has {len(flying)} runs under way, with {mission.spent_usd} of {cap} spent")

    # -- an item ---------------------------------------------------------------------------------

    def _transition(self, mission: Mission, old: Item | None, new: Item) -> None:
        super()._transition(mission, old, new)
        who = f"{new.key} of {mission.short}"
        if new.key in self.told:
            self.worded.add((mission.id, new.key))
        elif old is not None and old.state.ended and not new.state.ended:
            self.worded.discard((mission.id, new.key))
        pushed = self._text != self.plans.get(mission.id, "")
        if old is not None and new.state is ItemState.DONE and old.state is not ItemState.DONE and not pushed:
            self.settlings[mission.id, new.key] += 1
        if new.state is ItemState.DONE and (old is None or old.state is not ItemState.DONE):
            meant = self.called.get((mission.id, new.key), new.title)
            hold(
                new.key in self.told or meant == new.title or new.kind in ("epic", "verdict"),
                f"{who} is done, but its agent was told {meant!r}",
            )
        now = new.attempt
        fresh = old is None or old.attempt is None or now is None or old.attempt.id != now.id
        if now is not None and fresh and now.purpose.runs_agent and not now.claimed:
            self._sends.append(now)
        if now is None or not now.claimed or (old is not None and old.attempt == now):
            return
        assert now.agent is not None
        role = self.roles[now.agent]
        if now.purpose in (Purpose.WORK, Purpose.FIX):
            self.called[mission.id, new.key] = new.title
            fits = role == new.role or (not new.role_named and role == "worker")
            meant = now.agent == new.directed_to if new.directed_to else fits
            hold(meant, f"{who}, for {new.directed_to or new.role}, is done by {now.agent} [{role}]")
        elif now.purpose is Purpose.REVIEW and new.judge_agent and new.judge_agent not in new.authors:
            hold(now.agent == new.judge_agent, f"{who}, for {new.judge_agent} to judge, is reviewed by {now.agent}")

    def _in_order(self, mission: Mission, old: Item | None, new: Item, who: str) -> None:
        super()._in_order(mission, old, new, who)
        sent = new.attempt is not None and (old is None or old.attempt is None) and new.attempt.purpose is Purpose.WORK
        if old is not None and old.state in BEGUN and not sent:
            return
        self._all_done(mission, new, f"{who} is {new.state}")

    def _settles(self, mission: Mission, old: Item | None, new: Item, who: str) -> None:
        if old is not None:  # For what begins as settled see ``_succeeds``.
            super()._settles(mission, old, new, who)

    def _proven(self, mission: Mission, item: Item, who: str) -> None:
        if item.kind not in ("epic", "verdict"):
            super()._proven(mission, item, who)
            return
        self._all_done(mission, item, f"{who}, a {item.kind}, is done")
        for subject in self._now.values() if item.kind == "verdict" else ():
            removed = subject.state is ItemState.SKIPPED
            # What was done in the mission before was approved there.
            removed |= subject.state is ItemState.DONE and not subject.attempts
            if subject.judge == item.key and not removed and (mission.id, subject.key) not in self.worded:
                said = subject.head or f"result/{subject.attempts}"
                hold(subject.approved == said, f"{who} is done, and {subject.key} was not approved")
                hold(subject.approved_by not in subject.authors, f"{subject.key} was approved by its author")

    def _all_done(self, mission: Mission, item: Item, who: str) -> None:
        """All that it waits for has settled, and what that changed is merged."""
        for key in self._named(mission, item):
            on = self._now[key]
            hold(on.state.settled or mission.policy.settle_on == "approved", f"{who} before {key}, which is {on.state}")
        for edge in item.edges:
            on = self._now[edge.on]
            ever = mission.policy.settle_on == "approved" and (mission.id, edge.on) in self._settled
            hold(on.state.settled or ever, f"{who} before {on.key}, which is {on.state}")
            if on.state is ItemState.DONE and on.head and (mission.id, on.key) not in self.worded:
                merged = on.merged is not None and on.merged_head == on.head
                hold(merged or mission.policy.settle_on == "approved", f"{who} before {on.key} is merged")

    def _named(self, mission: Mission, item: Item) -> list[str]:
        """What a task waits for by its own words, or those of whoever gave it; told here anew."""
        if mission.tasks == "hand":
            # Their texts name what they were given after.
            wanted = (keys.task_key(id_, plan="hand") for id_ in item.title.split() if id_[1:].isdigit())
            return [key for key in wanted if key in self._now]
        tasks = stages_of(self.plans[mission.id]).plan.by_id()
        task = tasks[item.typed]
        inside = [one.id for one in tasks.values() if one.parent == item.typed] if item.kind == "epic" else []
        parent = self._now.get(keys.task_key(task.parent)) if task.parent else None
        above = [task.parent] if task.parent and parent is not None and parent.kind != "epic" else []
        return [keys.task_key(id_) for id_ in (*(task.depends_on or ()), *above, *inside)]

    def _is_judged(self, mission: Mission, item: Item) -> bool:
        return bool(item.judge) or (mission.policy.reviewer_required and item.head is not None)
