"""`tt migrate`: what an older release wrote is written anew, and what a newer one wrote is refused and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.saved_town import REPO, populate, records, running
from tests.integration.test_misuse import told
from tinytown import contract
from tinytown.engine.context import Context
from tinytown.engine.upkeep import migrate as migrating
from tinytown.engine.upkeep.restore import restore
from tinytown.host import process_specs, visit
from tinytown.missions.states import Purpose
from tinytown.state import lookup
from tinytown.town import Town

Typed = Callable[..., tuple[int, str, str]]
OLD, OTHER = "00000001-town", "00000002-town"


@pytest.fixture
def context(town: Town) -> Iterator[Context]:
    """A town that is stopped, its server kept running by somebody who looks; with records."""
    with visit.visit(town):
        found = running(town)
        populate(found)
        yield found


def edited(context: Context, name: str, field: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the JSON of a record behind everybody's back."""
    key = f"{context.town.prefix}mission:{name}"
    version, newline, body = str(context.store.client.hget(key, field)).rpartition("\n")
    values = json.loads(body)
    change(values)
    context.store.client.hset(key, field, f"{version}{newline}{json.dumps(values)}")


def aged(context: Context) -> None:
    """One of two missions as older releases wrote it."""

    def forget(values: dict[str, Any]) -> None:
        del values["schema_version"]
        del values["policy"]["max_attempts"]

    edited(context, OLD, "head", forget)
    first = f"{REPO}#100001"

    def merge(values: dict[str, Any]) -> None:
        values |= {"purpose": "check", "target": "merge"}

    edited(context, f"{OLD}:attempts", f"{first}/1", merge)
    attempt = {
        "id": f"{OLD}/{first}/2", "number": 2, "purpose": "check", "target": "merge", "queue": "checks",
        "role": "checks", "sent_at": 1.0,
    }  # fmt: skip
    edited(context, f"{OLD}:items", first, lambda values: values.update(attempt=attempt))
    context.store.client.hdel(context.store.keys.mission(OLD), "indexed")


def test_old_forms_are_shown_then_written_then_gone(typed: Typed, town: Town, context: Context) -> None:
    """The look changes nothing; what they say stays; the town is saved before; the second time there is nothing."""
    before = records(context)
    assert typed("migrate", cwd=town.root) == (
        0, "✅ Nothing to migrate: 10 records, all in the form of this release\n", "",
    )  # fmt: skip
    assert records(context) == before
    aged(context)
    old = records(context)
    said = "1 mission, 1 item, 1 attempt, the indexes of 1 mission\n"
    assert typed("migrate", "--dry-run", cwd=town.root) == (
        0, f"🔍 A migration would write anew: {said}   Nothing was changed: `tt migrate` does it\n", "",
    )  # fmt: skip
    assert records(context) == old
    assert not (town.folder / "saved").exists()

    code, shown, notes = typed("migrate", "--force", cwd=town.root)
    assert (code, shown) == (0, f"✅ Wrote anew: {said}")
    [kept] = (town.folder / "saved").iterdir()
    assert notes == f"note: the town as it was is saved in {kept}\n"
    new = records(context)
    text = str(new)
    assert '"target"' not in text
    assert json.loads(new[f"mission:{OLD}"][b"head"].partition(b"\n")[2])["policy"]["max_attempts"] == 3
    item = context.store.item(OLD, f"{REPO}#100001").record
    assert item.attempt is not None
    assert item.attempt.purpose is Purpose.MERGE
    assert context.store.finished_attempts(OLD)[0].purpose is Purpose.MERGE
    assert lookup.counts(context.store, OLD) is not None
    assert {key: value for key, value in new.items() if OLD not in key} == {
        key: value for key, value in old.items() if OLD not in key
    }
    again = json.loads(typed("migrate", "--json", cwd=town.root)[1])
    assert (again["done"], again["missions"], again["items"], again["attempts"], again["before"]) == (True, 0, 0, 0, "")
    assert records(context) == new


def test_what_a_newer_release_made_is_named_and_kept(typed: Typed, town: Town, context: Context) -> None:
    """The others are migrated; every command says a sentence, and none drops a byte of it."""
    aged(context)
    edited(context, OTHER, "head", lambda values: values.update(schema_version=contract.SCHEMA + 1, unheard="of"))
    newer = {key: value for key, value in records(context).items() if OTHER in key}
    code, shown, notes = typed("migrate", cwd=town.root)
    assert code == 1
    assert "Wrote anew: 1 mission" in shown
    assert f"note: mission {OTHER} was made by a newer tinytown and stays as it is: update tinytown\n" in notes
    told(
        typed("mission", "status", "--run", OTHER, cwd=town.root), 1, "was made by a newer tinytown", "update tinytown"
    )
    shown_beside_the_others(typed, town, "was made by a newer tinytown; update tinytown")
    assert {key: value for key, value in records(context).items() if OTHER in key} == newer


