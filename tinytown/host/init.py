"""``tt init``: make a git repository a town.

What it writes: ``.tt/`` (ignored by git through a file of its own) with the town's identity, and
``tinytown.toml``. The identity comes first and the configuration last, each written whole, so an
interrupted run is repaired by running it again.
"""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tinytown import files, processes, settings
from tinytown.errors import ConfigurationError, NotATownError, StateError, TinytownError
from tinytown.git.repository import Git
from tinytown.host import place
from tinytown.settings_file import new_file
from tinytown.town import Identity, Town, open_town, read_identity, write_identity

#: Hosts whose remotes are GitHub's, besides a configured Enterprise server.
GITHUB_HOSTS = frozenset({"github.com", "www.github.com", "ssh.github.com"})
#: Folder below ``.tt`` for what a copy brought along of another town's records.
ASIDE = "copied"
#: Longest name of a town.
NAME_LIMIT = 64


@dataclass(frozen=True)
class InitResult:
    """The town, and what was made for it. ``existed``: it was a town already, and nothing was changed."""

    town: Town
    existed: bool
    #: Paths relative to the town's root.
    created: tuple[str, ...] = ()
    #: What the user should know, a sentence each.
    remarks: tuple[str, ...] = field(default=())


def init(start: Path, *, name: str | None = None) -> InitResult:
    """Make the git repository that ``start`` is in a town.

    Raises:
        StateError: there is no repository, no branch is checked out, or it cannot be written to.
        ConfigurationError: the name, or a ``tinytown.toml`` that is there already, is wrong.
        DiskFullError: no room. Nothing is left behind in any of these cases.
    """
    root = repository_root(start)
    has_file = (root / settings.FILE_NAME).is_file()
    original = _original(root)
    if has_file and original is None and (root / ".tt" / ".gitignore").is_file() and _has_identity(root):
        return InitResult(open_town(root), existed=True)
    if has_file:
        text: str | None = None
        remarks: list[str] = []
        settings.load(root)  # a wrong one is named before anything is written
    else:
        values, remarks = _observe(root, _checked_name(name if name is not None else root.name))
        text = new_file(values, remarks=_CHECKS_REMARK)
    created = _write(root, text, copied=original is not None)
    town = open_town(root)
    place.record(town, str(town.root))
    if original is not None:
        remarks.append(
            f"this was a copy of the town at {original}; now it is one of its own, and begins without missions and "
            f"agents (what was copied of the other's records lies in .tt/{ASIDE})"
        )
    return InitResult(town, existed=False, created=created, remarks=tuple(remarks))


