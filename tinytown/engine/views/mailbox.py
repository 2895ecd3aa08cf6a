"""A mailbox as people see it: its messages, and which questions in it are still open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tinytown.engine.conductor import messages, questions
from tinytown.engine.conductor.questions import Question
from tinytown.engine.context import Context
from tinytown.missions.records.agent import Message
from tinytown.state.mail import CONDUCTOR, seen_by


@dataclass(frozen=True)
class Mailbox:
    """What somebody who opens a mailbox is shown."""

    name: str
    #: Messages that are new, or all of them if that was asked.
    new: Sequence[Message]
    #: Those, too, that were read and still wait for an answer.
    shown: Sequence[Message]
    #: What waits for an answer, in words.
    asked: Sequence[Question]
    #: Ids of messages that wait for an answer, and of those that are answered or past.
    open: Collection[str]
    settled: Collection[str]
    #: The newest message; empty if there is none.
    last: str


def mailbox(context: Context, name: str, *, everything: bool) -> Mailbox:
    """Open a mailbox; marks nothing as read.

    Raises:
        NotFoundError: nobody has this name.
    """
    name = messages.mailbox_of(context, name, read_only=True)
    seen = context.mail.seen(name)
    kept = context.mail.read(name)
    new = [m for m in kept if everything or not seen_by(seen, m)]
    asked = questions.open_questions(context, messages=kept) if name == CONDUCTOR else []
    open_ids = {m.id for m in kept if questions.is_asked_by(m, asked)}
    crew = context.crew.agents() if name == CONDUCTOR else {}
    settled = {m.id for m in kept if name == CONDUCTOR and questions.is_settled(m, asked, crew)}
    shown = [m for m in kept if m in new or m.id in open_ids]
    return Mailbox(name, new, shown, asked, open_ids, settled, kept[-1].id if kept else "")


def mailbox_json(box: Mailbox) -> list[dict[str, Any]]:
    """Stable keys for scripts."""
    return [m.model_dump(mode="json") | {"open": m.id in box.open, "settled": m.id in box.settled} for m in box.shown]


def question_json(question: Question) -> dict[str, Any]:
    """Stable keys for scripts."""
    return {**asdict(question), "reasons": list(question.reasons)}
