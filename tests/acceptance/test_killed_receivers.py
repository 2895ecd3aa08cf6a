"""Messages while those who read them are killed: every one is in exactly one brief that was finished.

How many messages there are is ``MESSAGES`` (`make soak` sends a thousand), and where the kills fall ``MESSAGES_SEED``.
"""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import sys
import time
from collections import Counter

from tests.acceptance.project import Project
from tests.waiting import wait_until
from tinytown.engine.conductor.questions import open_questions
from tinytown.engine.operate import items as operate_items
from tinytown.engine.plan import by_hand, by_message
from tinytown.engine.plan.by_message import Letter
from tinytown.errors import StateError
from tinytown.host import process_specs
from tinytown.missions.states import ItemState, Outcome

log = logging.getLogger(__name__)

MESSAGES = int(os.environ.get("MESSAGES", "24"))
SEED = int(os.environ.get("MESSAGES_SEED", "7"))
#: Each role is a process of its own, which takes all its agents along when it is killed.
AGENTS = {"ann": "worker", "bob": "worker", "cid": "backend"}
#: Seconds that a run takes at the most; and after some event that kills wait at the most, to fall on all that follows.
RUN_SECS = 0.4
AFTER_SECS = 0.6
#: An agent that reads its brief, takes a moment, and says so in the journal; while there is a file `hold`, it goes on.
_READER = f"""
import json, os, random, sys, time
sys.stdin.read()
def note(event):
    line = {{"event": event, "purpose": "work", "agent": os.environ["TINYTOWN_AGENT_NAME"]}}
    with open(os.environ["JOURNAL"], "a") as journal:
        journal.write(json.dumps(line) + "\\n")
note("start")
time.sleep(random.random() * {RUN_SECS})
while os.path.exists(os.environ["JOURNAL"] + ".hold"):
    time.sleep(0.02)
note("end")
print("I have read it")
"""


class Receivers:
    """Agents at real work, whose workers are killed at points that chance chooses."""

    def __init__(self, project: Project, chance: random.Random) -> None:
        self.project = project
        self.context = project.context()
        self.chance = chance
        self.sent: list[str] = []
        #: Kills by what they were to fall on.
        self.kills: Counter[str] = Counter()

    def send(self) -> None:
        """Send one message to one of them."""
        kind = self.chance.choice(("message", "message", "query", "info"))
        letter = Letter(self.chance.choice([*AGENTS]), f"number {len(self.sent)}", kind, self.chance.random() < 0.1)
        self.sent.append(by_message.send(self.context, letter).message.id)

    def kill(self) -> None:
        """Kill a worker: at once, or some time after the next run has begun or ended."""
        point = self.chance.choice(("at once", "start", "end"))
        after = self.chance.random() * AFTER_SECS
        if point != "at once":
            before = len(self.project.runs(point))
            wait_until(
                lambda: len(self.project.runs(point)) > before or not self.asked(),
                timeout=120,
                description=f"another run comes to its {point}",
            )
            # Not to wait for something: this is how far into what comes next the kill falls.
            time.sleep(after)
        role = self.chance.choice(sorted({*AGENTS.values()}))
        state = process_specs.read_states(self.project.town)[f"role-{role}"]
        if state.alive and state.pid is not None:
            os.kill(state.pid, signal.SIGKILL)
            self.kills[point] += 1

    def kill_at_work(self) -> None:
        """Kill a worker while one of its agents is in the middle of a run, for certain."""
        hold = self.project.journal.with_name(self.project.journal.name + ".hold")
        hold.touch()
        before = len(self.project.runs("start"))
        self.sent.append(by_message.send(self.context, Letter("cid", "stay with it")).message.id)
        wait_until(lambda: len(self.project.runs("start")) > before, timeout=120, description="a run has begun")
        state = process_specs.read_states(self.project.town)[f"role-{AGENTS['cid']}"]
        assert state.pid is not None
        os.kill(state.pid, signal.SIGKILL)
        self.kills["in the middle"] += 1
        hold.unlink()

    def asked(self) -> list[str]:
        """Messages that somebody has yet to answer."""
        return [one.id for name in AGENTS for one in self.context.mail.pending(name) if one.task]

    def wait_few(self, most: int, description: str) -> None:
        """Wait until no more than so many messages are to be answered."""

        def few() -> bool:
            left = self.asked()
            if len(left) > most:
                self._let_go_on()
            return len(left) <= most

        try:
            wait_until(few, timeout=300, description=description, pause=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.asked()}\n{self.project.logs()}") from None

    def _let_go_on(self) -> None:
        """What a person does whom the town asks, because three runs in a row were lost."""
        for question in open_questions(self.context):
            try:
                operate_items.retry(self.context, question.mission, None)
            except StateError:
                continue  # It went on meanwhile.

    def finished(self) -> Counter[str]:
        """How often each message was in a brief of a run that succeeded, by what is on record and in the briefs."""
        found: Counter[str] = Counter()
        for given in by_hand.all_tasks(self.context):
            for record in self.context.store.finished_attempts(given.mission.id, given.item.key):
                if record.report.outcome is Outcome.SUCCEEDED:
                    brief = self.project.brief(given.mission.id, given.item.typed, record.number)
                    found.update(re.findall(r"^(?:Urgent m|M)essage (m\d+) from operator", brief, re.MULTILINE))
        return found


