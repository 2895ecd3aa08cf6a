"""Every way an item moves, and what each end of an attempt makes of it."""

from __future__ import annotations

import pytest

from tests.fakes.builders import (
    BACKOFF,
    NOW,
    a_fix,
    an_item,
    asking,
    passed,
    ready,
    reported,
    sent,
    success,
    verdict,
    waiting,
    with_attempt,
    with_change,
)
from tinytown.missions import gates, lifecycle, limits, pauses
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import ItemState, Outcome, Purpose, WaitReason

CONSUMING = [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.STALLED, Outcome.OVER_LIMIT]
PARKING = {
    Outcome.NOT_LOGGED_IN: WaitReason.NOT_LOGGED_IN,
    Outcome.USAGE_LIMIT: WaitReason.USAGE_LIMIT,
    Outcome.UNREACHABLE: WaitReason.UNREACHABLE,
    Outcome.DISK_FULL: WaitReason.DISK_FULL,
    Outcome.NO_WORKSPACE: WaitReason.NO_WORKSPACE,
    Outcome.FORGE_REFUSED: WaitReason.BACKOFF,
}


def reason(item: Item) -> WaitReason | None:
    return item.waiting.reason if item.waiting else None


# -- waiting -------------------------------------------------------------------------------------


def test_a_wait_keeps_since_while_its_reason_stays() -> None:
    first = pauses.wait(an_item(), WaitReason.SLOTS, now=1.0, remedy="2 of 2")
    same = pauses.wait(first, WaitReason.SLOTS, now=5.0, remedy="2 of 2")
    assert same is first, "nothing to write when nothing changed"
    other_words = pauses.wait(first, WaitReason.SLOTS, now=5.0, remedy="1 of 1")
    assert other_words.waiting == Waiting(reason=WaitReason.SLOTS, since=1.0, remedy="1 of 1")
    other = pauses.wait(first, WaitReason.NO_WORKER, now=5.0)
    assert other.waiting == Waiting(reason=WaitReason.NO_WORKER, since=5.0)


# -- ready, send, claim, withdraw ----------------------------------------------------------------


@pytest.mark.parametrize("state", list(ItemState))
def test_only_a_pending_item_becomes_ready(state: ItemState) -> None:
    new = lifecycle.make_ready(an_item(state=state), now=NOW)
    assert (new is not None) == (state is ItemState.PENDING)


def test_every_attempt_has_a_larger_number_and_numbers_are_never_reused() -> None:
    item = ready()
    numbers = []
    for _ in range(3):
        item = sent(item)
        assert item.attempt is not None
        numbers.append(item.attempt.number)
        back = lifecycle.withdraw(item)
        assert back is not None
        item = back
    assert numbers == [1, 2, 3]


def test_an_item_has_one_attempt_at_a_time() -> None:
    assert lifecycle.send(sent(ready()), mission="m", purpose=Purpose.WORK, queue="q", role="r", now=NOW) is None


@pytest.mark.parametrize("state", [ItemState.DONE, ItemState.FAILED, ItemState.CANCELLED, ItemState.SKIPPED])
def test_an_ended_item_gets_no_attempt_but_the_merge_of_its_change(state: ItemState) -> None:
    item = passed(state=state)
    for purpose in set(Purpose) - {Purpose.MERGE}:
        assert lifecycle.send(item, mission="m", purpose=purpose, queue="q", role="r", now=NOW) is None
    merge = lifecycle.send(item, mission="m", purpose=Purpose.MERGE, queue="checks", role="checks", now=NOW)
    assert merge is not None
    assert merge.state is state


@pytest.mark.parametrize(
    ("purpose", "sha"),
    [(Purpose.WORK, None), (Purpose.FIX, None), (Purpose.REVIEW, "head"), (Purpose.CHECK, "head")],
)
def test_a_judging_attempt_is_bound_to_the_present_head(purpose: Purpose, sha: str | None) -> None:
    attempt = sent(with_change(), purpose).attempt
    assert attempt is not None
    assert attempt.sha == sha


