"""How an item moves: every transition, as a function from a record to a record.

Nothing else changes an item's state. A transition that the present state does not allow returns
``None`` (the caller was too late or is stale, which is ordinary) and never raises.
"""

from __future__ import annotations

from tinytown.missions import gates, limits
from tinytown.missions.fences import line, quoted
from tinytown.missions.pauses import ask, back_off, fault, forge_away, pause_of, wait
from tinytown.missions.records.attempt import Attempt, FixReason, Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.states import ItemState, Outcome, Purpose, WaitReason

#: Reviews in a row without a verdict after which help is asked.
MAX_MUTE_REVIEWS = 2
#: Runs of one question.
MAX_ASKED = 2
#: Reasons to wait that are about the base, not about the change.
_BASE_WAITS = frozenset({WaitReason.BASE_DIRTY, WaitReason.BASE_FAILING})


def make_ready(item: Item, *, now: float) -> Item | None:
    """``pending`` -> ``ready``: its last dependency settled."""
    if item.state is not ItemState.PENDING:
        return None
    return item.evolve(state=ItemState.READY, waiting=None, ready_at=now)


def send(
    item: Item,
    *,
    mission: str,
    purpose: Purpose,
    queue: str,
    role: str,
    now: float,
    agent: str | None = None,
) -> Item | None:
    """Give it a new attempt under the next number, sent to ``queue`` (and to ``agent``, if directed)."""
    if item.attempt is not None or (item.state.ended and purpose is not Purpose.MERGE):
        return None
    number = item.fence + 1
    attempt = Attempt(
        id=f"{mission}/{item.key}/{number}",
        number=number,
        purpose=purpose,
        queue=queue,
        role=role,
        sha=None if purpose in (Purpose.WORK, Purpose.FIX) else item.head,
        sent_at=now,
        agent=agent,
    )
    state = ItemState.ASSIGNED if purpose is Purpose.WORK else item.state
    # This is another try at a base that a person has to clean up or repair: until it succeeds, that is still asked for.
    still = item.waiting is not None and item.waiting.reason in _BASE_WAITS and not purpose.runs_agent
    waiting = item.waiting if still else None
    return item.evolve(state=state, attempt=attempt, fence=number, waiting=waiting, not_before=None)


def claim(
    item: Item,
    number: int,
    *,
    agent: str,
    token: str,
    now: float,
    worker: str | None = None,
    cli: str = "",
    host: str = "",
) -> Item | None:
    """The attempt ``number`` is taken by ``agent``, in the process ``worker``, to be run with ``cli``.

    ``None`` if it is not the live one, taken already, meant for another agent, or a review by an author
    (who may have joined the reviewers after it was sent).
    """
    attempt = item.attempt
    if attempt is None or attempt.number != number or attempt.claimed:
        return None
    if attempt.agent not in (None, agent) or (attempt.purpose is Purpose.REVIEW and agent in item.authors):
        return None
    changes: dict[str, object] = {
        "attempt": attempt.evolve(agent=agent, token=token, worker=worker, claimed_at=now, cli=cli, host=host),
        "untaken": 0,
        "started_at": item.started_at or now,
    }
    if attempt.purpose in (Purpose.WORK, Purpose.FIX):
        changes["attempts"] = item.attempts + 1
        changes["agent"] = agent
    if attempt.purpose is Purpose.WORK:
        changes["state"] = ItemState.RUNNING
    return item.evolve(**changes)


def withdraw(item: Item, *, overdue: bool = False) -> Item | None:
    """Take back an attempt that nobody claimed: it was never a run and does not count.

    ``overdue``: somebody alive and idle should have taken it long ago.
    """
    if item.attempt is None or item.attempt.claimed:
        return None
    back = take_back(item)
    return back.evolve(untaken=item.untaken + 1) if overdue else back


