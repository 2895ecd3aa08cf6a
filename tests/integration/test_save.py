"""`tt save`: all records at one moment, whole or not at all, without secrets; and reading such a file fails closed."""

from __future__ import annotations

import hashlib
import json
import random
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.saved_town import populate, records, running
from tests.integration.test_misuse import told
from tests.waiting import wait_until
from tinytown import archive, contract
from tinytown.archive import Reader
from tinytown.engine.upkeep.save import save
from tinytown.errors import ConfigurationError, DiskFullError, TinytownError
from tinytown.host.visit import visit
from tinytown.state import saved
from tinytown.state.snapshot import Snapshots, flaw
from tinytown.town import Town

Typed = Callable[..., tuple[int, str, str]]
TT = Path(sys.executable).with_name("tt")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path / "to" / "town.zip"


def refilled(lines: Any) -> dict[str, Any]:
    """The keys of some lines with all of their values."""
    found: dict[str, list[Any]] = {}
    for line in lines:
        found.setdefault(line["key"], []).extend(line["values"])
    return {key: sorted(map(json.dumps, values)) for key, values in found.items()}


def test_every_record_is_in_the_file_and_the_copies_are_gone(town: Town, file: Path) -> None:
    """Of every kind; nothing is left of the copies that were made on the server."""
    context = running(town)
    populate(context)
    before = records(context)
    done = save(context, file)
    assert (done.missions, done.items, done.agents, done.running) == (2, 6, 1, 0)
    assert file.stat().st_size == done.size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Reader(file) as found:
        lines = list(found.lines())
        assert found.manifest["town"]["id"] == town.id
    assert {line["key"] for line in lines} == before.keys()
    assert not any(map(flaw, lines))
    kinds = {line["type"] for line in lines}
    assert kinds == {"string", "hash", "set", "zset", "list", "stream"}
    assert not list(context.store.client.scan_iter(match=f"{town.prefix}saving:*"))
    assert records(context) == before


def test_a_file_holds_one_moment_of_a_town_that_goes_on(town: Town, file: Path) -> None:
    """What one commit writes in several keys is there as a whole or not at all; commits go on meanwhile."""
    context = running(town)
    populate(context, items=200)
    ended = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        mine = running(town).store.client
        while not ended.is_set():
            written += 1
            with mine.pipeline(transaction=True) as pipe:
                pipe.hset(f"{town.prefix}agents", "ann", f"1\n{written}")
                pipe.set(f"{town.prefix}mail:conductor:seen", f"{written}-0")
                pipe.zadd(f"{town.prefix}missions", {f"moment-{written % 50}": written})
                pipe.execute()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        moments = []
        for _ in range(8):
            wait_until(lambda begun=written: written > begun + 20, description="commits go on")
            save(context, file, force=True)
            with Reader(file) as found:
                values: dict[str, Any] = {}
                for line in found.lines():
                    values.setdefault(line["key"], []).extend(line["values"])
            agent = dict(values["agents"])["ann"]
            newest = max(score for name, score in values["missions"] if name.startswith("moment-"))
            assert agent == f"1\n{int(newest)}"
            assert values["mail:conductor:seen"] == [f"{int(newest)}-0"]
            moments.append(newest)
    finally:
        ended.set()
        writer.join()
    assert len(set(moments)) == len(moments)


def test_a_stopped_town_is_saved_too(typed: Typed, town: Town, file: Path) -> None:
    """Its database runs only for that; JSON tells what was saved."""
    context = running(town)
    populate(context)
    code, said, notes = typed("save", str(file), "--json", cwd=town.root)
    assert code == 0
    assert json.loads(said) == {
        "file": str(file), "size": file.stat().st_size, "missions": 2, "items": 6, "agents": 1, "running": 0,
        "left_out": [],
    }  # fmt: skip
    assert "is stopped; its database runs only for this command" in notes or not notes


@pytest.mark.parametrize("given", ["exists", "folder", "nowhere", "link"])
def test_what_is_in_the_way_is_left_as_it_is(typed: Typed, town: Town, file: Path, given: str) -> None:
    """Unless it is said by --force to replace it."""
    running(town)
    if given == "exists":
        file.write_text("mine")
        told(typed("save", str(file), cwd=town.root), 4, "exists already", "--force")
        assert file.read_text() == "mine"
        assert typed("save", "--force", str(file), cwd=town.root)[0] == 0
        assert zipfile.is_zipfile(file)
    elif given == "folder":
        file.mkdir()
        assert typed("save", str(file), cwd=town.root)[0] == 2
        assert list(file.iterdir()) == []
    elif given == "nowhere":
        told(typed("save", str(file / "x.zip"), cwd=town.root), 3, "there is no folder", "make it first")
    else:
        file.symlink_to(file.with_name("other"))
        told(typed("save", str(file), cwd=town.root), 4, "exists already", "--force")
        assert file.is_symlink()
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


