"""Which releases may serve one town."""

from __future__ import annotations

import pytest

from tinytown import contract
from tinytown.host import machine, telling
from tinytown.state.hosts import Published


@pytest.mark.parametrize(
    ("one", "other", "works"),
    [
        ("1.4.0", "1.4.9", True),
        ("1.4.0", "1.5.0", True),
        ("1.5.1", "1.4.0", True),
        ("1.4.0", "1.6.0", False),
        ("1.4.0", "2.4.0", False),
        ("1.4.0.dev1", "1.5.0", True),
        ("main", "main", True),
        ("main", "1.5.0", False),
    ],
)
def test_two_neighbouring_releases_work_together(one: str, other: str, works: bool) -> None:
    assert machine.work_together(one, other) is works


def test_a_host_says_why_its_release_cannot_serve_a_town(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "release", lambda: "1.4.0")
    assert telling.release_fault(Published(release="1.5.2", form=contract.SCHEMA)) == ""
    assert "only neighbours work together" in telling.release_fault(Published(release="1.6.0", form=contract.SCHEMA))
    assert "cannot read" in telling.release_fault(Published(release="1.5.0", form=contract.SCHEMA + 1))
