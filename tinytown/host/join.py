"""``tt join``: an empty folder becomes a host of a town, on another machine or in a container.

All is checked before anything is written, and everything that is wrong is said at once. The folder appears whole, and
the host's record with it; where one of them fails, the other is taken back.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tinytown import contract, files, plugins, settings
from tinytown.errors import (
    ConfigurationError,
    ConflictError,
    NotATownError,
    NotFoundError,
    StateError,
    TinytownError,
    UnreachableError,
)
from tinytown.forge.contract import Forge
from tinytown.forge.hub import names as hub_names
from tinytown.forge.hub import places
from tinytown.forge.hub.hub import Hub
from tinytown.forge.hub.probe import probe
from tinytown.host import lifecycle, machine, telling
from tinytown.host.server import public_url
from tinytown.settings import edit, joined
from tinytown.settings.read import check
from tinytown.state import serving
from tinytown.state.hosts import Host, HostLease, Hosts, Published, towns_in
from tinytown.state.store import Store
from tinytown.town import Identity, Town, open_town, read_identity

#: Seconds for which a new host counts as there until its supervisor says so itself.
_COMING_SECS = 60.0
#: How often a record is written that somebody else changes at this moment.
_TRIES = 5
#: Longest name of a host.
NAME_LIMIT = 32


@dataclass(frozen=True)
class Joined:
    """The host, and whether it was one already: then nothing was changed."""

    town: Town
    existed: bool
    #: Names of processes that were started.
    started: tuple[str, ...] = ()
    #: What the user should know, a sentence each.
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """The town that is joined."""

    id: str
    epoch: str
    told: Published
    hosts: Hosts


def join(start: Path, url: str, *, town: str = "", name: str = "", max_agents: int | None = None) -> Joined:
    """Make the folder ``start`` a host of the town on the server at ``url``, and start it.

    The environment must name that server, too: it is what the host's processes use.
    ``town`` is the id of the town, or its beginning, where the server has several; ``name`` what the host is called.

    Raises:
        StateError: the folder is not empty, or something that is said keeps it from joining.
        ConfigurationError: the address or the name is wrong.
        UnreachableError: the server does not answer.
        NotFoundError: it has no such town. Nothing is left behind in any of these cases.
    """
    root = start.resolve()
    known = _known(root)
    found = _find(_checked(url), town or (known.id if known is not None else ""))
    if known is not None:
        if known.id != found.id:
            raise StateError(f"this folder is a host of another town, {known.id[:8]}", remedy="use an empty folder")
        if name and name != known.host:
            raise StateError(f"this folder is the host {known.host}", remedy="run `tt leave` here first")
    called, problems = _name(found, name or (known.host if known is not None else ""), known)
    if fault := telling.release_fault(found.told):
        problems.append(f"{fault}; install the release of the town's home")
    problems += _faults(root, found, url, called)
    if problems:
        lines = [f"{len(problems)} things keep this folder from joining {found.told.name}", *problems]
        raise StateError("; ".join(problems) if len(problems) == 1 else "\n  - ".join(lines))
    remarks = _remarks(found)
    held = found.hosts.get(called)
    folder = known.folder if known is not None else ""
    if known is not None and held is not None and held.record.folder == folder and not held.record.draining:
        amended = open_town(root)
        return Joined(amended, existed=True, started=tuple(lifecycle.start(amended)))
    identity = Identity(
        id=found.id,
        epoch=found.epoch,
        created=time.time(),
        initialised=True,
        root=str(root),
        server=serving.address(url),
        host=called,
        folder=folder or uuid.uuid4().hex,
    )
    made = _write(root, identity, found, max_agents=max_agents, again=known is not None)
    try:
        new = open_town(root)
        # Now, and not when its supervisor has found that out: the next command may spawn agents here.
        if (record := found.hosts.get(called)) is not None:
            described = machine.describe(new, record.record, now=found.hosts.store.now())
            found.hosts.put(record, described, seconds=_COMING_SECS)
        started = tuple(lifecycle.start(new))
    except TinytownError:
        _take_back(root, made, found, called, identity.folder)
        raise
    return Joined(new, existed=False, started=started, remarks=remarks)


def _known(root: Path) -> Identity | None:
    """The identity of a folder that is, or was, a host; ``None`` for an empty folder.

    Raises:
        StateError: it is neither.
    """
    try:
        identity = read_identity(root)
    except NotATownError:
        identity = None
    if identity is not None:
        if not identity.host:
            raise StateError(f"{root} is the home of a town", remedy="run `tt join` in an empty folder")
        return identity
    try:
        above = settings.find_root(root)
    except NotATownError:
        above = None
    if above is not None and above != root:
        raise StateError(f"{root} is inside the town at {above}", remedy="run `tt join` in an empty folder elsewhere")
    try:
        if any(path.name != settings.FILE_NAME for path in root.iterdir()):
            raise StateError(f"{root} is not empty", remedy="run `tt join` in an empty folder")
    except OSError as error:
        raise files.read_error(root, error) from None
    return None


def _checked(url: str) -> str:
    try:
        settings.RedisSettings(url=url)
    except ValueError as error:
        reason = str(getattr(error, "errors", lambda: [{"msg": ""}])()[0]["msg"]).removeprefix("Value error, ")
        raise ConfigurationError(
            f"the address of the server {reason}",
            remedy="write redis://:PASSWORD@HOST:6379/0",
        ) from None
    return url


def _find(url: str, wanted: str) -> _Found:
    """The town on the server that is meant."""
    try:
        towns = towns_in(url)
    except UnreachableError as error:
        raise UnreachableError(
            f"the server at {public_url(url)} cannot be used from here: {error.message}",
            remedy="check its address and password, and that this machine reaches it",
        ) from None
    there = {town_id: epoch for town_id, epoch in towns.items() if town_id.startswith(wanted)}
    if not there:
        what = f"no town whose id begins with `{wanted[:40]}`" if wanted else "no town"
        raise NotFoundError(
            f"the server at {public_url(url)} has {what}",
            remedy="run `tt start` in the town's repository, with REDIS_URL set to this server",
        )
    if len(there) > 1:
        listed = ", ".join(f"{town_id[:8]} ({_told_by(url, town_id).name or '?'})" for town_id in sorted(there))
        raise StateError(f"the server at {public_url(url)} has several towns: {listed}", remedy="name one with `--id`")
    [(town_id, epoch)] = there.items()
    told = _told_by(url, town_id)
    if not told.release:
        raise StateError(
            f"the home of town {town_id[:8]} tells its settings to no host",
            remedy="update tinytown there, and run `tt start`",
        )
    return _Found(town_id, epoch, told, Hosts(_store(url, town_id)))


def _store(url: str, town_id: str) -> Store:
    return Store(url, f"tt:{town_id}:", retries=1)


def _told_by(url: str, town_id: str) -> Published:
    return Hosts(_store(url, town_id)).published() or Published()


def _name(found: _Found, wanted: str, known: Identity | None) -> tuple[str, list[str]]:
    """What the host is called, and why it cannot be called so."""
    hosts, taken = found.hosts.all(), found.told.home.casefold()

    def free(name: str) -> bool:
        if name == taken:
            return False
        other = hosts.get(name)
        return other is None or not other.live or (known is not None and other.record.folder == known.folder)

    if wanted:
        if not contract.is_name(wanted) or len(wanted) > NAME_LIMIT:
            raise ConfigurationError(
                f"`{wanted[:60]}` cannot be a host's name",
                remedy=f"use lower-case letters, digits, `-` and `_`, {NAME_LIMIT} at most",
            )
        return wanted, [] if free(wanted) else [_whose(wanted, hosts)]
    base = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().casefold()).strip("-_")[: NAME_LIMIT - 4] or "host"
    names = (base, *(f"{base}-{number}" for number in range(2, 1000)))
    return next(name for name in names if free(name)), []


def _whose(name: str, hosts: Mapping[str, HostLease]) -> str:
    if (other := hosts.get(name)) is None:
        return f"`{name}` is the name of the town's home; choose another one with `--name`"
    where = f"{other.record.root} on {other.record.address}"
    return f"another host, {where}, is called `{name}` and is there; choose another name with `--name`"


def _faults(root: Path, found: _Found, url: str, name: str) -> list[str]:
    """What is wrong with the settings that would count here, or with the hub as it is seen from here."""
    env = {**os.environ, "REDIS_URL": url}
    try:
        layers, _ = joined.layers_of(root, found.told.settings, env, of_user=None)
        _probe(Town(root, found.id, check(layers, env), host=name), found)
    except TinytownError as error:
        return [f"{error.message}; {error.remedy}" if error.remedy else error.message]
    return []


def _probe(town: Town, found: _Found) -> None:
    """Reach the town's hub, and write there."""
    if not town.settings.hub.url:
        raise ConfigurationError(
            f"{town.name} has no hub, by which work comes to other hosts and back",
            remedy="set `[hub] url` in the tinytown.toml of its home",
        )
    forge: Forge = plugins.forge(town)
    hub = Hub(
        address=places.address_of(town, forge.repo),
        folder=places.mirror_of(town, forge, forge.repo),
        root=hub_names.root(town.id, forge.repo),
        epoch=found.epoch,
        home=False,
    )
    probe(hub)


