"""What an attempt knows of itself: its records, who runs it, what it stands on, and what it has used so far."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tinytown.attempt_paths import AttemptPaths, paths_of
from tinytown.engine.context import Context
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.dispatch.costs import Spent
from tinytown.errors import TinytownError
from tinytown.missions import messages
from tinytown.missions.records.agent import Message
from tinytown.missions.records.attempt import Attempt, Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Purpose
from tinytown.town import Town
from tinytown_workers.attempt import bills
from tinytown_workers.attempt.bills import Bill
from tinytown_workers.attempt.execution import Execution
from tinytown_workers.run.hold import Hold
from tinytown_workers.run.runner import Runner

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """What an attempt stands on in one repository: the same for all that it is told and given."""

    mirror: Path
    #: Tip of the base.
    base: str


@dataclass
class AttemptContext:
    """See the module."""

    #: The use cases' context: the town, its records, its forge.
    engine: Context
    claim: Claim
    #: The CLI that runs.
    cli: str
    role: str
    runner: Runner
    stop: threading.Event
    renew: Callable[[], bool]
    #: Whether its runs are to stand still.
    hold: Hold = field(default_factory=Hold)
    #: The agent's own CLI: another one runs while that is at a usage limit.
    own_cli: str = ""
    #: All that it could run are at their usage limits until then, by the database's clock.
    rests_until: float | None = None
    #: What the runs of this attempt used that have ended.
    spent: Spent = field(default_factory=Spent)
    #: Messages that its agent has read, in its brief or in its mailbox.
    read: list[Message] = field(default_factory=list)
    _origins: dict[str, Origin] = field(default_factory=dict)
    _bill: Bill | None = None

    @property
    def town(self) -> Town:
        return self.engine.town

    @property
    def mission(self) -> Mission:
        return self.claim.mission

    @property
    def item(self) -> Item:
        return self.claim.item

    @property
    def record(self) -> Attempt:
        return self.claim.attempt

    @property
    def reviews(self) -> bool:
        """Whether it judges a change."""
        return self.record.purpose is Purpose.REVIEW

    # The folders are told by a claim, which never changes.

    @cached_property
    def paths(self) -> AttemptPaths:
        """Where its files lie."""
        return paths_of(self.town, self.mission.id, self.item.key, self.record.number)

    @cached_property
    def execution(self) -> Execution:
        """How it runs outside code."""
        return Execution(self.town, self.claim, self.paths, self.runner, self.stop, self.renew, self.hold)

    def origin(self, repo: str) -> Origin:
        """A repository as it was when this attempt first asked for it."""
        if repo not in self._origins:
            forge = self.engine.forge
            mirror = forge.mirror(repo)
            self._origins[repo] = Origin(mirror, forge.base_tip(repo, self.mission.base_of(repo)))
        return self._origins[repo]

    def at_end(self, close: Callable[[], None]) -> None:
        """Have this done when the attempt is over; the last that is said is done first."""
        self.execution.closing.append(close)

    def leave(self) -> None:
        """Undo what the attempt set up; what cannot be removed safely stays, and is named in the log."""
        while self.execution.closing:
            try:
                self.execution.closing.pop()()
            except TinytownError as error:
                log.warning("left behind: %s", error)

    # -- what it used ------------------------------------------------------------------------------

    def charge(self, report: Report) -> Report:
        """The report with what the attempt used, read and tried to reach, whatever it came to."""
        refused = self.execution.refused.words()
        # Those that ask for an answer are over with the item that has them answered.
        got = tuple(messages.pending_field(message) for message in self.read if not messages.asks(message))
        return report.evolve(cost_usd=self.spent.cost_usd, tokens=self.spent.tokens, refused=refused, got=got)

    def open_bill(self, session: str | None) -> None:
        """Note on disk that a run begins whose cost is not on record yet."""
        self._bill = Bill(
            mission=self.mission.id,
            item=self.item.key,
            number=self.record.number,
            cli=self.cli,
            folder=str(self.paths.clone),
            logs=str(self.paths.logs),
            cost_usd=self.spent.cost_usd,
            tokens=self.spent.tokens,
            session=session,
        )
        bills.open_bill(self.town, self._bill)

    def settle(self) -> None:
        """What the attempt used is on record."""
        if self._bill is not None:
            bills.close_bill(self.town, self._bill)
            self._bill = None
