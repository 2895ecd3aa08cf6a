"""Stories of messages: people and agents write to each other, whatever becomes of those who are to answer."""

from __future__ import annotations

from collections.abc import Callable

from tests.story.backlog_town import BacklogTown
from tests.story.invariants import Watcher
from tests.story.mail_invariants import MailWatcher
from tests.story.simulation import StoryTown, Worker, tell
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.operate import items, recovery
from tinytown.engine.plan import by_hand, by_message
from tinytown.engine.plan.by_message import Letter
from tinytown.errors import TinytownError
from tinytown.missions import messages
from tinytown.missions.records.agent import Message as Mail
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Purpose
from tinytown.settings import Settings
from tinytown_workers.run.agent_commands import AttemptCommands

#: What is written, most often first.
KINDS = ("message", "message", "message", "query", "info", "info", "ack")


class MailTown(BacklogTown):
    """A town in which everybody writes to everybody."""

    watcher: MailWatcher
    watched = (*BacklogTown.watched, ":mail:")

    def __init__(self, seed: int, url: str) -> None:
        #: What the run of each attempt has read, by its id.
        self.read: dict[str, list[Mail]] = {}
        #: Whom each agent writes to more often than to others.
        self.friends: dict[str, str] = {}
        #: Agents answer whatever they read with a message, as long as they may.
        self.chatty = False
        #: Some write to others as they end a run.
        self.talkative = True
        super().__init__(seed, url)

    def _watcher(self) -> Watcher:
        limits = self.settings.messages
        return MailWatcher(self.context.store, max_depth=limits.max_depth, max_per_hour=limits.max_per_hour)

    def _settings(self) -> Settings:
        base, rng = super()._settings(), self.rng
        self.chatty = rng.random() < 0.5
        limits = {"max_depth": rng.choice([1, 2, 4]), "max_per_hour": rng.choice([0, 1, 2, 30])}
        if rng.random() < 0.2:
            limits = {"max_depth": 0, "max_per_hour": rng.choice([1, 3])}
        return base.model_copy(update={"messages": base.messages.model_copy(update=limits)})

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        return [*super().actions(), (5, self.write), (3, self.talk)]

    # -- people ----------------------------------------------------------------------------------

    def write(self) -> None:
        """Somebody at a terminal writes to an agent."""
        rng = self.rng
        names = [*(n for n in self.context.crew.agents() if n != "checks"), "worker0", "conductor", "nobody"]
        # What comes while the agent is at another message matters most.
        names += [w.name for w in self.workers if w.works and w.claim is not None and w.claim.item.messages] * 6
        to, kind, urgent = rng.choice(names), rng.choice(KINDS), rng.random() < 0.2
        sender = rng.choice(["operator", "operator", "conductor"])
        letter = Letter(to, "a word", kind, urgent, sender)
        self.do(f"send {to} {kind} {urgent}", lambda: self._send(letter))

    def _send(self, letter: Letter) -> str:
        sent = by_message.send(self.context, letter)
        if sent.task is not None:
            self.given[sent.task.item.typed] = sent.task.mission.id
        return f"{sent.message.id} in {sent.message.task}"

    def look_after(self) -> None:
        if self.rng.random() < 0.05:
            self.do("reclaim --to-backlog", lambda: recovery.reclaim(self.context, to_backlog=True))
        else:
            super().look_after()

    def task(self) -> None:
        self.watcher.anew.update(f"hand:task/{id_}" for id_ in self.given)
        asked = [id_ for id_ in self.given if id_.startswith("m")]
        if asked and self.rng.random() < 0.3:
            id_, agent = self.rng.choice(asked), self.rng.choice(self.workers).name
            self.do(f"redirect {id_} to {agent}", lambda: self._redirect(id_, agent))
        else:
            super().task()

    def _redirect(self, id_: str, agent: str) -> None:
        found = by_hand.find(self.context, id_)
        items.redirect(self.context, found.mission.id, found.item.key, agent)

    # -- agents ----------------------------------------------------------------------------------

    def _begun(self, worker: Worker, claimed: Claim) -> None:
        super()._begun(worker, claimed)
        if claimed.attempt.purpose.runs_agent:
            self.read[claimed.attempt.id] = self._brief(claimed)

    def _brief(self, claimed: Claim) -> list[Mail]:
        """What the brief of a run holds: messages that it answers, and what its agent is told besides."""
        asked: list[Mail] = []
        if claimed.attempt.purpose in (Purpose.WORK, Purpose.FIX):
            issue = self.context.store.issues(claimed.mission.id, [claimed.item.key])[claimed.item.key]
            wanted = {one.id for one in claimed.item.messages}
            asked = [one for one in issue.messages if one.id in wanted]
            self.watcher.briefs[claimed.attempt.id] = frozenset(one.id for one in asked)
        people = claimed.attempt.purpose is Purpose.REVIEW
        pending = self.context.mail.first_pending([claimed.agent], 200, kinds=messages.TOLD)[claimed.agent]
        return [*asked, *messages.told([one for one in pending if not people or one.sender in messages.PEOPLE])]

    def talk(self) -> None:
        """An agent at work looks into its mailbox, or writes."""
        busy = [w for w in self.workers if w.works and w.claim is not None and w.claim.attempt.id in self.read]
        if busy:
            worker = self.rng.choice(busy)
            claimed = worker.claim
            assert claimed is not None
            self._as(worker, f"{worker.name} talks", lambda: self._talk(claimed))

    def _talk(self, claimed: Claim) -> str:
        rng, read = self.rng, self.read[claimed.attempt.id]
        own = AttemptCommands(self.context, claimed, read)
        own._read = read
        if rng.random() < 0.4:
            return f"inbox: {[one['id'] for one in own.inbox(everything=rng.random() < 0.2)]}"
        senders = [one.sender for one in read if one.sender != "dispatcher"]
        others = [w.name for w in self.workers if w.role != "checks"]
        to = rng.choice([*senders * 2, *others, "conductor"])
        if rng.random() < 0.6 and (others := [one for one in others if one != claimed.agent]):
            to = self.friends.setdefault(claimed.agent, rng.choice(others))
        return self._say(claimed, own, to, rng.choice(KINDS))

    def _say(self, claimed: Claim, own: AttemptCommands, to: str, kind: str) -> str:
        self.watcher.speaking[claimed.agent] = claimed.mission.id, claimed.item.key
        try:
            sent = own.send(to, "a word", kind=kind, urgent=self.rng.random() < 0.2)
        finally:
            del self.watcher.speaking[claimed.agent]
        if sent["task"]:
            self.given.setdefault(
                sent["task"], self.context.store.client.hget(self.context.store.keys.tasks, sent["task"])
            )
        return f"{kind} {sent['id']} to {to} in {sent['task']}"

    def outcome(self, claimed: Claim) -> Report:
        read = self.read.get(claimed.attempt.id, [])
        if self.chatty and self.rng.random() < 0.7:
            own = AttemptCommands(self.context, claimed, read)
            own._read = read
            for to in sorted({one.sender for one in read if messages.asks(one)} - {claimed.agent}):
                try:
                    self.note(self._say(claimed, own, to, "message"))
                except TinytownError as error:
                    self.note(f"refused: {error}")
        if self.talkative and claimed.attempt.id in self.read and self.rng.random() < 0.3:
            try:
                self.note(self._talk(claimed))
            except TinytownError as error:
                self.note(f"refused: {error}")
        got = tuple(messages.pending_field(one) for one in read if not messages.asks(one))
        return super().outcome(claimed).evolve(got=got)

    # -- the end ---------------------------------------------------------------------------------

    def settle_down(self) -> None:
        super().settle_down()
        self.watcher.check_all_answered()

    def _answer(self) -> None:
        self.talkative = self.chatty = False  # Each time that a person lets a chain go on, it would go on.
        super()._answer()


def tell_of_messages(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of messages, with plans, tasks by hand and the backlog."""
    return tell(seed, url, steps=steps, town_of=MailTown)


class WritersTown(MailTown):
    """A town in which agents answer each other for ever, and only the limit an hour ends that."""

    def _settings(self) -> Settings:
        base = super()._settings()
        self.chatty = True
        limits = {"max_depth": 0, "max_per_hour": self.rng.choice([1, 2])}
        return base.model_copy(update={"messages": base.messages.model_copy(update=limits)})

    def roles(self) -> list[str]:
        return ["worker", "backend"]

    def actions(self) -> list[tuple[float, Callable[[], None]]]:
        return [*super().actions(), (20, self.write), (20, self.talk)]


def tell_of_writers(seed: int, url: str, *, steps: int = 60) -> StoryTown:
    """One story of agents that write too often."""
    return tell(seed, url, steps=steps, town_of=WritersTown)