def test_without_room_nothing_is_left(town: Town, tmp_path: Path) -> None:
    """Neither the file nor a part of it; the town is not disturbed."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if (done := subprocess.run(mount, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        context = running(town)
        populate(context)
        chance = random.Random(1)
        noise = {f"k{n}": "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=1000)) for n in range(1000)}
        context.store.client.hset(f"{town.prefix}mission:{'0' * 8}-big:results", mapping=noise)
        before = records(context)
        with pytest.raises(DiskFullError):
            save(context, place / "town.zip")
        assert list(place.iterdir()) == []
        assert records(context) == before
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_save_that_is_killed_leaves_no_file(town: Town, file: Path) -> None:
    """At any moment; the next one is not disturbed by what it left."""
    context = running(town)
    populate(context, items=2000)
    with visit(town):  # A save that ends before it is killed would take the server along.
        for moment in (0.15, 0.25, 0.35, 0.5):
            with subprocess.Popen([TT, "save", str(file)], cwd=town.root, stdout=subprocess.DEVNULL) as process:
                try:
                    process.wait(timeout=moment)
                except subprocess.TimeoutExpired:
                    process.kill()
            if file.exists():
                Reader(file).close()
                file.unlink()
        assert save(context, file).items == 4000


def test_settings_are_saved_without_secrets(town: Town, file: Path) -> None:
    """A password in an address, and values of variables; whoever restores is told."""
    settings = town.root / "tinytown.toml"
    text = settings.read_text()
    settings.write_text(text + '\n[agent_clis.x]\ncommand = "x"\nenv = { KEY = "canary-1" }\n')
    done = save(running(town), file)
    assert done.left_out == ("agent_clis.x.env",)
    with Reader(file) as found:
        kept = found.text(archive.SETTINGS)
        assert found.manifest["left_out"] == ["agent_clis.x.env"]
    assert kept == text + ('\n[agent_clis.x]\ncommand = "x"\n# `agent_clis.x.env` is left out: it may hold a secret.\n')
    with zipfile.ZipFile(file) as zipped:
        assert not any(b"canary-1" in zipped.read(name) for name in zipped.namelist())


# -- reading -------------------------------------------------------------------------------------


@pytest.fixture
def intact(town: Town, file: Path) -> Path:
    context = running(town)
    populate(context)
    save(context, file)
    return file


def test_a_file_that_was_cut_or_changed_anywhere_is_refused(intact: Path, tmp_path: Path) -> None:
    """Or nothing that counts was changed: the same records, or an error in a sentence."""
    data = intact.read_bytes()
    with Reader(intact) as found:
        wanted, settings = refilled(found.lines()), found.text(archive.SETTINGS)
    other = tmp_path / "other.zip"
    chance = random.Random(7)
    refused = 0
    for _ in range(300):
        if chance.random() < 0.3:
            changed = data[: chance.randrange(len(data))]
        else:
            at = chance.randrange(len(data))
            changed = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        other.write_bytes(changed)
        try:
            with Reader(other) as found:
                assert refilled(found.lines()) == wanted
                assert found.text(archive.SETTINGS) == settings
        except ConfigurationError:
            refused += 1
    assert refused > 200


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The same archive with other members, and a list of contents that fits them."""
    with zipfile.ZipFile(source) as old:
        members = {name: old.read(name) for name in old.namelist() if name != archive.CONTENTS}
    change(members)
    said = {n: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for n, data in members.items()}
    with zipfile.ZipFile(target, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)
        new.writestr(archive.CONTENTS, json.dumps({"members": said}))
    return target


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "/etc/passwd", "mirrors/../../evil.bundle", "mirrors/a/b.bundle", "mirrors/.bundle", "lfs/a/b",
        "lfs/../" + "0" * 64, "records.jsonl/", "extra", "C:\\x", "mirrors/x.bundle\0y", "settings/../x",
    ],
)  # fmt: skip
def test_a_name_that_no_town_saves_is_refused(intact: Path, tmp_path: Path, name: str) -> None:
    """Whatever it leads to."""

    def change(members: dict[str, bytes]) -> None:
        members[name] = b"x"

    with pytest.raises(ConfigurationError, match="is no intact saved town"):
        Reader(rewritten(intact, tmp_path / "bad.zip", change))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip", "project", "to"]


def test_links_and_doubles_and_other_packings_are_refused(intact: Path, tmp_path: Path) -> None:
    """Nothing is a link, nothing stands twice, nothing is packed in another way."""
    for kind in ("link", "folder", "double", "packing"):
        bad = tmp_path / f"{kind}.zip"
        bad.write_bytes(intact.read_bytes())
        about = zipfile.ZipInfo("mirrors/x.bundle")
        about.external_attr = (stat.S_IFLNK if kind == "link" else stat.S_IFDIR if kind == "folder" else 0) << 16
        about.compress_type = zipfile.ZIP_LZMA if kind == "packing" else zipfile.ZIP_STORED
        with zipfile.ZipFile(bad, "a") as zipped, pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            if kind == "double":
                about.filename = archive.RECORDS
            zipped.writestr(about, b"/etc/passwd")
        with pytest.raises(ConfigurationError, match="is no intact saved town"):
            Reader(bad)


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all", b"\x1f\x8b" + b"\0" * 100])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(data)
    with pytest.raises(ConfigurationError, match="is no intact saved town"):
        Reader(file)


