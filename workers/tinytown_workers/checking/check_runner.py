"""Run the checks of a repository on one exact commit, each in a clean clone that is set up as an agent's is."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown.attempt_paths import scratch_folders
from tinytown.missions.records.evidence import Verdict
from tinytown_workers.attempt.execution import CUT_SHORT, Execution
from tinytown_workers.limits.quota import REACHED
from tinytown_workers.prepare import setup
from tinytown_workers.prepare.setup import CloneSource, CutShortError
from tinytown_workers.run.run_spec import Ended
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.pristine import Pristine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckResult:
    """What the checks said of a commit."""

    verdict: Verdict
    #: The command that failed; empty if none did.
    failed: str = ""


@dataclass(frozen=True)
class CheckRunner:
    """Runs the checks on commits of one repository, for one attempt."""

    execution: Execution
    mirror: Path
    repo: str
    #: Tip of the base; empty if that is gone.
    base: str

    def run_checks(self, sha: str, commands: Sequence[str], *, name: str = "", afresh: bool = False) -> CheckResult:
        """Every command on ``sha``, each in a clean clone; stops at the first that fails.

        ``name`` begins the names of its logs. With ``afresh`` its setup finds nothing that an earlier one made.

        Raises:
            SetupFailedError: the clone could not be made fit for it.
            CutShortError: the attempt was ended meanwhile.
        """
        limit = self.execution.town.settings.forge.local.check_timeout
        folder = self.execution.paths.beside(f"{name}{sha[:12]}")
        logs = self.execution.paths.logs / name if name else self.execution.paths.logs
        source = CloneSource(self.mirror, self.repo, self.base, logs, limit, afresh)
        pristine: Pristine | None = None
        try:
            self._clone(folder, sha, source)
            pristine = Pristine(folder) if len(commands) > 1 else None
            left = limit
            for number, command in enumerate(commands, start=1):
                if pristine is not None and number > 1:
                    self._clone_again(pristine, folder, sha, source, last=number == len(commands))
                began = time.monotonic()
                ended = self.execution.run(
                    shlex.split(command),
                    folder=folder,
                    logs=logs / f"check-{number}",
                    role="checks",
                    timeout=max(1.0, left),
                )
                left -= time.monotonic() - began
                if why := _fault(command, ended, limit):
                    details = setup.tail_of(ended)
                    return CheckResult(Verdict(passed=False, sha=sha, why=why, details=details), command)
            return CheckResult(Verdict(passed=True, sha=sha))
        finally:
            if pristine is not None:
                pristine.remove()
            for scratch in scratch_folders(folder):
                workspace.discard(scratch)
            workspace.remove(folder)

    def run_command(self, sha: str, argv: Sequence[str], *, timeout: float) -> Ended:
        """One command on ``sha`` in a clean clone, whatever it says.

        Raises:
            SetupFailedError: the clone could not be made fit for it.
            CutShortError: it was ended before it began.
        """
        name = self.execution.beside or "run"
        folder = self.execution.paths.beside(name)
        logs = self.execution.paths.logs / name
        began = time.monotonic()
        try:
            self._clone(folder, sha, CloneSource(self.mirror, self.repo, self.base, logs, timeout))
            left = max(1.0, timeout - (time.monotonic() - began))
            return self.execution.run(argv, folder=folder, logs=logs, role="checks", timeout=left)
        finally:
            for scratch in scratch_folders(folder):
                workspace.discard(scratch)
            workspace.remove(folder)

    def _clone(self, folder: Path, sha: str, source: CloneSource) -> None:
        setup.set_up(self.execution, workspace.prepare_at(self.mirror, folder, sha), source)

    def _clone_again(self, pristine: Pristine, folder: Path, sha: str, source: CloneSource, *, last: bool) -> None:
        """Make the clone anew, as if nothing had run in it."""
        if pristine.whole:
            try:
                pristine.renew(last=last)
            except (OSError, RecursionError) as error:
                log.warning("%s is made anew: %s", folder, error)
            else:
                return
        for scratch in scratch_folders(folder):
            workspace.discard(scratch)
        workspace.remove(folder)
        self._clone(folder, sha, source)


def _fault(command: str, ended: Ended, limit: float) -> str:
    """What is wrong with a command that ended; empty if nothing is."""
    if ended.reason == "timed_out":
        return f"`{command}` ran longer than {limit:g} s"
    if ended.reason in REACHED:
        return f"`{command}` {REACHED[ended.reason][1]}"
    if ended.reason in CUT_SHORT:
        raise CutShortError(*CUT_SHORT[ended.reason])
    return f"`{command}` failed with exit code {ended.exit_code}" if ended.exit_code != 0 else ""
