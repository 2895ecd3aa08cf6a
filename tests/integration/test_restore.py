"""`tt restore`: all records come back as they were, in one step; whatever stands in the way changes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import typist
from tests.integration.saved_town import populate, records, running
from tests.integration.test_misuse import told, traces
from tests.integration.test_save import rewritten
from tests.waiting import wait_until
from tinytown import archive, contract
from tinytown.engine.context import Context
from tinytown.engine.upkeep.restore import restore
from tinytown.engine.upkeep.save import save
from tinytown.errors import ConfigurationError, DiskFullError, StateError, TinytownError, UnreachableError
from tinytown.forge import bundles
from tinytown.git.repository import Git
from tinytown.host import lifecycle as life
from tinytown.host.init import init
from tinytown.host.server import Server, server_process, stop_server
from tinytown.state import duties
from tinytown.state.snapshot import Snapshots
from tinytown.town import Town, open_to_stop, open_town, read_identity

Typed = Callable[..., tuple[int, str, str]]
TT = Path(sys.executable).with_name("tt")


@pytest.fixture
def file(town: Town, tmp_path: Path) -> Path:
    """A saved town, which is stopped."""
    context = running(town)
    populate(context)
    made = tmp_path / "town.zip"
    save(context, made)
    stop_server(town)
    return made


@pytest.fixture
def elsewhere(town: Town, tmp_path: Path) -> Iterator[Path]:
    """A clone of its repository that is no town yet; whatever a test starts in it is stopped."""
    root = tmp_path / "elsewhere" / "project"
    subprocess.run(["git", "clone", "-q", str(town.root), str(root)], check=True)
    yield root
    if (root / ".tt" / "town.json").exists():
        life.stop(open_to_stop(root))


def stored(town: Town) -> dict[str, Any]:
    """The records of a stopped town."""
    found = records(running(town))
    stop_server(town)
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Equal but for what a restore itself tells, and for what has to be published again."""
    differing = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    assert differing <= {"events", *(key for key in differing if key.endswith((":items", ":lanes")))}, differing
    assert one["events"] == other["events"][: len(one["events"])]
    for key in differing - {"events"}:
        assert one[key].keys() == other[key].keys() if key.endswith(":items") else True


def test_all_records_come_back_in_another_clone(town: Town, file: Path, elsewhere: Path) -> None:
    """Of every kind; under another id, with the saved settings, and nothing of it runs."""
    before = stored(town)
    done = restore(elsewhere, file)
    made = open_town(elsewhere)
    assert made.id != town.id
    assert (done.missions, done.items, done.agents, done.before) == (2, 6, 1, "")
    assert server_process(made) is None
    assert (elsewhere / "tinytown.toml").read_text() == (town.root / "tinytown.toml").read_text()
    same(before, stored(made))
    assert stored(town) == before


def test_a_town_of_its_own_is_only_replaced_when_that_is_said(typed: Typed, town: Town, file: Path) -> None:
    """And then it is saved first; what was in the way is nowhere else afterwards."""
    before = stored(town)
    context = running(town)
    context.store.client.hset(f"{town.prefix}mission:later", "head", "x")
    context.store.client.zadd(f"{town.prefix}missions", {"later": 5})
    context.store.client.set(f"{town.prefix}role.worker", "a queue")
    later = stored(town)
    told(typed("restore", str(file), cwd=town.root), 4, "has records of its own (missions: 4, agents: 1)", "--replace")
    assert stored(town) == later
    code, said, notes = typed("restore", "--replace", str(file), "--json", cwd=town.root)
    assert (code, notes.count("note: ")) == (0, 1)
    kept = Path(json.loads(said)["before"])
    assert kept.parent == town.folder / "saved"
    same(before, stored(town))
    assert not running(town).store.client.exists(f"{town.prefix}role.worker")
    stop_server(town)
    restore(town.root, kept, replace=True)
    assert "mission:later" in stored(town)


