"""An attempt as its worker sees it: claim, renew, report; and what happens when it is lost."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from tinytown.engine.commit import TRIES, commit
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch import costs
from tinytown.engine.dispatch.admission import Decision, decide, publish_due, release
from tinytown.engine.dispatch.advance import advance, advance_all
from tinytown.engine.dispatch.attempt_records import record_of, told
from tinytown.engine.dispatch.mission_state import follow
from tinytown.engine.dispatch.reserved import reserved
from tinytown.errors import ConflictError, NotFoundError, TinytownError
from tinytown.missions import budget, gates, lifecycle, limits, mission_state, pull_request
from tinytown.missions.limits import Limit
from tinytown.missions.records.attempt import Attempt, Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, Outcome, Purpose
from tinytown.state import briefs
from tinytown.state.change import Change
from tinytown.state.records import BriefRecords

#: Most dependencies of which a claim reads what they left.
_READ_WITH_CLAIM = 200
#: Chooses the CLI of an attempt, by the usage limits that were reached and the database's time.
Choose = Callable[[Mapping[str, Limit], float], str]
#: Tries to end an attempt and move its mission in one commit; after that, it takes two.
_TOGETHER = 5


@dataclass(frozen=True)
class Claim:
    """Proof that this worker may run an attempt, with the records it was claimed from."""

    mission: Mission
    item: Item
    attempt: Attempt
    agent: str
    #: What its brief is made from, where that was read with the claim.
    brief: BriefRecords | None = None

    @property
    def token(self) -> str:
        assert self.attempt.token is not None
        return self.attempt.token


def claim(
    context: Context,
    mission_id: str,
    key: str,
    number: int,
    *,
    agent: str,
    worker: str | None = None,
    cli: str | Choose = "",
    host: str = "",
) -> Claim | None:
    """Take an attempt; ``None`` if it is not the live one, was taken already, or the mission does not run."""
    lease = context.town.settings.timing.lease_secs
    asked: list[Change] = []

    def decide(change: Change) -> Claim | None:
        choose = cli if callable(cli) else None
        try:
            seen = context.store.mission_items(mission_id, [key], limits=choose is not None)
        except NotFoundError:
            return None
        mission, item, now = seen.mission, seen.items.get(key), seen.now
        if item is None or not mission.record.state.active:
            return None
        chosen = choose(seen.limits, now) if choose is not None else str(cli)
        new = lifecycle.claim(
            item.record,
            number,
            agent=agent,
            token=secrets.token_hex(16),
            worker=worker,
            cli=chosen,
            host=host,
            now=now,
        )
        if new is None or new.attempt is None:
            return None
        change.by = agent
        if new.attempt.purpose.runs_agent:
            change.count_round(agent)
        change.expect_mission(mission)  # If the mission was paused meanwhile, nothing may begin.
        change.put_item(mission.record, item, new, lease=lease)
        change.event(
            event(
                "attempt_started",
                at=now,
                mission=mission_id,
                item=key,
                agent=agent,
                purpose=new.attempt.purpose.kind.value,
                target=new.attempt.purpose.target,
                number=number,
                cli=chosen,
            )
        )
        if _is_briefed_at_once(mission.record, new):
            change.reads = briefs.reads(context.store.keys, mission_id, key, mission_state.waited_for(new))
        asked[:] = [change]
        return Claim(mission=mission.record, item=new, attempt=new.attempt, agent=agent)

    try:
        claimed = commit(context, decide)
    except ConflictError:
        return None
    if claimed is None or not (answers := asked[0].answers):
        return claimed
    wanted = mission_state.waited_for(claimed.item)
    # What is damaged is met again where the brief is made, and reported as the attempt's end.
    with contextlib.suppress(TinytownError, ValueError):
        return replace(claimed, brief=briefs.made_of(context.store.keys, mission_id, wanted, answers))
    return claimed


def _is_briefed_at_once(mission: Mission, item: Item) -> bool:
    """Whether nothing comes between the claim of an attempt and its brief; else that tells what is there by then."""
    writes = item.attempt is not None and item.attempt.purpose in (Purpose.WORK, Purpose.FIX)
    return mission.workspace == "none" and writes and len(item.edges) <= _READ_WITH_CLAIM


def renew(context: Context, claimed: Claim) -> bool:
    """Prolong the lease; ``False`` means: stop at once, nothing of it counts any more."""
    return context.store.renew(claimed.attempt.id, claimed.token, context.town.settings.timing.lease_secs)


def report(context: Context, claimed: Claim, result: Report) -> bool:
    """Hand in the end of an attempt; ``False`` if it is not the live one any more, so nothing was written.

    What follows from it is decided in the same commit: a dependent that it releases is sent to its worker, and the
    mission's canvas has nothing left to do. Where that cannot be, the canvas does it.
    """
    mission, key = claimed.mission.id, claimed.item.key
    together = itertools.repeat(True, _TOGETHER)

    def decide(change: Change) -> tuple[Decision, bool, set[str]] | None:
        canvas = context.canvas(mission)
        view = context.store.admission_view(mission, list(dict.fromkeys((key, *canvas.near(key)))))
        if (now := context.canvas(mission)) is not canvas and now != canvas:
            raise ConflictError("the plan changed in the meantime", remedy="try again")
        live = view.items[key].record.attempt if key in view.items else None
        if live is None or live.id != claimed.attempt.id or live.token != claimed.token:
            return None
        change.by = claimed.agent
        decision = Decision(change, view, context.fallbacks, reserved(context, view))
        _end(context, decision, key, result)
        settled = set(decision.settled)
        moved = next(together, False) and _move_on(decision)
        # All that it leads to was read, and released with it.
        released = settled if moved and not canvas.is_wide(key) else set()
        change.released(view.mission.record, released)
        if not moved:
            # Else what was read still holds.
            change.ask_wanted()
        decision.write(context)
        return decision, moved, released

    try:
        with context.in_turn():
            ended = commit(context, decide)
    except ConflictError:
        return False
    if ended is None:
        return False
    decision, moved, released = ended
    decision.send(context)
    if left := [one for one in decision.settled if one not in released]:
        context.send_settled(mission, left)
    if not moved or decision.unfinished:
        advance(context, mission)
    follow(context, mission, still=moved and not decision.unfinished and decision.still, asks=decision.asks)
    if claimed.item.kind == gates.QUESTION:
        context.send_questions()
    if (decision.view.wanted if moved else decision.change.wanted) - {mission}:
        # Others waited for a worker, and one became free.
        advance_all(context, [m for m in context.store.wanting() if m != mission])
    return True


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
        view = context.store.admission_view(mission_id, [key])
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
    if result.cost_usd is not None:
        decision.head = budget.charge(head, result.cost_usd)


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
