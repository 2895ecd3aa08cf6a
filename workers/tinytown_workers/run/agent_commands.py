"""What an agent may ask of its town through its socket, carried out for its attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinytown.engine.conductor import messages
from tinytown.engine.context import Context
from tinytown.engine.dispatch.attempts import Claim


class AttemptCommands:
    """The ``AgentCommands`` of one claimed attempt."""

    def __init__(self, context: Context, claimed: Claim) -> None:
        self._context = context
        self._claimed = claimed

    def task_current(self) -> Mapping[str, Any]:
        """The work at hand."""
        item, attempt = self._claimed.item, self._claimed.attempt
        return {
            "key": item.key,
            "title": item.title,
            "purpose": attempt.purpose.value,
            "role": attempt.role,
            "mission": self._claimed.mission.id,
            "branch": item.branch,
            "attempt": attempt.number,
        }

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        """Deliver a message in the agent's name."""
        sent = messages.send(
            self._context,
            to,
            text,
            sender=self._claimed.agent,
            kind=kind,
            urgent=urgent,
            mission=self._claimed.mission.id,
        )
        return {"id": sent}

    def inbox(self, *, everything: bool) -> Sequence[Mapping[str, Any]]:
        """This agent's messages; what was read is marked so."""
        mail, name = self._context.mail, self._claimed.agent
        found = mail.read(name, after="-" if everything else mail.seen(name))
        if found:
            mail.mark_seen(name, found[-1].id)
        return [m.model_dump(mode="json") for m in found]
