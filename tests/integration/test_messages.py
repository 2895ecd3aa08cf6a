"""Messages that make agents work, with a real server: what a run answers, what is told, and what a crash leaves."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.fakes.builders import key
from tests.story.arranged import ATown, verdict
from tests.story.simulation import PRESENCE
from tinytown.engine.dispatch import attempts, claiming, reconcile
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.operate import items as operate_items
from tinytown.engine.operate import lives, notes, recovery
from tinytown.engine.plan import by_hand, by_message
from tinytown.engine.plan.by_message import Letter, Run, Sent
from tinytown.errors import ConfigurationError, NotFoundError, StateError
from tinytown.host.server import Server
from tinytown.missions import messages
from tinytown.missions.records.agent import Message
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.item import Item
from tinytown.missions.states import AgentState, ItemState, Outcome
from tinytown.state import backlog
from tinytown.state.mail import CONDUCTOR

WELL = Report(outcome=Outcome.SUCCEEDED, result="the blue one")


class MailTown(ATown):
    """A town of which only the missions are watched that have not ended: there are many."""

    def meanwhile(self) -> None:
        self.watcher.missions[:] = self.context.store.mission_ids(live=True)
        super().meanwhile()


@pytest.fixture
def town(server: Server):  # type: ignore[no-untyped-def]
    made = MailTown(server.url)
    yield made
    made.close()


#: How many messages are sent while their receiver is killed; `make soak` sends a thousand.
MESSAGES = int(os.environ.get("MESSAGES", "400"))


def send(
    town: ATown, to: str, text: str, kind: str = "message", *, urgent: bool = False, run: Run | None = None
) -> Sent:
    return by_message.send(town.context, Letter(to, text, kind, urgent, run=run))


def item(town: ATown, id_: str) -> Item:
    return by_hand.find(town.context, id_).item


def claim(town: ATown, id_: str, agent: str = "ada") -> Claim:
    given = by_hand.find(town.context, id_)
    assert given.item.attempt is not None, given.item
    claimed = claiming.claim(town.context, given.mission.id, given.item.key, given.item.attempt.number, agent=agent)
    assert claimed is not None
    return claimed


def brief(town: ATown, claimed: Claim) -> list[Message]:
    """The messages that the run answers."""
    issue = town.context.store.issues(claimed.mission.id, [claimed.item.key])[claimed.item.key]
    wanted = {one.id for one in claimed.item.messages}
    return [one for one in issue.messages if one.id in wanted]


def run_of(claimed: Claim, *read: Message) -> Run:
    return Run(claimed.agent, claimed.mission.id, claimed.item.depth, read)


def told(town: ATown, name: str = CONDUCTOR) -> list[tuple[str, str, str]]:
    return [(m.sender, m.text, m.reply_to) for m in town.context.mail.read(name) if m.reply_to]


def pending(town: ATown, name: str) -> list[str]:
    return [message.id for message in town.context.mail.pending(name)]


def test_an_idle_agent_begins_at_once_and_its_answer_comes_with_the_end(town: ATown) -> None:
    sent = send(town, "ada", "which mat?", "query")
    assert (sent.message.id, sent.message.task) == ("m1", "m1")
    assert item(town, "m1").state is ItemState.ASSIGNED
    assert pending(town, "ada") == ["m1"]
    claimed = claim(town, "m1")
    assert [one.text for one in brief(town, claimed)] == ["which mat?"]
    assert pending(town, "ada") == ["m1"], "a crash would lose nothing"
    assert attempts.report(town.context, claimed, WELL)
    assert item(town, "m1").state is ItemState.DONE
    assert pending(town, "ada") == []
    assert told(town) == [("ada", "the blue one", "m1")]
    assert town.context.store.mission(claimed.mission.id).record.state == "completed"


def test_what_waits_for_a_busy_agent_is_one_run_and_urgent_goes_first(town: ATown) -> None:
    """What comes after the brief of a run was written makes the next one; words alone cost none."""
    send(town, "ada", "one")
    first = claim(town, "m1")
    by_hand.assign(town.context, by_hand.Assignment("ada", "a task"))
    assert send(town, "ada", "two").message.task == "m2"
    assert send(town, "ada", "three", urgent=True).message.task == "m2"
    assert send(town, "ada", "by the way", "info").task is None
    assert send(town, "ada", "ok", "ack").task is None
    assert item(town, "m2").priority == messages.URGENT
    assert town.context.mail.counts(["ada"])["ada"] == {"message": 3, "info": 1, "ack": 1}
    assert attempts.report(town.context, first, WELL)
    assert item(town, "t1").attempt is None, "messages go before other work"
    second = claim(town, "m2")
    assert [one.text for one in brief(town, second)] == ["two", "three"]
    got = ("info m4", "ack m5", "info m99")
    assert attempts.report(town.context, second, WELL.evolve(got=got))
    assert pending(town, "ada") == []
    assert [reply for _, _, reply in told(town)] == ["m1", "m3"], "one answer for one sender"
    assert item(town, "t1").attempt is not None


def test_other_missions_wait_for_a_message_too(town: ATown) -> None:
    """An agent that comes free from a mission with more to do answers first; others do the rest meanwhile."""
    mission = town.begin(waits={1: (), 2: (), 3: ()})

    def third() -> Item:
        return town.context.store.item(mission.id, key(3)).record

    first = town.claim(1, "ada")
    assert first is not None
    assert town.claim(2, "bob") is not None
    send(town, "ada", "a word")
    assert attempts.report(town.context, first, Report(outcome=Outcome.FAILED, summary="no"))
    assert item(town, "m1").attempt is not None
    assert third().attempt is None
    assert town.context.store.mission(mission.id).record.state == "running"
    assert attempts.report(town.context, claim(town, "m1"), WELL)
    assert third().attempt is not None


def test_a_crash_loses_no_message_and_what_came_meanwhile_joins(town: ATown) -> None:
    send(town, "ada", "one")
    claimed = claim(town, "m1")
    send(town, "ada", "two")
    lost = attempts.lose(
        town.context, claimed.mission.id, claimed.item.key, claimed.attempt.id, why="gone", expired_only=False
    )
    assert lost
    assert send(town, "ada", "three").message.task == "m2", "the newest item takes it"
    assert not attempts.report(town.context, claimed, WELL), "what was fenced off counts for nothing"
    assert pending(town, "ada") == ["m1", "m2", "m3"]
    reconcile.reconcile(town.context, claimed.mission.id)
    while (ready := [g.item.typed for g in by_hand.all_tasks(town.context) if g.item.attempt]) != []:
        assert attempts.report(town.context, claim(town, ready[0]), WELL)
    assert pending(town, "ada") == []
    assert sorted(reply for _, _, reply in told(town)) == ["m1", "m3"]


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_nobody_waits_for_an_answer_in_silence(town: ATown, end: str, caplog: pytest.LogCaptureFixture) -> None:
    send(town, "ada", "one")
    given = by_hand.find(town.context, "m1")
    if end == "cancelled":
        operate_items.cancel(town.context, given.mission.id, given.item.key, why="no")
    else:
        for _ in range(3):
            assert attempts.report(town.context, claim(town, "m1"), Report(outcome=Outcome.FAILED, summary="broken"))
            town.pass_time(120)
            reconcile.reconcile(town.context, given.mission.id)
    ((sender, text, reply),) = told(town)
    assert (sender, reply) == ("ada", "m1")
    assert end in text
    assert pending(town, "ada") == []
    assert notes.note(town.context, given.mission.id, "retry m1") == "retrying m1"
    assert "is not an issue" not in caplog.text, "a task is looked up at no forge"
    claimed = claim(town, "m1")
    assert [one.text for one in brief(town, claimed)] == ["one"]
    assert attempts.report(town.context, claimed, WELL)
    assert told(town)[-1] == ("ada", "the blue one", "m1")


def test_an_agent_that_read_a_message_answers_it_in_the_run_that_it_is_in(town: ATown) -> None:
    send(town, "ada", "one")
    mine = claim(town, "m1")
    town.context.mail.pending("ada")
    send(town, "ada", "two")
    asked = send(town, "bob", "lend me your pen", "query", run=run_of(mine, *brief(town, mine)))
    assert (asked.message.depth, asked.message.sender, asked.message.reply_to) == (1, "ada", "")
    two = next(m for m in town.context.mail.pending("ada") if m.id == "m2")
    answered = send(town, CONDUCTOR, "yes and yes", run=run_of(mine, *brief(town, mine), two))
    assert (answered.message.reply_to, answered.message.thread) == ("m2", "m2")
    assert item(town, "m2").state is ItemState.DONE
    assert item(town, "m2").attempts == 0
    assert pending(town, "ada") == ["m1"]
    assert attempts.report(town.context, mine, WELL.evolve(result=""))
    assert told(town) == [("ada", "yes and yes", "m2")], "the sender of the first has the same answer"
    theirs = claim(town, "m3", "bob")
    assert attempts.report(town.context, theirs, WELL)
    assert pending(town, "ada") != [], "an agent is told with its next brief"
    assert [m.kind for m in town.context.mail.pending("ada")] == ["info"]


def test_agents_that_answer_each_other_for_ever_are_stopped_and_asked_about(town: ATown) -> None:
    """Whoever lets them go on begins the count anew; the rest of the town goes on meanwhile."""
    send(town, "ada", "write to each other")
    id_, agent, runs = "m1", "ada", 0
    while not messages.is_held(item(town, id_)):
        claimed = claim(town, id_, agent)
        other = "bob" if agent == "ada" else "ada"
        sent = send(town, other, "your turn", run=run_of(claimed, *brief(town, claimed)))
        assert attempts.report(town.context, claimed, WELL)
        id_, agent, runs = sent.message.task, other, runs + 1
        assert runs < 50
    assert runs == 11, "one for the person's, and ten of their own"
    (question,) = town.questions()
    assert f"`tt task retry {id_}` lets it go on" in question
    more = send(town, agent, "and?", run=Run("bob" if agent == "ada" else "ada", "x", 10))
    assert more.message.task == id_, "what would have to wait as well waits with it"
    assert send(town, agent, "how are you?").message.task != id_
    given = by_hand.find(town.context, id_)
    operate_items.retry(town.context, given.mission.id, given.item.key)
    assert item(town, id_).depth == 0
    assert not messages.is_held(item(town, id_))


def test_an_agent_that_writes_too_often_is_asked_about(town: ATown) -> None:
    for _ in range(30):
        sent = send(town, "bob", "hello", run=Run("ada", "x", 0))
    assert not messages.is_held(item(town, sent.message.task))
    assert messages.is_held(item(town, send(town, "bob", "hello", run=Run("ada", "x", 0)).message.task))
    assert not messages.is_held(item(town, send(town, "bob", "hello").message.task)), "a person may"


def test_what_a_run_answers_has_room_in_its_brief(town: ATown) -> None:
    send(town, "ada", "busy")
    claim(town, "m1")
    tasks = [send(town, "ada", "x" * 9_000).message.task for _ in range(12)]
    assert len(set(tasks)) == 3
    for task in set(tasks):
        assert len(item(town, task).messages) <= 5
    assert len({send(town, "ada", "y").message.task for _ in range(45)}) == 3


def test_what_is_refused_leaves_nothing(town: ATown) -> None:
    for to, text, kind, error in (
        ("nobody", "x", "message", NotFoundError),
        ("ada", "  ", "message", ConfigurationError),
        ("ada", "x", "shout", ConfigurationError),
    ):
        with pytest.raises(error):
            send(town, to, text, kind)
    with pytest.raises(ConfigurationError):
        send(town, "ada", "x", run=Run("ada", "x", 0))
    assert town.context.store.mission_ids(live=False) == []
    assert town.context.mail.read("ada") == []


def test_a_change_that_a_message_asks_for_passes_all_gates(town: ATown) -> None:
    send(town, "ada", "write it down")
    assert attempts.report(town.context, claim(town, "m1"), WELL.evolve(head="c1"))
    assert told(town) == []
    for agent, report in (("checks", verdict("c1")), ("bob", verdict("c1"))):
        assert attempts.report(town.context, claim(town, "m1", agent), report)
    assert attempts.report(town.context, claim(town, "m1", "checks"), Report(outcome=Outcome.SUCCEEDED, merged="b1"))
    assert item(town, "m1").state is ItemState.DONE
    assert told(town) == [("ada", "the blue one", "m1")]


def test_redirected_messages_are_in_the_mailbox_of_who_answers_them(town: ATown) -> None:
    send(town, "ada", "one")
    given = by_hand.find(town.context, "m1")
    operate_items.redirect(town.context, given.mission.id, given.item.key, "bob")
    assert (pending(town, "ada"), pending(town, "bob")) == ([], ["m1"])
    assert attempts.report(town.context, claim(town, "m1", "bob"), WELL)
    assert pending(town, "bob") == []
    assert told(town) == [("bob", "the blue one", "m1")]


def test_of_messages_in_several_missions_one_goes_first(town: ATown, monkeypatch: pytest.MonkeyPatch) -> None:
    """An urgent one, else the oldest: neither mission waits for the other."""
    monkeypatch.setattr(by_hand, "MOST", 1)
    send(town, "ada", "busy")
    first = claim(town, "m1")
    send(town, "ada", "two")
    end(town, "ada", AgentState.PAUSED)
    # As two are in the queue of nobody, each is in a mission of its own.
    by_hand.assign(town.context, by_hand.Assignment("bob", "between"))
    urgent = send(town, "ada", "x" * 9_000 + " three", urgent=True).message.task
    missions_ = {by_hand.find(town.context, id_).mission.id for id_ in ("m1", "m2", urgent)}
    assert len(missions_) > 1
    end(town, "ada", AgentState.IDLE)
    assert attempts.report(town.context, first, Report(outcome=Outcome.FAILED, summary="no"))
    town.pass_time(200)
    reconcile.reconcile_all(town.context)
    for _ in range(4):
        begun = [one.item.typed for one in by_hand.all_tasks(town.context) if one.item.attempt and one.item.messages]
        if begun:
            assert attempts.report(town.context, claim(town, begun[0]), WELL)
        reconcile.reconcile_all(town.context)
    assert pending(town, "ada") == []


def test_what_others_do_to_a_message_keeps_its_agent_from_nothing(town: ATown) -> None:
    """A change that was asked for by a message waits for its checks, which nobody runs; its agent goes on elsewhere."""
    send(town, "ada", "write it down")
    end(town, "checks")
    assert attempts.report(town.context, claim(town, "m1"), WELL.evolve(head="c1"))
    reconcile.reconcile_all(town.context)
    assert item(town, "m1").attempt is None
    end(town, "bob")
    mission = town.begin(waits={1: ()})
    assert town.context.store.item(mission.id, key(1)).record.attempt is not None


def test_a_message_is_for_nobody_else_but_whom_people_name(town: ATown) -> None:
    """Only `--to` gives it to another agent: in the backlog nobody would answer it."""
    send(town, "ada", "one")
    end(town, "ada")
    reconcile.reconcile_all(town.context)
    recovery.reclaim(town.context, to_backlog=True)
    assert item(town, "m1").directed_to == "ada"
    assert (pending(town, "ada"), backlog.ids(town.context.store)) == (["m1"], [])
    recovery.reclaim(town.context, to="bob")
    assert (pending(town, "ada"), pending(town, "bob")) == ([], ["m1"])


def test_what_is_at_work_is_not_forwarded_without_its_item(town: ATown) -> None:
    """An agent that was killed is still at the message: whoever it is given to would never be asked for it."""
    send(town, "ada", "one")
    claimed = claim(town, "m1")
    end(town, "ada")
    recovery.reclaim(town.context, to="bob")
    assert attempts.report(town.context, claimed, WELL)
    assert (pending(town, "ada"), pending(town, "bob")) == ([], [])


def test_what_an_agent_left_that_was_pruned_is_reclaimed_too(town: ATown) -> None:
    """Its mail and its tasks, whether or not it is named; nobody and nothing is not found."""
    send(town, "ada", "one")
    assert send(town, "ada", "by the way", "info").task is None
    with pytest.raises(StateError, match="has not ended"):
        recovery.reclaim(town.context, source="ada")
    end(town, "ada")
    lives.prune(town.context)
    left = [("item", "hand:task/m1"), ("message", "m1"), ("message", "m2")]
    for source in ("", "ada"):
        assert sorted((one.kind, one.id) for one in recovery.reclaim(town.context, source=source)) == left
    recovery.reclaim(town.context, source="ada", to="bob")
    assert (pending(town, "ada"), pending(town, "bob")) == ([], ["m1", "m2"])
    assert recovery.reclaim(town.context) == []
    for nobody in ("ada", "zoe", "conductor"):
        with pytest.raises(NotFoundError):
            recovery.reclaim(town.context, source=nobody)


def end(town: ATown, name: str, state: AgentState = AgentState.STOPPED) -> None:
    old = town.context.crew.agent(name)
    town.context.crew.put(old, old.record.evolve(state=state))
    if state is AgentState.STOPPED:
        town.context.crew.leave(name)


class Receiver:
    """An agent whose worker dies now and then: before it claims, at work, and while it reports."""

    def __init__(self, town: ATown, chance: random.Random) -> None:
        self.town = town
        self.chance = chance
        #: How often each message was in a brief that was finished.
        self.finished: Counter[str] = Counter()
        self.killed = 0
        self._live: tuple[Claim, list[Message]] | None = None

    def act(self) -> bool:
        """Begin what was sent, or end what was begun; gives whether there was anything."""
        # As a worker does all the time: on a slow machine it would count as gone before everything is read.
        self.town.context.crew.announce(["ada"], PRESENCE)
        if self._live is not None:
            self._end(*self._live)
            return True
        sent = [one for one in self.town.context.store.live_attempts() if not one.claimed and one.agent == "ada"]
        for one in sent:
            if self.chance.random() < 0.8:
                claimed = claiming.claim(self.town.context, one.mission, one.item, one.number, agent="ada")
                assert claimed is not None
                read = messages.told(self.town.context.mail.pending("ada"))
                self._live = claimed, [*brief(self.town, claimed), *read]
                break
        return bool(sent)

    def _end(self, claimed: Claim, read: list[Message]) -> None:
        self._live = None
        context, mission, key_ = self.town.context, claimed.mission.id, claimed.item.key
        report = WELL.evolve(got=tuple(messages.pending_field(one) for one in read if not messages.asks(one)))
        if self.chance.random() < 0.6:
            assert attempts.report(context, claimed, report)
            self.finished.update(one.id for one in read)
            return
        self.killed += 1
        attempts.lose(context, mission, key_, claimed.attempt.id, why="killed", expired_only=False)
        if self.chance.random() < 0.5:
            assert not attempts.report(context, claimed, report)
        waiting = context.store.item(mission, key_).record.waiting
        if waiting is not None and waiting.reason == "needs_help":
            operate_items.retry(context, mission, key_)
        else:
            reconcile.reconcile(context, mission)


def test_no_message_is_lost_or_in_two_finished_briefs(town: ATown) -> None:
    """Many, with the receiver killed at random points: before its claim, at work, and while it reports."""
    chance = random.Random(7)
    receiver = Receiver(town, chance)
    sent = set()
    for number in range(MESSAGES):
        kind = chance.choice(("message", "message", "query", "info"))
        sent.add(send(town, "ada", f"number {number}", kind, urgent=chance.random() < 0.1).message.id)
        if chance.random() < 0.3:
            receiver.act()
    # What is only told waits for a brief, and this makes one.
    while pending(town, "ada"):
        sent.add(send(town, "ada", "one more").message.id)
        while receiver.act():
            pass
    assert receiver.finished == dict.fromkeys(sent, 1)
    assert receiver.killed > 20
    assert town.context.store.mission_ids(live=True) == []
