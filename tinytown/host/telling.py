"""What a home tells the hosts of its town, and a host's taking it over: the town's settings, without secrets."""

from __future__ import annotations

import json
from dataclasses import replace

from tinytown import contract, files
from tinytown.errors import StateError
from tinytown.host import machine
from tinytown.host.server import server_url
from tinytown.settings import joined
from tinytown.state.hosts import Hosts, Published
from tinytown.state.store import Store
from tinytown.town import Town, load_settings, read_identity


def hosts_of(town: Town, *, retries: int = 1) -> Hosts:
    """The town's hosts on record."""
    return Hosts(Store(server_url(town), town.prefix, retries=retries))


def publish(town: Town) -> bool:
    """Tell all hosts the settings of the town whose home this is; gives whether they are new to them."""
    told = Published(
        name=town.name,
        home=town.machine,
        release=machine.release(),
        form=contract.SCHEMA,
        settings=joined.published(town.settings, root=town.root),
    )
    return hosts_of(town).publish(told)


def take_over(town: Town, told: Published) -> bool:
    """Keep on this host what its home told; gives whether that is new here."""
    path = town.root / joined.FILE
    text = json.dumps(told.settings, indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    files.write_atomically(path, text)
    return True


def renewed(town: Town) -> Town:
    """The town of this host with its newest settings.

    Raises:
        StateError: this is no host of the town any more, or its release cannot work with the home's.
    """
    hosts = hosts_of(town)
    known = hosts.get(town.host)
    if known is None or known.record.folder != read_identity(town.root).folder:
        raise StateError(
            f"this folder is no host of {town.name} any more"
            + (f": {known.record.root} on {known.record.address} has its name" if known is not None else ""),
            remedy="run `tt join` here to join again",
        )
    if (told := hosts.published()) is None:
        return town
    if fault := release_fault(told):
        raise StateError(fault, remedy="install the same release of tinytown on all hosts")
    take_over(town, told)
    return replace(town, settings=load_settings(town.root, town.host))


def release_fault(told: Published) -> str:
    """Why this release cannot serve the town; empty if it can."""
    mine = machine.release()
    if told.form > contract.SCHEMA:
        return f"the town's records are of tinytown {told.release}, which this one, {mine}, cannot read"
    if not machine.work_together(mine, told.release):
        return f"the town's home runs tinytown {told.release}, and this host {mine}: only neighbours work together"
    return ""
