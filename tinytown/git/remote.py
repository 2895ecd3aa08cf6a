"""Git's talk with a server over HTTP: what is there, fetching it, and moving one branch.

The token stands in the environment of the git process alone, where a helper reads it when that very server asks for it:
never in an argument, an address, a file or a log. Nobody is asked for a password, and no redirection is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tinytown import processes
from tinytown.git.repository import Git

#: Seconds without a byte worth speaking of after which a transfer is given up.
STALLED_SECS: Final = 60
#: What a program may need to reach a server from here.
_NETWORK: Final = (
    "ALL_PROXY", "GIT_SSL_CAINFO", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE",
    "all_proxy", "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip
_VARIABLE: Final = "TINYTOWN_GIT_PASSWORD"
_HELPER: Final = (
    f"""!f() {{ test "$1" != get || printf 'username=%s\\npassword=%s\\n' x-access-token "${_VARIABLE}"; }}; f"""
)


@dataclass(frozen=True)
class Server:
    """Where a repository is served, and what opens it."""

    #: The server, e.g. ``https://github.com``: only it is ever given the token.
    web: str
    #: The repository's own address, which begins with it.
    url: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Server(url={self.url!r})"


def git(git_dir: Path, server: Server) -> Git:
    """Git in a repository of tinytown's own that may speak to ``server``, and to no other."""
    settings = {
        # An empty one first: no other helper is asked.
        "credential.helper": "",
        f"credential.{server.web}.helper": _HELPER if server.token else "",
        "credential.interactive": "false",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "100",
        "http.lowSpeedTime": str(STALLED_SECS),
        # People's history is taken as it is, old irregularities included.
        "fetch.fsckObjects": "false",
        "push.gpgSign": "false",
    }
    environment = {
        **{name: value for name, value in processes.environment(allow=_NETWORK).items() if name in _NETWORK},
        "GIT_ALLOW_PROTOCOL": server.url.partition(":")[0],
        "GIT_ASKPASS": "true",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    if server.token:
        environment[_VARIABLE] = server.token
    return Git.own(git_dir, network=environment)


def heads(own: Git, server: Server, *patterns: str) -> dict[str, str]:
    """The server's branches by their full names, or those of these full names alone; raises ``GitError``."""
    said = own.run("ls-remote", "--refs", "--heads", "--", server.url, *patterns).stdout
    return {name: sha for sha, _, name in (line.partition("\t") for line in said.splitlines())}


def fetch(own: Git, server: Server, refspecs: Sequence[str]) -> None:
    """Take refs in; raises ``GitError``."""
    own.run(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
        "--no-prune", "--", server.url, *refspecs,
    )  # fmt: skip


def push(own: Git, server: Server, ref: str, new: str, *, old: str) -> None:
    """Move a branch from exactly ``old`` to ``new``; empty for none: it is made, or removed. Raises ``GitError``."""
    own.run(
        "push", "--porcelain", "--no-verify", "--no-recurse-submodules", f"--force-with-lease={ref}:{old}", "--",
        server.url, f"{new}:{ref}",
    )  # fmt: skip
