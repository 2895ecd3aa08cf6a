"""Look at what lies outside the town: changes that were merged by hand, issues that items are about or depend on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from tinytown.engine.changes import forge_change, repo_of
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.watch.base import base_is_gone
from tinytown.engine.watch.changes import look_at_changes
from tinytown.engine.watch.done import settled_outside
from tinytown.engine.watch.due import turn
from tinytown.engine.watch.issues import look_at_issues
from tinytown.errors import ConflictError, NotFoundError, TinytownError, UnreachableError
from tinytown.forge.contract import FreeMerges
from tinytown.missions import gates, seen_outside
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, WaitReason
from tinytown.state import lookup

log = logging.getLogger(__name__)


def watch_all(context: Context) -> None:
    """Every mission that works; a remote forge that did not answer is left alone for a while."""
    with turn(context) as may:
        if may:
            _watch_all(context)


def _watch_all(context: Context) -> None:
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
    remote = mission.record.policy.forge_judges
    if not remote or context.is_time(f"base {mission_id}", mission.record.policy.watch_interval_secs):
        if base_is_gone(context, mission):
            return True
        if remote:
            for repo in (mission.record.repo, *mission.record.bases):
                context.forge.mirror(repo)
    look_at_issues(context, mission.record)
    moved = False
    # Every item that one of the watches looks at must be notable: see ``missions.attention``.
    notable = lookup.notable(context.store, mission_id)
    for item in notable.values():
        new = _look(context, mission.record, item.record)
        if new is not item.record:
            change = context.store.change()
            change.put_item(mission.record, item, new)
            change.event(event("outside_news", at=context.store.now(), mission=mission_id, item=new.key))
            change.commit()
            moved = True
    if remote:
        # What moved just now has other versions.
        seen = lookup.notable(context.store, mission_id) if moved else notable
        moved |= look_at_changes(context, mission.record, seen)
    if moved:
        reconcile(context, mission_id)
    return moved


def _look(context: Context, mission: Mission, item: Item) -> Item:
    for kind in ITEM_WATCHES:
        try:
            item = kind(context, mission, item)
        except TinytownError as error:
            # No news is no news: neither done nor failed.
            log.warning("%s: %s", item.key, error)
            break
    return item


def _blockers(context: Context, _mission: Mission, item: Item) -> Item:
    """Issues outside the mission that it waits for may be done."""
    if not item.blockers or item.state is not ItemState.PENDING:
        return item
    still = tuple(key for key in item.blockers if not settled_outside(context, key))
    return item if still == item.blockers else item.evolve(blockers=still, waiting=None)


def _merge_by_hand(context: Context, mission: Mission, item: Item) -> Item:
    """Somebody may have merged it by hand, in whatever way, or removed its branch without that."""
    if mission.policy.forge_judges or not gates.merged_elsewhere_counts(item, mission.policy):
        return item
    forge, repo, change = context.forge, repo_of(item, mission), forge_change(item, mission)
    seen = forge.observe(repo, change)
    if seen.state == "merged":
        return item.evolve(merged=seen.sha, merged_head=item.head, waiting=None)
    if seen.state == "gone" and gates.awaits_merge(item):
        like = (isinstance(forge, FreeMerges) and forge.resembling(repo, change)) or ""
        return seen_outside.branch_gone(
            item, base=change.base, mission=mission.short, now=context.store.now(), like=like
        )
    return item


def _base_moved(context: Context, mission: Mission, item: Item) -> Item:
    """A base on which the checks fail may have been mended: what waits for that is tried again."""
    if item.waiting is None or item.waiting.reason is not WaitReason.BASE_FAILING or item.attempt is not None:
        return item
    repo = repo_of(item, mission)
    moved = context.forge.base_tip(repo, mission.base_of(repo)) != item.waiting.about
    return item.evolve(not_before=None) if moved and item.not_before is not None else item


#: What is looked at for an item outside the town, one kind a function; each gives the item as it is then.
ITEM_WATCHES: Sequence[Callable[[Context, Mission, Item], Item]] = (_blockers, _merge_by_hand, _base_moved)
