"""Two at once: what one does between another's reading and its writing, each case by itself.

The stories meet these by chance; here each is arranged.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable

import pytest

from tests.fakes.builders import an_item, key
from tests.story.arranged import ATown, MakeTown, verdict
from tests.story.simulation import Crash, Worker
from tinytown import contract
from tinytown.canvases.canvas import compile_canvas
from tinytown.engine.conductor import escalate
from tinytown.engine.dispatch import attempts, claiming, costs, reconcile
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.operate import approve, missions, notes
from tinytown.engine.operate import items as operate_items
from tinytown.engine.start.start import Draft, Order, save, start
from tinytown.engine.watch import base, outside
from tinytown.errors import BaseGoneError, NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.host import process_identity
from tinytown.missions.graph import WorkGraph
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.issue import Issue
from tinytown.missions.spending import Used
from tinytown.missions.states import ItemState, MissionState, Outcome, Purpose, WaitReason
from tinytown.state import spending
from tinytown.state.mail import CONDUCTOR

# -- pause ---------------------------------------------------------------------------------------


def test_a_claim_that_meets_a_pause_is_refused(a_town: MakeTown) -> None:
    """Even where the pausing process dies before it takes back what it had sent."""
    town = a_town()
    mission = town.begin(waits={1: ()})

    def pause() -> None:
        missions.put_head(town.context, mission.id, lambda m: m.evolve(state=MissionState.PAUSED), "mission_paused")

    town.hook = pause
    assert town.claim(1, "ada") is None
    assert town.item(1).state is ItemState.ASSIGNED
    reconcile.reconcile(town.context, mission.id)
    assert (town.item(1).state, town.item(1).attempts) == (ItemState.READY, 0)


def test_a_report_that_meets_a_pause_is_collected_and_settles_nothing(a_town: MakeTown) -> None:
    town = a_town(reviewer_required=False, settle_on="approved", auto_merge=False)
    mission = town.begin(waits={1: (), 2: (1,)})
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    claimed = town.claim(1, "checks")
    assert claimed is not None
    town.hook = lambda: missions.pause(town.context, mission.id)
    assert attempts.report(town.context, claimed, verdict("c1"))
    assert (town.item(1).state, town.item(1).checked) == (ItemState.IN_REVIEW, "c1")
    assert town.state() is MissionState.PAUSED
    missions.resume(town.context, mission.id)
    assert town.item(1).state is ItemState.DONE


def test_an_admission_that_meets_a_pause_is_refused(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})
    missions.pause(town.context, mission.id)
    missions.put_head(town.context, mission.id, lambda m: m.evolve(state=MissionState.RUNNING), "mission_resumed")
    town.hook = lambda: missions.pause(town.context, mission.id)
    advance(town.context, mission.id)
    assert town.item(1).attempt is None


# -- two dispatchers, two reports ----------------------------------------------------------------


def test_two_dispatchers_at_once_send_one_attempt(a_town: MakeTown) -> None:
    town = a_town(max_parallel_items=1)
    mission = town.begin(waits={1: (), 2: ()})
    first = [n for n in (1, 2) if town.item(n).attempt is not None]
    assert len(first) == 1
    missions.pause(town.context, mission.id)
    missions.put_head(town.context, mission.id, lambda m: m.evolve(state=MissionState.RUNNING), "mission_resumed")
    town.hook = lambda: reconcile.reconcile(town.context, mission.id)
    reconcile.reconcile(town.context, mission.id)
    assert sum(town.item(n).attempt is not None for n in (1, 2)) == 1


def test_two_missions_at_once_do_not_send_to_the_same_worker(a_town: MakeTown) -> None:
    town = a_town(max_parallel_items=3)
    one = town.begin(waits={1: (), 2: ()})
    other = town.begin(waits={3: ()})
    for worker in ("ada", "bob"):
        town.context.crew.leave(worker)
    for mission in (one, other):
        missions.pause(town.context, mission.id)
    town.context.crew.announce(["ada"], 60)
    for mission in (one, other):
        missions.put_head(town.context, mission.id, lambda m: m.evolve(state=MissionState.RUNNING), "mission_resumed")
    town.hook = lambda: advance(town.context, other.id)
    advance(town.context, one.id)
    assert len(town.context.store.live_attempts()) == 1


def test_an_attempt_is_reported_once(a_town: MakeTown) -> None:
    town = a_town()
    town.begin(waits={1: ()})
    claimed = town.claim(1, "ada")
    assert claimed is not None
    said = Report(outcome=Outcome.SUCCEEDED, head="c1")
    town.hook = lambda: attempts.report(town.context, claimed, said)
    assert not attempts.report(town.context, claimed, said)
    assert town.item(1).head == "c1"


def test_whoever_takes_back_a_lease_that_was_renewed_meanwhile_is_refused(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})
    claimed = town.claim(1, "ada")
    assert claimed is not None
    store = town.context.store
    store.client.zadd(store.keys.leases, {claimed.attempt.id: 1})
    town.hook = lambda: attempts.renew(town.context, claimed)
    reconcile.reconcile(town.context, mission.id)
    assert town.item(1).state is ItemState.RUNNING
    assert attempts.renew(town.context, claimed)


def test_a_worker_that_slept_through_its_lease_is_refused(a_town: MakeTown) -> None:
    town = a_town()
    mission = town.begin(waits={1: ()})
    old = town.claim(1, "ada")
    assert old is not None
    store = town.context.store
    store.client.zadd(store.keys.leases, {old.attempt.id: 1})
    reconcile.reconcile(town.context, mission.id)
    new = town.claim(1, "bob")
    assert new is not None
    assert new.attempt.number > old.attempt.number
    assert not attempts.renew(town.context, old)
    assert not attempts.report(town.context, old, Report(outcome=Outcome.SUCCEEDED, head="stale"))
    assert attempts.report(town.context, new, Report(outcome=Outcome.SUCCEEDED, head="fresh"))
    assert (town.item(1).head, town.item(1).authors) == ("fresh", ("bob",))


def test_what_a_lost_run_cost_counts_once(a_town: MakeTown) -> None:
    """Nothing else of its late report does."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    old = town.claim(1, "ada")
    assert old is not None
    store = town.context.store
    store.client.zadd(store.keys.leases, {old.attempt.id: 1})
    reconcile.reconcile(town.context, mission.id)
    town.hook = lambda: notes.note(town.context, mission.id, "meanwhile")
    for _ in range(2):
        attempts.write_off(town.context, old, LATE)
    town.watcher.look()
    head, item = store.mission(mission.id).record, town.item(1)
    assert (head.spent_usd, head.costed_runs, item.cost_usd, item.head) == (0.5, 1, 0.5, None)
    assert town.do(1, "bob", Report(outcome=Outcome.SUCCEEDED, head="fresh", cost_usd=0.25))
    assert store.mission(mission.id).record.spent_usd == 0.75


