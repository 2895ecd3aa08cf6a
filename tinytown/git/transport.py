"""Git's talk with a hub: any git server that a person has, by ssh, http or a path.

Of a person's configuration git sees what opens servers, and nothing else: credential helpers, proxies, certificates and
the command of ssh. A token stands in the environment of the git process alone, where a helper reads it when that very
server asks for it. Nobody is asked for a password, and no redirection is followed.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from tinytown import processes
from tinytown.errors import ConfigurationError, TinytownError
from tinytown.git.repository import Git, GitError

#: By this variable a person gives the token or the password of a hub.
TOKEN: Final = "TINYTOWN_HUB_TOKEN"
#: Seconds without a byte worth speaking of after which a transfer is given up.
STALLED_SECS: Final = 60
#: Seconds that ssh tries to connect, and after which one that says nothing is given up.
CONNECT_SECS: Final = 20
#: Refs that one command names: a line of arguments has an end.
REFS_AT_ONCE: Final = 200

#: What git and ssh may need to reach a server from here, besides what is always safe.
_NETWORK: Final = (
    "ALL_PROXY", "DBUS_SESSION_BUS_ADDRESS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM",
    "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
    "SSH_AUTH_SOCK", "SSL_CERT_DIR", "SSL_CERT_FILE", "all_proxy", "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip
#: Those of them that only ``_of_person`` needs.
_FILES: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
_VARIABLE: Final = "TINYTOWN_GIT_PASSWORD"
_SSH: Final = (
    f"ssh -o BatchMode=yes -o ConnectTimeout={CONNECT_SECS} -o ServerAliveInterval={CONNECT_SECS} "
    f"-o ServerAliveCountMax={STALLED_SECS // CONNECT_SECS}"
)
#: Sections of a person's configuration that open servers.
_OPENS: Final = ("credential.", "http.", "ssh.")
_SCP = re.compile(r"(?!-)(?P<host>[^/:\s]+):(?P<path>(?!:).+)")
_SCHEMES: Final = ("file", "git", "http", "https", "ssh")
#: Words of git's for a commit that a server does not give by its name: it lacks it, or gives nothing that no ref names.
_NOT_GIVEN = re.compile(r"not our ref|unadvertised object|does not allow request", re.IGNORECASE)
_ABSENT = re.compile(r"couldn't find remote ref", re.IGNORECASE)
_NOT_ATOMIC = re.compile(r"does not support --atomic", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where a repository is served, without what opens it."""

    #: What git is given; no password is in it.
    url: str
    #: ``file`` for a path, else the name of the protocol.
    protocol: str
    #: Who it is opened for, where a token does.
    user: str = ""
    token: str = field(default="", repr=False)

    @property
    def server(self) -> str:
        """The server alone, e.g. ``https://git.example.org``: only it is ever given the token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def local(self) -> bool:
        """Whether it is a folder that this machine sees."""
        return self.protocol == "file"


def address(text: str, *, root: Path, environ: Mapping[str, str] | None = None) -> Address:
    """What an address means; a relative path begins at ``root``. The token is that of ``environ``.

    Raises:
        ConfigurationError: it is none.
    """
    env = os.environ if environ is None else environ
    token = env.get(TOKEN, "")
    if "://" in text:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme not in _SCHEMES or (parts.scheme != "file" and (not host or host.startswith("-"))):
            raise _no_address()
        if parts.scheme == "file":
            return Address(f"file://{parts.path}", "file")
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        if parts.scheme in ("http", "https"):
            token = token or unquote(password)
            # A helper of git's own is asked for the password of this user.
            netloc = f"{user}@{host}" if user and not token else host
            return Address(urlunsplit((parts.scheme, netloc, parts.path, "", "")), parts.scheme, unquote(user), token)
        # No password opens ssh from here: nobody is asked for one.
        return Address(urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", "")), parts.scheme)
    if "::" in text or text.startswith("-") or not text.strip() or "\n" in text or "\0" in text:
        raise _no_address()
    if _SCP.fullmatch(text):
        return Address(text, "ssh")
    return Address(str(root / Path(text).expanduser()), "file")


def shown(text: str) -> str:
    """An address as it may be shown: without a password."""
    parts = urlsplit(text) if "://" in text else None
    if parts is None or ":" not in parts.netloc.rpartition("@")[0]:
        return text
    user, host = parts.netloc.rpartition("@")[0].partition(":")[0], parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", ""))


def _no_address() -> ConfigurationError:
    return ConfigurationError(
        "`hub.url` is no address of a git repository",
        remedy="write e.g. `ssh://git@git.example.org/town.git`, `https://git.example.org/town.git` or a path",
    )


# -- git, with the way to one server open ------------------------------------------------------------


def git(git_dir: Path, hub: Address) -> Git:
    """Git in a repository of tinytown's own that may speak to this hub, and by no other protocol."""
    settings = [(name, value) for name, value in _of_person() if name.startswith(_OPENS) or name == "core.sshcommand"]
    if hub.token and hub.protocol in ("http", "https"):
        # An empty one first: no other helper is asked.
        settings = [(name, value) for name, value in settings if not name.startswith("credential.")]
        settings += [("credential.helper", ""), (f"credential.{hub.server}.helper", _helper(hub))]
    settings += [
        ("credential.interactive", "false"),
        ("fetch.fsckObjects", "false"),  # History is taken as it is; what agents made was looked at when it was taken.
        ("http.followRedirects", "false"),
        ("http.lowSpeedLimit", "100"),
        ("http.lowSpeedTime", str(STALLED_SECS)),
        ("push.gpgSign", "false"),
    ]
    open_ = {name: value for name, value in processes.environment(allow=_NETWORK).items() if name not in _FILES}
    environment = {**open_, "GIT_ALLOW_PROTOCOL": hub.protocol, "GIT_ASKPASS": "true", "SSH_ASKPASS": "true"}
    if not ({"GIT_SSH", "GIT_SSH_COMMAND"} & open_.keys() or any(name == "core.sshcommand" for name, _ in settings)):
        environment["GIT_SSH_COMMAND"] = _SSH
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    if hub.token:
        environment[_VARIABLE] = hub.token
    return Git.own(git_dir, network=environment)


