"""Exchanges that PyGithub recorded with GitHub itself: a second witness of what its answers hold.

They come with PyGithub's sources, whose licence is not ours: they are fetched for the test and kept in pytest's cache.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.fakes.github.descriptions import rest
from tests.fakes.github.hub import GitHub
from tests.fakes.github.requests import Request
from tinytown.forge.github.pulls import Pull
from tinytown.forge.github.repositories import Repository

#: Exchanges that are older say nothing of GitHub as it is.
SINCE = 2025
#: Older answers lack names of things that there were not yet.
READ_SINCE = 2020
#: What recorded answers hold and ours need not: it is about plans, templates and settings that nothing here has.
ELSEWHERE = {
    "organization", "code_of_conduct", "temp_clone_token", "custom_properties", "security_and_analysis",
    "template_repository",
    "parent", "source", "license", "plan", "private_gists", "total_private_repos", "owned_private_repos", "disk_usage",
    "collaborators", "two_factor_authentication", "notification_email",
}  # fmt: skip


@dataclass(frozen=True)
class Exchange:
    """What was asked and answered."""

    method: str
    path: str
    status: int
    answer: Any
    year: int

    @property
    def place(self) -> str:
        return self.path.partition("?")[0]

    @property
    def operation(self) -> str:
        found = rest.operation(self.method, self.place)
        return f"{self.method} {found[0]}" if found else ""


@pytest.fixture(scope="module")
def exchanges(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    """All that can be read; skipped where they cannot be fetched."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("recordings") if cache else tmp_path_factory.mktemp("recordings")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Of several workers one fetches it.
        kept = folder / f"pygithub-{version('PyGithub')}.tar.gz"
        if not kept.exists():
            fetch(f"PyGithub=={version('PyGithub')}", tmp_path_factory.mktemp("download"), kept)
    with tarfile.open(kept) as archive:
        files = [one for one in archive.getmembers() if "/tests/ReplayData/" in one.name and one.name.endswith(".txt")]
        texts = [archive.extractfile(one).read().decode() for one in files]  # type: ignore[union-attr]
    return [one for text in texts for one in read(text)]


