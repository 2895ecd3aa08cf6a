"""The graphs on the page of states are those of the code: every way an item can go is walked, and compared."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.fakes.builders import a_mission, an_item
from tinytown.missions import gates, lifecycle, mission_state, rerun
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.records.record import Waiting
from tinytown.missions.states import ItemState, MissionState, Outcome, Purpose, WaitReason

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "states.md"
NOW = 1000.0
Edges = set[tuple[str, str]]


def drawn(heading: str) -> Edges:
    """The arrows of the graph under a heading, without those from the beginning and to the end."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    graph = section.split("```mermaid")[1].split("```")[0]
    return set(re.findall(r"^ *(\w+) --> (\w+)", graph, re.MULTILINE))


def as_report(outcome: Outcome) -> Report:
    return Report(outcome=outcome)


def reports(item: Item) -> Iterator[Report]:
    """Ways in which its live attempt may end."""
    assert item.attempt is not None
    yield from map(as_report, (Outcome.FAILED, Outcome.LOST, Outcome.UNREACHABLE, Outcome.CANCELLED))
    good = as_report(Outcome.SUCCEEDED)
    match item.attempt.purpose:
        case Purpose.WORK | Purpose.FIX:
            yield good
            yield good.evolve(head="new")
        case Purpose.MERGE:
            yield good.evolve(merged="m")
            yield good.evolve(waiting=Waiting(reason=WaitReason.BASE_DIRTY, since=NOW))
            yield good.evolve(verdict=Verdict(passed=False, sha=item.head or ""))
        case _:
            yield good
            yield good.evolve(verdict=Verdict(passed=True, sha=item.head or ""))
            yield good.evolve(verdict=Verdict(passed=False, sha=item.head or ""))


def steps(item: Item, policy: Policy) -> Iterator[Item | None]:
    """Whatever may happen to an item next, decided as the engine decides it."""
    yield lifecycle.make_ready(item, now=NOW)
    yield lifecycle.cancel(item, now=NOW)
    yield lifecycle.retry(item)
    yield rerun.again(item)
    if item.attempt is not None:
        yield lifecycle.withdraw(item)
        yield lifecycle.claim(item, item.attempt.number, agent="ann", token="t", now=NOW)
        if item.attempt.claimed:
            for report in reports(item):
                yield lifecycle.end_attempt(item, report, policy=policy, backoff=1.0, now=NOW)
    match gates.next_step(item, policy):
        case gates.Run(purpose):
            yield lifecycle.send(item, mission="m", purpose=purpose, queue="q", role="worker", now=NOW)
        case gates.Publish():
            yield item.evolve(published=item.head)
        case gates.Settle():
            yield lifecycle.settle(item, now=NOW)
        case gates.Hold():
            yield item.evolve(merge_wanted=True)
        case gates.Nothing():
            pass


def folded(item: Item) -> Item:
    """``item`` without what only counts or dates: two that differ in that go the same ways."""
    commits: dict[str | None, str | None] = {item.subject: "head" if item.head else "result/0", None: None}
    proofs = {
        name: commits.get(getattr(item, name), "old") for name in ("published", "checked", "approved", "merged_head")
    }
    asks = item.waiting is not None and item.waiting.reason is WaitReason.NEEDS_HELP
    return item.evolve(
        **proofs,
        head=commits[item.head],
        attempt=item.attempt and item.attempt.evolve(number=1, id="", sha=commits.get(item.attempt.sha, "old")),
        fence=0, attempts=0, faults=0, mute_reviews=0, salvage=None, not_before=None, base_sha=None, session_agent=None,
        ready_at=None, started_at=None, settled_at=None, authors=(), agent=None, approved_by=None,
        waiting=Waiting(reason=WaitReason.NEEDS_HELP, since=NOW) if asks else None,
        failures={name: count for name, count in item.failures.items() if count},
        fix=item.fix and item.fix.evolve(gate="check", summary="", sha=None),
    )  # fmt: skip


def walked(policy: Policy) -> Edges:
    """Every change of state that can be reached from a pending item."""
    edges: Edges = set()
    seen: set[str] = set()
    waiting = [an_item()]
    while waiting:
        item = waiting.pop()
        for new in steps(item, policy):
            if new is None:
                continue
            edges.add((item.state.value, new.state.value))
            place = folded(new)
            if (known := place.model_dump_json()) not in seen:
                seen.add(known)
                waiting.append(place)
    return {(a, b) for a, b in edges if a != b}


def test_the_graph_of_an_item_has_every_arrow_and_no_other() -> None:
    """The union over policies, as some arrows need a merge after the settling."""
    policies = [
        Policy(max_attempts=1, max_fix_rounds=1, settle_on=settle_on, auto_merge=auto_merge)
        for settle_on, auto_merge in (("merged", True), ("approved", True), ("merged", False))
    ]
    found = set().union(*(walked(policy) for policy in policies), walked(Policy(max_attempts=2, max_fix_rounds=0)))
    assert found == drawn("A work item")


def test_the_graph_of_a_mission_has_every_state() -> None:
    """And what `running_or_blocked` decides is drawn."""
    edges = drawn("A mission")
    assert {state for edge in edges for state in edge} == {state.value for state in MissionState}
    assert not [a for a, _ in edges if MissionState(a).ended]
    for state, item in itertools.product(MissionState, (an_item(state=s) for s in ItemState)):
        new = mission_state.running_or_blocked(a_mission(state=state), [item], nobody=[item.key], now=NOW)
        assert new is state or (state.value, new.value) in edges


def test_every_active_mission_can_end() -> None:
    """In each of the three ways; a paused one only by force."""
    edges = drawn("A mission")
    for state in (MissionState.RUNNING, MissionState.BLOCKED):
        assert {b for a, b in edges if a == state} >= {s.value for s in MissionState if s.ended}
    assert {b for a, b in edges if a == MissionState.PAUSED and MissionState(b).ended} == {"cancelled"}
