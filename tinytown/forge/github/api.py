"""Everything of one town that speaks to GitHub, made once a process and used by all that follows."""

from __future__ import annotations

from tinytown.forge.github.client import Client
from tinytown.forge.github.copy import Copy
from tinytown.forge.github.pulls import Pulls
from tinytown.forge.github.repositories import Repositories, Repository
from tinytown.forge.github.rest import Rest
from tinytown.forge.github.rules import Rules
from tinytown.git.remote import Server
from tinytown.town import Town


class Api:
    """The parts, each of which is safe in many threads."""

    def __init__(self, town: Town, client: Client) -> None:
        self._town = town
        self.client = client
        self.rest = Rest(client)
        self.repositories = Repositories(self.rest)
        self.pulls = Pulls(self.rest, title=lambda: town.settings.forge.github.title)
        self.rules = Rules(self.rest)

    @property
    def merge_method(self) -> str:
        """How the town wants changes merged; empty for what is allowed."""
        return self._town.settings.policy.merge_method or ""

    def copy(self, place: Repository) -> Copy:
        """The mirror of a repository; it is named by its number, which no renaming changes."""
        site, token = self.client.site, self.client.token
        server = Server(web=site.web, url=f"{site.web}/{place.full_name}.git", token=token.value if token else None)
        return Copy(self._town.mirrors / f"github-{place.id}.git", server, repo=place.full_name, host=site.host)
