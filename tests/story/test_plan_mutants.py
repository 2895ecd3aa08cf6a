"""The stories of plans, tasks and the backlog would notice: with one rule taken out of the code, some story fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.story.backlog_town import tell_of_judges, tell_of_tasks, tell_of_words
from tests.story.noticing import require_noticed
from tinytown.engine.dispatch import admission, waking
from tinytown.engine.plan import by_hand, claims, sync, tasks
from tinytown.engine.plan import change as plan_change
from tinytown.host.server import Server
from tinytown.missions import backlog as rules
from tinytown.missions import budget, gates, lifecycle, mission_state, overrule, rerun, scheduler
from tinytown.missions.records.item import Item
from tinytown.missions.states import AgentState, ItemState
from tinytown.plans.stages import Reason, Stages
from tinytown.state import agents as crew
from tinytown.state import backlog
from tinytown.state.change import Change

#: Stories within which a planted fault must show.
STORIES = 400

Plant = Callable[[pytest.MonkeyPatch], None]


def _any_dependency(patch: pytest.MonkeyPatch) -> None:
    def early(item: Item, items: Any) -> bool:
        settled = [e.on in items and items[e.on].state.settled for e in item.edges]
        return item.state is ItemState.PENDING and (not settled or any(settled))

    patch.setattr(mission_state, "startable", early)


def _without(patch: pytest.MonkeyPatch, *reasons: Reason) -> None:
    """No task waits for others for these reasons."""
    edges = tasks._edges
    kept = {reason.value for reason in Reason} - {reason.value for reason in reasons}
    patch.setattr(tasks, "_edges", lambda *a: tuple(e for e in edges(*a) if e.source.value in kept))


def _epics_wait_for_nothing(patch: pytest.MonkeyPatch) -> None:
    _without(patch, Reason.CHILD)


def _parents_do_not_order(patch: pytest.MonkeyPatch) -> None:
    _without(patch, Reason.PARENT)


def _after_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    made = by_hand._made
    patch.setattr(by_hand, "_made", lambda crew, wanted, id_, mission, after: made(crew, wanted, id_, mission, ()))


def _tasks_are_not_noted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Change, "_note_tasks", lambda self, mission, items: None)


def _results_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    end = Change.end_attempt

    def without(self: Change, mission: str, record: Any) -> None:
        end(self, mission, record.evolve(report=record.report.evolve(result="")))

    patch.setattr(Change, "end_attempt", without)


def _tasks_of_an_ended_mission(patch: pytest.MonkeyPatch) -> None:
    home = by_hand._home

    def always(context: Any, after: Any) -> Any:
        last = by_hand.task_records.hand_mission(context.store)
        return home(context, after) or (last and context.store.mission(last))

    patch.setattr(by_hand, "_home", always)


def _a_word_merges(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overrule, "_without_change", lambda item: item)


def _a_word_beside_a_run(patch: pytest.MonkeyPatch) -> None:
    """As if it did not matter that an agent is at work on it."""
    stands = overrule.stands

    def as_told(context: Any, id_: str, state: ItemState, text: str) -> Any:
        given = by_hand.find(context, id_)
        change = context.store.change()
        old = context.store.item(given.mission.id, given.item.key)
        if not given.mission.state.ended:
            change.put_item(given.mission, old, stands(old.record, state, now=context.store.now()))
            change.commit()

    patch.setattr(by_hand, "settle", as_told)


def _left_out_and_held(patch: pytest.MonkeyPatch) -> None:
    def held(stages: Stages, item: Item) -> bool:
        return item.typed in stages.stages

    patch.setattr(plan_change, "_is_held", held)


def _rules_of_the_town(patch: pytest.MonkeyPatch) -> None:
    rules = sync._rules

    def all_of_them(*a: Any) -> Any:
        apply = rules(*a)
        return lambda mission, changed: apply(mission, ("budget_usd", "budget_tokens", "reviewer_required", "checks"))

    patch.setattr(sync, "_rules", all_of_them)


def _work_for_another_task(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rerun, "again", lambda item: None)


def _epics_stay_done(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overrule, "reopen", lambda items, before, told=(): dict(items))


def _the_removed_run_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan_change, "_interrupt", lambda change, outcome, mission, item, now: item)


def _always_force(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan_change, "refuse_orphans", lambda found, force: None)


def _the_done_begin_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync, "_stands", lambda key, stages, old: stages.stages[key.partition(":task/")[2]].task.status)


def _nobody_judges(patch: pytest.MonkeyPatch) -> None:
    judged = gates.is_judged
    patch.setattr(gates, "is_judged", lambda item, policy: judged(item.evolve(judge=""), policy))


def _anybody_judges(patch: pytest.MonkeyPatch) -> None:
    review = scheduler._for_review
    patch.setattr(scheduler, "_for_review", lambda item, crew: review(item.evolve(judge_agent=None), crew))


def _anybody_takes(patch: pytest.MonkeyPatch) -> None:
    find = scheduler.find_place
    patch.setattr(scheduler, "find_place", lambda item, *rest: find(item.evolve(directed_to=None), *rest))


def _the_cold_stay_cold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(waking, "start", lambda *a: None)
    patch.setattr(waking, "start_forgotten", lambda *a: None)
    patch.setattr(admission.Decision, "wake", lambda *a: None)


def _the_interrupted_are_sent_work(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(crew, "_NOT_TAKING", crew._NOT_TAKING - {AgentState.PAUSED})


def _no_budget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(budget, "runs_left", lambda mission, flying: None)


def _cancelled_and_running(patch: pytest.MonkeyPatch) -> None:
    cancel = lifecycle.cancel

    def keep(item: Item, **words: Any) -> Item | None:
        new = cancel(item, **words)
        return new and new.evolve(attempt=item.attempt)

    patch.setattr(lifecycle, "cancel", keep)


def _claimed_and_still_there(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(backlog, "take_out", lambda store, change, old: None)


def _claimed_and_nowhere(patch: pytest.MonkeyPatch) -> None:
    task = claims._task
    patch.setattr(claims, "_task", lambda entry, agent: replace(task(entry, agent), entry=""))


def _two_at_a_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claims, "_unfinished", lambda context, taken: {})


def _anybody_fits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "lines_for", lambda role: (rules.ANYBODY, "backend", "reviewer", "tester", "designer"))


def _nobody_looks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(claims, "take_up", lambda context: [])


PLANTS: dict[str, Plant] = {
    plant.__name__.lstrip("_"): plant
    for plant in (
        _any_dependency,
        _epics_wait_for_nothing,
        _parents_do_not_order,
        _after_is_forgotten,
        _tasks_are_not_noted,
        _results_are_not_kept,
        _tasks_of_an_ended_mission,
        _a_word_merges,
        _a_word_beside_a_run,
        _left_out_and_held,
        _rules_of_the_town,
        _work_for_another_task,
        _epics_stay_done,
        _the_removed_run_on,
        _always_force,
        _the_done_begin_again,
        _nobody_judges,
        _anybody_judges,
        _anybody_takes,
        _the_cold_stay_cold,
        _the_interrupted_are_sent_work,
        _no_budget,
        _cancelled_and_running,
        _claimed_and_still_there,
        _claimed_and_nowhere,
        _two_at_a_time,
        _anybody_fits,
        _nobody_looks,
    )
}

#: Told where a fault shows only in few of the others.
TOLD = {"anybody_judges": tell_of_judges, "a_word_merges": tell_of_words}

#: Planted in every run: some early story notices them. ``STORY_MUTANTS=all`` plants the others, too.
QUICK = ("any_dependency", "anybody_judges", "claimed_and_still_there", "anybody_fits", "nobody_looks")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PLANTS if os.environ.get("STORY_MUTANTS") == "all" else QUICK)
def test_some_story_notices(name: str, server: Server) -> None:
    require_noticed(PLANTS[name], TOLD.get(name, tell_of_tasks), server.url, stories=STORIES)