def broken(kind: str, file: Path, target: Path) -> Path:
    """A file that must not be restored."""

    def change(members: dict[str, bytes]) -> None:
        if kind == "line":
            members[archive.RECORDS] += b'{"key": "evil", "type": "hash", "values": []}\n'
        elif kind == "json":
            members[archive.RECORDS] += b"[" * 100_000
        elif kind == "type":
            members[archive.RECORDS] = members[archive.RECORDS].replace(b'"type":"zset"', b'"type":"set"', 1)
        elif kind == "bundle":
            members["mirrors/project.bundle"] = b"# v2 git bundle\n" + b"0" * 40 + b" refs/tinytown/x\n\nPACK"
        elif kind == "lfs":
            members[f"lfs/project/{'0' * 64}"] = b"another content"
        elif kind == "mission":
            newer = f'"schema_version":{contract.SCHEMA + 1}'.replace('"', '\\"').encode()
            members[archive.RECORDS] = members[archive.RECORDS].replace(b'\\"schema_version\\":1', newer)

    if kind == "cut":
        target.write_bytes(file.read_bytes()[:-100])
        return target
    return rewritten(file, target, change)


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("cut", ConfigurationError, "is no intact saved town"),
        ("line", ConfigurationError, "no town of this release has a record `evil`"),
        ("json", ConfigurationError, "it cannot be read"),
        ("type", ConfigurationError, "is not a zset"),
        ("bundle", StateError, "the work of project cannot be taken in"),
        ("lfs", ConfigurationError, "has another content than its name says"),
        ("mission", TinytownError, "was made by a newer tinytown; update tinytown"),
    ],
)
def test_what_is_wrong_with_a_file_changes_nothing(
    town: Town, file: Path, elsewhere: Path, tmp_path: Path, kind: str, error: type[TinytownError], said: str
) -> None:
    """Neither a town that is there, nor a repository that is none."""
    bad = broken(kind, file, tmp_path / "bad.zip")
    before, files = stored(town), traces(elsewhere).keys()
    with pytest.raises(error, match=said):
        restore(elsewhere, bad)
    assert traces(elsewhere).keys() == files
    with pytest.raises(error, match=said):
        restore(town.root, bad, replace=True)
    assert stored(town) == before


def test_what_stands_in_the_way_is_said(typed: Typed, town: Town, file: Path, tmp_path: Path) -> None:
    """No repository, no file, a folder, a town that runs."""
    (tmp_path / "bare").mkdir()
    told(typed("restore", str(file), cwd=tmp_path / "bare"), 4, "is not in a git repository", "git init")
    assert list((tmp_path / "bare").iterdir()) == []
    told(typed("restore", str(tmp_path / "no.zip"), cwd=town.root), 3, "there is no file", "tt save")
    assert typed("restore", str(tmp_path), cwd=town.root)[0] == 2
    life.start(town)
    told(typed("restore", "--replace", str(file), cwd=town.root), 4, "is running", "run `tt stop` first")
    assert life.processes(town)[0].state == "running"
    life.stop(town)


