"""What people do to an item of a mission: find it, retry, redirect, read its issue again, cancel, merge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tinytown import keys
from tinytown.engine.changes import repo_of
from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.dispatch.attempt_records import keep_interrupted
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.operate.missions import refuse_ended
from tinytown.engine.watch.issues import read_anew
from tinytown.errors import NotFoundError, StateError
from tinytown.missions import gates, issue_edits, lifecycle
from tinytown.missions.crew import CHECKS_ROLE, CONDUCTOR_ROLE, FORGE_ROLE, TOWN_ROLES
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, Purpose, WaitReason
from tinytown.state.change import Change
from tinytown.state.records import Versioned

#: What the town's own workers do; none of them can be given an item.
_ONLY = {
    CHECKS_ROLE: "only runs checks",
    FORGE_ROLE: "only speaks to the forge",
    CONDUCTOR_ROLE: "only answers questions",
}

R = TypeVar("R")


def retry(context: Context, mission_id: str, text: str | None) -> list[Item]:
    """Try an item again, or (``None``) all that failed or wait for a person; returns those that were revived.

    Raises:
        NotFoundError: no such item.
        StateError: the mission has ended, or the item needs no retry.
    """
    wanted = None if text is None else find_item(context, mission_id, text).record.key
    dead = {
        key: item.record
        for key, item in context.store.items(mission_id).items()
        if item.record.state in (ItemState.FAILED, ItemState.CANCELLED) and wanted in (None, key)
    }
    # A person who retries it, perhaps after correcting the issue, wants the issue as it is now.
    issues = read_anew(context, dead)
    left = {key: _left_by_runs(context, mission_id, key) for key, item in dead.items() if item.head is not None}

    def revive(mission: Mission, items: dict[str, Versioned[Item]], change: Change) -> list[Item]:
        refuse_ended(mission, "retried")
        revived: list[Item] = []
        for key, item in items.items():
            if key != wanted if wanted is not None else not _stuck(item.record, mission):
                continue
            new = lifecycle.retry(item.record)
            if new is not None:
                if new.state is ItemState.PENDING and (issue := issues.get(key)) is not None:
                    new = new.evolve(noticed=issue_edits.fingerprint(issue), news="")
                    change.put_issue(mission.id, issue)
                if new.head is not None and left.get(key):
                    # What a person said when they ended it was why; what goes on is what its agents left.
                    change.put_result(mission.id, key, left[key])
                change.put_item(mission, item, new)
                change.event(event("item_retried", at=context.store.now(), mission=mission.id, item=key))
                revived.append(new)
        if any(item.record.waiting and item.record.waiting.reason is WaitReason.USAGE_LIMIT for item in items.values()):
            # A person who retries it knows better than a usage limit on record: the limit may have been raised.
            change.forget_limits()
        return revived

    revived = _change_items(context, mission_id, revive)
    if wanted is not None and not revived:
        found = context.store.item(mission_id, wanted).record
        remedy = _look(found)
        if found.state is ItemState.DONE and keys.is_task(wanted):
            remedy = f"`tt task retry {found.typed} --from` has it done again, and whatever came after it"
        raise StateError(f"{_stands(found)}: there is nothing to retry", remedy=remedy)
    reconcile(context, mission_id)
    # This answers the questions about these items only; the mission's other questions stay open.
    ask(context, mission_id)
    return revived


def _left_by_runs(context: Context, mission_id: str, key: str) -> str:
    """The result of the last run that did work on it and told one; empty if none did."""
    ended = context.store.finished_attempts(mission_id, key)
    told = [one.report.result for one in ended if one.purpose in (Purpose.WORK, Purpose.FIX) and one.report.result]
    return told[-1] if told else ""


def _stuck(item: Item, mission: Mission) -> bool:
    waits = item.waiting is not None or gates.wants_attempt(item, mission.policy)
    idle = item.attempt is None and item.state is not ItemState.PENDING and waits
    return item.state in (ItemState.FAILED, ItemState.CANCELLED) or idle


def redirect(context: Context, mission_id: str, text: str, agent: str) -> Item:
    """Only this agent may work on the item from now on; a run by somebody else is ended.

    Raises:
        NotFoundError: no such item, or no such agent.
        StateError: the item has ended.
    """
    key = find_item(context, mission_id, text).record.key
    if agent in TOWN_ROLES:
        what = _ONLY[agent]
        raise StateError(f"`{agent}` {what}", remedy="name an agent from `tt list`")
    agent = context.crew.find(agent)
    ended: list[str] = []

    def direct(mission: Mission, items: dict[str, Versioned[Item]], change: Change) -> Item:
        refuse_ended(mission, "redirected")
        item = items[key]
        record = item.record
        if record.state.ended:
            raise StateError(
                f"{key} is {record.state.value}", remedy=f"run `tt mission retry {mission.short} {record.number}`"
            )
        ended.clear()
        live = record.attempt
        if live is not None and live.agent != agent and live.purpose in (Purpose.WORK, Purpose.FIX):
            ended.append(live.id)
            keep_interrupted(change, mission, record, why=f"redirected to {agent}", now=context.store.now())
            record = lifecycle.take_back(record)
        # As an answer to a request for help it is a retry too: the count of fix rounds starts again.
        record = lifecycle.retry(record) or record
        new = record.evolve(directed_to=agent)
        change.put_item(mission, item, new)
        change.event(event("item_redirected", at=context.store.now(), mission=mission.id, item=key, agent=agent))
        return new

    new = _change_items(context, mission_id, direct)
    context.end_attempts(ended)
    advance(context, mission_id)
    ask(context, mission_id)
    return new


def reread(context: Context, mission_id: str, text: str) -> Item:
    """Let the next briefs of an item have its issue as it is now; the plan stays.

    Raises:
        NotFoundError: no such item, or the issue is gone.
        StateError: the item is done.
    """
    key = find_item(context, mission_id, text).record.key
    if keys.is_task(key):
        raise StateError(f"{keys.typed(key)} is a task of a plan", remedy="change tasks.toml, then run `tt sync push`")
    issue = context.forge_of(key).issue(key)

    def put(mission: Mission, items: dict[str, Versioned[Item]], change: Change) -> Item:
        refuse_ended(mission, "changed")
        item = items[key]
        if item.record.state.settled:
            raise StateError(f"{key} is {item.record.state.value}", remedy="start it again with `tt mission start`")
        new = issue_edits.let_go(item.record).evolve(noticed=issue_edits.fingerprint(issue), news="")
        change.put_item(mission, item, new)
        change.put_issue(mission.id, issue)
        change.event(event("issue_reread", at=context.store.now(), mission=mission.id, item=key))
        return new

    return _change_items(context, mission_id, put)


def cancel(context: Context, mission_id: str, text: str, *, why: str) -> Item:
    """End one item; what depends on it waits until it is retried.

    Raises:
        NotFoundError: no such item.
        StateError: it has ended.
    """
    key = find_item(context, mission_id, text).record.key
    running: list[str] = []

    def end(mission: Mission, items: dict[str, Versioned[Item]], change: Change) -> Item:
        running.clear()
        refuse_ended(mission, "changed")
        item = items[key]
        now = context.store.now()
        new = lifecycle.cancel(item.record, now=now)
        if new is None:
            raise StateError(_stands(item.record), remedy=_look(item.record))
        if item.record.attempt is not None:
            running.append(item.record.attempt.id)
        keep_interrupted(change, mission, item.record, why=why, now=now)
        change.put_item(mission, item, new)
        change.event(event("item_cancelled", at=now, mission=mission.id, item=key, reason=why))
        return new

    new = _change_items(context, mission_id, end)
    context.end_attempts(running)
    reconcile(context, mission_id)
    ask(context, mission_id)
    return new


def merge(context: Context, mission_id: str, text: str) -> Item:
    """Let an item that waits for its merge be merged now, through the same gate as an automatic merge.

    Raises:
        NotFoundError: no such item.
        StateError: it has gates to pass before, or nothing to merge.
    """
    key = find_item(context, mission_id, text).record.key

    def let(mission: Mission, items: dict[str, Versioned[Item]], change: Change) -> Item:
        if mission.state.ended:
            record = items[key].record
            where = f"into {mission.base_of(repo_of(record, mission))} yourself"
            raise StateError(
                f"mission {mission.short} is {mission.state.value} and merges nothing any more",
                remedy=f"merge it at {record.change_url}" if record.change_url else f"merge {record.branch} {where}",
            )
        item = items[key]
        record = item.record
        if record.merged is not None or record.head is None:
            raise StateError(f"{key} has nothing to merge", remedy="see `tt mission status --work`")
        merging = mission.policy.evolve(auto_merge=True, settle_on="merged")
        # This answers whatever it waits for, if it has passed its gates. A branch that is gone is published again.
        step = gates.next_step(record.evolve(waiting=None, published=record.head), merging)
        if record.state is not ItemState.DONE and step != gates.Run(Purpose.MERGE):
            raise StateError(f"{key} has not passed its gates yet", remedy="see `tt mission status --watch`")
        new = record.evolve(merge_wanted=True, waiting=None)
        change.put_item(mission, item, new)
        change.event(event("merge_requested", at=context.store.now(), mission=mission.id, item=key))
        return new

    new = _change_items(context, mission_id, let)
    advance(context, mission_id)
    ask(context, mission_id)
    return new


def find_item(context: Context, mission_id: str, text: str) -> Versioned[Item]:
    """The item a person means: ``2``, ``#2``, or its key.

    Raises:
        NotFoundError: none, or more than one, is meant.
    """
    order = context.store.order(mission_id)
    exact = [key for key in order if key.casefold() == text.casefold()]
    if exact:
        return context.store.item(mission_id, exact[0])
    number = text.removeprefix("#")
    found = [key for key in order if keys.typed(key) == number]
    if len(found) != 1:
        raise NotFoundError(
            f"`{text[:80]}` names {'more than one item' if found else 'no item'} of mission {mission_id[:8]}",
            remedy="use a key from `tt mission status --work`, or name its mission: see `tt mission list --all`",
        )
    return context.store.item(mission_id, found[0])


def _stands(item: Item) -> str:
    """How it stands, by the name that people type for it."""
    name = f"task {item.typed}" if keys.is_task(item.key) else item.key
    return f"{name} is {item.state.value.replace('_', ' ')}"


def _look(item: Item) -> str:
    """Where more is to be read of it."""
    return f"see `tt task show {item.typed}`" if keys.is_task(item.key) else "see `tt mission status --work`"


def _change_items(
    context: Context, mission_id: str, decide: Callable[[Mission, dict[str, Versioned[Item]], Change], R]
) -> R:
    def load_and_decide(change: Change) -> R:
        mission = context.store.mission(mission_id)
        items = context.store.items(mission_id)
        answer = decide(mission.record, items, change)
        change.expect_mission(mission)
        return answer

    return commit(context, load_and_decide)
