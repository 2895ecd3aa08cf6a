"""Whose fault it is that a check fails: the change's, or that of the base, on which it fails as well.

If the base is at fault, that costs an item nothing. It waits, unless the base was repaired meanwhile: then the base is
merged into its change, and the result is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinytown.git import merge as merging
from tinytown.git.repository import Git
from tinytown.missions.records.evidence import Verdict
from tinytown_workers.checking.check_runner import CheckResult, CheckRunner
from tinytown_workers.prepare import cache
from tinytown_workers.prepare.setup import SetupFailedError

#: Beginning of the names of clones of the base.
_BASE = "base-"


@dataclass(frozen=True)
class FailureCause:
    """What a failed check means.

    ``base``: the commit of the base on which it fails as well. ``head``: the change merged with a repaired base, where
    it passes. ``take_base``: the change is to be fixed on a newer base than it was made on.
    """

    verdict: Verdict
    base: str = ""
    head: str = ""
    take_base: bool = False


def of_head(check_runner: CheckRunner, failed: CheckResult, commands: Sequence[str]) -> FailureCause:
    """Whose fault it is that ``failed`` failed on a change's own commit."""
    own, head, tip = Git.own(check_runner.mirror), failed.verdict.sha, check_runner.base
    fork = own.run("merge-base", tip, head, ok=(0, 1)).stdout.strip()
    if not fork or check_runner.run_checks(fork, [failed.failed], name=_BASE).verdict.passed:
        return FailureCause(failed.verdict)
    if fork == tip:
        return FailureCause(failed.verdict, base=tip)
    merge = merging.merge(check_runner.mirror, head, tip, rules=tip)
    if not merge.conflicts and not merge.undriven:
        merged = own.commit_tree(merge.tree, [head, tip], f"Merge {tip[:12]} that its checks need\n")
        again = check_runner.run_checks(merged, commands, name="merged-")
        if again.verdict.passed:
            return FailureCause(again.verdict, head=merged)
    if not check_runner.run_checks(tip, [failed.failed], name=_BASE).verdict.passed:
        return FailureCause(failed.verdict, base=tip)
    return FailureCause(failed.verdict, take_base=True)


def of_merge(check_runner: CheckRunner, failed: CheckResult) -> FailureCause:
    """The same for a merge that failed: its first parent is the base."""
    tip = Git.own(check_runner.mirror).commit(f"{failed.verdict.sha}^1")
    if tip is None or check_runner.run_checks(tip, [failed.failed], name=_BASE).verdict.passed:
        return FailureCause(failed.verdict)
    return FailureCause(failed.verdict, base=tip)


def of_setup(check_runner: CheckRunner, sha: str, error: SetupFailedError) -> FailureCause | None:
    """The change's fault, if it changes the files of the setup, and the setup succeeds now without it."""
    own, settings = Git.own(check_runner.mirror), check_runner.execution.town.settings.workspace
    fork = own.run("merge-base", check_runner.base, sha, ok=(0, 1)).stdout.strip()
    if not fork:
        return None
    mine, theirs = (cache.key_of(check_runner.mirror, commit, settings) for commit in (sha, fork))
    if mine == theirs:
        return None
    # Raises if it fails there as well, e.g. because the network is down. Without a cache, which would hide that.
    check_runner.run_checks(fork, [], name=_BASE, afresh=True)
    return FailureCause(Verdict(passed=False, sha=sha, why=error.why, details=error.tail))
