"""Messages that make agents work: ``tt send``.

A message or a query to an agent is in its mailbox and in an item that has it answered, both in one commit: it joins the
item that waits for that agent already, or begins one beside the tasks that are given by hand. The rules are in
``missions.messages``; what the senders are told at the end, ``engine.answers`` adds to the commit that ends the item.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tinytown import keys
from tinytown.engine.commit import commit
from tinytown.engine.conductor import messages as mail
from tinytown.engine.conductor import names
from tinytown.engine.context import Context, event
from tinytown.engine.dispatch.advance import advance
from tinytown.engine.dispatch.reconcile import reconcile
from tinytown.engine.plan import by_hand, tasks
from tinytown.engine.plan.by_hand import HAND, Given
from tinytown.errors import ConfigurationError
from tinytown.missions import messages
from tinytown.missions.messages import CONDUCTOR
from tinytown.missions.records.agent import Message
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState
from tinytown.state import tasks as task_records
from tinytown.state.change import Change


@dataclass(frozen=True)
class Run:
    """The run of an agent that writes."""

    agent: str
    mission: str
    #: How many messages of agents led to its item.
    depth: int
    #: What it has read so far, in its brief or its mailbox, in this order.
    read: Sequence[Message] = ()


@dataclass(frozen=True)
class Letter:
    """What is to be sent."""

    to: str
    text: str
    kind: str = "message"
    urgent: bool = False
    #: In whose name a person writes; an agent writes in its own.
    sender: str = names.OPERATOR
    #: The mission that it is about, if any.
    mission: str = ""
    #: Set if an agent writes.
    run: Run | None = None


@dataclass(frozen=True)
class Sent:
    """A message on record, and the item that has it answered, if it costs a run."""

    message: Message
    task: Given | None = None


def send(context: Context, letter: Letter) -> Sent:
    """Send a message; an agent that is idle begins with it at once.

    Raises:
        NotFoundError: nobody has this name.
        ConfigurationError: the text is empty or too long, its kind is none, or an agent writes to itself.
        StateError: no mission can be begun, because of the repository.
    """
    to = names.recipient(context, letter.to)
    mail.check(letter.text, letter.kind)
    if letter.run is not None and to == letter.run.agent:
        raise ConfigurationError("that is your own mailbox", remedy="write to another agent, or to `conductor`")
    id_ = context.mail.next_id()
    moved: set[str] = set()

    def decide(change: Change) -> Sent:
        change.once()
        moved.clear()
        message = _message(context, letter, to, id_)
        if letter.run is not None and message.kind != "ack":
            moved.update(_answer(context, change, letter.run, to))
        task = None
        if messages.asks(message) and to != CONDUCTOR:
            task = _give(context, change, message)
            message = message.evolve(task=task.item.typed)
        mail.deliver(change, message)
        return Sent(message, task)

    sent = commit(context, decide)
    # It may be a question, or the answer to one.
    context.send_questions()
    if sent.task is not None and messages.is_held(sent.task.item):
        moved.add(sent.task.mission.id)
    elif sent.task is not None and sent.task.item.attempt is None:
        if sent.task.item.typed == id_:
            context.rejoin(sent.task.mission.id)
        advance(context, sent.task.mission.id)
    for mission in moved:
        reconcile(context, mission)
    return sent


def _message(context: Context, letter: Letter, to: str, id_: str) -> Message:
    run, now = letter.run, context.store.now()
    answered = [one for one in run.read if messages.reads(one.sender, to)] if run is not None else []
    last = answered[-1] if answered else None
    words = {"at": now, "to": to, "kind": letter.kind, "text": letter.text, "urgent": letter.urgent, "id": id_}
    if run is not None:
        words |= {"sender": run.agent, "mission": run.mission, "depth": run.depth + 1}
    else:
        words |= {"sender": letter.sender, "mission": letter.mission}
    words |= {"thread": (last.thread or last.id) if last else id_, "reply_to": last.id if last else ""}
    return Message.model_validate(words)


def _answer(context: Context, change: Change, run: Run, to: str) -> set[str]:
    """Whoever wrote to the agent has an answer by this; gives the missions of items that are done with it."""
    by_task: dict[str, set[str]] = {}
    for message in run.read:
        if message.task and messages.reads(message.sender, to):
            by_task.setdefault(message.task, set()).add(message.id)
    ended: set[str] = set()
    for task, ids in by_task.items():
        mission = task_records.mission_of(context.store, task)
        if mission is None:
            continue
        seen = context.store.mission_items(mission, [keys.task_key(task, plan=HAND)])
        for old in seen.items.values():
            new = messages.answer(old.record, ids, now=seen.now)
            if new is None or old.record.directed_to != run.agent:
                continue
            change.put_item(seen.mission.record, old, new)
            if new.state is ItemState.DONE:
                change.event(event("item_answered", at=seen.now, mission=mission, item=new.key, agent=run.agent))
                ended.add(mission)
    return ended


def _give(context: Context, change: Change, message: Message) -> Given:
    """Have it answered: in the item that waits for its agent already, or in a new one."""
    why = _too_many(context, change, message)
    # Messages that a person has to let go on hold up no others.
    slot = f"{message.to}/held" if why else message.to
    before = context.mail.open_item(slot)
    if before and (given := _join(context, change, before, message, held=bool(why))) is not None:
        return given

    def make(mission: str, _: Collection[str]) -> list[tuple[Item, Issue]]:
        item, issue = _made(context, message, mission)
        return [(messages.hold(item, why, now=message.at) if why else item, issue)]

    [given] = by_hand.put(context, change, make)
    change.event(event("task_assigned", at=message.at, mission=given.mission.id, item=given.item.key, to=message.to))
    change.answer_in(slot, given.mission.id, given.item.key, before=before)
    return given


def _too_many(context: Context, change: Change, message: Message) -> str:
    if not message.depth:
        return ""
    limits = context.town.settings.messages
    version, lately = context.mail.sent_lately(message.sender, message.to)
    most = limits.max_per_hour
    times = messages.counted(lately, message.at, max_per_hour=most)
    change.note_sent(message.sender, message.to, times, version=version)
    return messages.too_many(message, lately, max_depth=limits.max_depth, max_per_hour=most)


def _join(context: Context, change: Change, where: str, message: Message, *, held: bool) -> Given | None:
    mission, _, key = where.partition(" ")
    seen = context.store.mission_items(mission, [key])
    issue = context.store.issues(mission, [key]).get(key)
    if key not in seen.items or issue is None or seen.mission.record.state.ended:
        return None
    old = seen.items[key]
    waiting = {one.id for one in old.record.messages}
    texts = [one for one in issue.messages if one.id in waiting]
    if message.id in waiting:
        # It was sent, though nobody heard so.
        return Given(seen.mission.record, old.record)
    if not messages.takes(old.record, message, texts, held=held):
        return None
    new = messages.joined(old.record, message)
    change.put_item(seen.mission.record, old, new)
    change.put_issue(mission, issue.evolve(messages=(*texts, message.evolve(task=new.typed))))
    return Given(seen.mission.record, new)


def _made(context: Context, message: Message, mission: str) -> tuple[Item, Issue]:
    key = keys.task_key(message.id, plan=HAND)
    message = message.evolve(task=keys.typed(key))
    issue = Issue(
        key=key,
        title=messages.title_of(message),
        body=message.text,
        labels=(messages.LABEL,),
        messages=(message,),
    )
    role, named, _ = tasks.crew_of(context).place(issue, message.to)
    item = Item(
        key=key,
        title=issue.title,
        labels=issue.labels,
        role=role,
        role_named=named,
        directed_to=message.to,
        kind=messages.LABEL,
        state=ItemState.READY,
        ready_at=message.at,
        branch=keys.branch_name(mission, key),
    )
    return messages.joined(item, message), issue
