"""A GitHub with one person who works on it, and everything said to it checked against GitHub's description."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from github import Auth, Github
from github.Repository import Repository as Repo

from tests.fakes.github.descriptions.rest import violations
from tests.fakes.github.hub import GitHub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[GitHub]:
    github = GitHub(tmp_path / "github")
    github.person("tiny")
    with github.running():
        yield github
        assert violations(github.seen) == []


@pytest.fixture
def repo(hub: GitHub) -> Repo:
    return client(hub, hub.token("tiny"))


def client(hub: GitHub, token: str) -> Repo:
    """The repository, as PyGithub reads and writes it with a token."""
    auth = Auth.Token(token)
    seconds = {"seconds_between_requests": 0, "seconds_between_writes": 0}
    connection = Github(auth=auth, base_url=hub.base_url, retry=None, **seconds)
    return connection.get_repo(hub.repo.name)


def git(folder: Path, *arguments: str, token: str = "", code: int = 0) -> str:
    """Plain git with a token; gives all that it says."""
    header = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    settings = ["-c", "user.name=Tiny", "-c", "user.email=tiny@example.com"]
    settings += ["-c", f"http.extraHeader=Authorization: Basic {header}"] if token else []
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr
