"""Which GitHub a town speaks to, what its issues are called, and the token for it.

Addresses are only parsed, never fetched: requests are made from ``owner``, ``repo`` and a number.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tinytown import keys, processes
from tinytown.errors import ConfigurationError, TinytownError

#: Seconds that `gh` may take to name its token.
GH_TIMEOUT = 5.0

_GITHUB_HOSTS: Final = frozenset({"github.com", "www.github.com", "api.github.com"})
_OWN = re.compile(r"#?([1-9][0-9]{0,8})")
#: What follows the site in the address of an issue; a comment's anchor is what people copy.
_PATH = re.compile(r"/([^/\s?#]+/[^/\s?#]+)/(issues|pull)/([1-9][0-9]{0,8})/?(?:#issuecomment-[0-9]+)?")
#: Characters of the longest token, and more.
_TOKEN_LIMIT = 1024
_TOKEN = re.compile(r"[\x21-\x7e]+")
_BASE_URL_RULE = 'write e.g. base_url = "https://github.example.com/api/v3" under [forge] in tinytown.toml'


@dataclass(frozen=True)
class Site:
    """A GitHub: github.com, or an Enterprise server."""

    #: Where its API is, without a slash at the end.
    api: str
    #: Where its pages are, e.g. ``https://github.com``.
    web: str

    @property
    def host(self) -> str:
        """Its name, with the port if there is one."""
        return self.web.partition("://")[2]

    @property
    def enterprise(self) -> bool:
        return self != GITHUB


#: github.com itself.
GITHUB: Final = Site("https://api.github.com", "https://github.com")


def site(base_url: str | None) -> Site:
    """The GitHub that ``forge.base_url`` means.

    Raises:
        ConfigurationError: it is no https address, or holds a password. Plain http would show the token to
            everybody on the way, so it is for this machine alone.
    """
    if not base_url:
        return GITHUB
    try:
        parts = urlsplit(base_url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise _bad_base_url(base_url, "is not an address") from None
    if "@" in parts.netloc:
        raise ConfigurationError("`forge.base_url` contains a user or a password", remedy="put the token into GH_TOKEN")
    if (
        parts.scheme not in ("https", "http")
        or not re.fullmatch(r"[a-z0-9.:_-]+", host)
        or parts.query
        or parts.fragment
    ):
        raise _bad_base_url(base_url, "is not an https address")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _bad_base_url(base_url, "is not encrypted")
    if host in _GITHUB_HOSTS:
        return GITHUB
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    web = f"{parts.scheme}://{place.removeprefix('api.')}"
    return Site(f"{parts.scheme}://{place}{parts.path.rstrip('/')}", web)


def _bad_base_url(base_url: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"`forge.base_url` {what}: {base_url[:80]!r}", remedy=_BASE_URL_RULE)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def repository(text: str | None) -> str:
    """``owner/name`` as ``forge.repo`` gives it.

    Raises:
        ConfigurationError: it is missing, or no name of a repository.
    """
    if not text:
        raise ConfigurationError("`forge.repo` is not set", remedy='add `repo = "owner/name"` under [forge]')
    try:
        if keys.parse(f"{text}#1").kind == "github":
            return text
    except ConfigurationError:
        pass
    raise ConfigurationError(
        f"`forge.repo` is {text[:80]!r}, which is not a repository", remedy='write `repo = "owner/name"`'
    )


def issue_key(reference: str, *, site: Site, repo: str) -> str:
    """The key of what a user typed: ``23``, ``#23``, ``owner/repo#23`` or the address of an issue's page.

    Raises:
        ConfigurationError: it is none of these, or leads to another site.
    """
    text = reference.strip()
    if found := _OWN.fullmatch(text):
        return f"{repo}#{int(found[1])}"
    if "://" in text:
        return _key_of_page(text, site)
    try:
        key = keys.parse(text)
    except ConfigurationError:
        key = None
    if key is None or key.kind != "github":
        raise _no_reference(reference, site)
    return str(key)


def _key_of_page(text: str, site: Site) -> str:
    # By hand: library parsers drop characters that an attacker hides behind.
    webs = (site.web, "https://www.github.com") if site == GITHUB else (site.web,)
    web = next((web for web in webs if text.lower().startswith(f"{web}/")), None)
    found = _PATH.fullmatch(text, len(web)) if web else None
    if found is None:
        raise _no_reference(text, site)
    try:
        key = keys.parse(f"{found[1]}#{found[3]}")
    except ConfigurationError:
        raise _no_reference(text, site) from None
    if key.kind != "github":
        raise _no_reference(text, site)
    if found[2] == "pull":
        raise ConfigurationError(f"{key} is a pull request, not an issue", remedy="name the issue it is about")
    return str(key)


def _no_reference(text: str, site: Site) -> ConfigurationError:
    return ConfigurationError(
        f"{text[:80]!r} is not an issue at {site.host}",
        remedy=f"write `23`, `owner/repo#23` or `{site.web}/owner/repo/issues/23`",
    )


# -- the token -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Token:
    """A token for a site, and where it was found. Its value is never shown."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Token(source={self.source!r})"


def find_token(site: Site, *, environ: Mapping[str, str], file: str | None = None) -> Token | None:
    """The first of: the configured ``file``, the variables for this site, what `gh` knows; ``None`` without any.

    GH_TOKEN and GITHUB_TOKEN are for github.com. An Enterprise server gets them only where GH_HOST or
    GITHUB_SERVER_URL says that they are its own (as in its own CI), or on this very machine; else its variables
    are GH_ENTERPRISE_TOKEN and GITHUB_ENTERPRISE_TOKEN.

    Raises:
        ConfigurationError: a variable or the file holds what can't be a token, or others may read the file.
    """
    if file:
        return _token_of_file(file)
    names: tuple[str, ...] = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN") if site.enterprise else ()
    if not site.enterprise or _is_of(site, environ):
        names += ("GH_TOKEN", "GITHUB_TOKEN")
    for name in names:
        value = environ.get(name, "").strip()
        if value and not _TOKEN.fullmatch(value):
            raise ConfigurationError(f"{name} does not hold a token", remedy=f"set {name} again, or `unset {name}`")
        if value:
            return Token(value, name)
    return _token_of_gh(site)


def _token_of_file(name: str) -> Token:
    """A named file that gives no token is an error: another one than the person meant might do more, or less."""
    if not name.startswith(("/", "~/")):
        raise _bad_file(name, "is no whole path", "write it from `/` or `~/` on")
    path = Path(name).expanduser()
    try:
        with path.open(encoding="ascii") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise _bad_file(name, "may be read by others", f"run `chmod 600 {shlex.quote(str(path))}`")
            value = opened.read(_TOKEN_LIMIT).strip()
    except (OSError, ValueError) as error:
        why = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "it holds no text"
        raise _bad_file(name, f"cannot be read ({why})", "write the token into it, or remove the setting") from None
    if len(value) >= _TOKEN_LIMIT or not _TOKEN.fullmatch(value):
        raise _bad_file(name, "does not hold a token", "write the token into it as its only line")
    return Token(value, name)


def _bad_file(name: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"`forge.github.token_file` {name[:80]!r} {what}", remedy=remedy)


def _is_of(site: Site, environ: Mapping[str, str]) -> bool:
    server = environ.get("GITHUB_SERVER_URL", "").rstrip("/").lower()
    host = site.host.rpartition(":")[0] if re.search(r":[0-9]+$", site.host) else site.host
    return server == site.web or environ.get("GH_HOST", "").lower() == site.host or _is_loopback(host.strip("[]"))


def _token_of_gh(site: Site) -> Token | None:
    try:
        done = processes.run(
            ["gh", "auth", "token", "--hostname", site.host],
            cwd="/",
            env=processes.environment(
                add={"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1"},
                allow=("GH_CONFIG_DIR", "DBUS_SESSION_BUS_ADDRESS"),
            ),
            timeout=GH_TIMEOUT,
            check=False,
        )
    except TinytownError:
        return None  # Not installed, or too slow: it is only one of the ways.
    value = done.stdout.strip()
    return Token(value, "`gh auth token`") if done.ok and _TOKEN.fullmatch(value) else None
