"""Code that was replaced under a process is noticed, whatever the update did to the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tinytown import stamp


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("package/one.py", "package/inner/two.py", "package/inner/three.lua", "package/text.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "package/__init__.py").touch()
    monkeypatch.setattr(stamp, "PACKAGES", ("package",))
    stamp._folders.cache_clear()
    monkeypatch.setattr(stamp, "STARTED", stamp.now())
    return tmp_path / "package"


def same_size_later(code: Path) -> None:
    (code / "one.py").write_text("2\n")


def removed(code: Path) -> None:
    (code / "inner/two.py").unlink()


def added(code: Path) -> None:
    (code / "new.py").touch()


def a_script(code: Path) -> None:
    (code / "inner/three.lua").write_text("longer\n")


@pytest.mark.parametrize("update", [same_size_later, removed, added, a_script])
def test_a_change_of_code_is_seen(code: Path, update: Callable[[Path], None]) -> None:
    assert not stamp.replaced()
    update(code)
    assert stamp.replaced()


def test_what_is_no_code_does_not_count(code: Path) -> None:
    (code / "text.md").write_text("longer\n")
    (code / "__pycache__").mkdir()
    (code / "__pycache__/one.cpython-311.pyc").touch()
    assert not stamp.replaced()
