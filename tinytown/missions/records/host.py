"""The hosts of a town, and what each is told of its settings."""

from __future__ import annotations

from typing import Any

from tinytown.missions.records.record import Record


class HostCli(Record):
    """An agents' CLI on a host."""

    name: str
    #: ``None``: it cannot be told.
    logged_in: bool | None = None
    #: The folder of its program; empty where that does not matter.
    folder: str = ""


class Host(Record):
    """A machine, or a container, on which agents of the town run. Times are by the server's clock."""

    name: str
    #: Random, made when its folder was: two folders of one name never count as one.
    folder: str
    #: Where the user's repository is, and what merges into it.
    home: bool = False
    #: Release of tinytown, and form of the records that it writes.
    release: str = ""
    form: int = 0
    python: str = ""
    #: The machine's own name, and its folder there.
    address: str = ""
    root: str = ""
    joined_at: float = 0.0
    started_at: float = 0.0
    #: How many agents it may have; 0: as many as the town.
    max_agents: int = 0
    clis: tuple[HostCli, ...] = ()
    #: ``[sandbox] kind`` there, and what its agents could do that they should not be able to.
    sandbox: str = ""
    weak: tuple[str, ...] = ()
    #: Seconds by which its clock is ahead of the server's; told to people, and never used.
    clock_ahead: float = 0.0
    #: It takes nothing new, and ends once what runs there has ended.
    draining: bool = False
    #: Names of settings that its release does not know.
    unknown: tuple[str, ...] = ()

    def cli(self, name: str) -> HostCli | None:
        """What is known of a CLI there; ``None`` if it was not found."""
        return next((one for one in self.clis if one.name == name), None)


class Published(Record):
    """What a home tells its hosts: the town's settings without secrets."""

    #: Name of the town, and of the host that is its home.
    name: str = ""
    home: str = ""
    #: Release of its home, and form of the records that it writes.
    release: str = ""
    form: int = 0
    #: As ``settings.joined`` writes and reads it.
    settings: dict[str, Any] = {}
