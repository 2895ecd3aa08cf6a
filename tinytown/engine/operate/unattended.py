"""Give open questions to the unattended conductor, one after the other, and tell what came of each.

A question's run is the one item of a mission of its own, so that it is sent, leased, fenced, paid for and kept as all
work is. ``keep`` may be called by anybody at any time: whatever it does is decided from the records.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import replace

from tinytown import keys
from tinytown.canvases.canvas import compile_canvas
from tinytown.engine.commit import commit
from tinytown.engine.conductor.questions import TOWN, Question, of_mission, open_questions
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.dispatch.mission_state import update_state
from tinytown.engine.operate import missions
from tinytown.errors import ConflictError, NotFoundError, StateError, TinytownError, UnreachableError
from tinytown.host import unattended as switch
from tinytown.missions import gates, unattended
from tinytown.missions.crew import CONDUCTOR_ROLE
from tinytown.missions.records.asked import Asked
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.states import ItemState, MissionState
from tinytown.state import asked as store_asked
from tinytown.state import lookup
from tinytown.state.change import Change
from tinytown.state.records import Versioned

#: Name of what such questions are in, in their keys.
PLAN = "conductor"
#: Questions of which it is told what is done about them; the oldest are shown first.
NOTED = 50
#: Characters of a title.
_TITLE = 120


def keep(context: Context) -> None:
    """Conclude runs that have ended, end those that nobody needs, and give the next question."""
    on = switch.is_on(context.town)
    known = store_asked.every(context.store)
    if not on and not known:
        return
    questions = open_questions(context)
    for old in known.values():
        if old.record.state == "asked":
            _look(context, old, questions, on=on)
    _forget(context, known, questions)
    if on:
        _give(context, questions)


def limits(context: Context) -> unattended.Limits:
    """What the runs of a day may use."""
    found = context.town.settings.conductor
    return unattended.Limits(found.budget_usd, found.max_runs, found.max_same)


def left_usd(context: Context) -> float:
    """What the next run may cost, in US dollars."""
    asked = _with_costs(context, [old.record for old in store_asked.every(context.store).values()])
    return unattended.left_usd(asked, limits(context), now=context.store.now())


def with_notes(context: Context, questions: Sequence[Question]) -> list[Question]:
    """The questions, each with what the unattended conductor did or does about it; as they are while it is off."""
    if not questions or not switch.is_on(context.town):
        return list(questions)
    asked = _with_costs(context, [old.record for old in store_asked.every(context.store).values()])
    noted = [replace(one, unattended=_note(context, one, asked)) for one in questions[:NOTED]]
    return [*noted, *questions[NOTED:]]


def note_of(context: Context, mission: Mission) -> str:
    """The same for what one mission asks; empty if it asks nothing."""
    found = of_mission(mission) if mission.help is not None else None
    return "".join(one.unattended for one in with_notes(context, [found])) if found is not None else ""


def _note(context: Context, question: Question, asked: Sequence[Asked]) -> str:
    now = context.store.now()
    last = unattended.given(question, asked)
    if last is not None and last.state == "asked":
        return _standing(context, last)
    if last is not None and not unattended.is_new(question, asked, now=now):
        return f"the unattended conductor could not answer: {last.why}"
    if _is_for_people(context, question):
        return "the unattended conductor is not asked: only a person can answer"
    if why := unattended.obstacle(question, asked, limits(context), now=now):
        return f"the unattended conductor is not asked: {why}"
    return "the unattended conductor will be asked"


def _standing(context: Context, asked: Asked) -> str:
    """How its run stands."""
    try:
        item = context.store.item(asked.run, asked.item).record
    except NotFoundError:
        return ""
    if item.attempt is None and item.waiting is not None:
        return f"the unattended conductor is asked, and does not begin yet: {item.waiting.remedy}"
    return "the unattended conductor is at it"


# -- giving ----------------------------------------------------------------------------------------


def _give(context: Context, questions: list[Question]) -> None:
    def fits(question: Question) -> bool:
        return not _is_for_people(context, question)

    def decide(change: Change) -> Asked | None:
        after = store_asked.number(context.store)
        asked = [old.record for old in store_asked.every(context.store).values()]
        now = context.store.now()
        if not any(unattended.is_new(question, asked, now=now) for question in questions):
            return None
        asked = _with_costs(context, asked)
        chosen = unattended.choose(questions, asked, limits(context), now=now, fits=fits)
        return None if chosen is None else _begin(context, change, chosen, after)

    try:
        new = commit(context, decide)
    except ConflictError:
        return
    if new is not None:
        advance(context, new.run)


def _with_costs(context: Context, asked: Sequence[Asked]) -> list[Asked]:
    """With what each run cost, also one that was ended early; of those that count."""
    since = context.store.now() - unattended.DAY
    found = []
    for one in asked:
        cost = one.cost_usd
        if one.at > since:
            with contextlib.suppress(NotFoundError):
                cost = context.store.mission(one.run).record.spent_usd
        found.append(one.evolve(cost_usd=cost))
    return found


def _is_for_people(context: Context, question: Question) -> bool:
    """Whether no answer but a person's would help."""
    if question.sender != TOWN:
        return False
    try:
        mission = context.store.mission(question.mission).record
        items = [item.record for item in lookup.notable(context.store, question.mission).values()]
    except NotFoundError:
        return True
    except UnreachableError:
        raise
    except TinytownError:
        return True  # A record that cannot be read is for people.
    return unattended.is_for_people(mission, items)


