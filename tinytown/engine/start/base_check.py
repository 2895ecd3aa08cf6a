"""Whether the checks pass on a base as it is, before agents start to work on it.

A process of its own runs them once, in a clean clone that is prepared as an attempt's is. The result is kept under a
hash of the base's tree and of everything else that it depends on. A pass counts until one of these changes; a failure
is only shown, since what was missing may be there by now.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tinytown import contract, files, keys, processes
from tinytown.errors import StateError, TinytownError, UnreachableError
from tinytown.git.repository import Git
from tinytown.host import process_specs
from tinytown.host.process_specs import working_folder
from tinytown.missions.records.mission import Mission
from tinytown.town import Town

#: Seconds beyond the limits of the checks and of the setup that the process may take, e.g. to make the first mirror.
MARGIN = 900.0
#: Begins the marker of such a run; the rest is its repository.
MARK = "base/"
#: Results of one repository that are kept.
_KEPT = 20


@dataclass(frozen=True)
class BaseVerdict:
    """What the checks said of a base."""

    repo: str
    base: str
    commit: str
    passed: bool
    why: str = ""
    #: Whether it was the setup that failed, and no check was run.
    setup: bool = False
    #: End of the log.
    details: str = ""
    #: Folder with the whole of it.
    log: str = ""
    #: When, in seconds since 1970 by this machine's clock, and how long it took.
    at: float = 0.0
    seconds: float = 0.0


class BaseFailsError(StateError):
    """The checks fail on a base as it is; ``details`` is the end of their log."""

    def __init__(self, verdict: BaseVerdict) -> None:
        self.details = verdict.details
        on = f"on {verdict.base} itself (commit {verdict.commit[:7]}): {verdict.why}"
        log = f"(the log is in {verdict.log})"
        if verdict.setup:
            # Each attempt prepares its clone in the same way: without the check of the base none would begin either.
            remedy = f"fix `[workspace] setup` in tinytown.toml, or what it needs, then start again {log}"
            super().__init__(f"the setup fails {on}", remedy=remedy)
            return
        super().__init__(
            f"the checks fail {on}",
            remedy="fix the checks, or let `[workspace] setup` in tinytown.toml prepare each clone, then start again; "
            f"or start with `--no-base-check` {log}",
        )


class Observer(Protocol):
    """Whoever is told while a base is checked."""

    def begins(self, repo: str, base: str, commit: str) -> None: ...
    def ended(self, verdict: BaseVerdict) -> None: ...


class Nobody:
    """Whom nothing is told."""

    def begins(self, repo: str, base: str, commit: str) -> None: ...
    def ended(self, verdict: BaseVerdict) -> None: ...


def bases_of(town: Town, mission: Mission, items: Mapping[str, object]) -> dict[str, str]:
    """The repositories with checks that these items are in, by their base branches."""
    if mission.forge != keys.LOCAL or mission.workspace == "none":
        return {}
    repos = dict.fromkeys(keys.parse(key).repo for key in items)
    return {repo: mission.base_of(repo) for repo in repos if town.settings.forge.checks_of(repo)}


def require(town: Town, bases: Mapping[str, str], tips: Mapping[str, str], observer: Observer) -> None:
    """Have the checks pass on each base, whose ``tips`` are known.

    Raises:
        BaseFailsError: they do not.
        UnreachableError: they could not be run.
    """
    for repo, base in bases.items():
        known = cached(town, repo, tips[repo])
        if known is not None and known.passed:
            continue
        observer.begins(repo, base, tips[repo])
        verdict = _ask(town, repo, base)
        observer.ended(verdict)
        if not verdict.passed:
            raise BaseFailsError(verdict)


def _ask(town: Town, repo: str, base: str) -> BaseVerdict:
    env = contract.for_processes(os.environ)
    env |= {contract.ENV_TOWN: str(town.root), "PYTHONSAFEPATH": "1"}
    # The checks of changes run where the town was started, whatever this shell has on its path.
    if (path := process_specs.path(town)) is not None:
        env["PATH"] = path
    argv = [sys.executable, "-m", "tinytown_workers.checking.base_check", repo, base]
    limit = 2 * town.settings.forge.local.check_timeout + MARGIN
    done = processes.run(argv, cwd=working_folder(town), env=env, timeout=limit, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        said = done.stderr.strip().splitlines()
        raise UnreachableError(
            f"the checks could not be run on {base}: {said[-1][:300] if said else f'exit code {done.code}'}",
            remedy="try again, or start with `--no-base-check`",
        ) from None
    if "error" in answer:
        error = TinytownError(str(answer["error"]), remedy=str(answer["remedy"]))
        error.exit_code = done.code
        raise error
    return BaseVerdict(**answer)


# -- what is known already ---------------------------------------------------------------------------


def cached(town: Town, repo: str, tip: str) -> BaseVerdict | None:
    """What the checks last said of this commit's tree, all else being the same."""
    mirror = town.mirrors / f"{repo.removeprefix(f'{keys.LOCAL}/')}.git"
    try:
        own = Git.own(mirror)
        if not mirror.is_dir() or own.commit(tip) is None:
            return None  # What the mirror has not seen was never checked.
        values = files.read_json(_file(town, repo, own.tree(tip)))
        return BaseVerdict(**values) if values is not None else None
    except (TinytownError, TypeError):
        return None


def remember(town: Town, tree: str, verdict: BaseVerdict) -> None:
    """Keep what the checks said of a tree."""
    file = _file(town, verdict.repo, tree)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write_atomically(file, json.dumps(asdict(verdict)))
    old = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in old[_KEPT:]:
        path.unlink(missing_ok=True)


def folder_of(town: Town, repo: str) -> Path:
    """Where what is known of a repository's bases is."""
    return town.state / "bases" / keys.marked_slug(repo)


def lock_of(town: Town, repo: str) -> Path:
    """Held while a base of this repository is checked."""
    return town.state / "bases" / f"{keys.marked_slug(repo)}.lock"


def under_way(town: Town, marker: str) -> bool:
    """Whether a run with this marker is one of a base, and still somebody's."""
    if not marker.startswith(MARK):
        return False
    return files.is_locked(lock_of(town, marker.removeprefix(MARK)))


def _file(town: Town, repo: str, tree: str) -> Path:
    settings = town.settings
    depends = [
        tree,
        settings.forge.checks_of(repo),
        settings.workspace.model_dump(),
        settings.sandbox.kind,
        settings.forge.local.check_timeout,
        process_specs.path(town),
        [_stamp(town, repo, name) for name in settings.workspace.copy],
    ]
    return folder_of(town, repo) / f"{hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:24]}.json"


def _stamp(town: Town, repo: str, name: str) -> tuple[int, int] | None:
    """Changes with a file that is copied from the user's checkout."""
    further = town.settings.forge.further(repo)
    root = town.root if further is None else town.root / Path(further.path).expanduser()
    try:
        found = (root / name).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
