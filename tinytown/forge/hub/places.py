"""Where a repository's hub is, and where on this machine its mirror lies."""

from __future__ import annotations

from pathlib import Path

from tinytown import keys
from tinytown.errors import ConfigurationError
from tinytown.forge.contract import Forge, Remote
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub
from tinytown.git import transport
from tinytown.git.transport import Address
from tinytown.town import Town, read_identity

#: In `hub.url`: the repository's name.
REPO = "{repo}"


def hub_of(town: Town, forge: Forge, repo: str) -> Hub:
    """The hub of a repository of a town that has one.

    Raises:
        ConfigurationError: `hub.url` is no address.
    """
    return Hub(
        address=address_of(town, repo),
        folder=mirror_of(town, forge, repo),
        root=names.root(town.id, repo),
        epoch=read_identity(town.root).epoch,
        home=town.home,
    )


def address_of(town: Town, repo: str) -> Address:
    """Where a repository's hub is."""
    url = town.settings.hub.url
    if not url:
        raise ConfigurationError("the town has no hub", remedy="set `[hub] url` in tinytown.toml")
    return transport.address(url.replace(REPO, names.place(repo)), root=town.root)


def mirror_of(town: Town, forge: Forge, repo: str) -> Path:
    """Where this machine's mirror of a repository is, or will be."""
    if town.home and isinstance(forge, Remote):
        return forge.mirror_folder(repo)
    # As the local forge calls it; a slash is in no name of an owner or of a repository.
    return town.mirrors / f"{repo.removeprefix(f'{keys.LOCAL}/').replace('/', '+')}.git"