def fetch(wanted: str, folder: Path, kept: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", "PyGithub", "--retries", "0", "--timeout", "10", "--dest", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode:
        pytest.skip(f"PyGithub's sources cannot be fetched: {done.stderr.strip().splitlines()[-1:]}")
    (fetched,) = folder.glob("*.tar.gz")
    shutil.move(fetched, kept)


def read(text: str) -> Iterator[Exchange]:
    """A file is blocks of lines: scheme, method, host, port, path, headers, body, status, headers, body."""
    lines = text.split("\n")
    at = 0
    while at + 9 < len(lines):
        if lines[at] != "https":
            at += 1
            continue
        _, method, host, _, path, _, _, status, headers, body = lines[at : at + 10]
        at += 10
        year = re.search(r"\w{3}, \d\d \w{3} (20\d\d)", headers)
        if host != "api.github.com" or year is None:
            continue
        try:
            yield Exchange(method, path, int(status), json.loads(body) if body else None, int(year[1]))
        except ValueError:
            continue


def test_the_nulls_that_are_let_pass_are_those_that_github_sends(
    exchanges: list[Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what it answers is as it describes; that is what makes the description a measure of ours."""
    recent = [one for one in exchanges if one.year >= SINCE and one.operation]
    asked = [
        Request(one.method, f"/api/v3{one.place}", "", {}, b"", 0.0, status=one.status, answer=one.answer)
        for one in recent
    ]
    assert len(asked) > 200
    assert rest.violations(asked) == []
    monkeypatch.setattr(rest, "NULLS", ())
    sent = {one.split(": answer ")[1].split(":")[0] for one in rest.violations(asked)}
    assert {null for null in rest.SENT if any(re.fullmatch(null, path) for path in sent)} == set(rest.SENT)


def test_ours_hold_what_the_recorded_ones_hold(exchanges: list[Exchange], hub: GitHub) -> None:
    ours = answers_of(hub)
    found: dict[str, set[str]] = {}
    compared = set()
    for one in exchanges:
        if one.year >= SINCE and one.status == 200 and one.operation in ours:
            compared.add(one.operation)
            found.setdefault(one.operation, set()).update(lacking(one.answer, ours[one.operation]))
    assert len(compared) >= 12
    assert sorted(f"{operation}: {name}" for operation, names in found.items() for name in names) == []


def lacking(recorded: Any, ours: Any, at: str = "") -> Iterator[str]:
    """Fields that are recorded and not in ours; a list is compared by its first entry."""
    if isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            yield from lacking(recorded[0], ours[0], at)
    elif isinstance(recorded, dict) and isinstance(ours, dict):
        for name, value in recorded.items():
            if name in ELSEWHERE or at.endswith("app/permissions/"):
                continue
            if name not in ours:
                yield f"{at}{name}"
            else:
                yield from lacking(value, ours[name], f"{at}{name}/")


def answers_of(hub: GitHub) -> dict[str, Any]:
    """One answer of each operation, from a repository that has one of everything."""
    hub.issue(1, "One", "Words", labels=["api"], comments=[("ann", "Hello")])
    hub.issue(2, "Two", blocked_by=["octo/site#1"], state="closed", reason="completed")
    hub.repo.issues[2].children = [hub.repo.issues[1]]
    hub.push_by("ann", "tt/one", {"a.txt": "one\n"})
    change = hub.open_pull("ann", "tt/one")
    check = hub.check("test", "failure", log="no\n")
    thread = hub.thread("ann", "a.txt", 1, "Hm")
    hub.pull().unknown = 0
    run = hub.repo.runs[0]
    hub.issue(9, "Newest")
    hub.repo.issues[2].children.append(hub.repo.issues[9])
    sha, comment = change.head_sha, hub.repo.issues[1].comments[0]
    paths = [
        "", "/issues", "/issues/2", "/issues/1/comments", f"/issues/comments/{comment.id}", "/issues/2/sub_issues",
        "/issues/2/dependencies/blocked_by", "/branches/main", f"/commits/{sha}", "/commits", "/compare/main...tt/one",
        f"/pulls/{change.number}", f"/pulls/{change.number}/commits", f"/pulls/comments/{thread.comments[0].id}",
        f"/check-runs/{check.id}", f"/check-suites/{check.suite.id}", f"/actions/runs/{run.id}",
        f"/actions/jobs/{check.id}", "/git/ref/heads/main", "/contents/README.md",
    ]  # fmt: skip
    made = {}
    token = hub.token("octo")
    for path in paths:
        place = f"/repos/octo/site{path}"
        answer = hub.regular(place, token)
        assert answer.status == 200, place
        found = rest.operation("GET", place)
        assert found
        made[f"GET {found[0]}"] = answer.body
    return made


@pytest.mark.parametrize(
    ("operation", "kind", "least"),
    [
        ("GET /repos/{owner}/{repo}", Repository, 100),
        ("GET /repos/{owner}/{repo}/pulls", Pull, 1),
        ("GET /repos/{owner}/{repo}/pulls/{pull_number}", Pull, 10),
    ],
)
def test_tinytown_reads_what_was_recorded(
    exchanges: list[Exchange], operation: str, kind: type[BaseModel], least: int
) -> None:
    """And what it takes from them is what they say."""
    count = 0
    for one in exchanges:
        if one.operation != operation or one.status not in {200, 201} or one.year < READ_SINCE:
            continue
        for each in one.answer if isinstance(one.answer, list) else [one.answer]:
            seen = kind.model_validate(each).model_dump(exclude_unset=True)
            assert list(different(seen, each)) == [], one.path
            count += 1
    assert count >= least


def different(seen: Any, recorded: Any, at: str = "") -> Iterator[str]:
    if isinstance(seen, dict) and isinstance(recorded, dict):
        for name, value in seen.items():
            yield from different(value, recorded.get(name), f"{at}/{name}")
    elif seen != recorded:
        yield f"{at}: {seen!r} for {recorded!r}"
