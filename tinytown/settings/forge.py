"""``[forge]``: where issues and changes live."""

from __future__ import annotations

from typing import Annotated, Any

import pydantic
from pydantic import Field

from tinytown.settings import bots
from tinytown.settings.bots import BotSettings
from tinytown.settings.types import Seconds, Section, Title


class LocalRepoSettings(Section):
    """A further repository; what it leaves out is as in the town's own."""

    path: str = Field(description="Path of the repository, relative to the town.")
    base: str | None = Field(None, description="Branch to merge changes into (default: `forge.base`).")
    checks: list[str] | None = Field(None, description="Checks of this repository (default: `forge.local.checks`).")


def _repo_of_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class LocalForgeSettings(Section):
    checks: list[str] | None = Field(
        None, description="Commands a change must pass, each run in a clean clone of the exact commit; [] for none."
    )
    check_timeout: Seconds = Field(900, description="Time limit for all checks of one commit.")
    repos: dict[str, Annotated[LocalRepoSettings, pydantic.BeforeValidator(_repo_of_path)]] = Field(
        default_factory=dict,
        description='More repositories: NAME = "path", or { path = "…", base = "…", checks = ["…"] }.',
    )


class GitHubForgeSettings(Section):
    token_file: str | None = Field(
        None,
        description="File with the token as its only line, readable by you alone, e.g. `~/.config/town-token`. It goes "
        "before GH_TOKEN, GITHUB_TOKEN and `gh auth token`.",
    )
    title: Title = Field(
        "{title}", description="Title of a pull request when it is opened; `{title}` and `{issue}` are its issue's."
    )
    bots: dict[str, BotSettings] = Field(
        default_factory=dict,
        description="Bots that review pull requests, by name; `bugbot`, `copilot` and `coderabbit` are known.",
    )

    @pydantic.model_validator(mode="after")
    def _bots_are_whole(self) -> GitHubForgeSettings:
        for name, bot in self.bots.items():
            if wrong := bots.fault(name, bot):
                raise ValueError(wrong)
        return self


class ForgeSettings(Section):
    kind: str = Field("local", description="Where issues and changes live: `local`, `github`, or a plug-in's name.")
    repo: str | None = Field(None, description="`owner/name` on GitHub, or the short name of the local repository.")
    base: str | None = Field(None, description="Branch to merge changes into.")
    base_url: str | None = Field(None, description="API address of a GitHub Enterprise server.")
    local: LocalForgeSettings = Field(default_factory=LocalForgeSettings)
    github: GitHubForgeSettings = Field(default_factory=GitHubForgeSettings)

    @property
    def remote(self) -> bool:
        """Whether changes live where only a network leads, and a process of its own speaks to it."""
        return self.kind == "github"

    def further(self, repo: str) -> LocalRepoSettings | None:
        """The settings of ``local/NAME``, where that is not the town's own repository."""
        own = self.kind == "local" and repo.lower() == f"local/{self.repo}".lower()
        return None if own or not repo.startswith("local/") else self.local.repos.get(repo.removeprefix("local/"))

    def base_of(self, repo: str) -> str | None:
        """The branch that changes in this repository are merged into."""
        further = self.further(repo)
        return further.base if further is not None and further.base else self.base

    def checks_of(self, repo: str) -> list[str] | None:
        """The commands that changes in this repository must pass; ``None`` where nothing was said."""
        further = self.further(repo)
        return further.checks if further is not None and further.checks is not None else self.local.checks
