"""A repository on a GitHub, github.com or one of the tests' own, as a person with a token works on it: by REST and git.

All that it makes there bears one name, ``tinytown-test-…``: a branch without history that takes the place of the
default branch, with a workflow for the pull requests into it, and issues. ``clean_up`` closes and deletes all of it.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path

from github import Auth, Github, UnknownObjectException
from github.Issue import Issue
from github.PullRequest import PullRequest

from tinytown.forge.github import site
from tinytown.git.repository import BRANCH_PREFIX

NAME = "tinytown-test"
#: Fails until there is a file `green`.
_WORKFLOW = """\
name: {name}
on:
  pull_request:
    branches: [{name}]
jobs:
  green:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: ls && test -f green
"""
_SAID = "A test of tinytown opened this issue, and closes it when it ends.\n\n"


class LiveRepository:
    """See the module; ``api`` is the address of an API other than github.com's."""

    def __init__(self, root: Path, repo: str, token: str, api: str = "") -> None:
        self.site = site.site(api or None)
        self.name = f"{NAME}-{secrets.token_hex(4)}"
        self.repo = repo
        self._root = root
        self._issues: list[int] = []
        connection = Github(auth=Auth.Token(token), base_url=self.site.api, seconds_between_writes=0)
        self._there = connection.get_repo(repo)
        root.mkdir()
        #: Git's settings for whoever works there: the token for this site, and nobody else's helper.
        self.gitconfig = root / "gitconfig"
        self.gitconfig.write_text(
            f'[credential "{self.site.web}"]\n'
            f'\thelper = "!printf \'username=x-access-token\\npassword=%s\\n\' \\"$GH_TOKEN\\" #"\n',
            encoding="utf-8",
        )

    @property
    def clone_url(self) -> str:
        return f"{self.site.web}/{self.repo}.git"

    def begin(self) -> None:
        """Push the branch that everything goes into."""
        self._git("init", "-q", "-b", self.name)
        self._git("remote", "add", "origin", self.clone_url)
        self.push({f".github/workflows/{self.name}.yml": _WORKFLOW.format(name=self.name)})

    def push(self, files: Mapping[str, str]) -> None:
        """A person pushes to that branch, on top of what is there."""
        if self._git("ls-remote", "origin", f"refs/heads/{self.name}"):
            self._git("pull", "-q", "--ff-only", "origin", self.name)
        for name, text in files.items():
            path = self._work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._git("add", ".")
        self._git("commit", "-q", "-m", "A test of tinytown")
        self._git("push", "-q", "origin", self.name)

    def open_issue(self, title: str, body: str) -> int:
        made = self._there.create_issue(f"{self.name}: {title}", body=f"{_SAID}{body}")
        self._issues.append(made.number)
        return made.number

    def issue(self, number: int) -> Issue:
        return self._there.get_issue(number)

    def pull(self, number: int) -> PullRequest:
        return self._there.get_pull(number)

    def statuses(self, pull: PullRequest) -> dict[str, str]:
        """The newest word of each context on a pull request's head."""
        said = self._there.get_commit(pull.head.sha).get_statuses()
        return {one.context: one.state for one in sorted(said, key=lambda one: one.id)}

    def files(self) -> set[str]:
        """What is on the branch that everything goes into."""
        self._git("fetch", "-q", "origin", self.name)
        return set(self._git("ls-tree", "-r", "--name-only", "FETCH_HEAD").split())

    def branches(self, mission: str) -> list[str]:
        """The branches of a mission that are there."""
        lines = self._git("ls-remote", "origin", f"refs/heads/{BRANCH_PREFIX}{mission[:8]}/*").splitlines()
        return [line.split()[1] for line in lines]

    def clean_up(self, mission: str) -> None:
        """Close and delete what is left; what is gone already is no reason to leave the rest."""
        for pull in self._there.get_pulls(state="open", base=self.name):
            pull.edit(state="closed")
        for ref in [*(self.branches(mission) if mission else []), f"refs/heads/{self.name}"]:
            try:
                self._there.get_git_ref(ref.removeprefix("refs/")).delete()
            except UnknownObjectException:
                continue
        for number in self._issues:
            if self.issue(number).state == "open":
                self.issue(number).edit(state="closed", state_reason="not_planned")

    @property
    def _work(self) -> Path:
        return self._root / "work"

    def _git(self, *words: str) -> str:
        self._work.mkdir(exist_ok=True)
        done = subprocess.run(
            ["git", *words], cwd=self._work, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()