def take_back(item: Item) -> Item:
    """``item`` as it was before its attempt was sent, if it has one; the attempt itself, claimed or not, is void."""
    if item.attempt is None:
        return item
    back = ItemState.READY if item.attempt.purpose is Purpose.WORK else item.state
    return item.evolve(state=back, attempt=None)


def end_attempt(item: Item, report: Report, *, policy: Policy, backoff: float, now: float) -> Item | None:
    """What the live, claimed attempt's report makes of ``item``; ``None`` if there is no such attempt.

    ``backoff`` is the first pause after a failure; it doubles with each.
    """
    attempt = item.attempt
    if attempt is None or not attempt.claimed:
        return None
    if not attempt.purpose.runs_agent and report.outcome is Outcome.SUCCEEDED and not _proves(item, report):
        # A reviewer that never gives one must not be asked for ever either.
        report = report.evolve(outcome=Outcome.FAILED, summary="it gave no verdict on this commit")
    after = take_back(item)
    if report.cost_usd:
        after = after.evolve(cost_usd=item.cost_usd + report.cost_usd)
    if item.kind == gates.QUESTION:
        return _asked(after, report)
    if report.outcome is Outcome.SUCCEEDED:
        after = after.evolve(faults=0, limits=0, failures={**after.failures, attempt.purpose.kind.value: 0})
        return _succeed(after, attempt, report, policy=policy, backoff=backoff, now=now)
    if report.outcome.consumes:
        return _fail(after, attempt, report, policy=policy, backoff=backoff, now=now)
    if report.outcome in (Outcome.CANCELLED, Outcome.REFUSED):
        return after.evolve(salvage=report.salvage or item.salvage)
    words = report.summary or report.outcome.value
    after = after.evolve(salvage=report.salvage or item.salvage)
    if report.outcome is Outcome.MISCONFIGURED:
        return ask(after, words, now=now)  # Another try would meet the same as long as nobody changes anything.
    if report.outcome is Outcome.UNREACHABLE and (report.away or gates.at_forge(item, attempt.purpose)):
        return forge_away(after, words, now=now, retry_at=report.retry_at)
    if report.outcome is Outcome.USAGE_LIMIT:
        after = after.evolve(limited_by=limits.account(attempt.cli, attempt.host))
    return fault(after, report.outcome, words, backoff=backoff, now=now, retry_at=report.retry_at)


def _asked(item: Item, report: Report) -> Item:
    """A question is over after one run, whatever came of it; a run that was lost or stopped is begun again, once."""
    if report.outcome in (Outcome.CANCELLED, Outcome.REFUSED, Outcome.LOST) and item.attempts < MAX_ASKED:
        return item
    return item.evolve(state=ItemState.IN_REVIEW, waiting=None, not_before=None)


def _proves(item: Item, report: Report) -> bool:
    """Whether the report of a check, a merge or a publication is about the present head."""
    if item.attempt is not None and item.attempt.purpose is Purpose.PUBLISH:
        return report.published is not None or bool(report.foreign) or report.waiting is not None
    about_head = report.verdict is not None and report.verdict.sha == (report.head or item.head)
    return about_head or report.merged is not None or report.waiting is not None


def _succeed(item: Item, attempt: Attempt, report: Report, *, policy: Policy, backoff: float, now: float) -> Item:
    if attempt.purpose in (Purpose.WORK, Purpose.FIX):
        authors = item.authors
        if report.head or item.head is None:  # A result without a change has an author too.
            wrote = (*authors, *report.authors, *filter(None, (attempt.agent,)))
            authors = tuple(dict.fromkeys(wrote))
        return item.evolve(
            state=ItemState.IN_REVIEW,
            fix=None,
            authors=authors,
            head=report.head or item.head,
            review_warnings=report.review_warnings if report.head else item.review_warnings,
            published=report.published or item.published,
            change=report.change or item.change,
            salvage=None,
            session=report.session,
            session_agent=attempt.agent,
            session_cli=attempt.cli,
            mute_reviews=0,
        )
    if attempt.purpose is Purpose.REVIEW:
        return _reviewed(item, attempt, report, policy=policy, now=now)
    if attempt.purpose is Purpose.PUBLISH:
        return _published(item, report, policy=policy, now=now)
    return _checked(item, attempt, report, policy=policy, backoff=backoff, now=now)


