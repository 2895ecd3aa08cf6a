"""Run the checks once on the tip of a base, and print the verdict as JSON.

Called as ``python -m tinytown_workers.checking.base_check REPO BASE``. It is no attempt of any item: there is no
record and no lease, and whoever started it may end it at any time. Its runs are ended with it, since their guard's
pipe closes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from tinytown import contract, files, keys, log
from tinytown.engine.context import Context
from tinytown.engine.dispatch.claiming import Claim
from tinytown.engine.start import base_check
from tinytown.engine.start.base_check import BaseVerdict
from tinytown.errors import EXIT_FAILED, StateError, TinytownError
from tinytown.host import server
from tinytown.missions.crew import CHECKS_ROLE
from tinytown.missions.records.attempt import Attempt
from tinytown.missions.records.evidence import Verdict
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Purpose
from tinytown.town import open_town
from tinytown_workers.attempt import folder_lock
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.checking.check_runner import CheckRunner
from tinytown_workers.clone.remove_tree import remove_folder
from tinytown_workers.prepare.setup import CutShortError, SetupFailedError
from tinytown_workers.run.runner import Runner
from tinytown_workers.workspace import workspace

#: In place of a mission's id.
_MISSION = "basecheck"


def main(argv: list[str] | None = None) -> int:
    """The process; gives its exit code."""
    repo, base = sys.argv[1:] if argv is None else argv
    log.to_stderr()
    signal.signal(signal.SIGTERM, _leave)
    try:
        _say(dataclasses.asdict(check(repo, base)))
    except TinytownError as error:
        _say({"error": error.message, "remedy": error.remedy})
        return error.exit_code
    except CutShortError as cut:
        _say({"error": f"the checks on {base} ended early: it {cut.summary}", "remedy": "start again"})
        return EXIT_FAILED
    return 0


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(EXIT_FAILED)


def check(repo: str, base: str) -> BaseVerdict:
    """Check the base now, unless another process just did."""
    town = open_town()
    context = Context(town, server.server_url(town), retries=0)
    lock = base_check.lock_of(town, repo)
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    patience = 2 * town.settings.forge.local.check_timeout
    with files.locked(lock, timeout=patience, what=f"checking {base}"), contextlib.closing(Runner()) as runner:
        tip = context.forge.base_tip(repo, base)
        mirror = context.forge.mirror(repo)
        known = base_check.cached(town, repo, tip)
        if known is not None and known.passed:
            return known
        attempt = _attempt(context, runner, repo, base)
        verdict = _hear(attempt, mirror, repo, base, tip)
        base_check.remember(town, workspace.tree_of(mirror, tip), verdict)
        return verdict


def _hear(attempt: AttemptContext, mirror: Path, repo: str, base: str, tip: str) -> BaseVerdict:
    remove_folder(attempt.paths.logs.parent)
    for left in attempt.paths.clone.parent.glob(f"{attempt.paths.clone.name}-*"):
        workspace.discard(left)  # Left by one that was ended from outside.
    commands = attempt.town.settings.forge.checks_of(repo) or []
    began = time.monotonic()
    with folder_lock.held(attempt.paths.clone) as ours:
        if not ours:
            raise StateError(f"{attempt.paths.clone} is another process's", remedy="wait a moment, then start again")
        setup = False
        try:
            said = CheckRunner(attempt.execution, mirror, repo, tip).run_checks(tip, commands).verdict
        except SetupFailedError as error:
            setup = True
            said = Verdict(passed=False, sha=tip, why=error.why, details=error.tail)
        finally:
            attempt.leave()
    return BaseVerdict(
        repo,
        base,
        tip,
        said.passed,
        said.why,
        setup,
        said.details,
        str(attempt.paths.logs),
        at=time.time(),
        seconds=time.monotonic() - began,
    )


def _attempt(context: Context, runner: Runner, repo: str, base: str) -> AttemptContext:
    """A context without an attempt: there is no lease to renew, and nobody but the caller ends it."""
    at = time.time()
    item = Item(key=f"{repo}#1", number=1, title=f"Check {base}")
    mission = Mission(id=_MISSION, objectives=(), forge=keys.LOCAL, repo=repo, base=base, created_at=at)
    attempt = Attempt(
        id=f"{base_check.MARK}{repo}",
        number=1,
        purpose=Purpose.CHECK,
        queue=contract.QUEUE_CHECKS,
        role=CHECKS_ROLE,
        sent_at=at,
        token=str(os.getpid()),
    )
    return AttemptContext(
        engine=context,
        claim=Claim(mission, item, attempt, CHECKS_ROLE),
        cli="",
        role=CHECKS_ROLE,
        runner=runner,
        stop=threading.Event(),
        renew=lambda: True,
    )


if __name__ == "__main__":
    sys.exit(main())
