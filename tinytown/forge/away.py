"""A remote forge in a process that does not speak to it: what this machine's own copy tells, and nothing else.

Only one process of a town has a token and waits for a network. All others work with the mirror as that one left it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tinytown.errors import BaseGoneError, StateError, UnreachableError
from tinytown.forge.contract import Change, Forge, IssueState, MergeResult, Published, Remote, RunChecks, Seen
from tinytown.git.repository import Git
from tinytown.missions.records.issue import Issue


class Away:
    """See ``Forge`` for the contract of each method; what would need a network raises ``UnreachableError``."""

    def __init__(self, forge: Forge) -> None:
        if not isinstance(forge, Remote):
            raise StateError(f"the forge {forge.kind} has no copy on this machine", remedy="use another one")
        self.kind = forge.kind
        self._forge = forge
        self._mirrors: Remote = forge

    @property
    def repo(self) -> str:
        return self._forge.repo

    def issue_key(self, reference: str) -> str:
        return self._forge.issue_key(reference)

    def mirror(self, repo: str) -> Path:
        """The mirror as it is."""
        folder = self._mirrors.mirror_folder(repo)
        if not folder.exists():
            raise UnreachableError(
                f"{repo} has not been fetched yet", remedy="see `tt logs forge`; it is tried again by itself"
            )
        return folder

    def base_tip(self, repo: str, base: str) -> str:
        """The newest commit of the base when it was last fetched."""
        tip = Git.own(self.mirror(repo)).refs(f"refs/heads/{base}").get(f"refs/heads/{base}")
        if not tip:
            raise BaseGoneError(
                f"{repo} has no branch `{base}`", remedy="create it, or set `forge.base` in tinytown.toml"
            )
        return tip

    def start_warnings(self) -> Sequence[str]:
        return ()

    def preflight(self, base: str, repo: str | None = None) -> Sequence[str]:  # noqa: ARG002
        _away(self.kind)

    def issue(self, key: str) -> Issue:  # noqa: ARG002
        _away(self.kind)

    def issue_state(self, key: str) -> IssueState:  # noqa: ARG002
        _away(self.kind)

    def publish(self, repo: str, change: Change) -> Published:  # noqa: ARG002
        _away(self.kind)

    def observe(self, repo: str, change: Change) -> Seen:  # noqa: ARG002
        _away(self.kind)

    def merge(
        self,
        repo: str,  # noqa: ARG002
        change: Change,  # noqa: ARG002
        *,
        checked_tree: str | None,  # noqa: ARG002
        checks: RunChecks | None,  # noqa: ARG002
    ) -> MergeResult:
        _away(self.kind)


def _away(kind: str) -> NoReturn:
    raise UnreachableError(
        f"{kind} is spoken to by the town's forge process alone", remedy="run `tt start`, and see `tt logs forge`"
    )
