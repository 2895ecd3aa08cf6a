"""A person says which commit of the base brought a change, where tinytown cannot recognise it."""

from __future__ import annotations

from tinytown.engine.changes import forge_change, repo_of
from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.operate.items import find_item
from tinytown.errors import NotFoundError, StateError
from tinytown.forge.contract import FreeMerges
from tinytown.missions import gates
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.state.change import Change


def merged_by(context: Context, mission_id: str, text: str, revision: str) -> Item:
    """Count an item that waits for its merge as merged by this commit.

    Raises:
        NotFoundError: no such item, or no such commit on its base.
        StateError: it does not wait for a merge.
    """
    key = find_item(context, mission_id, text).record.key

    def decide(change: Change) -> None:
        mission, item = context.store.mission(mission_id), context.store.item(mission_id, key)
        head, record = mission.record, item.record
        if not gates.merged_elsewhere_counts(record, head.policy) or head.state.ended:
            raise StateError(f"{key} is not waiting for a merge", remedy="see `tt mission status --watch`")
        new = record.evolve(merged=_commit(context, head, record, revision), merged_head=record.head, waiting=None)
        change.put_item(head, item, new)
        change.expect_mission(mission)
        at = context.store.now()
        change.event(event("merged_by_hand", at=at, mission=mission_id, item=key, sha=new.merged))

    commit(context, decide)
    advance(context, mission_id)
    ask(context, mission_id)
    return context.store.item(mission_id, key).record


def _commit(context: Context, mission: Mission, item: Item, revision: str) -> str:
    repo, change = repo_of(item, mission), forge_change(item, mission)
    forge = context.forge
    if not isinstance(forge, FreeMerges):
        raise StateError("the forge itself tells which changes are merged", remedy="merge it there")
    sha = forge.on_base(repo, change, revision)
    if sha is None:
        raise NotFoundError(
            f"{revision!r} is no commit of {change.base}", remedy=f"run `git log --oneline {change.base}` to find it"
        )
    return sha
