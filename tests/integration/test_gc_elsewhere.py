"""What a host that joined clears away on its own disk: only what a base holds, or the hub has as it is."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.fakes.builders import a_mission, an_item
from tests.fakes.repositories import Repository
from tests.integration.hub.bench import Bench, a_bench
from tinytown.engine.context import Context
from tinytown.engine.upkeep import gc
from tinytown.engine.upkeep.gc import Cleared, clear
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub
from tinytown.host.server import Server
from tinytown.missions.records.issue import Issue
from tinytown.missions.states import ItemState, MissionState
from tinytown.settings import parse
from tinytown.town import Identity, Town

DAY = 86_400.0


@dataclass
class Barn:
    """A host whose home has a hub; nothing of the town runs but the database."""

    bench: Bench
    context: Context
    hub: Hub

    def mission(self, *, ago: float) -> str:
        """A mission that ended so many days ago; gives the beginning of its id."""
        store, id_ = self.context.store, str(uuid.uuid4())
        item = an_item(1, state=ItemState.DONE)
        change = store.change()
        change.create_mission(
            a_mission(id=id_, created_at=store.now() - ago * DAY - 60), [item],
            [Issue(key=item.key, number=1, title="x")], graph={"order": [item.key]}, canvas={"sources": {item.key: []}},
        )  # fmt: skip
        change.commit()
        old, ending = store.mission(id_), store.change()
        ended = old.record.evolve(state=MissionState.COMPLETED, finished_at=store.now() - ago * DAY)
        ending.put_mission(old, ended)
        ending.release_issues([item])
        ending.commit()
        return id_[:8]

    def work(self, short: str, name: str) -> str:
        """Work of a mission that an attempt left in this host's mirror; gives its ref."""
        ref = f"refs/tinytown/{name}/{short}/project-1/1"
        self.bench.work(self.hub, {f"{name}-{short}.txt": name}, on=self.bench.repository.rev("main"), ref=ref)
        return ref

    def refs(self) -> set[str]:
        return set(self.hub.own.refs(names.WORK))

    def noted(self) -> set[str]:
        return set(self.hub.known("work/*"))


@pytest.fixture
def barn(tmp_path: Path, server: Server) -> Iterator[Barn]:
    bench = a_bench(tmp_path)
    root, town_id = tmp_path / "barn", uuid.uuid4().hex[:12]
    (root / ".tt").mkdir(parents=True)
    identity = Identity(town_id, "one", 1.0, initialised=True, root=str(root), host="barn", folder="mine")
    (root / ".tt" / "town.json").write_text(json.dumps(asdict(identity)))
    values = {
        "forge": {"kind": "local", "repo": "project", "local": {"checks": []}},
        "hub": {"url": str(bench.hub.root)},
        "retention": {"refs_days": 10, "logs_days": 10, "objects_days": 10, "records_days": 10, "history_days": 10},
    }
    context = Context(Town(root, town_id, parse(values, source="a test"), host="barn"), server.url)
    hub = context.hub(context.forge.repo)
    assert hub is not None
    bench.home = Hub(hub.address, bench.home.folder, hub.root, epoch="one", home=True)
    bench.publish()
    hub.refresh()
    yield Barn(bench, context, hub)
    for key in context.store.client.scan_iter(match=f"{context.town.prefix}*"):
        context.store.client.delete(key)


def part(done: Cleared, kind: str) -> gc.Part:
    return next(one for one in done.parts if one.kind == kind)


def test_work_goes_from_a_host_once_the_hub_has_it_or_a_base_holds_it(barn: Barn) -> None:
    """Not before, and not of a mission that ended lately; a dry run changes nothing."""
    old, fresh = barn.mission(ago=20), barn.mission(ago=2)
    there, young = barn.work(old, "attempts"), barn.work(fresh, "attempts")
    assert barn.hub.offer() == 2
    only_here = barn.work(old, "salvage")
    looked = clear(barn.context, dry_run=True)
    assert part(looked, "refs").gone == 1
    assert barn.refs() == {there, young, only_here}
    done = clear(barn.context)
    assert part(done, "refs").gone == 1
    assert barn.refs() == {young, only_here}
    assert [(one.what.endswith(only_here), "does not have it yet" in one.why) for one in part(done, "refs").stays] == [
        (True, True)
    ]
    assert barn.noted() == {names.in_hub(young)}, "nor does a note keep the objects"
    assert names.in_hub(there) in barn.bench.in_hub(), "the hub keeps it"
    # Home brings it into the base, and tells: that is proof without the hub's ref.
    repository = barn.bench.repository
    repository.git("pull", "-q", str(barn.hub.folder), only_here)
    barn.bench.publish()
    assert part(clear(barn.context), "refs").gone == 1
    assert barn.refs() == {young}
    assert [kind.kind for kind in done.parts] == ["logs", "refs", "objects", "left"], "records are the town's"


def test_nothing_goes_while_the_hub_is_away_or_has_other_work_under_that_name(barn: Barn) -> None:
    old = barn.mission(ago=20)
    there, other = barn.work(old, "attempts"), barn.work(old, "salvage")
    barn.hub.offer()
    hub = Repository(barn.bench.hub.root)
    hub.git("update-ref", f"{barn.hub.root}{names.in_hub(other)}", hub.rev(f"{barn.hub.root}base/main"))
    away = hub.root.with_name("away.git")
    hub.root.rename(away)
    stays = part(clear(barn.context), "refs").stays
    assert {one.why.startswith("whether the hub has it is not known: ") for one in stays} == {True}
    assert barn.refs() == {there, other}
    away.rename(hub.root)
    assert part(clear(barn.context), "refs").gone == 1
    assert barn.refs() == {other}


def test_what_a_host_that_was_interrupted_had_noted_goes_the_next_time(barn: Barn) -> None:
    old = barn.mission(ago=20)
    there = barn.work(old, "attempts")
    barn.hub.offer()
    # As one that died after it had removed the ref.
    barn.hub.own.run("update-ref", "-d", there)
    clear(barn.context)
    assert barn.noted() == set()


def test_logs_and_objects_go_from_a_host_by_the_same_rules(barn: Barn) -> None:
    old, fresh = barn.mission(ago=20), barn.mission(ago=2)
    for short in (old, fresh):
        folder = barn.context.town.attempts / short / "x" / "1"
        folder.mkdir(parents=True)
        (folder / "stdout.log").write_text("x" * 1000)
    there = barn.work(old, "attempts")
    sha = barn.hub.own.line("rev-parse", there)
    barn.hub.offer()
    long_ago = time.time() - 400 * DAY
    for path in (barn.hub.folder / "objects").rglob("*"):
        os.utime(path, (long_ago, long_ago))
    done = clear(barn.context)
    assert [one.name for one in barn.context.town.attempts.iterdir()] == [fresh]
    assert part(done, "objects").gone >= 3
    assert barn.hub.absent([sha]) == [sha]
    # And the hub gives it back to whoever needs it.
    barn.hub.need([sha])
    assert barn.hub.absent([sha]) == []
    [cleared] = [event for _, event in barn.context.store.events(count=1000) if event.kind == "cleared"]
    assert cleared.data["host"] == "barn"


def test_records_and_history_stay_when_a_host_clears_up(barn: Barn) -> None:
    barn.mission(ago=2000)
    before = len(barn.context.store.mission_ids(live=False))
    clear(barn.context)
    assert len(barn.context.store.mission_ids(live=False)) == before == 1
