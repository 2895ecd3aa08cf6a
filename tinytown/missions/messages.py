"""Messages that make agents work: which item takes one, when it has to wait for a person, and what is answered.

A message or a query to an agent becomes an item, directed to that agent, or joins one that has not begun: what waits
for the same agent is one run. What an item answers is fixed when its attempt is claimed, so a message is in one
finished brief: that with which its item ends. What is only said (``info``, ``ack``) costs no run and waits for the
agent's next brief, whatever that is about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from tinytown.missions import lifecycle, pauses
from tinytown.missions.fences import in_bytes, line
from tinytown.missions.records.agent import Message, MessageHead
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, WaitReason

#: The mailbox that people read, and the conductor in their place: questions and requests for help go there.
CONDUCTOR = "conductor"
#: Kinds that cost a run.
ASKING = frozenset({"message", "query"})
#: Kinds that cost none.
TOLD = frozenset({"info", "ack"})
#: Messages that one run answers at the most, and their bytes together: its brief must hold all of them in full.
MOST = 20
MOST_BYTES = 48_000
#: Messages that wait for an agent among which those are chosen that it is told besides, and the bytes of these.
MOST_WAITING = 200
MOST_TOLD_BYTES = 16_000
#: Earlier messages of the same exchanges that a brief holds at the most.
MOST_EARLIER = 10
#: What briefs say of how to write to others.
MANUAL = (
    '- `tt send NAME "…"` writes to another agent or to `conductor`: a message or a `--query` has the agent answer,',
    "  `--info` only tells it. `tt inbox` shows what came for you since you began.",
)
#: Senders who are people, or the conductor in their place: they read one mailbox.
PEOPLE = frozenset({"operator", CONDUCTOR, "supervisor"})
#: Priorities of items that answer messages: before any other work of the agent, urgent ones first.
PRIORITY = 1 << 20
URGENT = 1 << 21
#: The label of such items.
LABEL = "message"
#: Characters of a title.
_TITLE = 80
#: Characters of an answer.
_ANSWER = 8_000
#: Seconds for which messages between two agents are counted.
HOUR = 3600.0


def told_conductor(
    text: str, *, at: float, mission: str, kind: Literal["query", "info"] = "info", urgent: bool = False
) -> Message:
    """A message from the town itself about a mission; a ``query`` wants an answer."""
    return Message(at=at, sender="dispatcher", to=CONDUCTOR, kind=kind, urgent=urgent, mission=mission, text=text)


def pending_field(message: Message | MessageHead) -> str:
    """What a message is called that its agent has not got yet; it begins with the kind, so that they can be counted."""
    return f"{message.kind} {message.id}"


def asks(message: Message) -> bool:
    """Whether an agent is to be run for it."""
    return message.kind in ASKING


def title_of(message: Message) -> str:
    """What an item is called that begins with this message."""
    words = " ".join(message.text.split())
    shown = words if len(words) <= _TITLE else f"{words[: _TITLE - 1]}…"
    return f"{message.sender}: {shown}"


def takes(item: Item, message: Message, texts: Sequence[Message], *, held: bool) -> bool:
    """Whether a message joins an item, which has these ``texts``; ``held``: it has to wait for a person.

    One whose attempt was claimed, or that waits for a person for another reason, takes none.
    """
    if not item.messages or item.directed_to != message.to or len(texts) >= MOST:
        return False
    if sum(in_bytes(one.text) for one in (*texts, message)) > MOST_BYTES:
        return False
    unclaimed = item.attempt is None or not item.attempt.claimed
    if item.state not in (ItemState.READY, ItemState.ASSIGNED) or not unclaimed:
        return False
    return is_held(item) == held and (held or not _needs_help(item))


def joined(item: Item, message: Message) -> Item:
    """An item that takes this message, too."""
    return item.evolve(
        messages=(*item.messages, head(message)),
        depth=max(item.depth, message.depth),
        priority=max(item.priority, URGENT if message.urgent else PRIORITY),
    )


def head(message: Message) -> MessageHead:
    """What an item keeps of a message."""
    return MessageHead(id=message.id, sender=message.sender, kind=message.kind, thread=message.thread)


def hold(item: Item, why: str, *, now: float) -> Item:
    """The item waits until a person lets it go on."""
    words = f"{_HELD}{why}; `tt task retry {item.typed}` lets it go on, `tt task cancel {item.typed}` ends it"
    return pauses.wait(item, WaitReason.NEEDS_HELP, now=now, remedy=words)


#: How the reason of an item begins that is held back.
_HELD = "its agents write to each other again and again: "


def is_held(item: Item) -> bool:
    """Whether it waits for a person because its agents wrote to each other too often."""
    return _needs_help(item) and item.waiting is not None and item.waiting.remedy.startswith(_HELD)


def _needs_help(item: Item) -> bool:
    return item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP


def too_many(message: Message, lately: Sequence[float], *, max_depth: int, max_per_hour: int) -> str:
    """Why a message of an agent has to wait for a person; empty if it has not. 0 means no limit.

    ``lately`` is when the last messages between the two were sent.
    """
    if max_depth and message.depth > max_depth:
        return f"a chain of more than {max_depth} messages led to this one (`messages.max_depth`)"
    recent = [at for at in lately if at > message.at - HOUR]
    if max_per_hour and len(recent) >= max_per_hour:
        return (
            f"{message.sender} wrote more than {max_per_hour} times to {message.to} within an hour "
            "(`messages.max_per_hour`)"
        )
    return ""


def counted(lately: Sequence[float], at: float, *, max_per_hour: int) -> tuple[float, ...]:
    """When the last messages between two agents were sent, with one more: as many as matter."""
    recent = [one for one in lately if one > at - HOUR]
    return tuple([*recent, at][-max(max_per_hour, 1) :])


def read_by(messages: Iterable[MessageHead | Message], to: str) -> tuple[str, ...]:
    """Ids of those of these messages that somebody who reads the mailbox ``to`` has sent."""
    return tuple(one.id for one in messages if reads(one.sender, to))


def reads(sender: str, to: str) -> bool:
    """Whether what is sent ``to`` somebody reaches ``sender``."""
    return sender == to or {sender, to} <= PEOPLE


def box_of(sender: str) -> str:
    """The mailbox that a sender reads."""
    return CONDUCTOR if sender in PEOPLE else sender


def earlier(asked: Sequence[Message], seen: Iterable[Message]) -> list[Message]:
    """What was said before in the exchanges that ``asked`` belong to, the oldest first, as far as it was ``seen``."""
    threads, known = {one.thread for one in asked if one.thread}, {one.id for one in asked}
    last = max((one.at for one in asked), default=0.0)
    found = {one.id: one for one in seen if one.thread in threads and one.id not in known and one.at <= last}
    return sorted(found.values(), key=lambda one: one.at)[-MOST_EARLIER:]


def heading(message: Message) -> str:
    """What a brief says before the text of a message."""
    urgent = "urgent " if message.urgent else ""
    kind = "" if message.kind == "message" else f" ({message.kind})"
    answers = f", in answer to {message.reply_to}" if message.reply_to else ""
    return line(f"{urgent}message {message.id} from {message.sender}{kind}{answers}").capitalize()


def told(pending: Iterable[Message]) -> list[Message]:
    """Those of what waits for an agent that ask for no answer, as many as one brief has room for in full."""
    found: list[Message] = []
    room = MOST_TOLD_BYTES
    for one in pending:
        if asks(one):
            continue
        room -= in_bytes(one.text)
        if len(found) == MOST or (found and room < 0):
            break  # What comes first is told first.
        found.append(one)
    return found


def answer(item: Item, ids: Collection[str], *, now: float) -> Item | None:
    """The agent has written to those who sent these messages, after it had read them; ``None`` changes nothing.

    While the item is at work that is noted. Where it has not begun it needs no run for them, and is done if nothing is
    left.
    """
    mine = tuple(one.id for one in item.messages if one.id in ids and one.id not in item.answered)
    if not mine or item.state.ended:
        return None
    if item.state not in (ItemState.READY, ItemState.ASSIGNED) or (item.attempt is not None and item.attempt.claimed):
        return item.evolve(answered=(*item.answered, *mine))
    left = tuple(one for one in item.messages if one.id not in mine)
    if left:
        return item.evolve(messages=left)
    back = lifecycle.take_back(item)
    return back.evolve(state=ItemState.DONE, answered=mine, waiting=None, not_before=None, settled_at=now)


def answers(item: Item, result: str, *, mission: str, at: float) -> tuple[Message, ...]:
    """What the senders of an item's messages are told at its end, without ids: its answer, or why there is none.

    An agent that was written to while the messages were at work has its answer; people get the result besides.
    """
    agent = item.agent or item.directed_to or "the agent"
    last: dict[str, MessageHead] = {}
    for one in item.messages:
        last[box_of(one.sender)] = one
    found = []
    for to, one in last.items():
        if item.state is ItemState.DONE:
            if one.id in item.answered and (to != CONDUCTOR or not result.strip()):
                continue
            text = result.strip() or f"{agent} read your message and said nothing."
        else:
            text = _no_answer(item, agent, result)
        if len(text) > _ANSWER:
            text = f"{text[:_ANSWER]}\n[… the rest: `tt task show {item.typed}`]"
        found.append(
            Message(
                at=at, sender=agent, to=to, kind="info", text=text, mission=mission, thread=one.thread, reply_to=one.id
            )
        )
    return tuple(found)


def _no_answer(item: Item, agent: str, result: str) -> str:
    if item.state is ItemState.CANCELLED:
        return f"{agent} does not answer your message: {item.typed} was cancelled."
    why = result.strip() or (item.waiting.remedy if item.waiting is not None else "")
    return f"{agent} could not answer your message: {item.typed} failed" + (f": {why}" if why else ".")
