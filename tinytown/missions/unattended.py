"""The unattended conductor: which question it is given, what it may do about it, and what comes of that.

Each question is given once, to one run at a time. What has not changed when its run ends is left to people; the same
question is given again only if more is asked than before, or if the run could not even begin. So nothing is spent for
ever on a question that it cannot answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tinytown.errors import ConfigurationError
from tinytown.missions import directives, escalation
from tinytown.missions.fences import line
from tinytown.missions.records.asked import Asked
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import ItemState, MissionState, Outcome, WaitReason

#: Seconds over which costs and runs are counted.
DAY = 24 * 3600.0
#: Seconds after which a run that could not begin is tried again, if nothing else is known.
PAUSE = 300.0
#: Faults that say nothing about the question: it may be given again.
_NOT_BEGUN = frozenset(
    {Outcome.USAGE_LIMIT, Outcome.UNREACHABLE, Outcome.NOT_LOGGED_IN, Outcome.DISK_FULL, Outcome.NO_WORKSPACE}
)
#: What only a person can end.
_A_PERSONS = frozenset(
    {WaitReason.APPROVAL, WaitReason.MERGE, WaitReason.NOT_LOGGED_IN, WaitReason.BASE_DIRTY, WaitReason.BASE_FAILING}
)


class Query(Protocol):
    """A question that is open."""

    @property
    def mission(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def since(self) -> float: ...
    @property
    def reasons(self) -> Sequence[str]: ...


Q = TypeVar("Q", bound=Query)


@dataclass(frozen=True)
class Limits:
    """What all runs of a day may use."""

    budget_usd: float
    max_runs: int
    max_same: int


def is_about(asked: Asked, question: Query) -> bool:
    """Whether it is this very question that was given, though less or more may be asked by now."""
    given = (asked.mission, asked.sender, asked.since)
    return given == (question.mission, question.sender, question.since)


def given(question: Query, asked: Iterable[Asked]) -> Asked | None:
    """What became of the question when it was given last; ``None`` if it never was."""
    found = [one for one in asked if is_about(one, question)]
    return max(found, key=lambda one: one.at, default=None)


def is_new(question: Query, asked: Iterable[Asked], *, now: float) -> bool:
    """Whether it may be given: for the first time, or because more is asked now, or its run could not begin."""
    last = given(question, asked)
    if last is None or set(question.reasons) - set(last.reasons):
        return True
    return last.state == "left" and last.again_at is not None and last.again_at <= now


def obstacle(question: Query, asked: Sequence[Asked], limits: Limits, *, now: float) -> str:
    """Why it is not given though it may be: a limit is reached; empty if none is."""
    lately = [one for one in asked if one.at > now - DAY]
    spent = _spent(lately)
    if spent >= limits.budget_usd:
        return f"its runs of 24 hours cost ${spent:.2f}, and may cost ${limits.budget_usd:.2f} (`conductor.budget_usd`)"
    if len(lately) >= limits.max_runs:
        return f"it had {limits.max_runs} questions in 24 hours, the most it may have (`conductor.max_runs`)"
    alike = [one for one in lately if _topic(one) == _topic(question)]
    if len(alike) >= limits.max_same:
        return f"it had {limits.max_same} questions of this kind in 24 hours already (`conductor.max_same`)"
    return ""


def left_usd(asked: Iterable[Asked], limits: Limits, *, now: float) -> float:
    """What a run may cost that begins now, in US dollars: what the others of the day have left."""
    return max(0.0, limits.budget_usd - _spent(one for one in asked if one.at > now - DAY))


def _spent(asked: Iterable[Asked]) -> float:
    return sum(one.cost_usd for one in asked)


def capped(report: Report, cost: float | None, most: float) -> Report:
    """The report of a run that cost ``cost`` and could cost ``most``: by its own limit it has had its one chance.

    A CLI that ends itself there calls that a usage limit. It is none of the CLI's: agents have it as before.
    """
    if report.outcome is not Outcome.USAGE_LIMIT or cost is None or cost < most:
        return report
    said = f"it cost ${cost:.2f}, all that was left of `conductor.budget_usd`"
    return report.evolve(outcome=Outcome.FAILED, summary="; ".join(filter(None, (said, report.summary))), retry_at=None)


def earlier(asked: Asked, known: Iterable[Asked]) -> list[Asked]:
    """What it decided before in questions of this kind, the oldest first."""
    found = [one for one in known if one.run != asked.run and one.state != "asked" and _topic(one) == _topic(asked)]
    return sorted(found, key=lambda one: one.at)


def _topic(question: Query) -> tuple[str, str]:
    return (question.sender, question.mission if question.sender == "dispatcher" else "")


def choose(
    questions: Iterable[Q],
    asked: Sequence[Asked],
    limits: Limits,
    *,
    now: float,
    fits: Callable[[Q], bool] = lambda _question: True,
) -> Q | None:
    """The question that is given now: the oldest that may be, and that ``fits``; ``None`` while one is under way."""
    if any(one.state == "asked" for one in asked):
        return None
    for question in sorted(questions, key=lambda one: one.since):
        if is_new(question, asked, now=now) and not obstacle(question, asked, limits, now=now) and fits(question):
            return question
    return None


def is_for_people(mission: Mission, items: Iterable[Item]) -> bool:
    """Whether nothing that a mission asks can be answered without a person: money, an approval, a login, the base."""
    if mission.state is MissionState.PAUSED:
        return True
    asking = [item for item in items if escalation.asks_for_person(item, mission)]
    return bool(asking) and all(
        item.state is not ItemState.FAILED and item.waiting is not None and item.waiting.reason in _A_PERSONS
        for item in asking
    )


def concluded(asked: Asked, report: Report | None, *, still_open: bool, now: float) -> Asked:
    """The record after the run has ended; ``report`` is that of its last attempt, if there was one."""
    said = line(report.summary) if report is not None else "it was ended"
    if not still_open:
        return asked.evolve(state="answered", why=said, ended_at=now)
    again = None
    if report is not None and report.outcome in _NOT_BEGUN and not asked.acted:
        again = max(report.retry_at or 0.0, now + PAUSE)
    return asked.evolve(state="left", why=said or "it said nothing", ended_at=now, again_at=again)


def refusal(text: str, *, remark: bool, tasks: Callable[[], Collection[str]]) -> str:
    """Why it may not note this on a mission; empty if it may. ``tasks`` gives the ids of the mission's tasks.

    What it may do can be undone by a person, and lifts nothing that a person decided.

    Raises:
        ConfigurationError: the note is none.
    """
    try:
        directive = directives.parse(text, remark=remark)
    except ConfigurationError:
        directive = directives.parse(text, remark=remark, tasks=tasks())
    match directive:
        case directives.Resume():
            return "whoever paused a mission resumes it, and a person raises a budget"
        case _:
            return ""
