"""The copy of small files of ``/etc`` that a sandbox shows in one mount."""

from __future__ import annotations

import os
from pathlib import Path

from tinytown_workers.sandbox import etc


def copied(folder: Path, source: Path, *places: str) -> set[str]:
    names = [str(path.relative_to(source)) for path in source.glob("**/*") if path.parent == source or path.is_file()]
    return set(etc.copy(folder, names, places, source=source))


def test_what_everybody_may_read_is_copied_and_all_else_has_its_place(tmp_path: Path) -> None:
    source, folder = tmp_path / "etc", tmp_path / "copy"
    (source / "tls").mkdir(parents=True)
    for name, mode in (("services", 0o644), ("tls/openssl.cnf", 0o644), ("login.defs", 0o640), ("hosts", 0o644)):
        (source / name).write_text(name)
        (source / name).chmod(mode)
    (source / "huge").write_bytes(bytes(etc.SIZE_LIMIT + 1))
    (source / "localtime").symlink_to("services")
    assert copied(folder, source, "passwd") == {"services", "tls/openssl.cnf", "localtime"}
    texts = {str(path.relative_to(folder)): path.read_text() for path in folder.glob("**/*") if path.is_file()}
    assert texts == {
        "services": "services", "tls/openssl.cnf": "tls/openssl.cnf", "localtime": "services",
        "login.defs": "", "hosts": "", "huge": "", "passwd": "",
    }  # fmt: skip
    assert (folder.stat().st_mode & 0o777, (folder / "services").stat().st_mode & 0o777) == (0o755, 0o644)


def test_it_follows_what_it_is_a_copy_of(tmp_path: Path) -> None:
    source, folder = tmp_path / "etc", tmp_path / "copy"
    source.mkdir()
    for name in ("services", "timezone"):
        (source / name).write_text("old")
    copied(folder, source)
    seen = (folder / "timezone").stat().st_ino
    (source / "services").write_text("new")
    os.utime(source / "services", ns=(1, 1))
    copied(folder, source)
    assert (folder / "services").read_text() == "new"
    assert (folder / "timezone").stat().st_ino == seen, "one that did not change was copied again"
    (source / "services").unlink()
    assert copied(folder, source) == {"timezone"}
    assert [path.name for path in folder.iterdir()] == ["timezone"]
    # Another one's secret now: no copy of it stays.
    (source / "timezone").chmod(0o600)
    assert copied(folder, source) == set()
    assert (folder / "timezone").read_text() == ""


def test_without_room_for_it_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert etc.copy(tmp_path / "file", ["services"]) == frozenset()
