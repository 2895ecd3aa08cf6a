"""Usage limits: who waits together, who goes on, and who takes over."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.builders import NOW, a_crew, a_mission, key, ready, reported, with_attempt
from tinytown.missions import lanes, limits
from tinytown.missions.crew import Crew
from tinytown.missions.limits import Limit
from tinytown.missions.records.attempt import Report
from tinytown.missions.records.item import Item
from tinytown.missions.scheduler import Admit, Refuse, admit
from tinytown.missions.states import Outcome, WaitReason

#: Claude's on machine h is used up for two hours more.
CLAUDE = {"claude@h": Limit(since=NOW, until=NOW + 7200)}


def crew(clis: dict[str, str], *names: str, found: dict[str, Limit] | None = None, host: str = "h") -> Crew:
    """Workers with their CLIs, those that may stand in behind the first, separated by commas."""
    plain = a_crew(*names)
    workers = [replace(w, clis=tuple(clis[w.name].split(",")), host=host) for w in plain.workers]
    return replace(plain, workers=workers, limits=CLAUDE if found is None else found)


def decide(item: Item, crew: Crew, *, now: float = NOW) -> Admit | Refuse | None:
    found = admit(a_mission(), [item], live=0, crew=crew, now=now)
    return found[0] if found else None


def test_all_agents_of_a_cli_and_account_wait_for_its_end_together() -> None:
    """An item that never ran there waits, too, and says until when."""
    both = crew({"a": "claude", "b": "claude"}, "a:worker", "b:worker")
    refused = decide(ready(1), both)
    assert isinstance(refused, Refuse)
    assert (refused.reason, refused.nobody) == (WaitReason.USAGE_LIMIT, False)
    assert refused.until is not None
    assert NOW + 7200 <= refused.until <= NOW + 7200 + limits.MAX_SPREAD
    assert isinstance(decide(ready(1), both, now=refused.until), Admit)


def test_another_cli_or_machine_goes_on_and_gets_its_work_by_name() -> None:
    """From the queue of their role the one that rests could take it."""
    mixed = decide(ready(1), crew({"a": "claude", "b": "codex"}, "a:worker", "b:worker"))
    assert isinstance(mixed, Admit)
    assert (mixed.queue, mixed.agent) == ("agent.b", "b")
    elsewhere = decide(ready(1), crew({"a": "claude"}, "a:worker", host="other"))
    assert isinstance(elsewhere, Admit)
    assert elsewhere.queue == "role.worker"


def test_a_directed_item_and_a_review_wait_too() -> None:
    directed = decide(ready(1, directed_to="a"), crew({"a": "claude", "b": "codex"}, "a:worker", "b:worker"))
    assert isinstance(directed, Refuse)
    assert directed.reason is WaitReason.USAGE_LIMIT


def test_a_fallback_keeps_its_worker_at_work_until_that_is_limited_too() -> None:
    one = {"a": "claude,codex"}
    assert isinstance(decide(ready(1), crew(one, "a:worker")), Admit)
    both = {**CLAUDE, "codex@h": Limit(since=NOW, until=NOW + 60)}
    refused = decide(ready(1), crew(one, "a:worker", found=both))
    assert isinstance(refused, Refuse)
    assert refused.until is not None
    assert refused.until < NOW + 100
    assert limits.choose(["claude", "codex"], "h", CLAUDE, "k", now=NOW) == "codex"
    assert limits.choose(["claude", "codex"], "h", both, "k", now=NOW) is None
    assert limits.choose(["claude", "codex"], "h", both, "k", now=NOW + 100) == "codex"
    assert limits.choose(["claude", "codex"], "h", both, "k", now=NOW + 8000) == "claude"


def test_what_ran_into_a_limit_is_passed_on_at_once_but_not_for_ever() -> None:
    """Only while its limit is on record, and not again and again: a record that is wrong must not make a loop."""
    said = Report(outcome=Outcome.USAGE_LIMIT, retry_at=NOW + 7200)
    parked = reported(with_attempt(ready(1), cli="claude", host="h"), said)

    def mixed() -> Crew:
        return crew({"a": "claude", "b": "codex"}, "a:worker", "b:worker")

    assert isinstance(decide(parked, mixed()), Admit)
    assert isinstance(decide(parked.evolve(limits=lanes.MAX_PASSED_ON), mixed()), Admit)
    assert decide(parked.evolve(limits=lanes.MAX_PASSED_ON + 1), mixed()) is None
    unknown = reported(with_attempt(ready(1), cli="vibe", host="h"), said)
    assert decide(unknown, mixed()) is None
    assert decide(parked, crew({"a": "claude"}, "a:worker")) is None
    assert decide(parked, crew({"a": "claude"}, "a:worker", found={})) is None


def test_the_spread_is_small_and_always_the_same_for_an_item() -> None:
    limit = Limit(since=NOW, until=NOW + 100)
    ends = {limits.over_at(limit, key(n)) for n in range(50)}
    assert len(ends) == 50
    assert all(limit.until <= end <= limit.until + 100 * limits.SPREAD_PART for end in ends)
    assert limits.over_at(limit, key(1)) == limits.over_at(limit, key(1))