LATE = Report(outcome=Outcome.SUCCEEDED, head="stale", cost_usd=0.5, tokens=7)


def _lease_runs_out(town: ATown, claimed: Claim) -> None:
    store = town.context.store
    store.client.zadd(store.keys.leases, {claimed.attempt.id: 1})


def _lease_is_taken_back(town: ATown, claimed: Claim) -> None:
    _lease_runs_out(town, claimed)
    reconcile.reconcile(town.context, claimed.mission.id)


def _base_is_gone(town: ATown, claimed: Claim) -> None:
    base._fail(town.context, town.context.store.mission(claimed.mission.id), "the base is gone")


#: All that takes a run from its worker, or lets it come to its own end.
ENDS: dict[str, Callable[[ATown, Claim], object]] = {
    "redirect": lambda town, claimed: operate_items.redirect(town.context, claimed.mission.id, "1", "bob"),
    "cancel": lambda town, claimed: operate_items.cancel(town.context, claimed.mission.id, "1", why="no"),
    "stop --force": lambda town, claimed: missions.cancel(town.context, claimed.mission.id),
    "base gone": _base_is_gone,
    "worker killed": lambda town, _: attempts.abandon(town.context, {"ada"}, ended=lambda _: True),
    "lease ran out": _lease_runs_out,
    "lease taken back": _lease_is_taken_back,
    "report": lambda town, claimed: attempts.report(town.context, claimed, LATE),
    "nothing": lambda town, claimed: None,
}
#: Those who learn what it cost: its worker in three ways, and a sweeper of its machine.
TELLS: dict[str, Callable[[ATown, Claim], object]] = {
    "report": lambda town, claimed: attempts.report(town.context, claimed, LATE),
    "write off": lambda town, claimed: attempts.write_off(town.context, claimed, LATE),
    "sweep": lambda town, claimed: costs.add(
        town.context, claimed.mission.id, claimed.item.key, claimed.attempt.number, costs.spent_of(LATE)
    ),
}


@pytest.mark.parametrize("ends", ENDS)
def test_what_a_run_cost_is_counted_once_whatever_ends_it_and_whoever_tells(a_town: MakeTown, ends: str) -> None:
    """One after the other in every order, and each at once with each: between its reading and its writing."""
    for first, second, at_once in itertools.product(TELLS, TELLS, ("", "end", "tell")):
        town = a_town()
        mission = town.begin(waits={1: ()})
        claimed = town.claim(1, "ada")
        assert claimed is not None
        if at_once == "end":
            # Whoever tells has read the attempt as a live one.
            town.hook = lambda t=town, c=claimed: ENDS[ends](t, c)  # type: ignore[misc]
        else:
            ENDS[ends](town, claimed)
        if at_once == "tell":
            town.hook = lambda t=town, c=claimed, s=second: TELLS[s](t, c)  # type: ignore[misc]
        TELLS[first](town, claimed)
        TELLS[second](town, claimed)
        if town.hook is not None:
            town.meanwhile()
        # Its worker says it at the end, if it lives; else its machine's sweeper does, when the attempt was taken back.
        TELLS["write off"](town, claimed)
        TELLS["sweep"](town, claimed)
        head, item = town.context.store.mission(mission.id).record, town.item(1)
        kept = town.context.store.finished_attempt(mission.id, item.key, claimed.attempt.number)
        assert kept is not None
        how = (ends, first, second, at_once)
        assert (head.spent_usd, head.costed_runs, item.cost_usd) == (0.5, 1, 0.5), how
        assert (kept.report.cost_usd, kept.report.tokens) == (0.5, 7), how
        assert (head.spent_tokens, head.counted_runs) == (7, 1), how
        day, known = spending.today(town.context.store)
        assert (day.usd, day.tokens, day.runs) == (0.5, 7, 1), how
        assert known.expected("worker") == Used(0.5, 7), how


def test_a_worker_begins_anew_and_takes_back_only_what_its_own_dead_process_had(a_town: MakeTown) -> None:
    """Another of the same name on another machine goes on; a process that is not known to be dead is not."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    attempt = town.item(1).attempt
    assert attempt is not None
    elsewhere = f"another-boot:1/{os.getpid()}/1.0"
    claimed = claiming.claim(town.context, mission.id, key(1), attempt.number, agent="checks", worker=elsewhere)
    assert claimed is not None
    assert attempts.abandon(town.context, {"checks"}, ended=process_identity.ended) == 0
    assert attempts.renew(town.context, claimed)
    assert attempts.abandon(town.context, {"ada"}, ended=lambda _: True) == 0
    assert attempts.abandon(town.context, {"checks"}, ended=lambda worker: worker == elsewhere) == 1
    assert not attempts.renew(town.context, claimed)


# -- dying between commit and send ---------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_what_a_dead_process_had_not_sent_yet_is_sent_by_a_tick(
    a_town: MakeTown, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    """Between the commit of a settling and what follows from it: dependents start all the same."""
    if not together:
        # As where others were quicker again and again, or a join is wide: the settling is committed alone.
        monkeypatch.setattr(attempts, "_TOGETHER", 0)
    town = a_town(reviewer_required=False, settle_on="approved", auto_merge=False)
    mission = town.begin(waits={1: (), 2: (1,)})
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    claimed = town.claim(1, "checks")
    assert claimed is not None

    def die(where: str) -> None:
        if where.startswith("before sending"):
            raise Crash

    town.maybe_cut = die  # type: ignore[method-assign]
    with pytest.raises(Crash):
        attempts.report(town.context, claimed, verdict("c1"))
    del town.maybe_cut  # type: ignore[method-assign]
    assert town.item(1).state is ItemState.DONE
    assert town.item(2).state is (ItemState.ASSIGNED if together else ItemState.PENDING)
    assert not [m for m in town.messages if key(2) in m.args]
    town.pass_time(town.settings.timing.unclaimed_secs + 1)
    reconcile.reconcile(town.context, mission.id)
    assert town.item(2).state is ItemState.ASSIGNED
    assert [m.args for m in town.messages if m.name == contract.TASK_ATTEMPT][-1][1] == key(2)


def test_a_start_whose_answer_was_lost_is_no_refusal(a_town: MakeTown) -> None:
    """The client repeats the commit, which is then refused because of itself."""
    town = a_town()
    town.begin(waits={1: ()})
    mission = town.context.store.mission(town.watcher.missions[-1]).record
    items = list(town.items(mission.id).values())
    draft = Draft(
        mission, items, [town.forge.issues[key(1)]], WorkGraph((), {}, {}), compile_canvas(mission.id, {}), (), {}, {}
    )
    save(town.context, draft)
    with pytest.raises(StateError, match="already in mission"):
        start(town.context, Order(issues=["1"], base_check=False))


# -- forge ---------------------------------------------------------------------------------------


def test_a_forge_that_does_not_answer_is_asked_again_after_a_pause(a_town: MakeTown) -> None:
    """Not in a tight loop."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    town.forge.faults.append(UnreachableError("no route"))
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    assert town.forge.publishes == 1
    waiting = town.item(1).waiting
    assert waiting is not None
    assert waiting.reason is WaitReason.UNREACHABLE
    reconcile.reconcile(town.context, mission.id)
    assert (town.forge.publishes, town.state()) == (1, MissionState.RUNNING)
    town.pass_time(town.settings.timing.backoff_secs + 1)
    reconcile.reconcile(town.context, mission.id)
    assert (town.forge.publishes, town.item(1).published) == (2, "c1")
    assert town.item(1).faults == 0


