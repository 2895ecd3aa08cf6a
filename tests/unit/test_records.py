"""What is stored says the same for ever, whatever the defaults become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tinytown import contract
from tinytown.engine.views.items import attempt_json
from tinytown.engine.views.missions import item_json
from tinytown.errors import TinytownError
from tinytown.missions.records.agent import Agent, Event, Message
from tinytown.missions.records.attempt import Attempt, AttemptRecord, FixReason
from tinytown.missions.records.evidence import ReviewWarnings
from tinytown.missions.records.issue import Edge
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Help, Mission, Policy
from tinytown.missions.records.record import Record, Waiting
from tinytown.missions.states import ItemState, Purpose, Source, WaitReason
from tinytown.state import records
from tinytown.state.records import DamagedRecordError, decode, encode

#: Every kind of record that leaves anything out, as small as it can be.
ITEM = Item(
    key="local/a#1",
    number=0,
    title="",
    edges=(Edge(on="local/a#2", source=Source.TEXT),),
    attempt=Attempt(id="m/1/1", number=1, purpose=Purpose.WORK, queue="q", role="worker", sent_at=0.0),
    waiting=Waiting(reason=WaitReason.PAUSED, since=0.0),
    fix=FixReason(gate="check", summary=""),
)
MISSION = Mission(id="m", objectives=(), forge="local", repo="local/a", base="main", created_at=0.0)
MINIMAL: list[Record] = [
    MISSION,
    MISSION.evolve(help=Help(reasons=(), since=0.0)),
    ITEM,
    Agent(name="ann", role="worker", cli="x", spawned_at=0.0),
    Event(at=0.0, kind="x"),
    Message(at=0.0, sender="a", to="b", text=""),
]
KINDS: tuple[type[Record], ...] = (
    Waiting, Edge, Attempt, FixReason, Item, Policy, Help, Mission, Agent, Event, Message,
)  # fmt: skip
#: No default of today.
OTHER = "another default"


def says_something(kind: type[Record], default: Any) -> bool:
    return kind in (Mission, Policy) or bool(default)


@pytest.fixture
def other_defaults(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every default that says something is another one, as after an update."""
    changed = []
    for kind in KINDS:
        for field in kind.model_fields.values():
            if not field.is_required() and says_something(kind, field.default):
                changed.append((field, field.default))
                field.default = OTHER
    for kind in KINDS:
        kind.model_rebuild(force=True)
    records._read.cache_clear()
    assert len(changed) > 25
    yield
    for field, default in changed:
        field.default = default
    for kind in KINDS:
        kind.model_rebuild(force=True)
    records._read.cache_clear()


STORED = [(type(record), encode(3, record), record.model_dump(mode="json")) for record in MINIMAL]
#: As the head of a mission was stored before all of it was.
BEFORE = '7\n{"id":"m","objectives":["local/a#1"],"forge":"local","repo":"local/a","base":"main","created_at":1.0%s}'


def test_a_stored_record_survives_a_change_of_every_default(other_defaults: None) -> None:
    """What says something is stored, though it be the default of the day."""
    assert Policy().max_attempts == OTHER  # type: ignore[comparison-overlap]
    for kind, text, values in STORED:
        found = decode(kind, "k", "f", text)
        assert found.version == 3
        assert found.record.model_dump(mode="json") == values, kind


@pytest.mark.parametrize("policy", ["", ',"policy":{"max_attempts":9}'])
def test_a_mission_of_before_says_what_it_said_then(other_defaults: None, policy: str) -> None:
    """Its policy and its schema were left out where they were as the defaults of that time."""
    mission = decode(Mission, "k", "f", BEFORE % policy).record
    assert (mission.schema_version, mission.state, mission.workspace) == (1, "planning", "clone")
    assert (mission.policy.max_parallel_items, mission.policy.reviewer_required) == (2, True)
    assert mission.policy.max_attempts == (9 if policy else 3)
    # What is newer than that was never left out, and has the default of today.
    assert all(getattr(mission.policy, name) != OTHER for name in records._LEFT_OUT_OF_POLICY)