def _published(item: Item, report: Report, *, policy: Policy, now: float) -> Item:
    if report.waiting is not None:
        # The next try begins as if nothing had been brought there yet.
        return item.evolve(published=None, waiting=report.waiting)
    if report.foreign:
        reason = FixReason(gate="merge", summary=report.summary, sha=item.head, heads=report.foreign)
        return request_fix(item, reason, policy=policy, now=now)
    # Its approval is known there now. What the forge said before it must not settle the item: nothing else looks again.
    old = policy.settle_on == "approved" and bool(report.told) and report.told != item.told
    return item.evolve(
        forge_verdict=None if old else item.forge_verdict,
        head=report.head or item.head,
        review_warnings=report.review_warnings if report.head else item.review_warnings,
        published=report.published,
        change=report.change or item.change,
        change_id=report.change_id or item.change_id,
        change_url=report.change_url or item.change_url,
        told=report.told,
        waiting=None,
    )


def _reviewed(item: Item, attempt: Attempt, report: Report, *, policy: Policy, now: float) -> Item:
    verdict = report.verdict
    if verdict is None or (attempt.sha is not None and verdict.sha != item.head):
        # There is no verdict, or it is about another commit than the present head: it proves nothing.
        mute = item.mute_reviews + 1
        item = item.evolve(mute_reviews=mute)
        if mute >= MAX_MUTE_REVIEWS:
            return ask(item, f"the reviewer gave no verdict: {unheard(report)}", now=now)
        return item
    if verdict.passed:
        return item.evolve(approved=item.subject, approved_by=attempt.agent, mute_reviews=0)
    reason = FixReason(
        gate="review", summary=verdict.why or "changes requested", details=verdict.details, sha=item.head
    )
    return request_fix(item.evolve(mute_reviews=0), reason, policy=policy, now=now)


def unheard(report: Report) -> str:
    """Why a review that ended by itself counts for nothing."""
    return report.summary if report.verdict is None else "its verdict is about another commit than the change has now"


def _checked(item: Item, attempt: Attempt, report: Report, *, policy: Policy, backoff: float, now: float) -> Item:
    if report.merged:
        return item.evolve(merged=report.merged, merged_head=attempt.sha, waiting=None)
    if report.waiting is not None:
        # The reason is in the base, not in the change: look again after a while.
        what = report.waiting.reason
        pause = policy.watch_interval_secs if what is WaitReason.BASE_FAILING else backoff
        until = report.waiting.until or now + pause
        again = wait(item, what, now=now, remedy=report.waiting.remedy, until=until)
        assert again.waiting is not None
        return again.evolve(waiting=again.waiting.evolve(about=report.waiting.about), not_before=until)
    verdict = report.verdict
    assert verdict is not None
    if verdict.passed:
        item = item.evolve(
            doubt=report.doubt, review_warnings=report.review_warnings if report.head else item.review_warnings
        )
        proof = {"checked": verdict.sha, "checked_tree": report.tree, "checked_with": report.checked_with}
        # If the report has a head, the change was brought up to a base that has been repaired.
        return item.evolve(head=report.head or item.head, waiting=None, **proof)
    reason = FixReason(
        gate="merge" if attempt.purpose is Purpose.MERGE or report.take_base else "check",
        summary=verdict.why,
        details=verdict.details,
        sha=item.head,
    )
    return request_fix(item, reason, policy=policy, now=now)