def test_two_restores_at_once_give_one_town(file: Path, elsewhere: Path) -> None:
    """One of them is refused in a sentence, and what the other one made is whole."""
    words = [str(TT), "restore", str(file)]
    both = [
        subprocess.Popen(words, cwd=elsewhere, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [(process.communicate(timeout=90)[1], process.returncode) for process in both]
    assert sorted(code for _, code in ended) == [0, 4], ended
    refused = next(said for said, code in ended if code)
    assert "has records of its own" in refused
    found = stored(open_town(elsewhere))
    assert len(found["missions"]) == 2


def test_a_restore_that_is_killed_leaves_the_old_records_or_the_new(town: Town, file: Path) -> None:
    """At any moment, and it can be done again."""
    context = running(town)
    context.store.client.zadd(f"{town.prefix}missions", {"later": 5})
    later = stored(town)
    moment, ended = 0.01, False
    while not ended:
        with contextlib.suppress(subprocess.TimeoutExpired):
            command = [str(TT), "restore", "--replace", str(file)]
            done = typist.type_tt(command, cwd=town.root, env=os.environ, timeout=moment)
            assert done.returncode == 0, done.stderr
            ended = True
        found = stored(town)
        missions = [name for name, _ in found["missions"]]
        if b"later" in missions:
            assert found == later
        else:
            assert missions == [b"00000001-town", b"00000002-town"]
            assert found.keys() >= later.keys() - {"x"}
            restore(town.root, next((town.folder / "saved").glob("*.zip")), replace=True)
            later = stored(town)
        moment *= 1.3


def test_records_are_replaced_in_one_step(town: Town) -> None:
    """Whoever looks meanwhile sees the old ones or the new ones; an error on the way leaves the old ones."""
    context = running(town)
    populate(context, items=100)
    old = records(context)
    snapshots = Snapshots(context.url, town.prefix)
    with snapshots.taken() as lines:
        kept = list(lines)

    def broken_off() -> Iterator[Any]:
        yield from kept[:10]
        assert records(context) == old
        raise UnreachableError("gone")

    with pytest.raises(UnreachableError):
        snapshots.replace(broken_off())
    assert records(context) == old
    assert not list(context.store.client.scan_iter(match=f"{town.prefix}restoring:*"))
    snapshots.replace(line for line in kept if line["key"] != "agents")
    new = records(context)
    assert old.keys() - new.keys() == {"agents"}
    assert {key: old[key] for key in new} == new
    assert context.store.client.get(f"{town.prefix}epoch") == read_identity(town.root).epoch
    assert all(context.store.client.ttl(f"{town.prefix}{key}") == -1 for key in new)


def test_work_comes_back_into_the_mirror(town: Town, elsewhere: Path, tmp_path: Path) -> None:
    """Tinytown's refs with their history, LFS contents, and nothing of a person's branches."""
    context = running(town)
    populate(context, missions=1)
    mirror = context.forge.mirror("local/project")
    own = Git.own(mirror)
    tip = own.line("rev-parse", "refs/heads/main")
    work = own.commit_tree(own.tree(tip), [tip], "Work\n")
    refs = {"refs/tinytown/attempts/0/a/1": work, "refs/tinytown/salvage/0/a/2": tip, "refs/heads/tt/0/a": work}
    for name, sha in refs.items():
        own.run("update-ref", name, sha)
    oid = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    content = bundles.lfs_store(mirror) / "objects" / oid[:2] / oid[2:4] / oid
    content.parent.mkdir(parents=True)
    content.write_text("test")
    file = tmp_path / "town.zip"
    save(context, file)
    stop_server(town)
    shutil.rmtree(town.state)
    restore(elsewhere, file)
    made = open_town(elsewhere)
    found = Git.own(made.mirrors / "project.git")
    assert found.refs() == refs
    assert [path.read_text() for _, path in bundles.lfs_contents(made.mirrors / "project.git")] == ["test"]
    Context(made, "unix:///none").forge.mirror("local/project")
    assert found.refs() == {**refs, "refs/heads/main": tip}
    assert not list((made.state / "scratch").glob("*/*"))


def test_a_hostile_bundle_brings_nothing_but_tinytowns_refs(town: Town, file: Path, tmp_path: Path) -> None:
    """Whatever else it names stays out."""
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", str(town.root), str(work)], check=True)
    git = ["git", "-C", str(work)]
    for ref in ("refs/heads/evil", "refs/tags/evil", "refs/tinytown/x", "refs/replace/evil"):
        subprocess.run([*git, "update-ref", ref, "HEAD"], check=True)
    subprocess.run([*git, "bundle", "create", "-q", str(tmp_path / "b"), "--all"], check=True)
    mirror = tmp_path / "m.git"
    bundles.take_in(tmp_path / "b", mirror)
    assert list(Git.own(mirror).refs()) == ["refs/tinytown/x"]
    assert file.exists()


def test_agents_whose_cli_is_not_here_are_told(typed: Typed, file: Path, elsewhere: Path) -> None:
    """They are on record, and how to bring them back is said."""
    code, _, notes = typed("restore", str(file), cwd=elsewhere)
    assert code == 0
    assert "note: ann does not come back: there is no agent CLI `fake`" in notes
    assert "then run `tt spawn ann`" in notes


def test_a_shallow_repository_is_restored_from_its_own(tmp_path: Path, town: Town) -> None:
    """Whose history a file cannot hold: the repository has what is missing."""
    for number in range(3):
        subprocess.run(["git", "-C", str(town.root), "commit", "-q", "--allow-empty", "-m", str(number)], check=True)
    root = tmp_path / "shallow" / "project"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{town.root}", str(root)], check=True)
    shutil.copy(town.root / "tinytown.toml", root)
    shallow = init(root).town
    context = running(shallow)
    populate(context, missions=1)
    own = Git.own(context.forge.mirror("local/project"))
    tip = own.line("rev-parse", "refs/heads/main")
    own.run("update-ref", "refs/tinytown/attempts/0/a/1", own.commit_tree(own.tree(tip), [tip], "Work\n"))
    file = tmp_path / "town.zip"
    save(context, file)
    life.stop(shallow)
    shutil.rmtree(shallow.state)
    shutil.rmtree(shallow.folder)
    restore(root, file)
    assert "refs/tinytown/attempts/0/a/1" in Git.own(open_town(root).mirrors / "project.git").refs()
    life.stop(open_town(root))


def test_a_town_at_a_given_server_is_saved_and_restored_there(typed: Typed, town: Town, server: Server) -> None:
    """Nothing of a server's is started or stopped, and other towns there are not touched."""
    env = {"REDIS_URL": server.url}
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("REDIS_URL", server.url)
        given = open_town(town.root)
        context = running(given)
        populate(context)
        context.store.client.set("tt:neighbour:missions", "x")
        before = records(context)
    file = town.root.parent / "town.zip"
    assert typed("save", str(file), cwd=town.root, env=env)[0] == 0
    told(typed("restore", str(file), cwd=town.root, env=env), 4, "has records of its own", "--replace")
    assert typed("reset", "--force", cwd=town.root, env=env)[0] == 0
    assert records(context) == {}
    assert typed("restore", str(file), cwd=town.root, env=env)[0] == 0
    same(before, records(context))
    assert context.store.client.get("tt:neighbour:missions") == "x"
    assert server_process(town) is None
    context.store.client.delete("tt:neighbour:missions")
    Snapshots(context.url, given.prefix).clear(keep=())


def test_without_room_for_the_work_nothing_is_changed(town: Town, elsewhere: Path, tmp_path: Path) -> None:
    """The disk of the state folder is full: the repository is no town, as before."""
    context = running(town)
    populate(context, missions=1)
    own = Git.own(context.forge.mirror("local/project"))
    tip = own.line("rev-parse", "refs/heads/main")
    large = tmp_path / "large"
    large.write_bytes(random.Random(1).randbytes(3 << 20))
    blob = own.line("hash-object", "-w", str(large))
    tree = own.line("mktree", input=f"100644 blob {blob}\tlarge\n")
    own.run("update-ref", "refs/tinytown/attempts/0/a/1", own.commit_tree(tree, [tip], "Work\n"))
    file = tmp_path / "town.zip"
    save(context, file)
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(small)]
    if (done := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    files = traces(elsewhere).keys()
    try:
        with pytest.MonkeyPatch.context() as shell:
            shell.setenv("XDG_STATE_HOME", str(small))
            with pytest.raises(DiskFullError):
                restore(elsewhere, file)
        assert traces(elsewhere).keys() == files
        assert not list(small.glob("tinytown/*/"))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    restore(elsewhere, file)


def test_a_town_that_only_ran_has_nothing_to_replace(
    file: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock ticked and its checks worker was there; nobody made anything."""
    monkeypatch.setenv("TINYTOWN_TIMING__TICK_SECS", "1")
    made = init(elsewhere).town
    life.start(made)
    store = running(made).store
    wait_until(lambda: duties.ticks(store), timeout=60, description="its clock has ticked")
    life.stop(made)
    assert restore(elsewhere, file).before == ""
    assert not (made.folder / "saved").exists()
