"""The forge of a machine that is not the town's home: it has a mirror, filled from the hub, and nothing else.

Issues, changes and merges are home's, and so is whatever speaks to a remote forge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from tinytown.errors import BaseGoneError, StateError
from tinytown.forge.contract import Change, Forge, IssueState, MergeResult, Published, RunChecks, Seen
from tinytown.forge.hub.hub import Hub
from tinytown.missions.records.issue import Issue


class Elsewhere:
    """See ``Forge`` for the contract of each method; what only home can do raises ``StateError``."""

    def __init__(self, forge: Forge, hub_of: Callable[[str], Hub]) -> None:
        self.kind = forge.kind
        self._forge = forge
        self._hub_of = hub_of

    @property
    def repo(self) -> str:
        return self._forge.repo

    def issue_key(self, reference: str) -> str:
        return self._forge.issue_key(reference)

    def mirror(self, repo: str) -> Path:
        """The mirror as it is; filled from the hub where there is none yet."""
        hub = self._hub_of(repo)
        if not hub.folder.exists():
            hub.refresh()
        return hub.folder

    def base_tip(self, repo: str, base: str) -> str:
        """The newest commit of the base when the hub was last looked at."""
        hub = self._hub_of(repo)
        if not hub.folder.exists() or hub.base(base) is None:
            hub.refresh()
        if (tip := hub.base(base)) is None:
            raise BaseGoneError(
                f"the hub has no branch `{base}` of {repo}", remedy="run `tt start` at the town's home, which brings it"
            )
        return tip

    def start_warnings(self) -> Sequence[str]:
        return ()

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:  # noqa: ARG002
        _home_only()

    def issue(self, key: str) -> Issue:  # noqa: ARG002
        _home_only()

    def issue_state(self, key: str) -> IssueState:  # noqa: ARG002
        _home_only()

    def publish(self, repo: str, change: Change) -> Published:  # noqa: ARG002
        _home_only()

    def observe(self, repo: str, change: Change) -> Seen:  # noqa: ARG002
        _home_only()

    def merge(
        self,
        repo: str,  # noqa: ARG002
        change: Change,  # noqa: ARG002
        *,
        checked_tree: str | None,  # noqa: ARG002
        checks: RunChecks | None,  # noqa: ARG002
    ) -> MergeResult:
        _home_only()


def _home_only() -> NoReturn:
    raise StateError(
        "issues and changes are at the town's home, which is another machine", remedy="run this command there"
    )