def request_fix(item: Item, reason: FixReason, *, policy: Policy, now: float) -> Item:
    """A gate refused the change: a fix round, or help when the rounds are used up.

    An item that settled by its approval is unsettled by a refused merge: its new commit passes all gates again.
    """
    if item.fix_rounds >= policy.max_fix_rounds:
        return ask(
            item.evolve(fix=reason),
            f"{reason.gate} still rejects it after {item.fix_rounds} fix rounds: {_said(reason)}",
            now=now,
        )
    rounds = item.fix_rounds + 1
    return item.evolve(state=ItemState.FIXING, fix=reason, fix_rounds=rounds, waiting=None, settled_at=None)


def _said(reason: FixReason) -> str:
    """Why a gate refused; what a review says are an agent's words."""
    return quoted(reason.summary) if reason.gate == "review" else line(reason.summary)


def _fail(item: Item, attempt: Attempt, report: Report, *, policy: Policy, backoff: float, now: float) -> Item:
    name = attempt.purpose.kind.value
    count = item.failures.get(name, 0) + 1
    item = item.evolve(
        failures={**item.failures, name: count}, faults=0, limits=0, salvage=report.salvage or item.salvage
    )
    if count >= policy.max_attempts:
        often = "once" if count == 1 else f"{count} times, last"
        words = f"{name} failed {often}: {report.summary or report.outcome.value}"
        if attempt.purpose is Purpose.WORK:
            return wait(
                item.evolve(state=ItemState.FAILED, settled_at=now), WaitReason.NEEDS_HELP, now=now, remedy=words
            )
        back = item.evolve(state=item.state if item.state.ended else ItemState.IN_REVIEW)
        return ask(back, words, now=now)
    return back_off(item, WaitReason.BACKOFF, report.summary, pause=pause_of(backoff, count), now=now)


def settle(item: Item, *, now: float) -> Item | None:
    """``in_review`` -> ``done``: it passed all its gates; one without attempts as soon as it is ``ready``."""
    if item.state is not ItemState.IN_REVIEW and not (item.state is ItemState.READY and item.kind in gates.FOLLOWERS):
        return None
    return item.evolve(state=ItemState.DONE, waiting=None, not_before=None, settled_at=now, fix=None)


def retry(item: Item) -> Item | None:
    """An operator tries it again: every counter that could have stopped it starts again from zero.

    A failed or cancelled item starts over (on the work that was salvaged); one that waits goes on at once.
    """
    asks = item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP
    if item.state.settled and not asks:
        return None
    fresh: dict[str, object] = {
        "failures": {},
        "faults": 0,
        "limits": 0,
        "mute_reviews": 0,
        "answered": (),
        "not_before": None,
        "waiting": None,
        "held": "",
        # Whatever its forge said before is read anew.
        "forge_verdict": None,
    }
    if item.state in (ItemState.FAILED, ItemState.CANCELLED):
        back = ItemState.PENDING
        if item.head is not None:
            back = ItemState.IN_REVIEW
        if item.fix is not None and item.fix.gate == "review" and item.fix.sha == item.head:
            # A commit that was refused stays refused: another review of it might say something else.
            return item.evolve(state=ItemState.FIXING, settled_at=None, fix_rounds=1, **fresh)
        return item.evolve(state=back, settled_at=None, fix_rounds=0, **fresh)
    if asks:
        # Who lets messages go on begins the count of their chain anew.
        fresh |= {"fix_rounds": 0, "depth": 0}
        if item.state in (ItemState.IN_REVIEW, ItemState.DONE) and item.fix is not None:
            return item.evolve(**fresh | {"state": ItemState.FIXING, "fix_rounds": 1, "settled_at": None})
    if item.attempt is not None or item.state is ItemState.PENDING:
        return None
    return item.evolve(**fresh)


def cancel(item: Item, *, now: float) -> Item | None:
    """An operator ended it, whatever it did."""
    if item.state.ended:
        return None
    return item.evolve(state=ItemState.CANCELLED, attempt=None, waiting=None, not_before=None, settled_at=now)
