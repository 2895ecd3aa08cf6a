"""An attempt as its worker sees it once it is taken: renew, report; and what happens when it is lost."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tinytown.engine.allowance import caps_of
from tinytown.engine.commit import TRIES, commit
from tinytown.engine.context import Context
from tinytown.engine.dispatch import claiming, costs
from tinytown.engine.dispatch.admission import Decision, decide, publish_due, release
from tinytown.engine.dispatch.advance import advance, advance_all
from tinytown.engine.dispatch.attempt_records import record_of, told
from tinytown.engine.dispatch.claiming import Claim, Taker
from tinytown.engine.dispatch.mission_state import follow
from tinytown.engine.dispatch.reserved import reserved
from tinytown.errors import ConflictError, NotFoundError, NotSentError
from tinytown.missions import budget, gates, lifecycle, limits, mission_state, pull_request
from tinytown.missions.records.attempt import Attempt, Report
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, Outcome, Purpose
from tinytown.state.change import Change

log = logging.getLogger(__name__)

#: Tries to end an attempt and move its mission in one commit; after that, it takes two.
_TOGETHER = 5


@dataclass(frozen=True)
class HandedIn:
    """What became of a report."""

    #: ``False``: the attempt was not the live one any more, so nothing was written.
    counted: bool
    #: The attempt that its agent goes on with.
    next: Claim | None = None


def renew(context: Context, claimed: Claim) -> bool:
    """Prolong the lease; ``False`` means: stop at once, nothing of it counts any more."""
    return context.store.renew(claimed.attempt.id, claimed.token, context.town.settings.timing.lease_secs)


def report(context: Context, claimed: Claim, result: Report) -> bool:
    """``hand_in`` by a worker that does not go on at once; ``False`` if nothing was written."""
    return hand_in(context, claimed, result).counted


def hand_in(context: Context, claimed: Claim, result: Report, taker: Taker | None = None) -> HandedIn:
    """Hand in the end of an attempt.

    What follows from it is decided in the same commit: a dependent that it releases is sent to its worker, and the
    mission's canvas has nothing left to do. Where that cannot be, the canvas does it. If the next attempt goes to
    where this one came from, ``taker`` has it already.
    """
    mission, key = claimed.mission.id, claimed.item.key
    together, caps = itertools.repeat(True, _TOGETHER), caps_of(context.town.settings)

    def decide(change: Change) -> _Ended | None:
        canvas = context.canvas(mission)
        view = context.store.admission_view(mission, list(dict.fromkeys((key, *canvas.near(key)))), with_costs=caps.any)
        if (now := context.canvas(mission)) is not canvas and now != canvas:
            raise ConflictError("the plan changed in the meantime", remedy="try again")
        live = view.items[key].record.attempt if key in view.items else None
        if live is None or live.id != claimed.attempt.id or live.token != claimed.token:
            return None
        change.by = claimed.agent
        decision = Decision(change, view, context.fallbacks, reserved(context, view), caps)
        _end(context, decision, key, result)
        settled = set(decision.settled)
        moved = next(together, False) and _move_on(decision)
        # All that it leads to was read, and released with it.
        released = settled if moved and not canvas.is_wide(key) else set()
        change.released(view.mission.record, released)
        if not moved:
            # Else what was read still holds.
            change.ask_wanted()
        follows = claiming.take_next(context, decision, taker) if moved and taker is not None else None
        decision.write(context)
        return _Ended(decision, moved, released, follows)

    try:
        with context.in_turn():
            ended = commit(context, decide)
    except ConflictError:
        return HandedIn(False)
    if ended is None:
        # If the answer to this very report was lost, it counts, and so does what was taken with it.
        follows = claiming.taken_by(context, taker) if taker is not None else None
        return HandedIn(follows is not None, follows)
    try:
        return HandedIn(True, _follow_up(context, claimed, ended, taker))
    except NotSentError as error:
        # All is on record, and what was taken must be run; what was not sent the next tick sends.
        follows = claiming.taken_by(context, taker) if taker is not None else None
        if follows is None:
            raise
        log.warning("after %s: %s", claimed.attempt.id, error)
        return HandedIn(True, follows)


def _follow_up(context: Context, claimed: Claim, ended: _Ended, taker: Taker | None) -> Claim | None:
    """What is done once a report is on record; gives the attempt that was taken with it, or by this."""
    decision, moved, mission = ended.decision, ended.moved, claimed.mission.id
    follows = ended.follows
    if follows is not None:
        follows = claiming.with_brief(context, follows, decision.change.answers)
    decision.send(context)
    if left := [one for one in decision.settled if one not in ended.released]:
        context.send_settled(mission, left)
    if not moved or decision.unfinished:
        # Once it has an attempt, it takes no other.
        follows = advance(context, mission, taker=taker if follows is None else None) or follows
    follow(context, mission, still=moved and not decision.unfinished and decision.still, asks=decision.asks)
    if claimed.item.kind == gates.QUESTION:
        context.send_questions()
    if follows is None and (decision.view.wanted if moved else decision.change.wanted) - {mission}:
        # Others waited for a worker, and one became free.
        advance_all(context, [m for m in context.store.wanting() if m != mission])
    return follows


@dataclass(frozen=True)
class _Ended:
    """A report as it was committed."""

    decision: Decision
    #: Whether the mission was moved with it.
    moved: bool
    #: Items that settled, and all that waited for them was released.
    released: set[str]
    follows: Claim | None


def write_off(context: Context, claimed: Claim, result: Report) -> bool:
    """Count what a run cost whose lease or report was refused; nothing else of it counts.

    If its lease ran out and nobody has taken the attempt back yet, that is done here. ``False``: the cost is still to
    be counted.
    """
    attempt = claimed.attempt
    where = (claimed.mission.id, claimed.item.key)
    lose(context, *where, attempt.id, why="its lease expired", expired_only=False, left=result)
    return costs.add(context, *where, attempt.number, costs.spent_of(result), log=result.log)


def _move_on(decision: Decision) -> bool:
    """Release and admit in the decision that ends an attempt; ``False``: the mission is to be advanced after it."""
    if not decision.head.state.active:
        return False
    release(decision)
    view = decision.view
    if view.ripe or not view.indexed or any(publish_due(item, view) for item in decision.due.values()):
        return False
    # If an item became due or a worker free meanwhile, this decision has overlooked it.
    decision.change.admissions(decision.view.version)
    decide(decision)
    return True


def abandon(context: Context, agents: Collection[str], *, ended: Callable[[str | None], bool]) -> int:
    """A new worker begins for these agents: take back what the one before had claimed; gives how many attempts.

    ``ended`` says of the process that claimed one whether it is known to have ended. Another one that serves the same
    agent, on another machine say, goes on undisturbed: if it did end, its leases run out.
    """
    lost = 0
    for live in context.store.live_attempts():
        if live.claimed and live.agent in agents:
            try:
                attempt = context.store.item(live.mission, live.item).record.attempt
            except NotFoundError:
                continue
            if attempt is None or attempt.id != live.id or not ended(attempt.worker):
                continue
            why = f"{live.agent}'s worker stopped"
            lost += lose(context, live.mission, live.item, live.id, why=why, expired_only=False)
    return lost


def lose(
    context: Context,
    mission_id: str,
    key: str,
    attempt_id: str,
    *,
    why: str,
    expired_only: bool = True,
    left: Report | None = None,
) -> bool:
    """Take back an attempt whose lease ran out; ``False`` if it is not so (any more).

    ``left`` is what its worker knows of it: its work and its cost, if the worker still lives.
    """
    ended = Report(outcome=Outcome.LOST, summary=why)
    if left is not None:
        used = {"cost_usd": left.cost_usd, "tokens": left.tokens, "salvage": left.salvage, "log": left.log}
        ended = ended.evolve(**used)

    def decide(change: Change) -> bool:
        view = context.store.admission_view(mission_id, [key], with_costs=False)
        live = view.items[key].record.attempt if key in view.items else None
        if live is None or live.id != attempt_id or not live.claimed:
            return False
        decision = Decision(change, view, context.fallbacks)
        if expired_only:
            change.expect_expired(attempt_id)
        _end(context, decision, key, ended)
        decision.write(context)
        return True

    try:
        # If the lease was renewed this very moment, the next tick looks at it again.
        return commit(context, decide, tries=1 if expired_only else TRIES)
    except ConflictError:
        return False


def _end(context: Context, decision: Decision, key: str, result: Report) -> None:
    """Everything that the end of a live attempt writes."""
    head, item, now = decision.head, decision.read[key].record, decision.view.now
    attempt = item.attempt
    assert attempt is not None
    backoff = context.town.settings.timing.backoff_secs
    new = lifecycle.end_attempt(item, result, policy=head.policy, backoff=backoff, now=now)
    assert new is not None
    settled = None
    if head.state.active and isinstance(gates.next_step(new, head.policy), gates.Settle):
        settled = lifecycle.settle(new, now=now)
    new = settled or mission_state.hold(new, head, now=now)
    decision.end(attempt.id)
    if result.outcome is Outcome.USAGE_LIMIT and result.retry_at is not None and attempt.cli:
        shared = limits.account(attempt.cli, attempt.host)
        known = decision.view.limits.get(shared)
        # A run that was refused because of the known limit tells nothing new of it.
        if known is None or result.retry_at > known.until + limits.MAX_SPREAD:
            decision.limit(shared, limits.Limit(since=now, until=result.retry_at))
    decision.put(new)
    if settled is not None:
        decision.settled.append(key)
    ended = record_of(new, attempt, result, now=now)
    if result.outcome is Outcome.SUCCEEDED and attempt.agent and result.got:
        for message in context.mail.still_pending(attempt.agent, result.got):
            decision.change.got(attempt.agent, message)
    decision.change.end_attempt(head.id, ended)
    decision.change.event(told(head.id, ended))
    if new.mute_reviews > item.mute_reviews:
        decision.tell("review_unheard", item=key, agent=attempt.agent or "", summary=lifecycle.unheard(result))
    _tell_transition(decision, item, new, attempt)
    spent = costs.spent_of(result)
    decision.head = budget.charge(head, spent.used)
    if attempt.purpose.runs_agent and (spent or result.outcome is Outcome.SUCCEEDED):
        decision.change.count_spent(spent.used, role=attempt.role, cli=attempt.cli)


def _tell_transition(decision: Decision, old: Item, new: Item, attempt: Attempt) -> None:
    """Lines of history for what an attempt's end meant, in the words of the tutorial's tables."""
    said: list[tuple[str, dict[str, str]]] = []
    if new.checked and new.checked != old.checked:
        said.append(("checks_passed", {"sha": new.checked}))
    if new.approved and new.approved != old.approved:
        said.append(("approved", {"by": new.approved_by or ""}))
    if new.merged and new.merged != old.merged:
        said.append(("merged", {"sha": new.merged}))
    if new.state is ItemState.FIXING and old.state is not ItemState.FIXING and new.fix is not None:
        said.append(("fix_requested", {"gate": new.fix.gate, "summary": new.fix.summary}))
    if new.state is ItemState.DONE and old.state is not ItemState.DONE:
        said.append(("item_done", {"agent": new.agent or ""}))
    if new.state is ItemState.FAILED:
        said.append(("item_failed", {"summary": new.waiting.remedy if new.waiting else ""}))
    elif new.waiting is not None and new.waiting.reason != (old.waiting.reason if old.waiting else None):
        said.append(("item_waits", {"reason": new.waiting.reason.value, "remedy": new.waiting.remedy}))
    if attempt.purpose in (Purpose.WORK, Purpose.FIX) and new.head and new.head != old.head:
        said.insert(0, ("change_collected", {"sha": new.head, "branch": new.branch}))
    if new.change_url and new.change_url != old.change_url:
        said.insert(0, ("change_published", {"text": pull_request.name_of(new.change or ""), "url": new.change_url}))
    for kind, data in said:
        decision.tell(kind, item=new.key, **data)