def _remarks(found: _Found) -> tuple[str, ...]:
    lacking = joined.missing_variables(found.told.settings, os.environ)
    if not lacking:
        return ()
    return (
        f"the town gives its agents {', '.join(lacking)}; values do not travel, so set them in this host's environment",
    )


def _write(root: Path, identity: Identity, found: _Found, *, max_agents: int | None, again: bool) -> list[Path]:
    """Write the folder and the record, both or none; gives what was made."""
    folder, own, made = root / ".tt", root / settings.FILE_NAME, list[Path]()
    now = found.hosts.store.now()
    record = Host(name=identity.host, folder=identity.folder, root=str(root), joined_at=now, release=machine.release())
    record = record.evolve(address=socket.gethostname(), max_agents=max_agents or 0)
    text = json.dumps(found.told.settings, indent=2) + "\n"
    scratch = Path(tempfile.mkdtemp(prefix=".tt-join-", dir=root))
    try:
        (scratch / ".gitignore").write_text("*\n", encoding="utf-8")
        (scratch / Path(joined.FILE).name).write_text(text, encoding="utf-8")
        (scratch / "town.json").write_text(json.dumps(asdict(identity), indent=2) + "\n", encoding="utf-8")
        if again:
            # What else is there stays: logs, and the specs of its agents.
            for path in scratch.iterdir():
                path.replace(folder / path.name)
        else:
            scratch.replace(folder)
            made.append(folder)
        if not own.exists():
            files.write_atomically(own, _own_file(max_agents), mode=0o644)
            made.append(own)
        elif max_agents is not None:
            text = own.read_text(encoding="utf-8")
            files.write_atomically(own, edit.put(text, ("host", "max_agents"), max_agents), mode=0o644)
        _enter(found.hosts, record)
    except OSError as error:
        _remove(made)
        raise files.write_error(folder, error) from None
    except TinytownError:
        _remove(made)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return made