def test_a_withdrawn_attempt_was_never_a_run() -> None:
    """It leaves the item as it was, but for the number that is used up."""
    before = ready()
    after = lifecycle.withdraw(sent(before))
    assert after == before.evolve(fence=1)
    fixing = with_change(state=ItemState.FIXING, fix=a_fix())
    assert lifecycle.withdraw(sent(fixing, Purpose.FIX)) == fixing.evolve(fence=1)


def test_offers_that_nobody_took_are_counted_until_somebody_does() -> None:
    """A worker that is alive but deaf would else be waited for in silence; a pause's withdrawal is no such sign."""
    item = ready()
    for _ in range(2):
        item = lifecycle.withdraw(sent(item), overdue=True) or item
    item = lifecycle.withdraw(sent(item)) or item
    assert item.untaken == 2
    assert with_attempt(item).untaken == 0


def test_whatever_was_sent_can_be_taken_back_by_force() -> None:
    assert lifecycle.take_back(with_attempt(ready())).state is ItemState.READY
    fixing = with_change(state=ItemState.FIXING, fix=a_fix())
    assert lifecycle.take_back(with_attempt(fixing, Purpose.FIX)).state is ItemState.FIXING
    assert lifecycle.take_back(fixing) is fixing


def test_what_is_claimed_or_absent_cannot_be_withdrawn() -> None:
    assert lifecycle.withdraw(with_attempt(ready())) is None
    assert lifecycle.withdraw(ready()) is None


def test_a_claim_needs_the_live_number_and_happens_once() -> None:
    item = sent(ready())
    assert lifecycle.claim(item, 2, agent="ada", token="t", now=NOW) is None
    assert lifecycle.claim(item, 0, agent="ada", token="t", now=NOW) is None
    claimed = lifecycle.claim(item, 1, agent="ada", token="t", now=NOW)
    assert claimed is not None
    assert claimed.state is ItemState.RUNNING
    assert lifecycle.claim(claimed, 1, agent="bob", token="u", now=NOW) is None
    assert lifecycle.claim(ready(), 0, agent="ada", token="t", now=NOW) is None


@pytest.mark.parametrize(("purpose", "counts"), [("work", 1), ("fix", 1), ("review", 0), ("check", 0)])
def test_attempts_counts_claimed_runs_of_work_and_fix(purpose: str, counts: int) -> None:
    states = {"work": ItemState.READY, "fix": ItemState.FIXING}
    item = with_change(state=states.get(purpose, ItemState.IN_REVIEW))
    assert sent(item, Purpose(purpose)).attempts == 0
    assert with_attempt(item, Purpose(purpose), agent="bob").attempts == counts


def test_an_author_may_not_claim_the_review_of_its_change() -> None:
    """It may have become a reviewer after the review was sent."""
    item = sent(with_change(authors=("ada",)), Purpose.REVIEW)
    assert lifecycle.claim(item, 1, agent="ada", token="t", now=NOW) is None
    assert lifecycle.claim(item, 1, agent="rita", token="t", now=NOW) is not None


def test_an_attempt_that_is_directed_is_for_that_agent_alone() -> None:
    item = sent(ready(), agent="ada", queue="agent.ada")
    assert lifecycle.claim(item, 1, agent="bob", token="t", now=NOW) is None
    assert lifecycle.claim(item, 1, agent="ada", token="t", now=NOW) is not None


# -- the end of work and fix ---------------------------------------------------------------------


def test_only_a_claimed_attempt_can_end() -> None:
    for item in (ready(), sent(ready())):
        assert lifecycle.end_attempt(item, success(), policy=Policy(), backoff=BACKOFF, now=NOW) is None


def test_work_that_succeeded_is_in_review_with_its_head_and_author() -> None:
    item = reported(with_attempt(ready(salvage="old", faults=2)), success(head="h", session="s"))
    assert (item.state, item.attempt, item.head) == (ItemState.IN_REVIEW, None, "h")
    assert (item.authors, item.session, item.session_agent) == (("ada",), "s", "ada")
    assert (item.salvage, item.faults, item.failures) == (None, 0, {"work": 0})


