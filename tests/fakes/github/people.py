"""People, apps and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The app that GitHub's own CI speaks as, and its number, which is the same everywhere.
ACTIONS = "github-actions"
ACTIONS_ID = 15368


@dataclass(eq=False)
class User:
    """A person, a bot (``cursor[bot]``) or an organization."""

    id: int
    login: str
    kind: str = "User"

    @property
    def node_id(self) -> str:
        return f"{'BOT' if self.kind == 'Bot' else 'U'}_{self.id}"


@dataclass(eq=False)
class App:
    """What made a check run."""

    id: int
    slug: str

    @property
    def node_id(self) -> str:
        return f"A_{self.id}"


@dataclass(frozen=True)
class Token:
    """Somebody's key. ``kind`` is ``classic``, ``oauth``, ``fine-grained`` or ``app``."""

    value: str
    user: User
    kind: str = "classic"
    #: Of classic and oauth tokens.
    scopes: tuple[str, ...] = ("repo", "workflow")
    #: Of the others: ``read`` or ``write`` for each name, as ``pull_requests``.
    permissions: Mapping[str, str] = field(default_factory=dict)
