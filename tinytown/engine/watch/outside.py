"""Look at what lies outside the town: changes that were merged by hand, issues that items are about or depend on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tinytown.engine.conductor.escalate import ask
from tinytown.engine.conductor.notices import announce
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import forge_change, repo_of
from tinytown.engine.dispatch.attempt_records import keep_interrupted
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.watch.issues import look_at_issues
from tinytown.errors import BaseGoneError, ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.forge.contract import BranchWatch
from tinytown.missions import gates, lifecycle
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState, WaitReason
from tinytown.state.change import told_conductor
from tinytown.state.records import Versioned

log = logging.getLogger(__name__)


def watch_all(context: Context) -> None:
    """Every mission that works."""
    for mission_id in context.store.mission_ids(live=True):
        try:
            watch(context, mission_id)
        except UnreachableError:
            raise
        except (NotFoundError, ConflictError):
            continue  # It ended, or somebody was quicker: the next look is soon enough.
        except TinytownError as error:
            log.error("mission %s: %s", mission_id, error)


def watch(context: Context, mission_id: str) -> bool:
    """One mission; gives whether anything changed, in which case it was moved on."""
    mission = context.store.mission(mission_id)
    if not mission.record.state.active:
        return False
    if _base_is_gone(context, mission):
        return True
    look_at_issues(context, mission.record)
    moved = False
    for item in context.store.items(mission_id).values():
        new = _look(context, mission.record, item.record)
        if new is not item.record:
            change = context.store.change()
            change.put_item(mission.record, item, new)
            change.event(event("outside_news", at=context.store.now(), mission=mission_id, item=new.key))
            change.commit()
            moved = True
    if moved:
        reconcile(context, mission_id)
    return moved


def _look(context: Context, mission: Mission, item: Item) -> Item:
    try:
        if item.blockers and item.state is ItemState.PENDING:
            still = tuple(k for k in item.blockers if not settled_outside(context, k))
            return item if still == item.blockers else item.evolve(blockers=still, waiting=None)
        if gates.merged_elsewhere_counts(item, mission.policy):
            return _look_for_merge(context, mission, item)
        if item.waiting is not None and item.waiting.reason is WaitReason.BASE_FAILING and item.attempt is None:
            repo = repo_of(item, mission)
            moved = context.forge.base_tip(repo, mission.base_of(repo)) != item.waiting.about
            return item.evolve(not_before=None) if moved and item.not_before is not None else item
    except TinytownError as error:
        # No news is no news: neither done nor failed.
        log.warning("%s: %s", item.key, error)
    return item


def _look_for_merge(context: Context, mission: Mission, item: Item) -> Item:
    """Somebody may have merged it by hand, in whatever way, or removed its branch without that."""
    forge, repo, change = context.forge, repo_of(item, mission), forge_change(item, mission)
    sha = forge.merged_sha(repo, change)
    if sha is not None:
        return item.evolve(merged=sha, merged_head=item.head, waiting=None)
    if gates.awaits_merge(item) and isinstance(forge, BranchWatch) and not forge.branch_is_there(repo, change):
        like = forge.resembling(repo, change) or ""
        return lifecycle.branch_gone(item, base=change.base, mission=mission.short, now=context.store.now(), like=like)
    return item


def settled_outside(context: Context, key: str) -> bool:
    """Whether an issue outside a mission counts as completed: its forge says so, or a mission of this town did it."""
    return context.forge_of(key).issue_state(key) == "completed" or done_here(context, key)


def done_here(context: Context, key: str) -> bool:
    """Whether a mission of this town did the issue."""
    return key in done_by(context, [key])


def done_by(context: Context, keys: Sequence[str]) -> dict[str, str]:
    """The newest mission of this town that did an issue, for those of ``keys`` that one did."""
    found: dict[str, str] = {}
    for mission_id in context.store.mission_ids(live=False):
        items = context.store.some_items(mission_id, keys)
        found.update((key, mission_id) for key, item in items.items() if item.record.state is ItemState.DONE)
    return found


def _base_is_gone(context: Context, mission: Versioned[Mission]) -> bool:
    """Whether the mission ended just now, because there is nothing left that it could be merged into.

    A repository that cannot be seen may only be out of reach: that is a case for a person, and ends by itself. A
    branch that is gone has a tick's time to come back: people move branches in steps.
    """
    head, now = mission.record, context.store.now()
    if head.workspace == "none":
        return False
    trouble = ""
    for repo, base in {head.repo: head.base, **head.bases}.items():
        try:
            context.forge.base_tip(repo, base)
        except BaseGoneError:
            reason = f"the base branch `{base}` is gone" + (f" from {repo}" if head.bases else "")
            trouble = f"{reason}: restore it, or the mission will fail"
            if head.trouble == trouble and now - head.troubled_at >= context.town.settings.timing.tick_secs * 0.9:
                _fail(context, mission, reason)
                return True
            break
        except UnreachableError:
            return False  # No news is no news.
        except TinytownError as error:
            trouble = trouble or str(error)
    if trouble != head.trouble:
        change = context.store.change()
        change.put_mission(mission, head.evolve(trouble=trouble, troubled_at=now))
        change.event(event("mission_troubled", at=now, mission=head.id, text=trouble))
        change.commit()
        ask(context, head.id)
    return False


def _fail(context: Context, mission: Versioned[Mission], reason: str) -> None:
    head = mission.record
    now = context.store.now()
    change = context.store.change()
    new = head.evolve(state=MissionState.FAILED, reason=reason, finished_at=now, help=None)
    change.put_mission(mission, new)
    announce(context, change, "mission_failed", new, at=now)
    items = context.store.items(head.id).values()
    for item in items:
        # Left behind, an attempt would keep its worker, or a place in its queue, taken for ever.
        keep_interrupted(change, head, item.record, why=reason, now=now)
        change.put_item(head, item, lifecycle.take_back(item.record))
    change.release_issues(v.record for v in items if v.record.state is not ItemState.SKIPPED)
    change.event(event("mission_failed", at=now, mission=head.id, reason=reason))
    # Nobody gave this mission up: without a word its end could go unseen.
    text = f"Mission {head.short} has failed: {reason}. The work is kept; restore the branch and start a new mission."
    change.message(told_conductor(text, at=now, mission=head.id))
    change.commit()
    context.end_attempts(v.record.attempt.id for v in items if v.record.attempt is not None)
