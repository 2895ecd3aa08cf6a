"""Small records for tests: say what matters, take the rest as it comes."""

from __future__ import annotations

from typing import Any

from tinytown.missions import lifecycle
from tinytown.missions.crew import Crew, Worker
from tinytown.missions.records.attempt import FixReason, Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.issue import Edge
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import ItemState, MissionState, Outcome, Purpose, Source, WaitReason

REPO = "local/town"
#: The time of tests that need but one.
NOW = 1000.0
#: First pause after a failure, in tests.
BACKOFF = 30.0


def key(number: int) -> str:
    return f"{REPO}#{number}"


def a_mission(*, state: MissionState = MissionState.RUNNING, **changes: Any) -> Mission:
    """A running mission; a word that its policy knows changes the policy, any other the mission."""
    policy = {name: changes.pop(name) for name in list(changes) if name in Policy.model_fields}
    mission = Mission(
        id="0123456789abcdef", state=state, objectives=(key(1),), forge="local", repo=REPO, base="main",
        policy=Policy(**policy), created_at=0.0,
    )  # fmt: skip
    return mission.evolve(**changes)


def an_item(number: int = 1, *, after: tuple[int, ...] = (), **changes: Any) -> Item:
    """A pending item."""
    edges = tuple(Edge(on=key(n), source=Source.TEXT) for n in after)
    item = Item(key=key(number), number=number, title=f"Issue {number}", edges=edges, branch=f"tt/{number}")
    return item.evolve(**changes)


def ready(number: int = 1, **changes: Any) -> Item:
    return an_item(number, **{"state": ItemState.READY} | changes)


def with_change(number: int = 1, *, head: str = "head", **changes: Any) -> Item:
    """An item in review whose change the forge has; no gate was passed yet."""
    known: dict[str, Any] = {"head": head, "published": head, "change": f"tt/{number}", "authors": ("ada",)}
    return an_item(number, **{"state": ItemState.IN_REVIEW} | known | changes)


def passed(number: int = 1, *, head: str = "head", **changes: Any) -> Item:
    """An item whose change passed its checks and its review: only the merge is left."""
    return with_change(number, head=head, **{"checked": head, "approved": head, "approved_by": "rita"} | changes)


def asking(item: Item, words: str = "something is wrong") -> Item:
    """``item`` waiting for a person."""
    return waiting(item, WaitReason.NEEDS_HELP, remedy=words)


def waiting(item: Item, reason: WaitReason, *, remedy: str = "", until: float | None = None) -> Item:
    return item.evolve(waiting=Waiting(reason=reason, since=NOW, until=until, remedy=remedy))


def sent(
    item: Item, purpose: Purpose = Purpose.WORK, *, queue: str = "role.worker", agent: str | None = None,
    now: float = NOW,
) -> Item:  # fmt: skip
    """``item`` with an attempt that nobody took yet."""
    new = lifecycle.send(item, mission="m", purpose=purpose, queue=queue, role="worker", agent=agent, now=now)
    assert new is not None
    return new


def with_attempt(
    item: Item, purpose: Purpose = Purpose.WORK, *, agent: str = "ada", now: float = NOW,
    cli: str = "", host: str = "",
) -> Item:  # fmt: skip
    """``item`` with an attempt that ``agent`` claimed."""
    new = sent(item, purpose, now=now)
    claimed = lifecycle.claim(new, new.fence, agent=agent, token="token", now=now, cli=cli, host=host)
    assert claimed is not None
    return claimed


def reported(item: Item, report: Report | Outcome, *, now: float = NOW, **policy: Any) -> Item:
    """What the end of the live attempt makes of ``item``."""
    said = report if isinstance(report, Report) else Report(outcome=report)
    new = lifecycle.end_attempt(item, said, policy=Policy(**policy), backoff=BACKOFF, now=now)
    assert new is not None
    return new


def success(**words: Any) -> Report:
    return Report(outcome=Outcome.SUCCEEDED, **words)


def verdict(passed: bool, *, sha: str = "head", why: str = "") -> Report:
    """A review's or a check's answer."""
    return success(verdict=Verdict(passed=passed, sha=sha, why=why))


def a_fix(gate: str = "check", *, sha: str = "head") -> FixReason:
    return FixReason.model_validate({"gate": gate, "summary": "it fails", "sha": sha})


def a_crew(*workers: str, busy: tuple[str, ...] = (), sent: dict[str, int] | None = None) -> Crew:
    """Live workers, each ``name`` or ``name:role``; a name alone is its own role."""
    parts = [w.partition(":") for w in workers]
    return Crew([Worker(n, role or n, idle=n not in busy) for n, _, role in parts], dict(sent or {}))
