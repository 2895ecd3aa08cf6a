"""Runs of the unattended conductor: it is told one question, may look and answer, and leaves nothing else.

It reads a clone of the base in which nothing is executable, and which goes when the run ends, with all it wrote there.
"""

from __future__ import annotations

import secrets

from tinytown.engine.operate import unattended as questions
from tinytown.engine.views.missions import summary
from tinytown.errors import NotFoundError
from tinytown.missions import answering, unattended
from tinytown.missions.fences import quoted
from tinytown.missions.records.asked import Asked
from tinytown.missions.records.attempt import Report
from tinytown.missions.states import Outcome
from tinytown.state import asked as store_asked
from tinytown.state import lookup
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.execution import CUT_SHORT
from tinytown_workers.attempt.launch import RESULT_LIMIT, SILENT, Launched, launch
from tinytown_workers.prepare import agent_configuration
from tinytown_workers.run.conductor_commands import ConductorCommands
from tinytown_workers.workspace import read_only, workspace

#: Bytes of its last words that are told of a run that did nothing.
_SAID = 300


def run(attempt: AttemptContext) -> Report:
    """The stage."""
    known = store_asked.one(attempt.engine.store, attempt.mission.id)
    if known is None or known.record.state != "asked":
        raise NotFoundError("the question is not on record any more")
    asked = known.record
    _prepare(attempt)
    commands = ConductorCommands(attempt.engine, attempt.claim, asked)
    left = questions.left_usd(attempt.engine)
    launched = launch(attempt, _brief(attempt, asked), conductor=commands, budget_usd=left)
    return unattended.capped(_report(attempt, launched, commands), launched.result.cost_usd, left)


def _prepare(attempt: AttemptContext) -> None:
    if not attempt.mission.base:
        attempt.paths.clone.mkdir(parents=True, exist_ok=True)
        attempt.at_end(lambda: workspace.discard(attempt.paths.clone))
        return
    origin = attempt.origin(attempt.mission.repo)
    prepared = workspace.prepare_at(origin.mirror, attempt.paths.clone, origin.base)
    attempt.at_end(lambda: workspace.discard(attempt.paths.clone))
    # As for a reviewer: nothing of the repository runs here, or configures who decides.
    read_only.make_inert(attempt.paths.clone)
    agent_configuration.hide(prepared, origin.mirror, agent_configuration.table_of(attempt.town.settings))


def _brief(attempt: AttemptContext, asked: Asked) -> str:
    store, agents = attempt.engine.store, attempt.engine.crew.agents()
    known = [one.record for one in store_asked.every(store).values()]
    standing = None
    if asked.mission:
        items = [item.record for item in lookup.notable(store, asked.mission).values()]
        found = summary(attempt.engine, asked.mission)
        standing = answering.Standing(found.mission, items, found.counts)
    return answering.compose(
        asked,
        standing,
        [(agent.name, agent.role, agent.state.value) for agent in agents.values()],
        seconds=attempt.town.settings.conductor.timeout,
        fence=secrets.token_hex(8),
        earlier=unattended.earlier(asked, known),
    )


def _report(attempt: AttemptContext, launched: Launched, commands: ConductorCommands) -> Report:
    reason, result, agent_socket = launched.ended.reason, launched.result, launched.agent_socket
    outcome, summary = CUT_SHORT.get(reason, (result.outcome, result.summary))
    did = commands.told()
    if reason == "exited" and agent_socket.failure is not None:
        outcome, summary = Outcome.FAILED, f"it says {quoted(agent_socket.failure, limit=_SAID)}"
    elif reason == "exited" and outcome is Outcome.SUCCEEDED:
        said = agent_socket.result or result.text
        if result.silent and not did:
            outcome, summary = Outcome.UNREACHABLE, SILENT
        else:
            summary = f"it says {quoted(said.strip(), limit=_SAID)}" if said.strip() else ""
            summary = summary or ("" if did else "it did nothing, and said nothing")
    return Report(
        outcome=outcome,
        summary="; ".join(filter(None, (did, summary))),
        result=(agent_socket.result or result.text)[:RESULT_LIMIT],
        session=result.session,
        retry_at=attempt.engine.store.now() + result.retry_after if result.retry_after else None,
        log=str(attempt.paths.logs),
    )
