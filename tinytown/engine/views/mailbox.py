"""Mailboxes as people see them; a look changes nothing.

What is *pending* in an agent's mailbox waits for a brief that the agent finishes. The conductor has no briefs: in its
mailbox a question is open until it is answered, and whatever else came is pending until somebody marks it as read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tinytown.engine.conductor import names, questions
from tinytown.engine.conductor.messages import KINDS
from tinytown.engine.conductor.questions import TOWN, Question
from tinytown.engine.context import Context
from tinytown.engine.operate import unattended
from tinytown.engine.operate.present import agent_view, agent_views
from tinytown.engine.plan.by_message import Sent
from tinytown.missions import delivery
from tinytown.missions.records.agent import Message
from tinytown.missions.states import AgentState
from tinytown.state.mail import CONDUCTOR, seen_by


@dataclass(frozen=True)
class Shown:
    """A message, and how it stands."""

    message: Message
    #: Its agent has not got it yet; in the conductor's mailbox: nobody has marked it as read, nor has it been answered.
    pending: bool
    #: It asks the conductor something that nobody has answered.
    open: bool = False
    #: It asked something that is answered or past.
    settled: bool = False


@dataclass(frozen=True)
class Mailbox:
    """What somebody who looks into a mailbox is shown."""

    name: str
    #: Urgent ones first; with the whole history in the order in which they came.
    messages: Sequence[Shown]
    #: What waits for the conductor's answer, in words.
    asked: Sequence[Question]
    #: How many are pending, by kind; what is asked counts once, however often it was said.
    counts: Mapping[str, int]
    #: Place of the newest message of the conductor's mailbox, up to which it can be marked as read.
    last: str = ""


def mailbox(context: Context, name: str, *, history: bool = False) -> Mailbox:
    """Look into a mailbox; with ``history`` at all that it still holds, and not only at what is pending.

    Raises:
        NotFoundError: nobody has this name.
    """
    name = names.recipient(context, name, read_only=True)
    return _conductors(context, history=history) if name == CONDUCTOR else _agents(context, name, history=history)


def _agents(context: Context, name: str, *, history: bool) -> Mailbox:
    pending = context.mail.pending(name)
    waiting = {message.id for message in pending}
    counts = _counted(pending)
    if not history:
        return Mailbox(name, [Shown(message, pending=True) for message in sorted(pending, key=_order)], (), counts)
    # What is pending may have left the mailbox itself, which keeps only the newest.
    kept = context.mail.read(name)
    lost = waiting - {message.id for message in kept}
    every = [*(message for message in pending if message.id in lost), *kept]
    return Mailbox(name, [Shown(message, pending=message.id in waiting) for message in every], (), counts)


def _conductors(context: Context, *, history: bool) -> Mailbox:
    kept = context.mail.read(CONDUCTOR)
    seen = context.mail.seen(CONDUCTOR)
    asked = unattended.with_notes(context, questions.open_questions(context, messages=kept))
    crew, live = context.crew.agents(), set(context.store.mission_ids(live=True))
    every, asking = [], questions.asked_by(kept, asked)
    for message in kept:
        is_open = message.id in asking
        settled = not is_open and questions.asks(message, crew)
        # What an agent asked, and nobody answered before its mission ended, is still news.
        over = settled and (message.sender == TOWN or not message.mission or message.mission in live)
        every.append(Shown(message, not (over or seen_by(seen, message)), is_open, settled))
    new = [one for one in every if one.pending and not one.open]
    counts = _counted([one.message for one in new])
    counts["query"] += len(asked)
    if not history:
        every = sorted((one for one in every if one.open or one.pending), key=lambda one: _order(one.message))
    return Mailbox(CONDUCTOR, every, asked, counts, kept[-1].place if kept else "")


def _counted(messages: Sequence[Message]) -> dict[str, int]:
    """How many are of each kind, those too of which there are none."""
    kinds: Counter[str] = Counter(message.kind for message in messages)
    return {kind: kinds[kind] for kind in KINDS}


def _order(message: Message) -> tuple[bool, int, float]:
    return (not message.urgent, KINDS.index(message.kind), message.at)


def outlook(context: Context, sent: Sent) -> str:
    """What becomes of a message that was just sent, in a sentence without a full stop."""
    message = sent.message
    if message.to == CONDUCTOR:
        return "`tt inbox` shows it"
    agent = agent_view(context, message.to)
    item = context.store.item(sent.task.mission.id, sent.task.item.key).record if sent.task is not None else None
    return delivery.outlook(message, item, state=AgentState(agent.state), returns=agent.returns)


@dataclass(frozen=True)
class Waiting:
    """What waits in a mailbox, among those of all."""

    name: str
    #: ``Nickname [role]`` of an agent, and its state; empty for the conductor.
    label: str
    state: str
    counts: Mapping[str, int]
    messages: Sequence[Shown]


def overview(context: Context, *, most: int | None = None) -> list[Waiting]:
    """What is pending of every agent and of the conductor; those for whom nothing is are left out.

    ``most``: so many messages of each at most.
    """
    agents = {view.name: view for view in agent_views(context) if any(view.pending.values())}
    found = [
        Waiting(name, agents[name].label, agents[name].state, agents[name].pending, [Shown(one, True) for one in first])
        for name, first in context.mail.first_pending(list(agents), most).items()
    ]
    box = _conductors(context, history=False)
    if any(box.counts.values()):
        found.append(Waiting(CONDUCTOR, "", "", box.counts, box.messages[:most]))
    return found


def waiting_json(one: Waiting) -> dict[str, Any]:
    """Stable keys for scripts."""
    return {
        "name": one.name,
        "label": one.label,
        "state": one.state,
        "counts": dict(one.counts),
        "messages": [shown_json(message) for message in one.messages],
    }


def mailbox_json(box: Mailbox) -> dict[str, Any]:
    """Stable keys for scripts."""
    return {
        "name": box.name,
        "counts": dict(box.counts),
        "questions": [question_json(question) for question in box.asked],
        "messages": [shown_json(one) for one in box.messages],
        "last": box.last,
    }


def shown_json(one: Shown) -> dict[str, Any]:
    """Stable keys for scripts."""
    how = {"pending": one.pending, "open": one.open, "settled": one.settled}
    return one.message.model_dump(mode="json", exclude={"place"}) | how


def question_json(question: Question) -> dict[str, Any]:
    """Stable keys for scripts."""
    return {**asdict(question), "reasons": list(question.reasons)}