def test_a_fix_adds_an_author_once_and_forgets_what_was_to_mend() -> None:
    fixing = with_change(state=ItemState.FIXING, fix=a_fix(), fix_rounds=1)
    by_other = reported(with_attempt(fixing, Purpose.FIX, agent="bob"), success(head="h2"))
    assert (by_other.state, by_other.authors, by_other.fix) == (ItemState.IN_REVIEW, ("ada", "bob"), None)
    assert by_other.fix_rounds == 1, "rounds are counted over the whole life of a change"
    by_same = reported(with_attempt(fixing, Purpose.FIX, agent="ada"), success(head="h2"))
    assert by_same.authors == ("ada",)


def test_an_answer_has_an_author_who_may_not_judge_it() -> None:
    item = reported(with_attempt(ready(kind="research")), success())
    assert item.authors == ("ada",)
    assert item.head is None


def test_an_agent_that_left_no_commit_is_no_author_of_a_change() -> None:
    fixing = with_change(state=ItemState.FIXING, fix=a_fix(), authors=("bob",))
    assert reported(with_attempt(fixing, Purpose.FIX, agent="ada"), success()).authors == ("bob",)


@pytest.mark.parametrize("outcome", CONSUMING)
def test_failed_timed_out_and_stalled_use_up_attempts_with_doubling_pauses(outcome: Outcome) -> None:
    item = ready()
    for count, pause in ((1, BACKOFF), (2, 2 * BACKOFF)):
        item = reported(with_attempt(item), Report(outcome=outcome, summary="no luck", salvage=f"s{count}"))
        assert (item.state, item.failures, item.salvage) == (ItemState.READY, {"work": count}, f"s{count}")
        assert (reason(item), item.not_before) == (WaitReason.BACKOFF, NOW + pause)
    item = reported(with_attempt(item), Report(outcome=outcome))
    assert (item.state, reason(item), item.attempt) == (ItemState.FAILED, WaitReason.NEEDS_HELP, None)
    assert item.salvage == "s2", "what an earlier attempt left is kept"


def test_backoff_is_capped() -> None:
    item = ready(failures={"work": 40})
    assert reported(with_attempt(item), Outcome.FAILED, max_attempts=99).not_before == NOW + pauses.MAX_BACKOFF


@pytest.mark.parametrize("outcome", [o for o in Outcome if o not in CONSUMING])
def test_nothing_else_consumes(outcome: Outcome) -> None:
    item = reported(with_attempt(ready(failures={"work": 2})), Report(outcome=outcome, head="h"))
    assert item.failures["work"] in (0, 2)
    assert item.state in (ItemState.READY, ItemState.IN_REVIEW)


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.REFUSED])
def test_what_an_operator_ended_goes_back_to_where_it_was(outcome: Outcome) -> None:
    item = reported(with_attempt(ready()), outcome)
    assert (item.state, item.waiting, item.faults, item.attempt) == (ItemState.READY, None, 0, None)


@pytest.mark.parametrize(("outcome", "why"), PARKING.items())
def test_a_fault_from_outside_parks_the_item_and_says_why(outcome: Outcome, why: WaitReason) -> None:
    item = reported(with_attempt(ready()), Report(outcome=outcome, summary="words"))
    assert (item.state, reason(item), item.faults) == (ItemState.READY, why, 1)
    assert item.waiting is not None
    assert (item.waiting.remedy, item.waiting.until, item.not_before) == ("words", NOW + BACKOFF, NOW + BACKOFF)


def test_a_setting_that_is_wrong_asks_at_once_and_uses_nothing() -> None:
    item = reported(with_attempt(ready()), Report(outcome=Outcome.MISCONFIGURED, summary="write {prompt_file}"))
    assert (item.state, reason(item), item.failures, item.faults) == (ItemState.READY, WaitReason.NEEDS_HELP, {}, 0)
    assert item.waiting is not None
    assert item.waiting.remedy == "write {prompt_file}"
    again = lifecycle.retry(item)
    assert again is not None
    assert reason(again) is None