def test_what_was_left_out_is_known_for_good() -> None:
    """The values of before are written down, and never follow a default."""
    assert records._LEFT_OUT == {"schema_version": 1, "state": "planning", "workspace": "clone"}
    assert Policy.model_validate(records._LEFT_OUT_OF_POLICY) == Policy(
        max_parallel_items=2,
        reviewer_required=True,
        auto_merge=True,
        settle_on="merged",
        watch_interval_secs=180,
        max_attempts=3,
        max_fix_rounds=3,
        require_checks=True,
        required_approvals=0,
        budget_usd=None,
        checks=True,
    )


def test_a_record_comes_back_as_it_was() -> None:
    """Also with what a newer release added, and with text in any script."""
    full = ITEM.evolve(title='Ünï \u65e5\u672c "q" \\', failures={"work": 2}, state=ItemState.FIXING, kind_named=False)
    newer = Item.model_validate({**full.model_dump(), "later": {"a": [1, None]}})
    for record in (*MINIMAL, full, newer):
        assert decode(type(record), "k", "f", encode(1, record)).record == record


def test_an_item_stays_small() -> None:
    """A mission has many; what says nothing is left out of each."""
    stored = json.loads(encode(1, Item(key="local/a#1", number=1, title="One")).partition("\n")[2])
    assert set(stored) == {"key", "number", "title", "role", "kind", "kind_named", "critical_path", "state"}


def test_a_mission_of_a_newer_release_is_said_to_be_one() -> None:
    """Though it may not even fit what a mission is here."""
    values = {**MISSION.model_dump(mode="json"), "schema_version": contract.SCHEMA + 1, "state": "dreaming"}
    with pytest.raises(TinytownError, match="made by a newer tinytown"):
        decode(Mission, "tt:x:mission:abc", "head", f"1\n{json.dumps(values)}")
    with pytest.raises(DamagedRecordError):
        decode(Mission, "tt:x:mission:abc", "head", f"1\n{json.dumps({**values, 'schema_version': 1})}")


@pytest.mark.parametrize(
    ("target", "purpose"), [("merge", Purpose.MERGE), ("head", Purpose.CHECK), (None, Purpose.CHECK)]
)
def test_a_check_with_the_target_merge_is_read_as_a_merge(target: str | None, purpose: Purpose) -> None:
    """Of a town from before merges had a purpose of their own, live and ended attempts alike."""
    old = {"target": target} if target else {}
    live = {"id": "m/1/1", "number": 1, "purpose": "check", **old, "queue": "q", "role": "checks", "sent_at": 0.0}
    item = json.loads(records.body(ITEM)) | {"attempt": live}
    read = decode(Item, "k", "f", f"1\n{json.dumps(item)}").record
    assert read.attempt is not None
    assert read.attempt.purpose is purpose
    assert "target" not in json.loads(records.body(read))["attempt"]
    ended = {**live, "item": ITEM.key, "ended_at": 1.0, "report": {"outcome": "succeeded"}}
    assert decode(AttemptRecord, "k", "f", f"1\n{json.dumps(ended)}").record.purpose is purpose


def test_warnings_for_a_review_are_read_under_their_old_name() -> None:
    """Of items and reports of a town from before they were called so; scripts go on reading them as ``looks``."""
    old = {"looks": {"sha": "abc", "protected": ["Makefile"]}}
    warnings = ReviewWarnings(sha="abc", protected=("Makefile",))
    read = decode(Item, "k", "f", f"1\n{json.dumps(json.loads(records.body(ITEM)) | old)}").record
    assert read.review_warnings == warnings
    again = decode(Item, "k", "f", encode(2, read)).record
    assert (again.review_warnings, again.model_extra) == (warnings, {})
    assert item_json(again)["looks"]["protected"] == ["Makefile"]
    ended = {"id": "m/1/1", "number": 1, "purpose": "work", "item": ITEM.key, "sent_at": 0.0, "ended_at": 1.0}
    attempt = AttemptRecord.model_validate_json(json.dumps({**ended, "report": {"outcome": "succeeded", **old}}))
    assert attempt.report.review_warnings == warnings
    assert AttemptRecord.model_validate_json(attempt.model_dump_json()) == attempt
    report = attempt_json(attempt)["report"]
    assert report["looks"]["protected"] == ["Makefile"]
    assert "review_warnings" not in report
