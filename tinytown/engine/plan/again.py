"""Have a task done again, and whatever came after it: ``tt task retry ID --from``."""

from __future__ import annotations

from collections.abc import Mapping

from tinytown import keys
from tinytown.engine.commit import commit
from tinytown.engine.conductor.escalate import ask
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.plan import by_hand, tasks
from tinytown.engine.plan.by_hand import Given
from tinytown.errors import StateError
from tinytown.missions import gates, rerun
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.state.change import Change

#: Tasks that an error names.
_NAMED = 5


def begin_again(context: Context, id_: str) -> tuple[Given, list[str]]:
    """Have a task and all that waited for it begin anew; gives it, and the ids of all that do.

    What is merged stays merged: the next run begins from the base, which holds it.

    Raises:
        NotFoundError: there is no such task.
        StateError: its mission has ended, it is no work of its own, or one of them is being worked on.
    """
    given = by_hand.find(context, id_)
    key = given.item.key

    def decide(change: Change) -> list[str]:
        head = context.store.mission(given.mission.id)
        mission = head.record
        found = context.store.items(mission.id)
        items = {one: item.record for one, item in found.items()}
        chosen = rerun.chosen(items, key)
        _refuse(mission, items, key, chosen)
        fresh = {one: new for one in chosen if (new := rerun.again(items[one])) is not None}
        if not fresh:
            raise StateError(f"task {id_} has not begun yet", remedy=f"see `tt task show {id_}`")
        now, edition = context.store.now(), context.store.edition(mission.id) + 1
        known = tasks.settle_waits({**items, **fresh}, now=now)
        for one, item in known.items():
            change.put_item(mission, found[one], item)
            if one in fresh:
                why = "a person wants it done again" if one == key else f"{keys.short(key)} is done again"
                change.event(event("item_retried", at=now, mission=mission.id, item=one, why=why))
        # Nothing counts for the new turn that the canvas has counted so far.
        graph, canvas = tasks.stored(mission.id, known, edition=edition)
        change.change_plan(head, mission, plan=None, graph=graph, canvas=canvas, edition=edition, added={}, known=known)
        return [keys.typed(one) for one in fresh]

    begun = commit(context, decide)
    context.rejoin(given.mission.id)
    reconcile(context, given.mission.id)
    ask(context, given.mission.id)
    return by_hand.find(context, id_), begun


def _refuse(mission: Mission, items: Mapping[str, Item], key: str, chosen: list[str]) -> None:
    name = keys.typed(key)
    if mission.state.ended:
        remedy = 'give it again: `tt assign AGENT "..."`'
        if mission.tasks == "plan":
            pending = 'write `status = "pending"` for it and what comes after it in tasks.toml'
            remedy = f"{pending}, then run `tt sync push` and `tt conductor`"
        said = f"mission {mission.short}, which task {name} belongs to, is {mission.state.value}"
        raise StateError(said, remedy=remedy)
    if items[key].kind == gates.VERDICT:
        judged = [keys.typed(item.key) for item in items.values() if item.judge == key]
        raise StateError(
            f"task {name} is the review of {', '.join(judged[:_NAMED])}",
            remedy=f"run `tt task retry {(judged or [name])[0]} --from`, which is then reviewed again",
        )
    if any(items[one].messages and items[one].state.settled for one in chosen):
        raise StateError(
            f"{name} answered messages, and each is answered once", remedy='ask again: `tt send AGENT "..."`'
        )
    busy = [keys.typed(one) for one in chosen if items[one].attempt is not None]
    if busy:
        more = f" and {len(busy) - _NAMED} more" if len(busy) > _NAMED else ""
        raise StateError(
            f"an attempt at {', '.join(busy[:_NAMED])}{more} is under way",
            remedy=f"run `tt task cancel {busy[0]}` first, or wait for its end",
        )
