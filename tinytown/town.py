"""A town: a folder with ``tinytown.toml``, its identity and the places where its things are.

======================  ===============================================================
``.tt/``                belongs to the machine's town; ignored by git through its own file
``.tt/town.json``       identity: id and epoch
``.tt/logs/``           one log a process
``.tt/run/``            specs and states of the town's processes
``.tt/data/``           the embedded server's append-only file
runtime folder          sockets; short path, mode 0700, per user and town
state folder            mirrors, work clones, logs of attempts; outside every repository
======================  ===============================================================
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from tinytown import contract, files, processes, programs, settings
from tinytown.errors import ConfigurationError, NotATownError


@dataclass(frozen=True)
class Identity:
    """What ``town.json`` says. ``epoch`` changes when the town's database is begun anew."""

    id: str
    epoch: str
    #: Seconds since 1970.
    created: float
    #: The epoch was written into the database: from now on an empty database is a lost one.
    initialised: bool = False
    #: Where the town is, as far as this file knows; a copy of the folder says the same.
    root: str = ""
    #: Address of the server it used last, without password; ``own`` for its own, empty before the first start.
    server: str = ""
    #: Which run of that server it was, by the server's own word.
    server_run: str = ""
    #: Name of the host whose folder this is; empty for the town's home.
    host: str = ""
    #: Random, so that two folders of hosts with one name are told apart; empty for a home that has no hosts.
    folder: str = ""

    @property
    def place(self) -> str:
        """What tells this folder's processes and files from those of another host of the town on the same machine."""
        return f"{self.id}-{self.host}" if self.host else self.id


@dataclass(frozen=True)
class Town:
    """Where one town lives. ``id`` prefixes all its keys, so a name can be reused."""

    root: Path
    id: str
    settings: settings.Settings
    #: Name of the host whose folder this is; empty for the town's home.
    host: str = ""

    @property
    def home(self) -> bool:
        """Whether this is where the user's repository and all that speaks to a forge are."""
        return not self.host

    @property
    def name(self) -> str:
        return self.settings.name or self.root.name

    @property
    def place(self) -> str:
        """See ``Identity.place``."""
        return f"{self.id}-{self.host}" if self.host else self.id

    @property
    def machine(self) -> str:
        """What this host is called in the town's records."""
        return self.host or _machine()

    @property
    def folder(self) -> Path:
        return self.root / ".tt"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def runtime(self) -> Path:
        """Short folder for sockets: a socket's path must stay under about 100 bytes."""
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        which = f"-{hashlib.sha256(self.host.encode()).hexdigest()[:6]}" if self.host else ""
        folder = Path(base) / f"tt-{os.getuid()}-{self.id[:8]}{which}"
        return folder if len(str(folder)) <= 60 else Path("/tmp") / folder.name  # noqa: S108

    @property
    def state(self) -> Path:
        """The user's state folder for this town, outside every repository."""
        return state_folder() / self.place

    @property
    def mirrors(self) -> Path:
        return self.state / "mirrors"

    @property
    def work(self) -> Path:
        return self.state / "work"

    @property
    def attempts(self) -> Path:
        """Briefs and logs of attempts: ``<mission>/<slug of key>/<number>/``."""
        return self.state / "attempts"

    @property
    def prefix(self) -> str:
        """Prefix of every key of this town, Celery's included."""
        return f"tt:{self.id}:"


@functools.cache
def _machine() -> str:
    return socket.gethostname()  # As it was when this process began: it may change while agents are at work.


def state_folder() -> Path:
    """Where the state folders of all of the user's towns are, each under the town's id."""
    base = os.environ.get("XDG_STATE_HOME")
    return _below(base) if base else Path.home() / ".local" / "state" / "tinytown"


@functools.lru_cache(maxsize=8)
def _below(base: str) -> Path:
    return Path(base) / "tinytown"


def open_town(start: Path | None = None) -> Town:
    """The town of ``start``, of ``TINYTOWN_TOWN``, or of the working directory, in this order.

    Raises:
        NotATownError: there is none.
        ConfigurationError: it cannot be read.
    """
    where = start or Path(os.environ.get(contract.ENV_TOWN) or ".")
    root = settings.find_root(where)
    identity = read_identity(root)
    town = Town(root=root, id=identity.id, settings=load_settings(root, identity.host), host=identity.host)
    further = (root / Path(repo.path).expanduser() for repo in town.settings.forge.local.repos.values())
    programs.keep_out(root, *further, work=town.state)
    return town


def load_settings(root: Path, host: str) -> settings.Settings:
    """The settings that count in the town's folder ``root``.

    On a host that joined, the address of the server holds a password and is in no file: while the host runs, it is that
    of its supervisor.

    Raises:
        ConfigurationError: they cannot be read, or are wrong.
    """
    if host and not settings.server_variable(os.environ) and (url := server_of_supervisor(root)):
        return settings.load(root, environ={**os.environ, "REDIS_URL": url})
    return settings.load(root)


def server_of_supervisor(root: Path) -> str:
    """The address of the server that the host in this folder uses, as its supervisor has it; empty if none runs."""
    try:
        values = files.read_json(root / ".tt" / "run" / "supervisor.json") or {}
        pid, created = int(values["pid"]), float(values["created"])
        env = psutil.Process(pid).environ() if processes.alive(pid, created) else {}
    except (KeyError, TypeError, ValueError, psutil.Error, OSError):
        return ""
    return env.get(settings.server_variable(env), "")


def open_to_stop(start: Path | None = None) -> Town:
    """As ``open_town``, with default settings where its own cannot be read: stopping must always be possible."""
    try:
        return open_town(start)
    except NotATownError:
        raise
    except ConfigurationError:
        root = settings.find_root(start or Path(os.environ.get(contract.ENV_TOWN) or "."))
        programs.keep_out(root)
        identity = read_identity(root)
        return Town(root=root, id=identity.id, settings=settings.Settings(), host=identity.host)


def read_identity(root: Path) -> Identity:
    """The identity of the town at ``root``.

    Raises:
        NotATownError: it has none.
        ConfigurationError: it is damaged.
    """
    path = root / ".tt" / "town.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Identity(
            id=str(values["id"]),
            epoch=str(values["epoch"]),
            created=float(values["created"]),
            initialised=bool(values["initialised"]),
            root=str(values.get("root", "")),
            server=str(values.get("server", "")),
            server_run=str(values.get("server_run", "")),
            host=str(values.get("host", "")),
            folder=str(values.get("folder", "")),
        )
    except (FileNotFoundError, NotADirectoryError):
        raise NotATownError(str(root)) from None
    except OSError as error:
        raise files.read_error(path, error) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{path} is damaged", remedy="restore it from a backup, or remove `.tt` and run `tt init` again"
        ) from None


def write_identity(root: Path, identity: Identity) -> None:
    """Save the identity of the town at ``root``; see ``files.write_atomically`` for the errors."""
    files.write_atomically(root / ".tt" / "town.json", json.dumps(asdict(identity), indent=2) + "\n")


def amend_identity(root: Path, /, **changes: Any) -> None:
    """Change some of the identity of the town at ``root``, if that is a change."""
    old = read_identity(root)
    if (new := replace(old, **changes)) != old:
        write_identity(root, new)