@pytest.mark.parametrize(
    "line",
    [
        [], {}, {"key": "epoch", "type": "string", "values": ["x"]},
        {"key": "missions", "type": "string", "values": ["x"]},
        {"key": "leases", "type": "zset", "values": []}, {"key": "../x", "type": "hash", "values": []},
        {"key": "mission:a:items:b", "type": "hash", "values": []}, {"key": "mission:a*", "type": "hash", "values": []},
        {"key": "missions", "type": "zset", "values": [["x", "1"]]},
        {"key": "missions", "type": "zset", "values": [["x", float("nan")]]},
        {"key": "agents", "type": "hash", "values": [["x"]]}, {"key": "agents", "type": "hash", "values": "xy"},
        {"key": "events", "type": "stream", "values": [["0-0", [["e", "x"]]]]},
        {"key": "events", "type": "stream", "values": [["1-x", [["e", "x"]]]]},
        {"key": "events", "type": "stream", "values": [["1-1", []]]},
        {"key": "live", "type": "set", "values": [1]}, {"key": ["live"], "type": "set", "values": []},
        {"key": "live", "type": "set", "values": [], "more": 1},
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_is_refused(line: Any) -> None:
    assert flaw(line)


@pytest.mark.parametrize(("field", "value"), [("form", archive.FORM + 1), ("schema", contract.SCHEMA + 1)])
def test_a_file_of_a_newer_release_is_refused_in_a_sentence(
    intact: Path, tmp_path: Path, field: str, value: int
) -> None:
    """It is not called damaged: it is fine, for somebody else."""

    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[archive.MANIFEST])
        members[archive.MANIFEST] = json.dumps({**manifest, field: value, "tinytown": "9.9"}).encode()

    with pytest.raises(TinytownError, match=r"was saved by a newer tinytown \(9.9\); update tinytown"):
        Reader(rewritten(intact, tmp_path / "new.zip", change))


def test_what_a_crash_of_a_save_left_ends_by_itself(town: Town) -> None:
    """The copies have an end; and records are the same whatever else lies there."""
    context = running(town)
    populate(context)
    before = records(context)
    snapshots = Snapshots(context.url, town.prefix)
    client = context.store.client
    with snapshots.taken() as lines:
        next(lines)
        copies = list(client.scan_iter(match=f"{town.prefix}saving:*"))
        assert len(copies) == len(before)
        assert all(client.ttl(name) > 0 for name in copies)
        with snapshots.taken() as more:
            assert refilled(more).keys() == before.keys()
    assert not list(client.scan_iter(match=f"{town.prefix}saving:*"))


def test_the_cost_grows_with_the_records(town: Town, file: Path) -> None:
    """Ten times the items: about ten times the commands, and no more memory on the way."""
    context = running(town)
    calls = []
    for number, items in enumerate((1000, 10_000)):
        populate_one(context, number, items)
        client = context.store.client
        client.config_resetstat()
        save(context, file, force=True)
        stats = client.info("commandstats")
        calls.append(sum(one["calls"] for name, one in stats.items() if name.removeprefix("cmdstat_") in READING))
    assert calls[1] < 12 * calls[0]


READING = {"hscan", "sscan", "zscan", "xrange", "lrange", "get", "copy", "scan", "type"}


def populate_one(context: Any, number: int, items: int) -> None:
    """One mission, whose records are what is counted."""
    client = context.store.client
    name = f"{context.town.prefix}mission:{number}:items"
    for start in range(0, items, 1000):
        client.hset(name, mapping={f"local/x#{n}": "1\n" + "x" * 500 for n in range(start, min(start + 1000, items))})


def test_every_saved_name_is_known() -> None:
    """As it stands in the schema."""
    assert saved.kind_of("mission:0a-1:items") == "hash"
    assert saved.kind_of("mission::items") is None
    assert saved.kind_of("mail:ann:seen") == "string"
    assert set(saved.words()) >= {"missions", "mission:*", "mail:*", "quarantine:*"}


def test_a_server_without_memory_for_the_copies_says_so(town: Town, file: Path) -> None:
    """Nothing is left there, the records are as they were, and there is no file."""
    context = running(town)
    populate(context)
    populate_one(context, 1, 20_000)
    before = records(context)
    client = context.store.client
    client.config_set("maxmemory", client.info("memory")["used_memory"] + (1 << 20))
    try:
        with pytest.raises(TinytownError, match="has no room for a copy of its records"):
            save(context, file)
        with pytest.raises(TinytownError, match="the town's database is full"):
            Snapshots(context.url, town.prefix).replace(large_lines())
    finally:
        client.config_set("maxmemory", 0)
    assert not list(client.scan_iter(match=f"{town.prefix}saving:*"))
    assert not list(client.scan_iter(match=f"{town.prefix}restoring:*"))
    assert records(context) == before
    assert list(file.parent.iterdir()) == []


def large_lines() -> Iterator[dict[str, Any]]:
    """More than there is room for."""
    for number in range(100):
        values = [[f"{number}-{n}", "x" * 1000] for n in range(500)]
        yield {"key": "issues", "type": "hash", "values": values}
