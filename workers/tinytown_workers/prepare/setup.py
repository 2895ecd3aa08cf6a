"""What a clone gets besides its commit, before anybody works or checks in it: `[workspace]` of the configuration.

::

    cache   folders that an earlier setup made on the base, copied in
    copy    files of the user's checkout, e.g. `.env.test`
    setup   commands, run inside the sandbox with the attempt's limits and environment

None of it is an agent's work: it is kept out of what is collected, and its failure never counts against an item.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import keys, tracing
from tinytown.errors import TinytownError
from tinytown.forge import copies
from tinytown.git.repository import Git
from tinytown.missions.states import Outcome
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.attempt.execution import CUT_SHORT, Execution
from tinytown_workers.clone.remove_tree import remove_folder
from tinytown_workers.collect import excluded
from tinytown_workers.collect.collect import INDEX
from tinytown_workers.limits.quota import REACHED
from tinytown_workers.prepare import cache
from tinytown_workers.run.run_spec import Ended
from tinytown_workers.sandbox.lending import lend
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.workspace import Prepared

log = logging.getLogger(__name__)

#: Characters of a log that are shown where it failed.
LOG_TAIL = 6000


class SetupFailedError(TinytownError):
    """A command of `[workspace] setup` failed: the clone cannot be worked in."""

    def __init__(self, why: str, tail: str) -> None:
        last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
        super().__init__(f"{why}{f': {last[:300]}' if last else ''}")
        self.why = why
        #: End of its log.
        self.tail = tail


class CutShortError(Exception):
    """The run was ended from outside, so its result means nothing."""

    def __init__(self, outcome: Outcome, summary: str) -> None:
        super().__init__(summary)
        self.outcome = outcome
        self.summary = summary


@dataclass(frozen=True)
class CloneSource:
    """Where a clone comes from."""

    mirror: Path
    repo: str
    #: Tip of the base: what its setup makes may be kept for others. Empty if the base is gone.
    base: str
    #: Where the logs of the setup go.
    logs: Path
    #: Seconds that all of the setup may take.
    timeout: float
    #: Nothing from the cache is used, so that the setup proves itself.
    afresh: bool = False


@tracing.step("set up")
def set_up(execution: Execution, prepared: Prepared, source: CloneSource) -> None:
    """Make a fresh clone fit to work in.

    Raises:
        SetupFailedError: a command failed.
        CutShortError: the attempt was ended meanwhile.
    """
    settings = execution.town.settings.workspace
    whom = sandbox.of_town(execution.town).identity
    if whom is not None:
        workspace.lend(prepared, whom)
    if not (settings.setup or settings.copy or settings.cache):
        return
    leave_out(prepared, (*settings.copy, *settings.cache))
    store, key = cache_of(execution.town, source.repo), ""
    brought: list[Path] = []
    if settings.cache and not source.afresh:
        key = cache.key_of(source.mirror, prepared.start_sha, settings)
        brought = cache.bring(store, key, prepared.folder, settings.cache)
    for said in copy_files(checkout_of(execution.town, source.repo), prepared, settings.copy):
        log.warning("%s", said)
    if whom is not None and (brought or settings.copy):
        lend(prepared.folder, whom, again=True)
    try:
        _run_setup(execution, prepared.folder, settings.setup, source)
    except SetupFailedError as error:
        if not brought:
            raise
        # The cache may be outdated by something that is not in the key, e.g. the Python of a version manager.
        log.warning("%s; once more without the cache", error.why)
        for folder in brought:
            remove_folder(folder)
        _run_setup(execution, prepared.folder, settings.setup, source)
        cache.forget(store, key)
    if settings.setup:
        leave_out(prepared, _untracked(prepared))
    if key and source.base and Git.own(source.mirror).is_ancestor(prepared.start_sha, source.base):
        cache.keep(store, key, prepared.folder, settings.cache)


def checkout_of(town: Town, repo: str) -> Path:
    """The user's checkout of a repository."""
    further = town.settings.forge.further(repo)
    return town.root if further is None else (town.root / Path(further.path).expanduser()).resolve()


def cache_of(town: Town, repo: str) -> Path:
    """Where the folders of a repository's clones are kept."""
    return town.state / "cache" / keys.marked_slug(repo)


# -- copy ------------------------------------------------------------------------------------------


def copy_files(checkout: Path, prepared: Prepared, names: Sequence[str]) -> list[str]:
    """Copy files of the user's checkout into a clone; gives a sentence for each that was not."""
    said = []
    for name in names:
        why = copies.missing(checkout, name)
        target = prepared.folder / name
        if not why and (target.is_symlink() or target.exists()):
            why = "the repository itself has a file of this name"
        if not why and not copies.real_parents(prepared.folder, name):
            why = "a link in the repository is in the way"
        if why:
            said.append(f"`[workspace] copy` leaves {name} out: {why}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        data, mode = _read(checkout / name)
        target.write_bytes(data)
        target.chmod(mode)
    return said


def _read(path: Path) -> tuple[bytes, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        return file.read(copies.LIMIT), stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o777


# -- setup -----------------------------------------------------------------------------------------


def _run_setup(execution: Execution, folder: Path, commands: Sequence[str], source: CloneSource) -> None:
    deadline, begun = time.monotonic() + source.timeout, execution.begun
    for number, command in enumerate(commands, start=1):
        ended = execution.run(
            shlex.split(command),
            folder=folder,
            logs=source.logs / f"setup-{number}",
            role="setup",
            timeout=max(1.0, deadline - time.monotonic()),
        )
        execution.begun = begun  # It was not an agent that failed.
        if ended.reason == "timed_out":
            raise SetupFailedError(f"`{command}` of the setup ran longer than {source.timeout:g} s", tail_of(ended))
        if ended.reason in REACHED:
            raise SetupFailedError(f"`{command}` of the setup {REACHED[ended.reason][1]}", tail_of(ended))
        if ended.reason in CUT_SHORT:
            raise CutShortError(*CUT_SHORT[ended.reason])
        if ended.exit_code != 0:
            raise SetupFailedError(f"`{command}` of the setup failed with exit code {ended.exit_code}", tail_of(ended))


def tail_of(ended: Ended) -> str:
    """The end of what a run said."""
    return f"{ended.stdout}\n{ended.stderr}".strip()[-LOG_TAIL:]


# -- what is nobody's work ---------------------------------------------------------------------------


def leave_out(prepared: Prepared, paths: Iterable[str]) -> None:
    """Keep these paths out of what is collected, and out of what git shows in the clone."""
    lines = "".join(f"/{_literal(path)}\n" for path in paths if "\n" not in path)
    lines = f"{excluded.WORKSPACE}\n{lines}"
    for git_dir in (prepared.ledger, prepared.folder / ".git"):
        exclude = git_dir / "info" / "exclude"
        # A setup may have put something else in its place in the clone.
        with contextlib.suppress(OSError):
            descriptor = os.open(exclude, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            with open(descriptor, "a", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
                file.write(lines)


def _literal(path: str) -> str:
    """A pattern that matches only this path."""
    return re.sub(r"([\\*?\[\] ])", r"\\\1", path)


def _untracked(prepared: Prepared) -> Sequence[str]:
    """What the setup made that the repository does not ignore."""
    own = Git.own(prepared.ledger, work_tree=prepared.folder, index=prepared.ledger / INDEX)
    return own.names("ls-files", "-z", "--others", "--directory", "--no-empty-directory", "--exclude-standard")