def test_a_parked_item_waits_at_least_as_long_as_the_cli_said() -> None:
    item = reported(with_attempt(ready()), Report(outcome=Outcome.USAGE_LIMIT, retry_at=NOW + 9000))
    assert item.not_before is not None
    assert NOW + 9000 <= item.not_before <= NOW + 9000 + limits.MAX_SPREAD
    assert item.waiting is not None
    assert (item.waiting.reason, item.waiting.until) == (WaitReason.USAGE_LIMIT, item.not_before)
    past = reported(with_attempt(ready()), Report(outcome=Outcome.USAGE_LIMIT, retry_at=NOW - 9000))
    assert past.not_before == NOW + BACKOFF


def test_a_limit_with_a_known_end_never_counts_towards_help() -> None:
    """However often it comes; but who names too early an end again and again is asked less and less often."""
    item = ready(faults=2)
    lasted = []
    for _ in range(20):
        item = reported(with_attempt(item), Report(outcome=Outcome.USAGE_LIMIT, retry_at=NOW + 1))
        assert (item.faults, reason(item), item.failures) == (2, WaitReason.USAGE_LIMIT, {})
        assert item.not_before is not None
        lasted.append(item.not_before - NOW)
    assert lasted[:3] == [BACKOFF, 2 * BACKOFF, 4 * BACKOFF]
    assert lasted == sorted(lasted)
    assert lasted[-1] == pauses.MAX_BACKOFF
    assert reported(with_attempt(item), success(head="h")).limits == 0


def test_a_lost_worker_means_a_new_attempt_at_once() -> None:
    item = reported(with_attempt(ready()), Outcome.LOST)
    assert (item.state, item.waiting, item.not_before, item.faults) == (ItemState.READY, None, None, 1)


@pytest.mark.parametrize("outcome", [*PARKING, Outcome.LOST])
def test_nothing_may_spend_for_ever(outcome: Outcome) -> None:
    """A class that consumes nothing is allowed three times in a row, then help; its item stays where it is."""
    item = ready()
    for _ in range(pauses.MAX_FAULTS):
        assert reason(item) is not WaitReason.NEEDS_HELP
        item = reported(with_attempt(item), outcome)
    assert (item.state, reason(item)) == (ItemState.READY, WaitReason.NEEDS_HELP)
    assert gates.next_step(item, Policy()) == gates.Nothing()


@pytest.mark.parametrize("end", [Outcome.FAILED, success(head="h")])
def test_only_faults_in_a_row_count(end: Outcome | Report) -> None:
    assert reported(with_attempt(ready(faults=2)), end).faults == 0


@pytest.mark.parametrize(
    ("purpose", "state"),
    [
        (Purpose.FIX, ItemState.FIXING),
        (Purpose.REVIEW, ItemState.IN_REVIEW),
        (Purpose.CHECK, ItemState.IN_REVIEW),
    ],
)
def test_a_parked_item_returns_to_the_state_before_its_attempt(purpose: Purpose, state: ItemState) -> None:
    item = with_change(state=state, fix=a_fix() if state is ItemState.FIXING else None)
    for outcome in (*PARKING, Outcome.LOST, Outcome.CANCELLED, Outcome.FAILED):
        assert reported(with_attempt(item, purpose, agent="bob"), outcome).state is state


@pytest.mark.parametrize("purpose", [Purpose.FIX, Purpose.REVIEW, Purpose.CHECK])
def test_max_attempts_bounds_the_failures_of_one_purpose(purpose: Purpose) -> None:
    """Other purposes' failures don't count; at the bound the item is in review and asks for help."""
    state = ItemState.FIXING if purpose is Purpose.FIX else ItemState.IN_REVIEW
    item = with_change(state=state, failures={"work": 2, purpose.value: 1}, fix=a_fix())
    item = reported(with_attempt(item, purpose, agent="bob"), Outcome.FAILED, max_attempts=3)
    assert reason(item) is WaitReason.BACKOFF
    item = reported(with_attempt(item, purpose, agent="bob"), Outcome.FAILED, max_attempts=3)
    assert (item.state, reason(item)) == (ItemState.IN_REVIEW, WaitReason.NEEDS_HELP)


