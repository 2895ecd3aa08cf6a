"""What an agent may ask of its town through its socket, carried out for its attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.engine.context import Context
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.plan import by_message, claims
from tinytown.engine.plan.by_hand import Given
from tinytown.engine.plan.by_message import Letter, Run
from tinytown.engine.plan.claims import Added
from tinytown.engine.views.backlog import EntryView, entries
from tinytown.errors import StateError
from tinytown.missions.records.agent import Message

#: Messages that an agent is shown at once.
SHOWN = 100


class AttemptCommands:
    """The ``AgentCommands`` of one claimed attempt."""

    def __init__(self, context: Context, claimed: Claim, read: list[Message]) -> None:
        """``read`` is what the agent has read in its brief; what it reads in its mailbox is added."""
        self._context = context
        self._claimed = claimed
        self._read = read

    def task_current(self) -> Mapping[str, Any]:
        """The work at hand."""
        item, attempt = self._claimed.item, self._claimed.attempt
        return {
            "key": item.key,
            "title": item.title,
            "purpose": attempt.purpose.value,
            "agent": self._claimed.agent,
            "role": attempt.role,
            "mission": self._claimed.mission.id,
            "branch": item.branch,
            "attempt": attempt.number,
        }

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        """Deliver a message in the agent's name."""
        item = self._claimed.item
        run = Run(self._claimed.agent, self._claimed.mission.id, item.depth, tuple(self._read))
        sent = by_message.send(self._context, Letter(to, text, kind, urgent, run=run))
        return {"id": sent.message.id, "task": sent.message.task}

    def inbox(self, *, everything: bool) -> Sequence[Mapping[str, Any]]:
        """This agent's messages that it has not got yet, and not read in this run, as many as it can take; or all."""
        mail, name = self._context.mail, self._claimed.agent
        known = {message.id for message in self._read}
        pending = mail.first_pending([name], SHOWN + len(known))[name]
        new = [message for message in pending if message.id not in known]
        # Only its report says that it got them: what a run that is lost has read is not lost.
        self._read += new
        return [m.model_dump(mode="json") for m in (mail.read(name) if everything else new)]

    def backlog(self, tag: str) -> Sequence[EntryView]:
        """The work that nobody has yet; with a tag only what has it."""
        return entries(self._context, tag=tag)

    def add_to_backlog(self, text: str, tags: Sequence[str]) -> Added:
        """Leave work for whoever is idle, in the agent's name."""
        return claims.add(self._context, text, tags, by=self._claimed.agent, depth=self._claimed.item.depth + 1)

    def claim(self, id_: str, agent: str) -> Given:
        """Make an entry of the backlog this agent's next task."""
        me = self._claimed.agent
        if agent and self._context.crew.find(agent) != me:
            raise StateError("an agent claims for itself alone", remedy=f"run `tt backlog claim {id_}`")
        return claims.claim_own(self._context, id_, me, at=self._claimed.item.key)