def test_a_forge_that_refuses_again_and_again_is_a_case_for_a_person(a_town: MakeTown) -> None:
    """Three times with longer and longer pauses, then help with the cause; a retry tries again."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    town.forge.faults += [TinytownError("the token expired")] * 3
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    for _ in range(5):
        town.pass_time(3 * town.settings.timing.backoff_secs)
        reconcile.reconcile(town.context, mission.id)
    waiting = town.item(1).waiting
    assert waiting is not None
    assert (waiting.reason, waiting.remedy) == (WaitReason.NEEDS_HELP, "3 times in a row: the token expired")
    assert (town.forge.publishes, town.state()) == (3, MissionState.BLOCKED)
    operate_items.retry(town.context, mission.id, "1")
    assert (town.forge.publishes, town.item(1).published) == (4, "c1")


def test_a_finished_issue_is_not_done_twice_by_mistake(a_town: MakeTown) -> None:
    """It would leave no change; what was asked for again, or is another text by now, is done again."""
    town = a_town()
    first = town.begin(waits={1: ()})
    town.pass_gates(1)
    town.do(1, "checks", Report(outcome=Outcome.SUCCEEDED, merged="m1"))
    assert town.context.store.mission(first.id).record.state is MissionState.COMPLETED
    assert town.state() is MissionState.COMPLETED
    with pytest.raises(StateError, match=f"was already done by mission {first.id}") as refused:
        start(town.context, Order(issues=["1"], base_check=False))
    assert "--again" in refused.value.remedy
    second = start(town.context, Order(issues=["1"], again=True, base_check=False)).mission
    missions.cancel(town.context, second.id)
    town.forge.issues[key(1)] = town.forge.issues[key(1)].evolve(body="More of it.")
    assert start(town.context, Order(issues=["1"], base_check=False)).mission.id


def test_a_base_that_is_gone_fails_the_mission_and_frees_its_workers(
    a_town: MakeTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = a_town(max_parallel_items=3)
    mission = town.begin(waits={1: (), 2: ()})
    assert town.claim(1, "ada") is not None

    def gone(repo: str, base: str) -> str:
        raise BaseGoneError(f"{base} is gone")

    def unseen(repo: str, base: str) -> str:
        raise NotFoundError(f"{repo} does not exist, or the token may not see it")

    # What cannot be seen may only be out of reach: a person is asked, and it ends by itself.
    tip = town.forge.base_tip
    monkeypatch.setattr(town.forge, "base_tip", unseen)
    for _ in range(2):
        outside.watch(town.context, mission.id)
    escalate.escalate(town.context, mission.id)
    head = town.context.store.mission(mission.id).record
    assert (head.state, head.help and head.help.reasons) == (
        MissionState.RUNNING,
        ("local/town does not exist, or the token may not see it",),
    )
    monkeypatch.setattr(town.forge, "base_tip", tip)
    outside.watch(town.context, mission.id)
    escalate.escalate(town.context, mission.id)
    assert town.context.store.mission(mission.id).record.help is None

    monkeypatch.setattr(town.forge, "base_tip", gone)
    for _ in range(2):
        outside.watch(town.context, mission.id)
    assert town.state() is MissionState.RUNNING
    assert "main` is gone: restore it" in town.context.store.mission(mission.id).record.trouble
    monkeypatch.setattr(town.forge, "base_tip", tip)
    outside.watch(town.context, mission.id)
    assert town.context.store.mission(mission.id).record.trouble == ""

    monkeypatch.setattr(town.forge, "base_tip", gone)
    outside.watch(town.context, mission.id)
    town.pass_time(40)
    outside.watch(town.context, mission.id)
    assert town.state() is MissionState.FAILED
    assert town.context.store.live_attempts() == []
    assert town.context.store.mission_of_issue(key(1)) is None
    said = town.context.mail.read(CONDUCTOR)[-1].text
    assert f"Mission {mission.id[:8]} has failed: the base branch `main` is gone" in said


# -- settling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wide", [1, 16])
@pytest.mark.parametrize("first", ["approval", "report"])
def test_two_that_settle_at_once_start_what_waits_for_both(
    a_town: MakeTown, monkeypatch: pytest.MonkeyPatch, first: str, wide: int
) -> None:
    """Whoever comes second starts it at once, though neither had seen the other settled, and no tick comes."""
    town = a_town(reviewer_required=False, settle_on="approved", auto_merge=False, required_approvals=1)
    town.wide = wide
    town.enlist(Worker("rita", "researcher"))
    mission = town.begin(waits={1: (), 2: (), 3: (1, 2)}, labels={2: "researcher"})
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    town.do(1, "checks", verdict("c1"))
    claimed = town.claim(2, "rita")
    assert claimed is not None

    monkeypatch.setattr(approve, "advance", lambda *_: None)
    approve.approve(town.context, mission.id, "1")

    def approved() -> None:
        advance(town.context, mission.id)
        town.deliver()

    def reported() -> None:
        assert attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED, result="found"))
        town.deliver()

    earlier, later = (approved, reported) if first == "approval" else (reported, approved)
    town.hook = earlier
    later()
    assert [town.item(number).state for number in (1, 2, 3)] == [ItemState.DONE, ItemState.DONE, ItemState.ASSIGNED]


def test_what_also_waits_for_an_issue_outside_starts_though_that_closes_this_very_moment(a_town: MakeTown) -> None:
    town = a_town(reviewer_required=False)
    town.enlist(Worker("rita", "researcher"))
    town.forge.issues[key(9)] = Issue(key=key(9), number=9, title="outside")
    town.begin(waits={1: (), 2: (1, 9)}, labels={1: "researcher"})
    assert town.item(2).blockers == (key(9),)
    claimed = town.claim(1, "rita")
    assert claimed is not None

    def closed() -> None:
        town.forge.closed.add(key(9))
        outside.watch_all(town.context)
        town.deliver()

    town.hook = closed
    assert attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED, result="found"))
    assert [town.item(number).state for number in (1, 2)] == [ItemState.DONE, ItemState.ASSIGNED]


def test_what_is_added_to_a_plan_starts_though_the_item_that_it_waits_for_settles_this_very_moment(
    a_town: MakeTown,
) -> None:
    town = a_town(reviewer_required=False)
    town.enlist(Worker("rita", "researcher"))
    mission = town.begin(waits={1: ()}, labels={1: "researcher"})
    store = town.context.store

    def planned(edition: int, **sources: list[str]) -> tuple[dict[str, object], dict[str, object]]:
        return {"order": list(sources), "edition": edition}, {"sources": sources, "edition": edition}

    graph, canvas = planned(0, **{key(1): []})
    store.client.hset(
        store.keys.mission(mission.id), mapping={"graph": json.dumps(graph), "canvas": json.dumps(canvas)}
    )
    town.context._canvases.clear()
    store._orders.clear()
    claimed = town.claim(1, "rita")
    assert claimed is not None

    def added() -> None:
        head, item = store.mission(mission.id), an_item(2, after=(1,))
        graph, canvas = planned(1, **{key(1): [], key(2): [key(1)]})
        change = store.change()
        known = {key(1): town.item(1), key(2): item}
        change.change_plan(
            head, head.record, plan="", graph=graph, canvas=canvas, edition=1, added={key(2): item}, known=known
        )
        change.commit()

    town.hook = added
    assert attempts.report(town.context, claimed, Report(outcome=Outcome.SUCCEEDED, result="found"))
    assert [town.item(number).state for number in (1, 2)] == [ItemState.DONE, ItemState.ASSIGNED]


# -- operators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", [False, True])
def test_a_stopped_mission_keeps_no_checks_worker_taken(a_town: MakeTown, claim: bool) -> None:
    """Also for the merge of an item that is done already."""
    town = a_town(settle_on="approved")
    mission = town.begin(waits={1: (), 2: (1,)})
    town.pass_gates(1)
    assert town.item(1).state is ItemState.DONE
    attempt = town.item(1).attempt
    assert attempt is not None
    assert attempt.purpose is Purpose.MERGE
    if claim:
        assert town.claim(1, "checks") is not None
    missions.cancel(town.context, mission.id)
    assert town.context.store.live_attempts() == []
    assert town.item(1).state is ItemState.DONE


def test_the_merge_follows_the_approval_at_once(a_town: MakeTown) -> None:
    town = a_town(settle_on="approved")
    mission = town.begin(waits={1: ()})
    town.pass_gates(1)
    reconcile.reconcile(town.context, mission.id)
    assert town.state() is MissionState.RUNNING, "a merge is due"
    assert town.do(1, "checks", Report(outcome=Outcome.SUCCEEDED, merged="m1"))
    assert town.state() is MissionState.COMPLETED
    done = [e for _, e in town.context.store.events(mission.id) if e.kind == "item_done"]
    assert len(done) == 1, "told once"


def test_a_refused_merge_of_a_done_item_is_a_fix_round(a_town: MakeTown) -> None:
    town = a_town(settle_on="approved")
    town.begin(waits={1: ()})
    town.pass_gates(1)
    assert town.do(1, "checks", verdict("c1", passed=False))
    assert town.item(1).state is ItemState.FIXING
    assert town.state() is MissionState.RUNNING


def test_a_retry_of_a_held_change_keeps_its_reason(a_town: MakeTown) -> None:
    """Without it nobody would see any more that a person merged it."""
    town = a_town(auto_merge=False, settle_on="merged")
    mission = town.begin(waits={1: ()})
    town.pass_gates(1)
    operate_items.retry(town.context, mission.id, "1")
    waiting = town.item(1).waiting
    assert waiting is not None
    assert waiting.reason is WaitReason.MERGE
    town.merge_by_hand(mission.id)
    outside.watch(town.context, mission.id)
    assert town.item(1).state is ItemState.DONE
    reconcile.reconcile(town.context, mission.id)
    assert town.state() is MissionState.COMPLETED


def test_a_merge_by_hand_is_one_more_gate_run(a_town: MakeTown) -> None:
    town = a_town(auto_merge=False, settle_on="merged")
    mission = town.begin(waits={1: ()})
    with pytest.raises(StateError):
        operate_items.merge(town.context, mission.id, "1")
    town.pass_gates(1)
    assert town.item(1).attempt is None
    operate_items.merge(town.context, mission.id, "#1")
    assert town.do(1, "checks", Report(outcome=Outcome.SUCCEEDED, merged="m1"))
    assert town.item(1).state is ItemState.DONE


def test_an_ended_mission_merges_nothing_and_says_how_to(a_town: MakeTown) -> None:
    town = a_town(auto_merge=False, settle_on="approved")
    mission = town.begin(waits={1: ()})
    town.pass_gates(1)
    reconcile.reconcile(town.context, mission.id)
    assert town.state() is MissionState.COMPLETED
    with pytest.raises(StateError) as refused:
        operate_items.merge(town.context, mission.id, "1")
    assert town.item(1).branch in refused.value.remedy
    with pytest.raises(StateError):
        operate_items.redirect(town.context, mission.id, "1", "ada")


def test_a_redirection_answers_used_up_fix_rounds(a_town: MakeTown) -> None:
    town = a_town(max_fix_rounds=0)
    mission = town.begin(waits={1: ()})
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1"))
    town.do(1, "checks", verdict("c1", passed=False))
    waiting = town.item(1).waiting
    assert waiting is not None
    assert waiting.reason is WaitReason.NEEDS_HELP
    operate_items.redirect(town.context, mission.id, "1", "bob")
    attempt = town.item(1).attempt
    assert attempt is not None
    assert (town.item(1).state, attempt.purpose, attempt.agent) == (ItemState.FIXING, Purpose.FIX, "bob")


def test_nothing_is_redirected_to_the_checks(a_town: MakeTown) -> None:
    """They serve another queue: what is sent there would be waited for in vain."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    with pytest.raises(StateError):
        operate_items.redirect(town.context, mission.id, "1", "checks")


