"""All that one GitHub knows: its people, tokens, repositories and the numbers it has given away."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fakes.github.clock import Clock
from tests.fakes.github.models import Issue, Pull, Repo
from tests.fakes.github.objects import Bare
from tests.fakes.github.people import ACTIONS, ACTIONS_ID, App, Token, User
from tests.fakes.github.requests import PREFIX


class World:
    """See the module. Everything is read and changed under ``lock``."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self.clock = clock
        self.lock = threading.RLock()
        self.web = ""
        self.users: dict[str, User] = {}
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self.repos: dict[str, Repo] = {}
        #: Old names of repositories, in lower case.
        self.renamed: dict[str, Repo] = {}
        #: Whatever has a node id.
        self.nodes: dict[str, Any] = {}
        #: Requests left to a token in its hour: REST and GraphQL.
        self.left: dict[tuple[str, str], int] = {}
        self.reset = clock.now() + 3600
        #: Addresses of logs: what they give, and until when.
        self.signed: dict[str, tuple[str, float]] = {}
        self._last = 1000

    @property
    def api(self) -> str:
        return f"{self.web}{PREFIX}"

    def number(self) -> int:
        """A number that nothing else has."""
        self._last += 1
        return self._last

    def know(self, *things: Any) -> None:
        for thing in things:
            self.nodes[thing.node_id] = thing

    # -- people --------------------------------------------------------------------------------

    def user(self, login: str, kind: str | None = None) -> User:
        """Who is called that; made when first named."""
        if login.lower() not in self.users:
            made = User(self.number(), login, kind or ("Bot" if login.endswith("[bot]") else "User"))
            self.users[login.lower()] = made
            self.know(made)
        return self.users[login.lower()]

    def app(self, slug: str) -> App:
        if slug not in self.apps:
            self.apps[slug] = App(ACTIONS_ID if slug == ACTIONS else self.number(), slug)
            self.know(self.apps[slug])
        return self.apps[slug]

    def token(self, login: str, *, value: str = "", kind: str = "classic", **rights: Any) -> Token:
        prefix = {"classic": "ghp_", "oauth": "gho_", "fine-grained": "github_pat_", "app": "ghs_"}[kind]
        made = value or prefix + hashlib.sha256(f"{login}{len(self.tokens)}".encode()).hexdigest()[:36]
        self.tokens[made] = Token(made, self.user(login), kind, **rights)
        return self.tokens[made]

    # -- repositories --------------------------------------------------------------------------

    def repo(self, name: str, *, branch: str = "main", files: Mapping[str, str] | None = None) -> Repo:
        """The repository of that name; made, with one commit, when first named."""
        if name.lower() in self.repos:
            return self.repos[name.lower()]
        owner = name.partition("/")[0]
        bare = Bare(self.root / f"{name.lower()}.git")
        made = Repo(self.number(), name, self.user(owner, "Organization"), bare, self.clock.now(), default=branch)
        bare.create(branch)
        begun = {"README.md": "# A project\n", **(files or {})}
        bare.write(branch, begun, "Begin", on=None, author=owner, at=1_700_000_000)
        self.repos[name.lower()] = made
        self.know(made)
        return made

    def find_repo(self, name: str) -> Repo | None:
        return self.repos.get(name.lower())

    def by_id(self, number: int) -> Repo | None:
        return next((one for one in self.repos.values() if one.id == number), None)

    def rename(self, repo: Repo, name: str) -> None:
        """Its old name leads to it; its git address too."""
        del self.repos[repo.name.lower()]
        self.renamed[repo.name.lower()] = repo
        repo.name = name
        repo.owner = self.user(name.partition("/")[0], "Organization")
        self.repos[name.lower()] = repo

    def add_issue(self, repo: Repo, issue: Issue) -> None:
        repo.issues[issue.number] = issue
        repo.next_number = max(repo.next_number, issue.number + 1)
        self.know(issue)

    def pull_of_node(self, node: str) -> Pull | None:
        found = self.nodes.get(node)
        return found if isinstance(found, Pull) else None
