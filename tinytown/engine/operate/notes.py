"""What a person notes on a mission: a directive, which is carried out, or a remark for the briefs."""

from __future__ import annotations

from tinytown import keys
from tinytown.engine.context import Context
from tinytown.engine.operate import items, missions
from tinytown.missions import directives
from tinytown.missions.records.mission import Mission

#: Remarks kept for briefs.
MAX_REMARKS = 20


def task_ids(context: Context, mission_id: str) -> set[str]:
    """Ids of the tasks of a mission, by which a note may name them."""
    return {keys.typed(key) for key in context.store.order(mission_id) if keys.is_task(key)}


def note(context: Context, mission_id: str, text: str, *, remark: bool = False) -> str:
    """Act on a directive, or keep a remark (with ``remark``, whatever it says). Returns a sentence on what was done."""
    context.store.mission(mission_id)
    match directives.parse(text, remark=remark, tasks=task_ids(context, mission_id)):
        case directives.Resume(why):
            missions.resume(context, mission_id, why=why)
            return "resumed"
        case directives.Pause(why):
            missions.pause(context, mission_id, why=why)
            return "paused"
        case directives.Retry(item):
            revived = items.retry(context, mission_id, item)
            return f"retrying {', '.join(i.name for i in revived)}" if revived else "nothing to retry"
        case directives.Redirect(item, agent):
            new = items.redirect(context, mission_id, item, agent)
            return f"{new.name} is assigned to {new.directed_to}"
        case directives.Cancel(item, why):
            return f"{items.cancel(context, mission_id, item, why=why).name} is cancelled"
        case directives.Reread(item):
            return f"the next brief of {items.reread(context, mission_id, item).name} will have its issue as it is now"
        case directives.Remark(words):

            def remember(head: Mission) -> Mission:
                missions.refuse_ended(head, "noted")
                # It moves nothing, so open questions stay open.
                return head.evolve(remarks=(*head.remarks, words)[-MAX_REMARKS:])

            missions.put_head(context, mission_id, remember, "mission_noted", text=words)
            return "noted; agents will see it in their next briefs"