# -- budget --------------------------------------------------------------------------------------


def test_the_first_run_starts_however_small_the_budget_is(a_town: MakeTown) -> None:
    """Two could start at once; one does, the other waits for its cost, and then the mission pauses and asks."""
    town = a_town(budget_usd=0.3, reviewer_required=False)
    mission = town.begin(waits={1: (), 2: ()})
    sent = [n for n in (1, 2) if town.item(n).attempt is not None]
    assert sent == [1]
    held = town.item(2).waiting
    assert held is not None
    assert (held.reason, town.state()) == (WaitReason.BUDGET, MissionState.RUNNING)
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1", cost_usd=0.4))
    assert town.state() is MissionState.RUNNING, "a check is in flight, and costs nothing"
    town.do(1, "checks", verdict("c1"))
    town.do(1, "checks", Report(outcome=Outcome.SUCCEEDED, merged="m1"))
    assert town.state() is MissionState.PAUSED
    (asked,) = town.questions()
    assert "--budget-usd MORE" in asked
    assert not escalate.escalate(town.context, mission.id), "once"
    with pytest.raises(StateError):
        missions.resume(town.context, mission.id)
    missions.resume(town.context, mission.id, budget_usd=2)
    assert town.item(2).state is ItemState.ASSIGNED


def test_a_run_that_was_cheaper_than_expected_leaves_room(a_town: MakeTown) -> None:
    town = a_town(budget_usd=0.3)
    town.begin(waits={1: (), 2: ()})
    assert town.item(2).attempt is None
    town.do(1, "ada", Report(outcome=Outcome.SUCCEEDED, head="c1", cost_usd=0.05))
    assert town.item(2).attempt is not None