def _enter(hosts: Hosts, record: Host) -> None:
    """Put a host on record, unless another one has taken its name since that was looked at: both may join at once."""
    for _ in range(_TRIES):
        every = hosts.all()
        old = every.get(record.name)
        if old is not None and old.live and old.record.folder != record.folder:
            raise StateError(_whose(record.name, every), remedy="see `tt hosts` on one that is there")
        with contextlib.suppress(ConflictError):
            return hosts.put(old, record, seconds=_COMING_SECS)
    raise StateError(f"the record of the host `{record.name}` changes too fast", remedy="run `tt join` again")


def _own_file(max_agents: int | None) -> str:
    line = f"max_agents = {max_agents}" if max_agents is not None else "# max_agents = 4"
    return (
        "# What this host says for itself; all else is in the tinytown.toml of the town.\n"
        "# Here may stand: [host], [redis], [sandbox] kind and limits, [workspace] env and readable,\n"
        "# and of each [agent_clis.NAME] its command, env, readable and writable.\n\n"
        f"[host]\n{line}\n"
    )


def _take_back(root: Path, made: list[Path], found: _Found, name: str, folder: str) -> None:
    try:
        lifecycle.stop(open_town(root))
        if (record := found.hosts.get(name)) is not None and record.record.folder == folder:
            found.hosts.remove(record)
    except TinytownError:
        pass  # Its lease ends by itself.
    _remove(made)


def _remove(made: list[Path]) -> None:
    for path in made:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
