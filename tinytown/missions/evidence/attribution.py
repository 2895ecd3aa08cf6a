"""Whose fault a failed check is: the change's, that of the base, or that of the machine it ran on."""

from __future__ import annotations

import re
from typing import Literal

from tinytown.missions.evidence import states
from tinytown.missions.evidence.case import Case
from tinytown.missions.evidence.states import Result, State
from tinytown.missions.records.forge_evidence import Evidence

#: ``network``: something that it needed did not answer. That may be the change's doing as well, so if it fails again it
#: is the change's.
Cause = Literal["change", "base", "runner", "network"]

#: A run that ended like this ran nothing of the change.
_NEVER_RAN = frozenset({"startup_failure", "stale"})
#: What GitHub itself writes about a job that its runner lost.
_RUNNER = re.compile(
    r"runner has received a shutdown signal|lost communication with the server|hosted runner (?:encountered|lost)|"
    r"job was not (?:started because|acquired by runner)|runner was (?:lost|removed)|no space left on device|"
    r"(?:failed to|unable to) (?:download|resolve) action|internal server error occurred while resolving",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"could not resolve host|temporary failure in name resolution|connection (?:reset by peer|timed out)|"
    r"ETIMEDOUT|ECONNRESET|EAI_AGAIN|toomanyrequests|pull rate limit|(?:429 too many requests|502 bad gateway|"
    r"503 service (?:temporarily )?unavailable|504 gateway time-?out)|tls handshake timeout|i/o timeout",
    re.IGNORECASE,
)
#: Ends that say nothing of the base.
_INCONCLUSIVE = frozenset({"", "cancelled", "skipped", "action_required"})
#: Lines at the end of a log in which these count: above them they were overcome.
_LAST = 15


def cause(case: Case, state: State) -> Cause:
    """Whose fault the red ``state`` is, as far as can be told; in doubt the change's."""
    if case.policy.base_check and _red_on_base(case, state):
        return "base"
    run = state.run
    if run is None:
        return "change"
    last = "\n".join(line[:1000] for line in run.log.splitlines()[-_LAST:])
    if run.conclusion in _NEVER_RAN or _RUNNER.search("\n".join((*run.annotations, last))):
        return "runner"
    return "network" if _NETWORK.search(last) else "change"


def _red_on_base(case: Case, state: State) -> bool:
    """Whether the same check is red in its newest conclusive run on the base."""
    found: list[State] = []
    checks, statuses = case.evidence.base_checks, case.evidence.base_statuses
    if checks is not None and _counts(case, checks):
        ended = tuple(run for run in checks.runs if run.conclusion not in _INCONCLUSIVE)
        found += states.of_checks(checks.evolve(runs=ended, workflows=()))
    if statuses is not None and _counts(case, statuses):
        found += states.of_statuses(statuses)
    results = {one.result for one in found if (one.noun, one.name, one.app) == (state.noun, state.name, state.app)}
    return results == {Result.RED}


def _counts(case: Case, evidence: Evidence) -> bool:
    # It is about a commit of the base, whichever: its newest one may have no results yet.
    return not evidence.unreadable and evidence.good_until >= case.now
