"""Whether a machine's disks have room for another run: bytes and files, where and how much."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinytown.host import room
from tinytown.host.room import Room
from tinytown.settings import parse
from tinytown.town import Town

GIB = 1 << 30


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Town(root=tmp_path / "town", id="4f0c2a", settings=parse({}, source="a test"))


def disks(monkeypatch: pytest.MonkeyPatch, *, free: int, files: int = 10**6, total: int = 10**7) -> None:
    found = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_files=total, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda _: found)


def test_what_is_missing_is_said_with_its_place(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disks(monkeypatch, free=GIB // 2)
    assert Room(town).shortage(GIB) == f"0.5 GiB more must be free at {tmp_path}: 0.5 GiB of 1.0 GiB are"
    assert Room(town).shortage(GIB // 2) == ""
    disks(monkeypatch, free=GIB, files=12)
    assert "room for 12 more files" in Room(town).shortage(GIB)
    # A file system without a limit of files has room for more; a tiny one for as many as it ever had.
    disks(monkeypatch, free=GIB, files=0, total=0)
    assert Room(town).shortage(GIB) == ""


def test_the_clone_of_a_large_repository_needs_more_on_its_own_disk(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = town.mirrors / "auth.git" / "objects" / "pack"
    packs.mkdir(parents=True)
    with (packs / "pack-1.pack").open("wb") as file:
        file.truncate(3 * GIB)
    disks(monkeypatch, free=2 * GIB)
    made = Room(town)
    assert "4.0 GiB more must be free" in made.shortage(GIB)
    assert made.missing_at(town.data, GIB) == ""
    assert room.CLONE == 2


def test_the_disk_of_a_server_elsewhere_is_not_ours(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    there = parse({"redis": {"url": "redis://db.example.org:6379/0"}}, source="a test")
    looked: list[Path] = []
    monkeypatch.setattr(Room, "missing_at", lambda _self, folder, _free: looked.append(folder) or "")
    Room(town).shortage(GIB)
    Room(replace(town, settings=there)).shortage(GIB)
    assert looked == [town.state, town.data, town.state]