def _begin(context: Context, change: Change, question: Question, after: int) -> Asked:
    settings, forge, now = context.town.settings, context.forge, context.store.now()
    mission = Mission(
        id=str(uuid.uuid4()),
        state=MissionState.RUNNING,
        forge=forge.kind,
        repo=forge.repo,
        base=settings.forge.base_of(forge.repo) or "",
        # It leaves no change, so nothing is checked, judged or merged.
        policy=Policy(max_parallel_items=1, reviewer_required=False, auto_merge=False, checks=False),
        tasks="questions",
        created_at=now,
    )
    key = keys.task_key(f"q{after + 1}", plan=PLAN)
    who = f"mission {question.mission[:8]}" if question.sender == TOWN else question.sender
    title = f"Answer {who}: {next(iter(question.reasons), '')}"[:_TITLE]
    item = Item(
        key=key,
        title=title,
        role=CONDUCTOR_ROLE,
        role_named=True,
        kind=gates.QUESTION,
        branch=keys.branch_name(mission.short, key),
        state=ItemState.READY,
        ready_at=now,
    )
    change.create_mission(
        mission.evolve(objectives=(key,)),
        [item],
        [Issue(key=key, title=title, body="\n\n".join(question.reasons))],
        graph={"order": [key], "edition": 0},
        canvas=compile_canvas(mission.id, {key: []}).stored(),
    )
    new = Asked(
        mission=question.mission,
        sender=question.sender,
        since=question.since,
        reasons=tuple(question.reasons),
        run=mission.id,
        item=key,
        at=now,
    )
    store_asked.begin(change, new, after=after)
    _tell(change, "question_given", new, now=now)
    return new


# -- what comes of it ------------------------------------------------------------------------------


def _look(context: Context, old: Versioned[Asked], questions: list[Question], *, on: bool) -> None:
    """Conclude a run that has ended; end one that nobody needs."""
    asked = old.record
    still_open = any(unattended.is_about(asked, question) for question in questions)
    try:
        _end_stopped(context, asked)
        item = context.store.item(asked.run, asked.item)
        if item.record.state.ended:
            _conclude(context, old, still_open=still_open)
        elif not on or not (still_open or _ends_itself(asked, item.record)):
            why = "it was switched off" if not on else "it had answered" if asked.acted else "somebody answered"
            _withdraw(context, old, still_open=still_open, why=why)
    except NotFoundError:
        _conclude(context, old, still_open=still_open)
    except ConflictError:
        return  # Somebody else did it, or the run has just ended; the next look tells.


def _end_stopped(context: Context, asked: Asked) -> None:
    """End the mission of a run that a person stopped, or whose item a person cancelled: nothing else would."""
    mission = context.store.mission(asked.run).record
    state = context.store.item(asked.run, asked.item).record.state
    stopped = mission.state is MissionState.PAUSED or (state.ended and not state.settled)
    if stopped and not mission.state.ended:
        with contextlib.suppress(StateError):
            missions.cancel(context, asked.run)


def _ends_itself(asked: Asked, item: Item) -> bool:
    """Whether the run that is under way answered the question itself: it comes to its own end."""
    return item.attempt is not None and item.attempt.claimed and item.attempt.number == asked.acted


def _conclude(context: Context, old: Versioned[Asked], *, still_open: bool) -> None:
    now, asked = context.store.now(), old.record
    new = unattended.concluded(asked, _report(context, asked), still_open=still_open, now=now)
    change = context.store.change()
    change.put_asked(old, new)
    _tell(change, _kind(new), new, now=now, why=new.why)
    change.commit()


def _report(context: Context, asked: Asked) -> Report | None:
    """That of its last attempt."""
    ended = context.store.finished_attempts(asked.run, asked.item)
    return ended[-1].report if ended else None


def _withdraw(context: Context, old: Versioned[Asked], *, still_open: bool, why: str) -> None:
    """End a run that nobody needs any more."""
    asked, now = old.record, context.store.now()
    mission, item = context.store.mission(asked.run), context.store.item(asked.run, asked.item)
    live = item.record.attempt
    change = context.store.change()
    change.put_item(
        mission.record,
        item,
        item.record.evolve(state=ItemState.DONE, attempt=None, waiting=None, not_before=None, settled_at=now),
    )
    change.event(event("item_done", at=now, mission=asked.run, item=asked.item, agent="", why=why))
    new = asked.evolve(state="left" if still_open else "answered", why=why, ended_at=now)
    change.put_asked(old, new)
    _tell(change, _kind(new), new, now=now, why=why)
    change.commit()
    if live is not None:
        context.end_attempts([live.id])
    update_state(context, asked.run)


def _kind(asked: Asked) -> str:
    """The event that tells what came of it."""
    if asked.state == "left":
        return "question_left"
    return "question_answered" if asked.acted else "question_settled"


def _tell(change: Change, kind: str, asked: Asked, *, now: float, **data: str) -> None:
    change.event(event(kind, at=now, mission=asked.mission, sender=asked.sender, run=asked.run, **data))


def _forget(context: Context, known: dict[str, Versioned[Asked]], questions: list[Question]) -> None:
    """Drop what counts for no limit and is about no open question."""
    before = context.store.now() - unattended.DAY
    for old in known.values():
        asked = old.record
        if asked.state != "asked" and asked.at < before and not any(unattended.is_about(asked, q) for q in questions):
            change = context.store.change()
            change.forget_asked(old)
            try:
                change.commit()
            except ConflictError:
                continue