def test_what_a_run_cost_counts_however_it_ended() -> None:
    for outcome in Outcome:
        item = reported(with_attempt(ready(cost_usd=1.0)), Report(outcome=outcome, cost_usd=0.5))
        assert item.cost_usd == 1.5


# -- the end of a review -------------------------------------------------------------------------


def test_an_approval_names_the_head_and_the_reviewer() -> None:
    item = reported(with_attempt(with_change(mute_reviews=1), Purpose.REVIEW, agent="rita"), verdict(passed=True))
    assert (item.approved, item.approved_by, item.mute_reviews) == ("head", "rita", 0)


def test_an_approval_of_another_commit_counts_for_nothing() -> None:
    """And is not asked for without end: it is as good as no verdict."""
    item = with_change()
    item = reported(with_attempt(item, Purpose.REVIEW, agent="rita"), verdict(passed=True, sha="other"))
    assert (item.approved, item.waiting) == (None, None)
    item = reported(with_attempt(item, Purpose.REVIEW, agent="rita"), verdict(passed=True, sha="other"))
    assert (item.approved, reason(item)) == (None, WaitReason.NEEDS_HELP)
    assert item.waiting is not None
    assert "about another commit" in item.waiting.remedy


def test_no_verdict_is_asked_for_once_more_then_help() -> None:
    item = reported(with_attempt(with_change(), Purpose.REVIEW, agent="rita"), success())
    assert (item.mute_reviews, item.waiting, item.state) == (1, None, ItemState.IN_REVIEW)
    report = success().evolve(summary='its last line is "VERDICT: approve"')
    item = reported(with_attempt(item, Purpose.REVIEW, agent="rita"), report)
    assert (item.state, reason(item)) == (ItemState.IN_REVIEW, WaitReason.NEEDS_HELP)
    assert item.waiting is not None
    assert item.waiting.remedy == 'the reviewer gave no verdict: its last line is "VERDICT: approve"'


def test_requested_changes_give_a_fix_round_with_the_reviewers_words() -> None:
    item = reported(with_attempt(with_change(), Purpose.REVIEW, agent="rita"), verdict(passed=False, why="no test"))
    assert (item.state, item.fix_rounds, item.approved) == (ItemState.FIXING, 1, None)
    assert item.fix is not None
    assert (item.fix.gate, item.fix.summary, item.fix.sha) == ("review", "no test", "head")


def test_without_a_change_the_result_of_the_last_run_is_what_is_approved() -> None:
    """So another run asks for another review."""
    item = with_attempt(an_item(state=ItemState.IN_REVIEW, attempts=2), Purpose.REVIEW, agent="rita")
    item = reported(item, verdict(passed=True, sha=""))
    assert item.approved == "result/2" == item.subject
    assert item.evolve(attempts=3).subject != item.approved


# -- the end of a check and of a merge -----------------------------------------------------------


def test_a_passed_check_names_the_commit_and_its_tree() -> None:
    report = verdict(passed=True).evolve(tree="t")
    item = reported(with_attempt(with_change(), Purpose.CHECK, agent="checks"), report)
    assert (item.checked, item.checked_tree, item.state) == ("head", "t", ItemState.IN_REVIEW)


@pytest.mark.parametrize("report", [success(), verdict(passed=True, sha="other")])
def test_a_check_that_proves_nothing_about_the_head_fails_and_is_bounded(report: Report) -> None:
    item = with_change()
    for _ in range(3):
        assert reason(item) is not WaitReason.NEEDS_HELP
        item = reported(with_attempt(item, Purpose.CHECK, agent="checks"), report)
        assert item.checked is None
    assert reason(item) is WaitReason.NEEDS_HELP


