"""What the unattended conductor may ask of its town through its socket: to look, and to answer the question it has.

Which commands it may use says the table; here is in whose name they are carried out, and what was done.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from tinytown import commands
from tinytown.engine.context import Context
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.plan import by_message
from tinytown.errors import ConfigurationError, ConflictError, StateError, TinytownError
from tinytown.missions.fences import calm
from tinytown.missions.records.asked import Asked
from tinytown.state import asked as store_asked
from tinytown.state.mail import CONDUCTOR
from tinytown_workers.run.agent_commands import AttemptCommands

#: Tries to note that it acts, while others change the record.
_TRIES = 10
#: Commands that are named in what is told of a run, and characters of one of them.
_TOLD = 10
_LONG = 160


class ConductorCommands(AttemptCommands):
    """The commands of one run of the unattended conductor."""

    def __init__(self, context: Context, claimed: Claim, asked: Asked) -> None:
        super().__init__(context, claimed, [])
        #: What it does bears its name.
        self._acting = Context(context.town, context.url, by=CONDUCTOR)
        self._asked = asked
        self._lock = threading.Lock()
        self._noted = False
        #: What it did, and what it was refused, in this order.
        self.did: list[str] = []
        self.refused: list[str] = []

    def answer(self, verb: str, run: commands.Run, args: dict[str, Any]) -> Any:
        """Carry out a command."""
        command = commands.COMMANDS.get(verb)
        if command is None or commands.Who.CONDUCTOR not in command.by:
            self._refuse(verb)
            raise ConfigurationError(
                f"the unattended conductor may not use `{verb[:40]}`",
                remedy="leave it to a person, and say so with `tt task fail`",
            )
        acts: list[bool] = []

        def acting() -> None:
            self._note()
            acts.append(True)

        caller = commands.answering(run, self._acting, about=self._asked.mission, acts=acting)
        try:
            done = command.answer(caller, self._with_mission(args))
        except TinytownError:
            self._refuse(verb)
            raise
        if acts:
            self.did.append(_shown(verb, args))
        return done

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        """Deliver a message in its name."""
        letter = by_message.Letter(to, text, kind, urgent, CONDUCTOR, self._asked.mission)
        sent = by_message.send(self._acting, letter)
        return {"id": sent.message.id, "task": sent.message.task}

    def told(self) -> str:
        """What it did, in words; empty if nothing."""
        said = [f"`{one}`" for one in self.did[:_TOLD]]
        if more := len(self.did) - _TOLD:
            said += [f"{more} more"] if more > 0 else []
        words = f"it used {', '.join(said)}" if said else ""
        if self.refused:
            words += f"{'; ' if words else 'it '}was refused {', '.join(dict.fromkeys(self.refused[:_TOLD]))}"
        return words

    def _with_mission(self, args: dict[str, Any]) -> dict[str, Any]:
        """With the whole id of the mission: the one it was asked about, where it names none."""
        named = args.get("mission")
        if not isinstance(named, str):
            return args
        if not named and not self._asked.mission:
            raise StateError("the question is about no mission", remedy="name one: see `tt mission list`")
        return {**args, "mission": self._acting.store.find_mission(named) if named else self._asked.mission}

    def _refuse(self, verb: str) -> None:
        with self._lock:
            self.refused.append(f"`{calm(verb)[:40].replace('.', ' ')}`")

    def _note(self) -> None:
        """Note that it acts, before it does: whoever finds the question answered by it lets it come to its end."""
        with self._lock:
            for _ in range(_TRIES):
                old = store_asked.one(self._acting.store, self._asked.run)
                live = self._acting.store.item(self._asked.run, self._asked.item).record.attempt
                if old is None or old.record.state != "asked":
                    raise StateError("the question is answered already", remedy="end your run")
                if live is None or live.token != self._claimed.token:
                    raise StateError("this run is over: another one has the question", remedy="end your run")
                if self._noted:
                    return
                change = self._acting.store.change()
                change.put_asked(old, old.record.evolve(acted=self._claimed.attempt.number))
                try:
                    change.commit()
                except ConflictError:
                    continue
                self._noted = True
                return
            raise StateError("the question changes all the time", remedy="try again")


def _shown(verb: str, args: Mapping[str, Any]) -> str:
    words = [str(text) for name, text in args.items() if isinstance(text, str) and name not in ("mission", "kind")]
    return calm(" ".join([*verb.split("."), *words]))[:_LONG].rstrip()
