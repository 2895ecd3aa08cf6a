"""What an attempt has from the hub before it begins, and brings there before it reports; nothing in a town without one.

Home has everything itself, so it goes on without a hub, and brings there later what it could not. Every other machine
waits: for what it lacks its attempt goes back unused, and what it made stays in its mirror until the hub has it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tinytown import files
from tinytown.engine import hubs
from tinytown.engine.changes import repo_of
from tinytown.engine.context import Context
from tinytown.errors import ConfigurationError, NotFoundError, StateError, TinytownError
from tinytown.forge.hub import names
from tinytown.forge.hub.hub import Hub
from tinytown.forge.mirror import OURS
from tinytown.git.repository import Git, time_limit
from tinytown.missions import gates, mission_state
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome, Purpose
from tinytown_workers.attempt import earlier_work
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.collect import kept_refs
from tinytown_workers.workspace import workspace

log = logging.getLogger(__name__)

#: Seconds between two tries to push, at first and at most.
PAUSE, LONGEST = 1.0, 60.0
#: Where home keeps commits that it made itself for an item.
MADE: Final = "refs/tinytown/made"
#: Seconds that home waits for the hub within an attempt.
HOME_SECS: Final = 20.0
#: Seconds after which home looks at the whole hub again.
SURVEY_SECS: Final = 300.0
#: File in the state folder whose lock lets one process of a machine sweep.
_LOCK = "hub.lock"
_AWAY = "hub at home"


def begin(attempt: AttemptContext) -> None:
    """Have in the mirror all that the records name for this attempt.

    Raises:
        HubAwayError: the hub does not answer, or lacks something of it still.
        ConfigurationError: it cannot be used as it is.
    """
    hub = _hub(attempt)
    if hub is None:
        return
    number, writes = attempt.record.number, attempt.record.purpose in (Purpose.WORK, Purpose.FIX)
    earlier = [name for ref in _earlier(attempt) if (name := names.in_hub(ref))] if writes and number > 1 else []
    if not hub.home:
        hub.refresh(earlier)
    elif earlier:
        _at_home(attempt.engine, lambda: hub.take(earlier))
    own = repo_of(attempt.item, attempt.mission)
    for repo, shas in _named(attempt, writes=writes).items():
        other = hub if repo == own else _of(attempt, repo)
        if not (missing := other.absent(shas)):
            continue
        if not hub.home and repo != own:
            other.refresh()
        other.need(missing)
        if not hub.home:
            # What was brought there meanwhile may be part of a base by now.
            other.refresh()


def _named(attempt: AttemptContext, *, writes: bool) -> Mapping[str, set[str]]:
    """The commits that the records name, by repositories."""
    item, mission = attempt.item, attempt.mission
    heads = item.fix.heads if item.fix is not None else ()
    found = {repo_of(item, mission): {sha for sha in (item.head, attempt.record.sha, *heads) if sha}}
    if writes and (wanted := mission_state.waited_for(item)):
        for one in attempt.engine.store.some_items(mission.id, wanted).values():
            shas = {sha for sha in (one.record.head, one.record.merged) if sha}
            if shas:
                found.setdefault(repo_of(one.record, mission), set()).update(shas)
    return found


def finish(attempt: AttemptContext, report: Report) -> Report:
    """Bring to the hub what the attempt made; gives its report, or another one where that was not possible."""
    hub = _hub(attempt)
    if hub is None:
        return report
    if hub.home:
        _at_home(attempt.engine, lambda: _finish_at_home(attempt, hub, report))
        return report
    mine, pause, told = _mine(attempt), PAUSE, False
    while True:
        try:
            hub.offer(*mine)
            return report
        except (ConfigurationError, NotFoundError, StateError) as error:
            return _unpushed(report, Outcome.MISCONFIGURED, error)
        except TinytownError as error:
            if not told:
                log.warning("%s: its work waits on this machine: %s", attempt.record.id, error)
                told = True
            if attempt.stop.wait(pause):
                return _unpushed(report, Outcome.UNREACHABLE, error, away=True)
            pause = min(2 * pause, LONGEST)


def _unpushed(report: Report, outcome: Outcome, error: TinytownError, *, away: bool = False) -> Report:
    """The report of a run whose work only this machine has, which brings it to the hub as soon as it can."""
    if report.head is None and report.salvage is None:
        return report  # There is nothing that anybody would go on from.
    words = f"{error.message}; its work is kept on its host, and brought there later"
    return Report(outcome=outcome, summary=words, away=away, result=report.result, log=report.log)


def _finish_at_home(attempt: AttemptContext, hub: Hub, report: Report) -> None:
    item, mission = attempt.item, attempt.mission
    if report.head is not None and attempt.record.purpose in (Purpose.CHECK, Purpose.PUBLISH):
        # No ref keeps a commit that a check or a publication made by merging.
        name = "/".join(attempt.paths.clone.parts[-3:])
        Git.own(hub.folder).run("update-ref", f"{MADE}/{name}", report.head)
    if report.merged is not None:
        hubs.publish(attempt.engine, {repo: bases for repo, bases in hubs.bases_of(mission).items()
                                      if repo == repo_of(item, mission)})  # fmt: skip
    hub.offer(*_mine(attempt), OURS, f"{names.WORK}foreign")


def sweep(context: Context) -> None:
    """Bring to the hub what this machine could not before; one process of it does.

    What cannot be brought there stays for the next sweep.
    """
    context.town.state.mkdir(parents=True, exist_ok=True)
    if (lock := files.try_lock(context.town.state / _LOCK)) is None:
        return
    try:
        for repo, branches in hubs.all_bases(context).items():
            try:
                _sweep(context, repo, branches)
            except TinytownError as error:
                log.warning("the hub of %s: %s", repo, error)
    finally:
        os.close(lock)


def _sweep(context: Context, repo: str, branches: Iterable[str]) -> None:
    hub = context.hub(repo)
    if hub is None:
        return
    if hub.home:
        context.forge.mirror(repo)
        if hub.surveyed_ago() > SURVEY_SECS:
            hub.survey(branches)
            return
        hub.publish(branches)
    elif not hub.folder.exists():
        return
    hub.tidy()
    if pushed := hub.offer():
        log.info("brought to the hub what waited for it: %d refs of %s", pushed, repo)


def _hub(attempt: AttemptContext) -> Hub | None:
    if attempt.mission.workspace == "none" or attempt.item.kind == gates.QUESTION:
        return None
    if not attempt.town.settings.hub.url:
        return None
    return _of(attempt, repo_of(attempt.item, attempt.mission))


def _of(attempt: AttemptContext, repo: str) -> Hub:
    hub = attempt.engine.hub(repo)
    assert hub is not None
    if hub.home and not hub.folder.exists():
        attempt.engine.forge.mirror(repo)
        return _of(attempt, repo)
    return hub


def _at_home(context: Context, call: Callable[[], object]) -> None:
    """Do it if the hub answers quickly: home needs nothing of it, and the sweep takes its time."""
    if context.is_put_off(_AWAY):
        return
    try:
        with time_limit(HOME_SECS):
            call()
    except TinytownError as error:
        context.put_off(_AWAY, LONGEST)
        log.warning("home goes on without the hub: %s", error)


def _mine(attempt: AttemptContext) -> tuple[str, ...]:
    """Patterns of the refs that only this attempt writes."""
    folder = attempt.paths.clone
    name = "/".join(folder.parts[-3:])
    own = (earlier_work.attempt_ref(folder), workspace.salvage_ref(name), f"{MADE}/{name}")
    return (*own, *(f"{ref}-*" for ref in own), kept_refs.place(folder))


def _earlier(attempt: AttemptContext) -> tuple[str, ...]:
    """Patterns of the refs that all attempts at its item write."""
    folder = attempt.paths.clone
    below = (earlier_work.attempt_ref(folder), workspace.salvage_ref("/".join(folder.parts[-3:])))
    places = (*below, kept_refs.place(folder))
    return tuple(f"{ref.rpartition('/')[0]}/*" for ref in places)