def _helper(hub: Address) -> str:
    user = shlex.quote(hub.user or "x-access-token")
    said = f"""printf 'username=%s\\npassword=%s\\n' {user} "${_VARIABLE}\""""
    return f"""!f() {{ test "$1" != get || {said}; }}; f"""


def _of_person() -> list[tuple[str, str]]:
    """All that the files of a person and of the machine say."""
    done = processes.run(
        ["git", "config", "--list", "-z"], cwd="/", env=processes.environment(allow=_FILES), timeout=10.0, check=False
    )
    entries = (entry.partition("\n") for entry in done.stdout.split("\0") if entry)
    return [(name, value) for name, _, value in entries]


def _served_by(hub: Address, program: str) -> list[str]:
    """How the other end of a path is begun: it reads no configuration of a person's but whom they trust."""
    trusted = [value for name, value in _of_person() if name == "safe.directory"] if hub.local else []
    if not trusted:
        return []
    words = ["git", *(part for value in trusted for part in ("-c", f"safe.directory={value}")), program]
    return [f"--{program}={shlex.join(words)}"]


# -- what is said --------------------------------------------------------------------------------------


def refs(own: Git, hub: Address, *patterns: str) -> dict[str, str]:
    """The hub's refs that match, by their full names; raises ``GitError``."""
    said = own.run("ls-remote", "--refs", *_served_by(hub, "upload-pack"), "--", hub.url, *patterns).stdout
    return {name: sha for sha, _, name in (line.partition("\t") for line in said.splitlines())}


def fetch(own: Git, hub: Address, refspecs: Sequence[str], *, prune: bool = False) -> None:
    """Take refs and commits in; raises ``GitError``."""
    own.run(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
        "--prune" if prune else "--no-prune", *_served_by(hub, "upload-pack"), "--", hub.url, *refspecs,
    )  # fmt: skip


@dataclass(frozen=True)
class Move:
    """A ref that is to be moved from exactly ``old`` to ``new``; empty for none."""

    ref: str
    old: str
    new: str


def push(own: Git, hub: Address, moves: Sequence[Move]) -> None:
    """Move refs, all of them or none; raises ``GitError``."""
    leases = [f"--force-with-lease={move.ref}:{move.old}" for move in moves]
    specs = [f"{move.new}:{move.ref}" for move in moves]
    flags = ["--quiet", "--no-verify", "--no-recurse-submodules", *_served_by(hub, "receive-pack")]
    try:
        own.run("push", *flags, "--atomic", *leases, "--", hub.url, *specs)
    except GitError as error:
        if not _NOT_ATOMIC.search(error.stderr):
            raise
        own.run("push", *flags, *leases, "--", hub.url, *specs)


def absent(own: Git, shas: Iterable[str]) -> list[str]:
    """Those of these objects that the repository does not have; asks nobody."""
    wanted = list(dict.fromkeys(shas))
    if not wanted:
        return []
    said = own.line("cat-file", "--batch-check=%(objecttype)", input="".join(f"{sha}\n" for sha in wanted))
    return [sha for sha, line in zip(wanted, said.splitlines(), strict=True) if line.endswith("missing")]


def not_given(error: TinytownError) -> bool:
    """Whether a fetch failed because the server does not give a commit by its name."""
    return isinstance(error, GitError) and _NOT_GIVEN.search(error.stderr) is not None


def no_such_ref(error: TinytownError) -> bool:
    """Whether a fetch failed because the hub does not have a ref."""
    return isinstance(error, GitError) and _ABSENT.search(error.stderr) is not None
