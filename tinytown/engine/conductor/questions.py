"""What waits for a person's answer: missions that ask for help, and questions of agents to the conductor.

Reading a question does not close it. A mission's is open until its reason is gone or a person acted; an agent's until
a person writes to that agent, or its mission ends.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinytown.engine.allowance import caps_of
from tinytown.engine.conductor.limits import sentence
from tinytown.engine.context import Context
from tinytown.errors import TinytownError, UnreachableError
from tinytown.missions import budget, escalation
from tinytown.missions import spending as rules
from tinytown.missions.records.agent import Message
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState
from tinytown.state import spending
from tinytown.state.mail import CONDUCTOR

#: Sender of the town's own messages.
TOWN = "dispatcher"
#: Beginning of the line of a question that says how to answer it.
ANSWER = "Answer with "

#: The command that a reason itself names, where a note would not help.
_OWN_ANSWER = re.compile(r"`(tt mission (?:approve|merge) [^`]+)`")


@dataclass(frozen=True)
class Question:
    """Something that is asked and not answered."""

    #: Id of the mission it is about; empty where it is about none.
    mission: str
    #: ``dispatcher``, or the agent that asked.
    sender: str
    #: When it was asked first.
    since: float
    #: How often.
    asked: int
    #: What is wrong or wanted, a sentence each.
    reasons: tuple[str, ...]
    #: The command that answers.
    answer: str
    #: What the unattended conductor did or does about it; empty while that is off.
    unattended: str = ""


def of_mission(mission: Mission) -> Question | None:
    """What a mission asks."""
    asked = mission.help
    if asked is None or mission.state.ended:
        return None
    return Question(mission.id, TOWN, asked.since, asked.asked, asked.reasons, answer_to(mission, asked.reasons))


def answer_to(mission: Mission, reasons: Sequence[str]) -> str:
    """The command that answers a mission which asks for these reasons; where only one item is meant it names that."""
    if mission.state is MissionState.PAUSED and mission.reason.startswith("budget"):
        return budget.command(mission)
    items = escalation.items_of(reasons)
    if len(reasons) == 1 and (named := _own_answer(reasons[0], mission, items)):
        return named
    item = items[0] if len(items) == 1 else "ITEM"
    retry = "all" if len(items) > 1 else item
    return f'tt mission note {mission.short} "resume|retry {retry}|redirect {item} to AGENT|pause|cancel {item}"'


def _own_answer(reason: str, mission: Mission, items: Sequence[str]) -> str:
    """The command in a reason, if it is about this very item."""
    names = {mission.short, *items, *(item.rpartition("#")[2] for item in items)}
    for command in _OWN_ANSWER.findall(reason):
        if set(str(command).split(" ")[3:5]) <= names:
            return str(command)
    return ""


def of_agents(context: Context, messages: Iterable[Message], live: Mapping[str, Mission]) -> list[Question]:
    """The open questions among these messages of agents in the conductor's mailbox."""
    asked = [m for m in messages if m.kind == "query" and m.sender not in (TOWN, CONDUCTOR)]
    if not asked:
        return []
    agents = context.crew.agents()
    by: dict[str, list[Message]] = {}
    for message in asked:
        by.setdefault(message.sender, []).append(message)
    found = []
    for sender in (one for one in by if one in agents):
        answers = [
            a.at
            for a in context.mail.read(sender)
            if a.sender == CONDUCTOR or a.sender not in agents or a.kind == "ack"
        ]
        last = max(answers, default=0.0)
        found += [
            Question(m.mission, sender, m.at, 1, (m.text,), f'tt send {sender} "…"')
            for m in by[sender]
            if m.at > last and (not m.mission or m.mission in live)
        ]
    return found


def open_questions(context: Context, *, messages: Sequence[Message] | None = None) -> list[Question]:
    """All open questions, the oldest first. ``messages``: the conductor's mailbox, if it was read already."""
    live = _live(context)
    found = [q for q in map(of_mission, live.values()) if q is not None]
    found += of_limits(context)
    found += of_agents(context, context.mail.read(CONDUCTOR) if messages is None else messages, live)
    return sorted(found, key=lambda q: q.since)


def of_limits(context: Context) -> list[Question]:
    """What is asked about a limit of the day, as long as that is used up."""
    caps = caps_of(context.town.settings)
    day, _ = spending.today(context.store)
    today = day.caps(caps)
    said = rules.reached(day, today)
    if not said or not day.asked_at:
        return []
    return [Question("", TOWN, day.asked_at, 1, (sentence(said),), rules.answer(today, day))]


def _live(context: Context) -> dict[str, Mission]:
    """The missions that have not ended, by id; one that cannot be read is for `tt doctor`, and hides no other."""
    found = {}
    for id_ in context.store.mission_ids(live=True):
        try:
            found[id_] = context.store.mission(id_).record
        except UnreachableError:
            raise
        except TinytownError:
            continue
    return found


def asks(message: Message, agents: Collection[str]) -> bool:
    """Whether a message in the conductor's mailbox asked something: what the town or one of its ``agents`` asks."""
    return message.kind == "query" and (message.sender == TOWN or message.sender in agents)


def is_settled(message: Message, questions: Iterable[Question], agents: Collection[str]) -> bool:
    """Whether a message in the conductor's mailbox asked something that is not open any more, so not in ``questions``.

    What it was about is settled, somebody acted or answered, or its mission ended.
    """
    return asks(message, agents) and not asked_by([message], questions)


def is_asked_by(message: Message, questions: Iterable[Question]) -> bool:
    """Whether a message of the conductor's mailbox asks one of these."""
    return bool(asked_by([message], questions))


def asked_by(messages: Iterable[Message], questions: Iterable[Question]) -> set[str]:
    """Ids of those messages of the conductor's mailbox that ask one of these."""
    questions = list(questions)
    missions = {one.mission: one.since for one in questions if one.sender == TOWN}
    agents = {(one.sender, one.since) for one in questions if one.sender != TOWN}
    return {
        message.id
        for message in messages
        if message.kind == "query"
        and (
            message.at >= missions.get(message.mission, math.inf)
            if message.sender == TOWN
            else (message.sender, message.at) in agents
        )
    }
