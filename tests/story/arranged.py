"""A town of the stories in which nothing goes wrong but what a test arranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tests.fakes.builders import key
from tests.story.simulation import Chaos, StoryTown, Worker
from tinytown import contract
from tinytown.engine.dispatch import attempts, claiming, reconcile
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.plan.by_message import Letter, Run, send
from tinytown.engine.start.start import Order, Started, start
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import MissionState, Outcome
from tinytown.settings import parse as parse_settings
from tinytown.state.mail import CONDUCTOR


class ATown(StoryTown):
    """A town in which nothing goes wrong but what a test arranges."""

    policy: dict[str, object]

    def __init__(self, url: str, **policy: object) -> None:
        self.policy = policy
        #: ``[limits]`` of its settings.
        self.limits = policy.pop("limits", {})
        super().__init__(0, url)
        self.chaos = Chaos.none()
        self.hook: Callable[[], object] | None = None
        for worker in (Worker("checks", "checks"), Worker("ada", "worker"), Worker("bob", "worker")):
            self.enlist(worker)

    def _settings(self):  # type: ignore[no-untyped-def]
        return parse_settings(
            {
                "forge": {"kind": "local", "base": "main", "local": {"checks": ["make test"]}},
                "policy": self.policy,
                "limits": self.limits,
            },
            source="a test",
        )

    def meanwhile(self) -> None:
        """What was arranged happens once, between the next reading and its writing."""
        # Messages begin missions by themselves; the test's own stays the last.
        begun = set(self.context.store.mission_ids(live=True)) - set(self.watcher.missions)
        self.watcher.missions[:0] = sorted(begun)
        if (hook := self.hook) is not None:
            self.hook = None
            hook()

    def begin(
        self,
        *,
        waits: dict[int, tuple[int, ...]],
        labels: dict[int, str] | None = None,
        workspace: Literal["clone", "none"] = "clone",
    ) -> Mission:
        """A mission of these issues, each with those it waits for, and perhaps a label."""
        for number, on in waits.items():
            blocked = tuple(key(n) for n in on)
            label = (labels or {}).get(number)
            self.forge.issues[key(number)] = Issue(
                key=key(number), number=number, title="x", blocked_by=blocked, labels=(label,) if label else ()
            )
        order = Order(
            issues=[str(n) for n in waits], base_check=False, workspace=workspace, no_reviewer=workspace == "none"
        )
        started: Started = start(self.context, order)
        self.watcher.missions.append(started.mission.id)
        reconcile.reconcile(self.context, started.mission.id)
        return started.mission

    def write(
        self,
        to: str,
        text: str,
        kind: str = "message",
        *,
        sender: str = "operator",
        mission: str = "",
        urgent: bool = False,
    ) -> str:
        """Send a message in somebody's name; gives its id."""
        run = Run(sender, mission, 0) if sender in self.context.crew.agents() else None
        return send(self.context, Letter(to, text, kind, urgent, sender, mission, run)).message.id

    def item(self, number: int) -> Item:
        return self.context.store.item(self.watcher.missions[-1], key(number)).record

    def state(self) -> MissionState:
        return self.context.store.mission(self.watcher.missions[-1]).record.state

    def deliver(self) -> None:
        """All that was sent to the control worker reaches it."""
        while found := next((m for m in self.messages if m.queue == contract.QUEUE_CONTROL), None):
            self.messages.remove(found)
            self._control(found)

    def questions(self) -> list[str]:
        """What the conductor was asked."""
        return [m.text for m in self.context.mail.read(CONDUCTOR) if m.kind == "query"]

    def standing_help(self) -> tuple[str, ...]:
        """What is asked and not answered."""
        asked = self.context.store.mission(self.watcher.missions[-1]).record.help
        return asked.reasons if asked is not None else ()

    def claim(self, number: int, agent: str) -> Claim | None:
        attempt = self.item(number).attempt
        assert attempt is not None
        return claiming.claim(self.context, self.watcher.missions[-1], key(number), attempt.number, agent=agent)

    def do(self, number: int, agent: str, report: Report) -> bool:
        """Claim and report."""
        claimed = self.claim(number, agent)
        assert claimed is not None
        return attempts.report(self.context, claimed, report)

    def pass_gates(self, number: int) -> None:
        """Work, checks and review of an item; its merge is what is left."""
        assert self.do(number, "ada", Report(outcome=Outcome.SUCCEEDED, head=f"c{number}"))
        assert self.do(number, "checks", verdict(f"c{number}"))
        assert self.do(number, "bob", verdict(f"c{number}"))


def verdict(sha: str, *, passed: bool = True) -> Report:
    return Report(outcome=Outcome.SUCCEEDED, verdict=Verdict(passed=passed, sha=sha, why="" if passed else "no"))


MakeTown = Callable[..., ATown]