@pytest.mark.parametrize(("purpose", "gate"), [(Purpose.CHECK, "check"), (Purpose.MERGE, "merge")])
def test_a_refusing_check_gives_a_fix_round(purpose: Purpose, gate: str) -> None:
    item = with_attempt(passed(), purpose, agent="checks")
    item = reported(item, verdict(passed=False, why="make test failed"))
    assert (item.state, item.fix_rounds) == (ItemState.FIXING, 1)
    assert item.fix is not None
    assert (item.fix.gate, item.fix.summary) == (gate, "make test failed")


def test_used_up_fix_rounds_leave_the_item_in_review_and_ask() -> None:
    item = with_attempt(with_change(fix_rounds=2), Purpose.CHECK, agent="checks")
    item = reported(item, verdict(passed=False, why="red"), max_fix_rounds=2)
    assert (item.state, reason(item), item.fix_rounds) == (ItemState.IN_REVIEW, WaitReason.NEEDS_HELP, 2)
    assert item.fix is not None, "a retry knows what to mend"


def test_no_fix_round_is_allowed_where_none_is_wanted() -> None:
    item = with_attempt(with_change(), Purpose.CHECK, agent="checks")
    assert reason(reported(item, verdict(passed=False), max_fix_rounds=0)) is WaitReason.NEEDS_HELP


def test_a_merge_is_recorded_with_the_head_it_was_made_from() -> None:
    item = with_attempt(passed(), Purpose.MERGE, agent="checks")
    item = reported(item, success(merged="m"))
    assert (item.merged, item.merged_head, item.state) == ("m", "head", ItemState.IN_REVIEW)


def test_a_base_in_the_way_is_no_fault_of_the_change() -> None:
    said = Waiting(reason=WaitReason.BASE_DIRTY, since=NOW, remedy="commit your work")
    item = with_attempt(passed(), Purpose.MERGE, agent="checks")
    item = reported(item, success(waiting=said))
    assert (item.state, reason(item), item.not_before) == (ItemState.IN_REVIEW, WaitReason.BASE_DIRTY, NOW + BACKOFF)
    assert (item.fix_rounds, item.faults, item.failures["check"]) == (0, 0, 0)
    # Whoever looks while it is tried again must not think that nobody is needed.
    again = with_attempt(item, Purpose.MERGE, agent="checks")
    assert reason(again) is WaitReason.BASE_DIRTY
    assert reported(again, success(merged="m")).waiting is None


def test_a_merge_that_is_on_its_way_is_asked_about_when_its_forge_says() -> None:
    said = Waiting(reason=WaitReason.MERGE, since=NOW, until=NOW + BACKOFF / 3, remedy="it is queued")
    item = reported(with_attempt(passed(), Purpose.MERGE, agent="checks"), success(waiting=said))
    assert (reason(item), item.not_before) == (WaitReason.MERGE, NOW + BACKOFF / 3)


def test_a_refused_merge_unsettles_an_item_that_was_settled_by_its_approval() -> None:
    """Its new commit passes checks and review again, as every fix does."""
    item = with_attempt(passed(state=ItemState.DONE, settled_at=1.0), Purpose.MERGE, agent="checks")
    item = reported(item, verdict(passed=False, why="conflict"), settle_on="approved")
    assert (item.state, item.fix_rounds, item.settled_at) == (ItemState.FIXING, 1, None)
    fixed = reported(with_attempt(item, Purpose.FIX), success(head="new", published="new"))
    assert gates.next_step(fixed, Policy(settle_on="approved")) == gates.Run(Purpose.CHECK)


def test_a_failing_merge_never_fails_what_is_done() -> None:
    item = with_attempt(passed(state=ItemState.DONE, failures={"check": 2}), Purpose.MERGE, agent="checks")
    item = reported(item, Outcome.FAILED)
    assert (item.state, reason(item)) == (ItemState.DONE, WaitReason.NEEDS_HELP)


# -- settle, retry, cancel -----------------------------------------------------------------------


