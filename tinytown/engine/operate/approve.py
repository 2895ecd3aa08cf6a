"""A person approves a change that only a person may approve, for exactly the commit that it has now."""

from __future__ import annotations

from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.operate.items import find_item
from tinytown.errors import StateError
from tinytown.missions import gates
from tinytown.missions.records.item import Item
from tinytown.missions.states import WaitReason
from tinytown.state.change import Change


def approve(context: Context, mission_id: str, text: str) -> Item:
    """Approve the present commit of an item that waits for a person; a new commit needs a new approval.

    Raises:
        NotFoundError: no such item.
        StateError: it is not waiting for approval, or its mission has ended.
    """
    key = find_item(context, mission_id, text).record.key

    def decide(change: Change) -> None:
        mission, item = context.store.mission(mission_id), context.store.item(mission_id, key)
        head, record = mission.record, item.record
        if head.state.ended:
            raise StateError(
                f"mission {head.short} is {head.state.value}: nothing in it is waiting for approval",
                remedy=f"merge {record.branch} yourself if you want it",
            )
        step = gates.next_step(record.evolve(waiting=None), head.policy)
        if not (isinstance(step, gates.Hold) and step.reason is WaitReason.APPROVAL):
            raise StateError(f"{key} is not waiting for approval", remedy="see `tt mission status --watch`")
        new = record.evolve(human_approved=record.head, waiting=None)
        change.put_item(head, item, new)
        change.expect_mission(mission)
        change.event(event("human_approved", at=context.store.now(), mission=mission_id, item=key, sha=record.head))

    commit(context, decide)
    advance(context, mission_id)
    ask(context, mission_id)
    return context.store.item(mission_id, key).record