# -- damage --------------------------------------------------------------------------------------


def test_a_damaged_mission_asks_for_help_and_holds_up_no_other(a_town: MakeTown) -> None:
    town = a_town(max_parallel_items=3)
    broken = town.begin(waits={1: (), 2: ()})
    well = town.begin(waits={3: ()})
    town.enlist(Worker("cleo", "worker"))
    missions.pause(town.context, well.id)
    missions.put_head(town.context, well.id, lambda m: m.evolve(state=MissionState.RUNNING), "mission_resumed")
    store = town.context.store
    store.client.hset(store.keys.items(broken.id), key(2), "1\n{")
    town.watcher.missions.remove(broken.id)
    town.watcher.look = lambda: None  # type: ignore[method-assign]
    reconcile.reconcile_all(town.context)
    outside.watch_all(town.context)
    escalate.escalate_all(town.context)
    assert town.item(3).attempt is not None
    (cry,) = town.context.mail.read(CONDUCTOR)
    assert cry.mission == broken.id
    assert key(2) in cry.text
    escalate.escalate_all(town.context)
    assert len(town.context.mail.read(CONDUCTOR)) == 1


def test_a_deaf_worker_is_noticed(a_town: MakeTown) -> None:
    """It says that it is alive and idle, but takes nothing from its queue."""
    town = a_town()
    mission = town.begin(waits={1: ()})
    for _ in range(3):
        assert not escalate.escalate(town.context, mission.id)
        town.pass_time(town.settings.timing.unclaimed_secs + 1)
        reconcile.reconcile(town.context, mission.id)
    assert escalate.escalate(town.context, mission.id)
    (cry,) = town.context.mail.read(CONDUCTOR)
    assert "no worker takes it" in cry.text