def test_no_message_is_lost_or_in_two_finished_briefs(project: Project) -> None:
    reader = project.root.parent / "reader.py"
    reader.write_text(_READER, encoding="utf-8")
    command = f'command = "{sys.executable} -S {reader}"\nenv = {{ JOURNAL = "{project.journal}" }}\n'
    project.found({1: "# One\n"}, clis=(), extra=f"\n[agent_clis.reader]\n{command}")
    for name, role in AGENTS.items():
        project.tt("spawn", name, "--role", role, "--cli", "reader")
    chance = random.Random(SEED)
    receivers = Receivers(project, chance)
    began = time.monotonic()
    while len(receivers.sent) < MESSAGES:
        for _ in range(min(chance.randint(1, 6), MESSAGES - len(receivers.sent))):
            receivers.send()
        if chance.random() < 0.5:
            receivers.kill()
        # What waits is answered together: were there always much, there would be few briefs.
        receivers.wait_few(8, "what was sent is answered, as far as that goes")
    receivers.wait_few(0, "nobody is at work")
    receivers.kill_at_work()
    receivers.wait_few(0, "others are at what was lost")
    # What is only told waits for a brief, and this makes one for each.
    for name in AGENTS:
        receivers.sent.append(by_message.send(receivers.context, Letter(name, "and now?")).message.id)
    receivers.wait_few(0, "everything is in a brief that was finished")

    assert receivers.finished() == dict.fromkeys(receivers.sent, 1)
    wait_until(
        lambda: {one.item.state for one in by_hand.all_tasks(receivers.context)} == {ItemState.DONE},
        description="every run is done",
    )
    tasks = list(by_hand.all_tasks(receivers.context))
    answers = Counter(m.reply_to for m in receivers.context.mail.read("conductor") if m.reply_to)
    assert answers == Counter(one.item.messages[-1].id for one in tasks), "whoever sent a message hears of it once"
    attempts = [a for one in tasks for a in receivers.context.store.finished_attempts(one.mission.id, one.item.key)]
    lost = [one for one in attempts if one.report.outcome is Outcome.LOST]
    said = f"{len(receivers.sent)} messages, {len(attempts)} runs, {len(lost)} lost, kills: {dict(receivers.kills)}"
    log.info("%s, %.0f s", said, time.monotonic() - began)
    # How many of the others' kills fall on a run is chance.
    assert len(lost) >= 1, said
