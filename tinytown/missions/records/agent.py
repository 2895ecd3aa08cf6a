"""Agents, their mail, and the events of history."""

from __future__ import annotations

from typing import Any, Literal

from tinytown.missions.records.record import Record
from tinytown.missions.states import AgentState


class Agent(Record):
    """A spawned worker as its town knows it."""

    name: str
    role: str
    cli: str
    nickname: str = ""
    #: What the operator asked for; the present state is told from liveness and attempts.
    state: AgentState = AgentState.STARTING
    host: str = ""
    #: The process that serves it, among those of the town.
    worker: str = ""
    spawned_at: float
    #: Queues it consumes.
    queues: tuple[str, ...] = ()


class Event(Record):
    """One line of a mission's history: fixed words plus fields."""

    at: float
    #: A fixed word, e.g. ``item_ready``.
    kind: str
    mission: str = ""
    item: str = ""
    #: Further fields by name.
    data: dict[str, Any] = {}


class Message(Record):
    """A message in a mailbox."""

    id: str = ""
    at: float
    sender: str
    to: str
    kind: Literal["message", "query", "info", "ack"] = "message"
    text: str
    urgent: bool = False
    mission: str = ""