def shown_beside_the_others(typed: Typed, town: Town, why: str) -> None:
    """What lists missions says why this one cannot be read, and shows the rest."""
    _, listed, _ = typed("mission", "list", "--all", cwd=town.root)
    assert next(line for line in listed.splitlines() if OTHER[:8] in line).split()[2] == "unreadable"
    assert why in listed
    assert OLD[:8] in listed
    for words in (["mission", "list", "--json"], ["status", "--json"]):
        found = json.loads(typed(*words, cwd=town.root)[1])
        missions = {one["id"]: one for one in (found if isinstance(found, list) else found["missions"])}
        assert missions[OTHER]["state"] == "unreadable", words
        assert why in missions[OTHER]["reason"], words
        assert missions[OLD]["state"] == "running", words
    assert why in typed("status", cwd=town.root)[1]


def test_a_record_that_cannot_be_read_is_named_and_kept(typed: Typed, town: Town, context: Context) -> None:
    edited(context, f"{OTHER}:items", f"{REPO}#200002", lambda values: values.update(number="x"))
    before = records(context)
    code, _, notes = typed("migrate", cwd=town.root)
    assert code == 1
    assert f"note: mission {OTHER} has a damaged record and stays as it is: run `tt doctor`" in notes
    assert records(context) == before


def test_a_head_that_cannot_be_read_hides_no_other_mission(typed: Typed, town: Town, context: Context) -> None:
    edited(context, OTHER, "head", lambda values: values.update(created_at="x"))
    shown_beside_the_others(typed, town, "is damaged; run `tt doctor`")


def test_a_town_that_works_meanwhile_loses_nothing(
    town: Town, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item that moves between the look and the write is looked at again, and keeps what it became."""
    aged(context)
    look, moved = migrating.forms.items, []

    def move(*words: Any) -> Any:
        found = look(*words)
        if found[1] and len(moved) < 3:  # The preview, and twice between a look and its write.
            moved.append(1)
            store = running(town).store
            old = store.item(OLD, f"{REPO}#100001")
            change = store.change()
            change.put_item(store.mission(OLD).record, old, old.record.evolve(title=f"moved {len(moved)}"))
            change.draft.write("HSET", context.store.keys.results(OLD), "x", "y")
            change.commit()
            edited(context, f"{OLD}:items", f"{REPO}#100001",
                   lambda values: values["attempt"].update(purpose="check", target="merge"))  # fmt: skip
        return found

    monkeypatch.setattr(migrating.forms, "items", move)
    migrating.migrate(context)
    item = context.store.item(OLD, f"{REPO}#100001").record
    assert item.title == "moved 3"
    assert item.attempt is not None
    assert item.attempt.purpose is Purpose.MERGE


def test_a_database_that_a_newer_release_wrote_to_is_left_alone(
    typed: Typed, town: Town, context: Context, tmp_path: Path
) -> None:
    """Every command refuses in a sentence, and nothing is written, not even by a start or a restore."""
    file = tmp_path / "town.zip"
    assert typed("save", str(file), cwd=town.root)[0] == 0
    assert context.store.client.get(f"{town.prefix}schema") == str(contract.SCHEMA)
    context.store.client.set(f"{town.prefix}schema", contract.SCHEMA + 1)
    before = records(context)
    refused = (
        ["status"], ["mission", "list"], ["save", str(tmp_path / "x.zip")], ["migrate"],
        ["restore", "--replace", str(file)], ["reset", "--force"], ["start"],
    )  # fmt: skip
    for words in refused:
        said = typed(*words, cwd=town.root)
        assert said[0] == 1, words
        assert (
            "error: the town's database was written by a newer tinytown\n  update tinytown on this machine\n" in said[2]
        )
    findings = json.loads(typed("doctor", "--json", cwd=town.root)[1])
    [finding] = [one for one in findings if one["status"] == "fail" and "newer tinytown" in one["detail"]]
    assert finding["remedy"] == "update tinytown on this machine"
    assert records(context) == before
    assert not (tmp_path / "x.zip").exists()
    process_specs.unwant(town)
    # Whoever has updated goes on.
    context.store.client.set(f"{town.prefix}schema", contract.SCHEMA)
    restore(town.root, file, replace=True)
    assert running(town).store.client.get(f"{town.prefix}schema") == str(contract.SCHEMA)
