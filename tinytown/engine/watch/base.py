"""Whether the branch that a mission merges into is still there."""

from __future__ import annotations

from tinytown.engine.conductor.escalate import ask
from tinytown.engine.conductor.notices import announce
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.attempt_records import keep_interrupted
from tinytown.errors import BaseGoneError, TinytownError, UnreachableError
from tinytown.missions import lifecycle
from tinytown.missions.messages import told_conductor
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState
from tinytown.state.records import Versioned


def base_is_gone(context: Context, mission: Versioned[Mission]) -> bool:
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
