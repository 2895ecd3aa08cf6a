"""Agents, their mail, and the events of history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tinytown.missions.records.record import Record
from tinytown.missions.states import AgentState


class Agent(Record):
    """A spawned worker as its town knows it."""

    name: str
    role: str
    cli: str
    nickname: str = ""
    #: What it shall do, and what became of it; whether it is there and at work is told from liveness and attempts.
    state: AgentState = AgentState.STARTING
    #: Since when, and why.
    since: float = 0.0
    why: str = ""
    #: Its worker says so: it takes nothing, and its run is suspended.
    still: bool = False
    #: Cold, or starting again: it comes back by itself when there is work for it.
    returns: bool = False
    #: The agent that it was spawned for.
    parent: str = ""
    #: It stops after so many runs; 0 for no limit.
    max_rounds: int = 0
    #: The folder in which its CLI was found when it was spawned; empty where that does not matter.
    cli_folder: str = ""
    host: str = ""
    #: The process that serves it, among those of the town.
    worker: str = ""
    spawned_at: float
    #: Queues it consumes.
    queues: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What people call it: ``Nickname [role]``."""
        return f"{self.nickname or self.name} [{self.role}]"


class Event(Record):
    """One line of a mission's history: fixed words plus fields."""

    at: float
    #: A fixed word, e.g. ``item_ready``.
    kind: str
    mission: str = ""
    item: str = ""
    #: Further fields by name.
    data: dict[str, Any] = {}

    def with_data(self, more: Mapping[str, Any]) -> Event:
        """The same with further fields."""
        return self.evolve(data={**self.data, **more})


class MessageHead(Record):
    """A message without its text, in the item that has it answered."""

    id: str
    sender: str
    kind: Literal["message", "query", "info", "ack"] = "message"
    thread: str = ""


class Message(Record):
    """A message in a mailbox."""

    #: Its own name in the town, e.g. ``m17``; of one that has none, its place.
    id: str = ""
    #: Where it stands in its mailbox.
    place: str = ""
    at: float
    sender: str
    to: str
    kind: Literal["message", "query", "info", "ack"] = "message"
    text: str
    urgent: bool = False
    mission: str = ""
    #: The first message of the exchange that it belongs to.
    thread: str = ""
    #: The message that it answers.
    reply_to: str = ""
    #: How many messages of agents led to it, itself included; 0 for a person's and for the town's own.
    depth: int = 0
    #: Id of the task that has it answered; empty where it costs no run.
    task: str = ""