@pytest.mark.parametrize("state", list(ItemState))
def test_only_an_item_in_review_settles(state: ItemState) -> None:
    new = lifecycle.settle(an_item(state=state), now=NOW)
    assert (new is not None) == (state is ItemState.IN_REVIEW)
    if new is not None:
        assert (new.state, new.settled_at) == (ItemState.DONE, NOW)


def test_failed_and_cancelled_never_settle() -> None:
    assert [s for s in ItemState if s.settled] == [ItemState.DONE, ItemState.SKIPPED]


def test_a_retry_of_a_failed_item_starts_over_on_what_was_salvaged() -> None:
    failed = asking(an_item(state=ItemState.FAILED, failures={"work": 3}, faults=1, salvage="s", settled_at=NOW))
    item = lifecycle.retry(failed)
    assert item is not None
    assert (item.state, item.waiting, item.failures, item.faults) == (ItemState.PENDING, None, {}, 0)
    assert (item.salvage, item.settled_at) == ("s", None)


def test_a_cancelled_change_goes_back_to_its_gates() -> None:
    item = lifecycle.retry(with_change(state=ItemState.CANCELLED))
    assert item is not None
    assert item.state is ItemState.IN_REVIEW


@pytest.mark.parametrize("state", [ItemState.IN_REVIEW, ItemState.DONE])
def test_a_retry_of_used_up_fix_rounds_is_a_fix_round(state: ItemState) -> None:
    item = lifecycle.retry(asking(passed(state=state, fix=a_fix(), fix_rounds=3)))
    assert item is not None
    assert (item.state, item.fix_rounds, item.waiting) == (ItemState.FIXING, 1, None)


def test_a_retry_of_a_merge_that_asks_for_help_merges_again() -> None:
    """Without it, a change whose merge failed three times could never be merged."""
    item = lifecycle.retry(asking(passed(state=ItemState.DONE, failures={"check": 3}, faults=3)))
    assert item is not None
    assert (item.state, item.waiting, item.failures) == (ItemState.DONE, None, {})
    policy = Policy(settle_on="approved")
    assert gates.next_step(item, policy) == gates.Run(Purpose.MERGE)


@pytest.mark.parametrize("state", [ItemState.CANCELLED, ItemState.FAILED])
def test_a_refusal_stands_for_its_commit_also_after_a_retry(state: ItemState) -> None:
    """Another review of it could say something else: it is fixed first, and only a new commit is reviewed."""
    item = an_item(state=state, head="a" * 40, fix=a_fix("review").evolve(sha="a" * 40), settled_at=NOW)
    again = lifecycle.retry(item)
    assert again is not None
    assert (again.state, again.fix, again.fix_rounds) == (ItemState.FIXING, item.fix, 1)
    for other in (item.evolve(head="b" * 40), item.evolve(fix=a_fix("check").evolve(sha="a" * 40))):
        back = lifecycle.retry(other)
        assert back is not None
        assert back.state is ItemState.IN_REVIEW


def test_a_retry_ends_a_backoff() -> None:
    item = lifecycle.retry(waiting(ready(not_before=NOW + 99), WaitReason.BACKOFF))
    assert item is not None
    assert (item.not_before, item.waiting) == (None, None)


@pytest.mark.parametrize(
    "item", [an_item(), an_item(state=ItemState.DONE), an_item(state=ItemState.SKIPPED), with_attempt(ready())]
)
def test_what_waits_for_others_or_runs_or_is_settled_needs_no_retry(item: Item) -> None:
    assert lifecycle.retry(item) is None


@pytest.mark.parametrize("state", list(ItemState))
def test_whatever_has_not_ended_can_be_cancelled(state: ItemState) -> None:
    new = lifecycle.cancel(waiting(an_item(state=state), WaitReason.SLOTS), now=NOW)
    assert (new is not None) == (not state.ended)
    if new is not None:
        assert (new.state, new.waiting, new.attempt) == (ItemState.CANCELLED, None, None)