def repository_root(start: Path) -> Path:
    """The top folder of the git repository that ``start`` is in.

    Raises:
        StateError: there is none, or git refuses it.
    """
    done = processes.run(
        ["git", "rev-parse", "--show-toplevel"],
        cwd=start,
        env=processes.environment(add={"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}),
        timeout=30,
        check=False,
        errors="surrogateescape",
    )
    if done.ok and (top := done.stdout.removesuffix("\n")):
        return Path(top)
    if "not a git repository" in done.stderr:
        raise StateError(f"{start.resolve()} is not in a git repository", remedy="run `git init` first")
    if "must be run in a work tree" in done.stderr:
        raise StateError(f"{start.resolve()} has no files checked out", remedy="run `tt init` in a clone of it")
    words = done.stderr.strip().splitlines() or ["it has no work tree"]
    raise StateError(
        f"git refuses {start.resolve()}: {words[0].removeprefix('fatal: ')}", remedy="run `git status` there for more"
    )


def github_repository(url: str, hosts: frozenset[str] = GITHUB_HOSTS) -> str | None:
    """``owner/name`` if the address of a remote is a repository at one of these hosts."""
    text = url if "://" in url else re.sub(r"^(?:[^/@]+@)?([^/:]+):(?!//)", r"ssh://\1/", url)
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    match = re.fullmatch(r"/+([\w.-]+)/([\w.-]+?)(?:\.git)?/*", parts.path)
    return f"{match[1]}/{match[2]}" if match and host in hosts else None


def slug(text: str) -> str:
    """A name for a local repository: lower case, digits and ``-``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-") or "repo"


# -- what the repository says --------------------------------------------------------------------

_CHECKS_REMARK: Mapping[str, str] = {
    "forge.local.checks": 'For example checks = ["make test"]; without checks a merge rests on review alone.'
}

#: What a person should decide before the first mission there.
_GITHUB_REMARK = "pull requests are yours to merge; `tt config policy.auto_merge true` lets tinytown do it"


def _observe(root: Path, name: str) -> tuple[dict[str, Any], list[str]]:
    """The configuration that fits the repository, and remarks on it."""
    git = Git.users(root)
    # Also names the branch of a repository without commits.
    head = git.run("symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1)).stdout.strip()
    if not head:
        raise StateError("no branch is checked out: HEAD is detached", remedy="run `git switch BRANCH` first")
    remarks = []
    if git.commit("HEAD") is None:
        remarks.append("the repository has no commits yet: a mission needs one")
    values: dict[str, Any] = {"name": name, "forge": {"kind": "local", "repo": slug(root.name), "base": head}}
    repository = _github_remote(git, head)
    if repository is not None:
        values["forge"] |= {"kind": "github", "repo": repository}
        return values, [*remarks, _GITHUB_REMARK]
    checks = ["make test"] if _makefile_tests(root) else []
    values["forge"]["local"] = {"checks": checks}
    if not checks:
        remarks.append("no checks are configured, so merges rest on review alone: see `checks` in tinytown.toml")
    return values, remarks


def _github_remote(git: Git, branch: str) -> str | None:
    """The GitHub repository of the branch's remote, of ``origin``, or of the only remote that has one."""
    hosts = GITHUB_HOSTS | _enterprise_hosts()
    names = git.line("remote").splitlines()
    preferred = git.run("config", "--get", f"branch.{branch}.remote", ok=(0, 1)).stdout.strip()
    for name in dict.fromkeys((preferred, "origin", *names)):
        if name in names:
            done = git.run("remote", "get-url", "--", name, ok=(0, 2, 128))
            if done.ok and (repository := github_repository(done.stdout.strip(), hosts)):
                return repository
    return None


def _enterprise_hosts() -> frozenset[str]:
    """The host of a GitHub Enterprise server that the user configured for all towns."""
    base_url = settings.load_user().forge.base_url
    host = urlsplit(base_url).hostname if base_url else None
    return frozenset({host.lower()}) if host else frozenset()


def _makefile_tests(root: Path) -> bool:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        try:
            text = (root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        return re.search(r"^test[ \t]*::?(?!=)", text, re.MULTILINE) is not None
    return False


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise ConfigurationError(
            "that can't be the name of a town", remedy=f"give 1 to {NAME_LIMIT} printable characters with `--name`"
        )
    return name


def _original(root: Path) -> Path | None:
    """The root of the town that this folder is a copy of, if that town is still there."""
    return place.original(Town(root, read_identity(root).id, settings.Settings())) if _has_identity(root) else None


def _has_identity(root: Path) -> bool:
    try:
        read_identity(root)
    except NotATownError:
        return False
    return True


# -- writing -------------------------------------------------------------------------------------


def _write(root: Path, text: str | None, *, copied: bool) -> tuple[str, ...]:
    """Write what is missing; on any error take back what was made. Another town's records are moved aside first."""
    folder = root / ".tt"
    made_folder = not folder.exists()
    made: list[Path] = []

    def make(path: Path, content: str) -> None:
        if not path.exists():
            files.write_atomically(path, content, mode=0o644)
            made.append(path)

    try:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise files.write_error(folder, error) from None
        # Two at once would give the town two identities.
        with files.locked(folder / "town.lock", timeout=60, what="starting or stopping this town"):
            if copied and _original(root) is not None:
                _set_aside(folder)
            make(folder / ".gitignore", "*\n")
            if not _has_identity(root):
                write_identity(root, Identity(id=uuid.uuid4().hex, epoch=uuid.uuid4().hex, created=time.time()))
                made.append(folder / "town.json")
            if text is not None:
                make(root / settings.FILE_NAME, text)
    except TinytownError:
        for path in made:
            path.unlink(missing_ok=True)
        if made_folder:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return tuple(str(path.relative_to(root)) for path in made)


def _set_aside(folder: Path) -> None:
    """Move what a copy brought along of the original's records out of the way; the identity goes last."""
    aside = folder / ASIDE / read_identity(folder.parent).id[:8]
    number = 1
    while aside.exists():
        aside, number = aside.with_name(f"{aside.name.partition('-')[0]}-{number}"), number + 1
    try:
        aside.mkdir(parents=True)
        kept = {ASIDE, ".gitignore", "town.lock", "town.json"}
        for path in [path for path in folder.iterdir() if path.name not in kept]:
            path.rename(aside / path.name)
        (folder / "town.json").rename(aside / "town.json")
    except OSError as error:
        raise files.write_error(folder, error) from None
