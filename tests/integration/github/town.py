"""A mission on a GitHub of its own, moved by the engine's own functions in this process: real database, forge and git.

Only the agents are replaced: they write what a test tells them to. ``go_on`` does all that can be done now; ``look``
lets a minute pass and looks at GitHub.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from tests.fakes.github.hub import GitHub
from tests.fakes.github.models import Pull
from tests.fakes.repositories import Repository, work_in_mirror
from tests.story.arranged import ATown
from tests.story.simulation import Worker
from tinytown.engine.changes import repo_of
from tinytown.engine.conductor import escalate
from tinytown.engine.dispatch import attempts, claiming, reconcile
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.start.start import Order, start
from tinytown.engine.watch import outside
from tinytown.errors import UnreachableError
from tinytown.forge.github.issues import GitHubForge
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.item import Item
from tinytown.missions.states import Outcome, Purpose
from tinytown.settings import parse as parse_settings
from tinytown_workers import performing
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.run.runner import Runner

REPO = "octo/site"
MakeTown = Callable[..., "Town"]
#: More rounds than any of the missions here needs to come to rest.
_ROUNDS = 60


class DiedError(BaseException):
    """The process died here; no code of ours may catch it."""


class Town(ATown):
    """See the module."""

    def __init__(
        self,
        url: str,
        root: Path,
        github: GitHub,
        *,
        base: str = "main",
        bots: Mapping[str, Any] | None = None,
        **policy: object,
    ) -> None:
        self.base = base
        self.bots = bots or {}
        #: What was said to whoever started the last mission.
        self.remarks: tuple[str, ...] = ()
        self.github = github
        self.root = root
        #: Whether the attempt of an item is left untaken for now.
        self.held: Callable[[Item], bool] = lambda _: False
        #: What agents write in their next runs; after that each writes a file of its item's number.
        self.writes: list[Mapping[str, str]] = []
        #: What happens once, before the next report of an agent.
        self.then: Callable[[], object] | None = None
        #: Commits that a merge round takes in besides the base.
        self.taken: list[str] = []
        #: What the briefs of the fix rounds were about.
        self.rounds: list[str] = []
        super().__init__(url, **{"auto_merge": True, "watch_interval_secs": 60, **policy})
        self.watched = ()  # type: ignore[misc]
        self.enlist(Worker("forge", "forge"))
        self.restart()

    def _root(self) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        return self.root

    def _settings(self):  # type: ignore[no-untyped-def]
        return parse_settings(self._values(), source="a test")

    def _values(self) -> dict[str, Any]:
        forge = {"kind": "github", "repo": REPO, "base": self.base, "base_url": self.github.base_url}
        return {
            "forge": {**forge, "github": {"bots": self.bots}},
            "policy": {**self.policy},
            # Each look is at every issue.
            "timing": {"tick_secs": 60},
        }

    def restart(self) -> None:
        """The process that speaks to GitHub begins anew."""
        self.forge = GitHubForge(self.town)  # type: ignore[assignment]
        self.context.__dict__["forge"] = self.forge
        self.context._done_at.clear()

    def outlive_limits(self) -> None:
        """The time of all limits that were met is over: no process of the town knows of them."""
        shutil.rmtree(self.town.state / "github", ignore_errors=True)
        self.restart()

    @property
    def mission(self) -> str:
        return self.watcher.missions[-1]

    def start(self, *numbers: int) -> Town:
        """A mission of these issues, as far as it goes before anything happens outside."""
        started = start(self.context, Order(issues=[str(n) for n in numbers], base_check=False))
        self.watcher.missions.append(started.mission.id)
        self.remarks = tuple(started.remarks)
        reconcile.reconcile(self.context, started.mission.id)
        return self.go_on()

    def item(self, number: int = 1) -> Item:
        return self.context.store.item(self.mission, f"{REPO}#{number}").record

    def pull(self, number: int = 1) -> Pull:
        return self.github.pull(int(self.item(number).change or 0))

    def said(self, number: int = 1) -> str:
        """What an item is said to wait for."""
        waiting = self.item(number).waiting
        return waiting.remedy if waiting is not None else ""

    # -- time ------------------------------------------------------------------------------------

    def look(self, seconds: float = 61.0) -> Town:
        """Let time pass, look at GitHub, and do what follows from it."""
        self.pass_time(seconds)
        self.context._done_at.clear()
        self.watch()
        self.go_on()
        escalate.escalate_all(self.context)
        return self

    def watch(self) -> None:
        """One tick of the watch."""
        self._unless_away(lambda: outside.watch_all(self.context))

    def _unless_away(self, duty: Callable[[], object]) -> None:
        """A duty of a tick: what cannot be reached is tried at the next one, and so is what a death cut off."""
        for _ in range(_ROUNDS):
            try:
                duty()
            except DiedError:
                self.restart()
            except UnreachableError:
                return
            else:
                return

    def until(self, true: Callable[[], object], *, looks: int = 12) -> Town:
        """Look until something is so."""
        for _ in range(looks):
            if true():
                return self
            self.look()
        assert true(), (self.context.store.items(self.mission), self.standing_help())
        return self

    def _pass_time(self, seconds: float) -> None:
        super()._pass_time(seconds)
        client, keys = self.context.store.client, self.context.store.keys
        for mission in self.watcher.missions:
            for key, text in client.hgetall(keys.mission_watches(mission)).items():
                client.hset(keys.mission_watches(mission), key, json.dumps(_earlier(json.loads(text), seconds)))

    # -- work ------------------------------------------------------------------------------------

    def go_on(self) -> Town:
        """Deliver and run everything that can be done now."""
        for _ in range(_ROUNDS):
            reconcile.reconcile(self.context, self.mission)
            self.deliver()
            self.messages.clear()
            due = [
                item.record
                for item in self.context.store.items(self.mission).values()
                if item.record.attempt is not None and not self.held(item.record)
            ]
            if not due:
                return self
            for item in due:
                self.attempt(item)
        raise AssertionError(f"it does not come to rest: {self.context.store.items(self.mission)}")

    def begin(self, item: Item) -> Claim:  # type: ignore[override]
        """Have the attempt of an item claimed by who is to do it."""
        attempt = item.attempt
        assert attempt is not None
        agent = {Purpose.PUBLISH: "forge", Purpose.MERGE: "forge", Purpose.REVIEW: "bob"}.get(attempt.purpose, "ada")
        found = claiming.claim(self.context, self.mission, item.key, attempt.number, agent=agent, host=self.host)
        assert found is not None
        return found

    def attempt(self, item: Item) -> None:
        """One attempt from claim to report."""
        claimed = self.begin(item)
        self.report(claimed, self.outcome_of(claimed))

    def report(self, claimed: Claim, report: Report) -> None:
        assert attempts.report(self.context, claimed, report)

    def outcome_of(self, claimed: Claim) -> Report:
        """What an attempt comes to."""
        match claimed.attempt.purpose:
            case Purpose.PUBLISH | Purpose.MERGE:
                return self.at_github(claimed)
            case Purpose.REVIEW:
                assert claimed.attempt.sha is not None
                verdict = Verdict(passed=True, sha=claimed.attempt.sha)
                return Report(outcome=Outcome.SUCCEEDED, summary="approved", verdict=verdict)
        return Report(outcome=Outcome.SUCCEEDED, summary="done", head=self.written(claimed))

    def at_github(self, claimed: Claim) -> Report:
        """Run the real stage of a publication or a merge."""
        attempt = AttemptContext(
            engine=self.context,
            claim=claimed,
            cli="",
            role="forge",
            runner=cast(Runner, None),
            stop=threading.Event(),
            renew=lambda: True,
        )
        for _ in range(_ROUNDS):
            try:
                return performing.perform(attempt)
            except DiedError:
                self.restart()
            finally:
                attempt.leave()
        raise AssertionError(f"{claimed.attempt.id} dies again and again")

    def written(self, claimed: Claim) -> str:
        """What an agent does: it writes on top of the item's head; in a merge round the base is taken in."""
        item = claimed.item
        if item.fix is not None:
            self.rounds.append(f"{item.fix.gate}: {item.fix.summary}\n{item.fix.details}")
        mirror, bare = (folder := self.context.forge.mirror(repo_of(item, claimed.mission))), Repository(folder)
        files = self.writes.pop(0) if self.writes else {f"{item.number}.txt": f"{claimed.attempt.number}\n"}
        base = bare.rev(f"refs/heads/{self.base}")
        if item.fix is None or item.fix.gate != "merge" or item.head is None:
            sha = work_in_mirror(mirror, files, branch=item.branch, on=item.head or base)
        else:
            tree = bare.rev(f"{work_in_mirror(mirror, files, branch='resolved', on=base)}^{{tree}}")
            parents = (word for parent in (item.head, *self.taken, base) for word in ("-p", parent))
            sha = bare.git("commit-tree", *parents, "-m", "Merge", tree)
            bare.git("update-ref", f"refs/heads/{item.branch}", sha)
        if (then := self.then) is not None:
            self.then = None
            then()
        return sha


def _earlier(record: Any, seconds: float) -> Any:
    """A record of what was seen, with its times moved into the past."""
    if isinstance(record, list):
        return [_earlier(one, seconds) for one in record]
    if not isinstance(record, dict):
        return record
    times = ("good_until", "seen_at", "due_at", "pushed_at", "changed_at")
    return {
        name: value - seconds if (name in times or name.endswith("seen_at")) and value else _earlier(value, seconds)
        for name, value in record.items()
    }
