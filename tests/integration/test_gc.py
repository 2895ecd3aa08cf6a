"""What a town clears away: only what is old and proven to be elsewhere, whoever is killed in the middle."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.builders import a_mission, an_item
from tests.fakes.repositories import Repository, a_town, new_repository
from tinytown import set_aside
from tinytown.engine.context import Context
from tinytown.engine.upkeep import gc
from tinytown.engine.upkeep.gc import Cleared, clear
from tinytown.engine.watch.done import done_by
from tinytown.errors import NotFoundError, StateError, UnreachableError
from tinytown.forge import clearing, use
from tinytown.forge.local.forge import LocalForge
from tinytown.git.repository import Git
from tinytown.host.server import Server
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.states import ItemState, MissionState
from tinytown.settings import parse
from tinytown.state import archive
from tinytown.state.snapshot import flaw

DAY = 86_400.0
NUMBERS = itertools.count(1)


class World:
    """A town with a repository and its mirror; nothing of it runs but the database."""

    def __init__(self, folder: Path, url: str, **retention: int) -> None:
        self.repository: Repository = new_repository(folder / "project")
        self.town = a_town(self.repository.root)
        self.town.folder.mkdir(mode=0o700)
        (self.repository.root / ".git/info/exclude").write_text("/.tt/\n")
        self.keep(**retention)
        forge = LocalForge(self.town)
        self.context = Context(self.town, url)
        self.mirror = forge.mirror(forge.repo)
        self.own = Git.own(self.mirror)
        self.names: dict[str, str] = {}

    def keep(self, **days: int) -> None:
        """Keep things for so many days."""
        known = self.town.settings.forge.model_dump(exclude_defaults=True)
        self.town = replace(self.town, settings=parse({"forge": known, "retention": days}, source="a test"))
        if hasattr(self, "context"):
            self.context.town = self.town

    def mission(self, name: str, *, ago: float, state: MissionState = MissionState.COMPLETED, **item: Any) -> str:
        """A mission of one item that ended so many days ago, or lives; gives its id."""
        number = next(NUMBERS)
        id_ = f"{number:08x}-{name}"
        now = self.context.store.now()
        made = an_item(number, **{"state": ItemState.DONE} | item)
        begun = a_mission(id=id_, created_at=now - ago * DAY - 60)
        change = self.context.store.change()
        issue = Issue(key=made.key, number=number, title="x")
        change.create_mission(begun, [made], [issue], graph={"order": [made.key]}, canvas={"sources": {made.key: []}})
        change.commit()
        if state.ended:
            old = self.context.store.mission(id_)
            ending = self.context.store.change()
            ending.put_mission(old, old.record.evolve(state=state, finished_at=now - ago * DAY))
            ending.release_issues([made])
            ending.commit()
        self.names[id_] = made.key
        return id_

    def item(self, mission: str) -> Item:
        return self.context.store.item(mission, self.names[mission]).record

    def work(self, ref: str, files: Mapping[str, str], *, on: str = "main") -> str:
        """A commit with these files, which the mirror has under this ref and the repository not at all."""
        git = self.repository.git
        git("switch", "-q", "--detach", on)
        sha = self.repository.commit(f"For {ref}", files)
        git("push", "-q", str(self.mirror), f"{sha}:{ref}")
        git("switch", "-q", "main")
        return sha

    def stash(self, ref: str, staged: Mapping[str, str], files: Mapping[str, str]) -> str:
        """A stash: its index has other contents than its files."""
        git = self.repository.git
        self.repository.write(staged)
        git("add", "-A")
        self.repository.write(files)
        sha = git("stash", "create")
        git("reset", "-q", "--hard")
        git("push", "-q", str(self.mirror), f"{sha}:{ref}")
        return sha

    def take(self, sha: str, how: str) -> None:
        """Bring a commit into the base."""
        git = self.repository.git
        if how == "merge":
            git("merge", "-q", "--no-ff", "--no-edit", sha)
        elif how == "squash":
            git("merge", "-q", "--squash", sha)
            self.repository.commit("Squashed")
        forge = LocalForge(self.town)
        forge.mirror(forge.repo)

    def drop_from_repository(self) -> None:
        """What only tinytown has is in the mirror alone."""
        self.repository.git("reflog", "expire", "--expire=now", "--all")
        self.repository.git("gc", "-q", "--prune=now")

    def grow_old(self) -> None:
        """All objects of the mirror are as of long ago."""
        long_ago = time.time() - 400 * DAY
        for path in (self.mirror / "objects").rglob("*"):
            os.utime(path, (long_ago, long_ago))

    def refs(self) -> dict[str, str]:
        return self.own.refs(*clearing.PLACES)

    def has(self, content: str) -> bool:
        """Whether a ref of the mirror reaches this content, and it is there."""
        blob = self.own.line("hash-object", "--stdin", input=content)
        reached = {line.split(" ")[0] for line in self.own.line("rev-list", "--objects", "--all").splitlines()}
        return blob in reached and self.own.run("cat-file", "-e", blob, ok=(0, 1, 128)).ok


@pytest.fixture
def world(tmp_path: Path, server: Server) -> World:
    return World(tmp_path, server.url, refs_days=10, logs_days=10, records_days=10, objects_days=10)


def part(done: Cleared, kind: str) -> gc.Part:
    return next(one for one in done.parts if one.kind == kind)


# -- branches and kept work ------------------------------------------------------------------------


def test_a_branch_goes_once_a_base_holds_its_content_and_stays_with_a_reason_until_then(world: World) -> None:
    old, fresh = world.mission("old", ago=20), world.mission("fresh", ago=2)
    live = world.mission("live", ago=30, state=MissionState.RUNNING, role="worker")
    refs = {}
    for mission in (old, fresh, live):
        ref = f"refs/heads/tt/{mission[:8]}/1"
        refs[mission] = ref
        world.take(world.work(ref, {f"{mission}.txt": mission}), "merge")
    lost = f"refs/tinytown/salvage/{old[:8]}/x/2"
    world.work(lost, {"half.txt": "half\n"})
    squashed = f"refs/tinytown/attempts/{old[:8]}/x/1"
    world.take(world.work(squashed, {"squashed.txt": "squashed\n" * 9}), "squash")

    looked = clear(world.context, dry_run=True)
    assert part(looked, "refs").gone == 2
    assert world.refs().keys() == {*refs.values(), lost, squashed}, "only looked at"
    done = clear(world.context)
    assert world.refs().keys() == {refs[fresh], refs[live], lost}
    [stays] = part(done, "refs").stays
    assert stays.what.endswith(lost)
    assert "no base holds its content" in stays.why
    # It lands after all.
    world.take(world.refs()[lost], "squash")
    clear(world.context)
    assert lost not in world.refs()
    assert part(clear(world.context), "refs").gone == 0, "nothing is left to do"


def test_a_stash_stays_until_its_index_is_proven_too(world: World) -> None:
    mission = world.mission("stash", ago=20)
    ref = f"refs/tinytown/elsewhere/{mission[:8]}/x/1/stash/0"
    sha = world.stash(ref, {"a.txt": "only in the index\n" * 5}, {"a.txt": "in the files\n" * 5})
    world.repository.commit("By hand", {"a.txt": "in the files\n" * 5})
    world.take(sha, "")
    clear(world.context)
    assert ref in world.refs()
    assert world.has("only in the index\n" * 5)


def test_refs_of_missions_that_nobody_knows_and_folders_that_were_set_aside_stay_and_are_said(world: World) -> None:
    world.take(world.work("refs/heads/tt/feedbeef/1", {"x.txt": "x\n"}), "merge")
    folder = world.town.work / "feedbeef" / "x" / "1"
    folder.mkdir(parents=True)
    set_aside.put(folder, {"clone": folder}, why="its work could not be taken")
    done = clear(world.context)
    assert [one.why for one in part(done, "refs").stays] == ["this town does not know its mission"]
    assert [one.why for one in part(done, "left").stays] == ["its work could not be taken"]
    assert "refs/heads/tt/feedbeef/1" in world.refs()


def test_a_ref_that_moves_meanwhile_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mission = world.mission("moves", ago=20)
    ref = f"refs/heads/tt/{mission[:8]}/1"
    world.take(world.work(ref, {"a.txt": "a\n"}), "merge")
    remove = clearing.remove

    def move_then_remove(folder: Path, refs: Mapping[str, str]) -> int:
        world.work("refs/heads/tt/other", {"new.txt": "new\n"})
        world.own.run("update-ref", ref, world.own.line("rev-parse", "refs/heads/tt/other"))
        return remove(folder, refs)

    monkeypatch.setattr(clearing, "remove", move_then_remove)
    assert part(clear(world.context), "refs").gone == 0
    assert world.has("new\n")


# -- objects ---------------------------------------------------------------------------------------


def test_objects_go_when_nothing_has_reached_them_for_long_and_nobody_uses_the_mirror(world: World) -> None:
    world.work("refs/heads/tt/gone", {"gone.txt": "gone\n"})
    world.own.run("update-ref", "-d", "refs/heads/tt/gone")
    blob = world.own.line("hash-object", "--stdin", input="gone\n")

    def there() -> bool:
        return world.own.run("cat-file", "-e", blob, ok=(0, 1, 128)).ok

    world.grow_old()
    with use.used(world.town.mirrors):
        [stays] = part(clear(world.context), "objects").stays
    assert (there(), stays.why) == (True, "a run uses them; they go when none is under way")
    ledger = world.town.work / "0" / "x" / ".1.git"
    ledger.mkdir(parents=True)
    assert "borrows them" in part(clear(world.context), "objects").stays[0].why
    assert there()
    ledger.rmdir()
    assert part(clear(world.context, dry_run=True), "objects").gone == 3, "a commit, its tree, the file"
    clear(world.context)
    assert not there()
    world.work("refs/heads/tt/gone", {"gone.txt": "gone\n"})
    world.own.run("update-ref", "-d", "refs/heads/tt/gone")
    clear(world.context)
    assert there(), "it is young"
    world.own.run("fsck", "--strict")


# -- logs ------------------------------------------------------------------------------------------


def test_logs_go_with_the_age_of_their_mission_unless_a_run_is_not_paid(world: World) -> None:
    old, fresh, owing = (world.mission(n, ago=d) for n, d in (("old", 20), ("fresh", 2), ("owing", 20)))
    live = world.mission("live", ago=30, state=MissionState.RUNNING)
    for mission in (old, fresh, owing, live):
        folder = world.town.attempts / mission[:8] / "x" / "1"
        folder.mkdir(parents=True)
        (folder / "stdout.log").write_text("x" * 1000)
    (world.town.state / "bills").mkdir()
    (world.town.state / "bills" / f"{owing[:8]}-x-1.json").write_text("{}")
    # Somebody was killed while he removed a folder.
    (world.town.attempts / ".gone-1234" / "x").mkdir(parents=True)
    looked = part(clear(world.context, dry_run=True), "logs")
    assert (looked.gone, looked.size) == (1, 1000)
    done = part(clear(world.context), "logs")
    assert {path.name for path in world.town.attempts.iterdir()} == {fresh[:8], owing[:8], live[:8]}
    assert "not counted yet" in done.stays[0].why
    assert world.context.store.mission(owing).record.id == owing, "the cost still has to go somewhere"


# -- records ---------------------------------------------------------------------------------------


def test_records_are_in_a_file_before_they_go_and_what_later_missions_ask_stays(world: World) -> None:
    old, fresh = world.mission("old", ago=20), world.mission("fresh", ago=2)
    store, done_key = world.context.store, world.names[old]
    with archive.reading(world.context.url) as client:
        before = archive.lines(store, client, old)
    assert part(clear(world.context, dry_run=True), "records").gone == 1
    assert not list((world.town.folder / gc.ARCHIVE).glob("*.gz"))
    assert part(clear(world.context), "records").gone == 1
    assert store.mission_ids(live=False) == [fresh]
    file = gc.archive_of(world.town.folder, old)
    read = [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
    assert read == json.loads(json.dumps(before))
    assert [flaw(line) for line in read] == [""] * len(read), "`tt restore` would take each of them"
    assert not list(store.client.scan_iter(match=f"{store.keys.prefix}mission:{old}*"))
    assert done_by(world.context, [done_key]) == {done_key: old}
    with pytest.raises(NotFoundError, match="is archived"):
        store.find_mission(old[:8])
    assert gc.archives(world.context)["missions"] == 1
    assert [e.kind for _, e in store.events()][-1] == "cleared"


def test_a_mission_that_changes_meanwhile_or_is_named_elsewhere_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = world.mission("old", ago=20)
    store = world.context.store
    write = gc.write_archive

    def change_then_write(path: Path, text: str) -> None:
        write(path, text)
        head = store.mission(old)
        change = store.change()
        change.put_mission(head, head.record.evolve(spent_usd=1.0))
        change.commit()

    monkeypatch.setattr(gc, "write_archive", change_then_write)
    assert part(clear(world.context), "records").gone == 0
    assert store.mission(old).record.spent_usd == 1.0
    monkeypatch.undo()
    store.client.set(store.keys.plan, old)
    [stays] = part(clear(world.context), "records").stays
    assert old[:8] in stays.what
    store.client.delete(store.keys.plan)
    assert part(clear(world.context), "records").gone == 1, "the file of the first time is replaced"


def test_nothing_goes_where_it_is_kept_for_ever_and_two_at_once_are_refused(world: World) -> None:
    world.keep(refs_days=0, logs_days=0, records_days=0, objects_days=0, history_days=0)
    mission = world.mission("old", ago=9000)
    world.take(world.work(f"refs/heads/tt/{mission[:8]}/1", {"a.txt": "a\n"}), "merge")
    assert not any(one.gone for one in clear(world.context).parts)
    with gc._alone(world.context), pytest.raises(StateError, match="another `tt gc`"):
        clear(world.context)


# -- whatever happened -----------------------------------------------------------------------------

Story = tuple[str, bool, int]
STORIES = st.lists(
    st.tuples(st.sampled_from(["merge", "squash", "salvage", "stash", "cancelled"]), st.booleans(), st.integers(0, 60)),
    min_size=1,
    max_size=5,
)


class Killed(BaseException):
    """The process ends here."""


@contextlib.contextmanager
def dying(after: int) -> Iterator[None]:
    """Die before the command of git of this number."""
    run, left = Git.run, itertools.count()

    def counted(self: Git, *arguments: str, **options: Any) -> Any:
        if next(left) == after:
            raise Killed
        return run(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Git, "run", counted)
        with contextlib.suppress(Killed):
            yield


@given(stories=STORIES, days=st.integers(1, 40), killed=st.integers(0, 40), records=st.booleans())
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_not_proven_merged_is_reached_for_ever(
    tmp_path_factory: pytest.TempPathFactory,
    server: Server,
    stories: Sequence[Story],
    days: int,
    killed: int,
    records: bool,
) -> None:
    """Random histories, then a collection that is killed somewhere, then a whole one, then one more."""
    world = World(
        tmp_path_factory.mktemp("gc"), server.url, refs_days=days, objects_days=1, records_days=days if records else 0
    )
    precious, may_go = _tell(world, stories, days)
    world.drop_from_repository()
    world.grow_old()
    with dying(killed):
        clear(world.context)
    _hold(world, precious)
    clear(world.context)
    world.grow_old()
    clear(world.context)
    _hold(world, precious)
    assert not may_go & world.refs().keys(), "what is proven and old goes"
    world.own.run("fsck", "--strict")


def _tell(world: World, stories: Sequence[Story], days: int) -> tuple[list[str], set[str]]:
    """Gives the contents that must stay, and the refs that must go."""
    precious: list[str] = []
    may_go: set[str] = set()
    for number, (how, alive, ago) in enumerate(stories):
        state = MissionState.RUNNING if alive else MissionState.COMPLETED
        state = MissionState.CANCELLED if how == "cancelled" and not alive else state
        mission = world.mission(how, ago=ago, state=state)
        content = f"{how} {number} of {mission}\n" * 9
        place = f"{mission[:8]}/x/1"
        if how == "stash":
            index = f"index of {content}"
            world.stash(f"refs/tinytown/elsewhere/{place}/stash/0", {"s.txt": index}, {"s.txt": content})
            precious += [content, index]
            continue
        ref = {"merge": f"refs/heads/tt/{mission[:8]}/1", "squash": f"refs/tinytown/attempts/{place}"}.get(how)
        ref = ref or f"refs/tinytown/salvage/{place}"
        sha = world.work(ref, {f"{number}.txt": content})
        precious.append(content)
        if how in ("merge", "squash"):
            world.take(sha, how)
            # Exactly at the border either is right.
            may_go |= {ref} if not alive and ago > days else set()
    return precious, may_go


def _hold(world: World, precious: Sequence[str]) -> None:
    assert [content for content in precious if not world.has(content)] == []


def test_it_may_be_killed_at_any_moment_and_finishes_the_next_time(world: World) -> None:
    """A real process, killed with its git in the middle of what it does."""
    missions = [world.mission(f"m{n}", ago=20) for n in range(12)]
    sha = world.work("refs/heads/tt/first", {"a.txt": "a\n" * 100})
    world.take(sha, "merge")
    world.own.run("update-ref", "-d", "refs/heads/tt/first")
    lines = "".join(f"create refs/heads/tt/{m[:8]}/{n} {sha}\n" for m in missions for n in range(40))
    world.own.run("update-ref", "--stdin", input=lines)
    kept = f"refs/tinytown/salvage/{missions[0][:8]}/x/1"
    world.work(kept, {"half.txt": "half\n"})
    world.grow_old()
    for delay in (0.02, 0.08, 0.2, 0.4):
        _killed_after(delay, lambda: clear(world.context))
        assert world.has("half\n")
        known = {*world.context.store.mission_ids(live=False), *archive.archived(world.context.store)}
        assert known == set(missions), "each is in the database, or in a file"
        for one in archive.archived(world.context.store):
            assert gzip.decompress(gc.archive_of(world.town.folder, one).read_bytes())
    # As one leaves it that dies while it writes, which above is a matter of luck.
    gc.archive_of(world.town.folder, "").with_name(f".{missions[0]}.jsonl.gz.0a1b2c3d").write_bytes(b"half")
    clear(world.context)
    assert world.refs().keys() == {kept}
    assert world.context.store.mission_ids(live=False) == []
    assert not list((world.town.folder / gc.ARCHIVE).glob(".*.gz.*"))
    world.own.run("fsck", "--strict")


def _killed_after(delay: float, action: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - it never comes back
        os.setpgid(0, 0)
        try:
            action()
        finally:
            os._exit(0)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    time.sleep(delay)  # When it dies is the very point.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_no_run_begins_while_objects_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And side by side runs do not keep each other waiting."""
    mirrors = world.town.mirrors
    with use.used(mirrors), use.used(mirrors), use.alone(mirrors) as ours:
        assert not ours
    monkeypatch.setattr(use, "WAIT", 0.0)
    with use.alone(mirrors) as ours:
        assert ours
        with pytest.raises(UnreachableError, match="are being cleaned up"), use.used(mirrors):
            pass
    with use.used(mirrors):
        pass
