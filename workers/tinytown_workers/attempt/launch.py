"""Launching the agent of an attempt: what its CLI is given, and what its run came to."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinytown import contract, files, plugins
from tinytown.agents import login
from tinytown.agents.driver import (
    AnswersAlone,
    Driver,
    Invocation,
    NeedsHosts,
    Output,
    Request,
    Result,
    SortsLines,
    TellsWaits,
)
from tinytown.agents.shown import private, shown
from tinytown.attempt_paths import scratch_folder
from tinytown.errors import TinytownError
from tinytown.missions import gates
from tinytown.missions.fences import calm
from tinytown.missions.role_names import REVIEWER
from tinytown.missions.states import Outcome, Purpose
from tinytown.settings import AgentCliSettings
from tinytown_workers import sandbox
from tinytown_workers.attempt import meters
from tinytown_workers.attempt.context import AttemptContext
from tinytown_workers.attempt.execution import AgentRun
from tinytown_workers.network import egress
from tinytown_workers.run import environment
from tinytown_workers.run.agent_commands import AttemptCommands
from tinytown_workers.run.agent_socket import AgentSocket
from tinytown_workers.run.answering import CommandRunner
from tinytown_workers.run.caller import Speaker
from tinytown_workers.run.conductor_commands import ConductorCommands
from tinytown_workers.run.run_spec import Ended

#: Wall-clock limit of a run for which neither its CLI nor its role says one, in seconds.
DEFAULT_TIMEOUT = 3600.0
#: Characters of an agent's result text that are kept.
RESULT_LIMIT = 4000

#: What is said of a run whose model said nothing and that came to nothing.
SILENT = "its model gave an empty answer"

#: What a CLI that only repeats its trouble may say of it.
_OF_ITS_MODEL = frozenset({Outcome.UNREACHABLE, Outcome.USAGE_LIMIT, Outcome.NOT_LOGGED_IN})
#: Of these a CLI may say until when.
_OF_TIME = frozenset({Outcome.UNREACHABLE, Outcome.USAGE_LIMIT})


@dataclass
class Launched:
    """What a run of an agent came to, before anybody looked at the work it left."""

    ended: Ended
    result: Result
    #: What the agent said to its worker while it ran.
    agent_socket: AgentSocket
    #: Its final answer: as far as that can be told, without what programs wrote that it started.
    answer: str = ""


def launch(
    attempt: AttemptContext,
    prompt: str,
    *,
    session: str | None = None,
    runs: CommandRunner | None = None,
    conductor: ConductorCommands | None = None,
    budget_usd: float | None = None,
) -> Launched:
    """Run the attempt's agent CLI on ``prompt`` in its clone.

    ``runs`` are what it may have run elsewhere; ``conductor`` carries out its commands, if it is no agent. It is told
    of ``budget_usd``, in US dollars; some CLIs keep to it by themselves.
    """
    _write_brief(attempt, prompt)
    cli = _settings(attempt)
    driver: Driver = plugins.driver(attempt.cli, cli)
    home = Path(cli.env.get("HOME") or os.environ.get("HOME") or "/")
    if _is_logged_out(attempt, driver, home):
        with _agent_socket(attempt) as agent_socket:
            refused = Result(Outcome.NOT_LOGGED_IN, f"{attempt.cli} was not started: it is not logged in")
            return Launched(Ended("exited", None), _advised(attempt, refused), agent_socket)
    invocation, given = _invocation(attempt, driver, prompt, session, home, budget_usd)
    so_far = meters.before(attempt.paths.logs, session, driver)
    attempt.open_bill(session)
    speaker = Speaker(alone=cli.verdict_by == "self") if attempt.reviews else None
    with _agent_socket(attempt, speaker, runs, conductor) as agent_socket:
        ended = attempt.execution.run(
            invocation.argv,
            folder=attempt.paths.clone,
            logs=attempt.paths.logs,
            role=REVIEWER if attempt.reviews else attempt.role,
            timeout=timeout_of(attempt),
            agent=AgentRun(
                cli=attempt.cli,
                agent_socket=agent_socket,
                cli_env=cli.env,
                driver_env={**invocation.env, **_safely(attempt), **_limited(budget_usd)},
                # Most read the brief itself; in either case the guard gives them a copy.
                stdin=attempt.paths.brief if invocation.stdin == prompt else invocation.stdin,
                streams=invocation.streams,
                sort=driver.sort if isinstance(driver, SortsLines) and invocation.streams else None,
                waits=driver.waits if isinstance(driver, TellsWaits) else None,
                files=sandbox.files_of(
                    invocation, shown(attempt.cli, cli, home=home, kept=private(attempt.town)), given
                ),
                sessions=invocation.sessions,
                caches=invocation.caches,
                policy=egress.of(
                    attempt.town.settings.sandbox, cli, driver.hosts if isinstance(driver, NeedsHosts) else ()
                ),
                speaker=speaker,
                programs=invocation.programs if attempt.reviews and answers_alone(attempt) else None,
            ),
        )
    result, answer = _read(attempt, driver, ended, cli)
    attempt.spent += meters.charge(attempt.paths.logs, result, so_far)
    if session is not None and result.session_lost and ended.reason == "exited":
        return launch(attempt, prompt, runs=runs, conductor=conductor, budget_usd=budget_usd)
    if result.session is not None:
        attempt.paths.session.write_text(result.session, encoding="utf-8", errors="replace")
    return Launched(ended, _advised(attempt, result), agent_socket, answer)


def answers_alone(attempt: AttemptContext) -> bool:
    """Whether the verdict of a review is in the CLI's answer and nowhere else."""
    driver = plugins.driver(attempt.cli, _settings(attempt))
    return isinstance(driver, AnswersAlone) and driver.answers_alone


def timeout_of(attempt: AttemptContext) -> float:
    """Wall-clock limit of the agent's run in seconds: its CLI's, else its role's, else the default."""
    settings = attempt.town.settings
    if attempt.item.kind == gates.QUESTION:
        return settings.conductor.timeout
    for section in (settings.agent_clis.get(attempt.cli), settings.roles.get(attempt.role)):
        if section is not None and section.timeout is not None:
            return section.timeout
    return DEFAULT_TIMEOUT


def _settings(attempt: AttemptContext) -> AgentCliSettings:
    return attempt.town.settings.agent_clis.get(attempt.cli) or AgentCliSettings()


def _write_brief(attempt: AttemptContext, prompt: str) -> None:
    """Keep the brief for the record, which is ours alone."""
    files.private_folders(attempt.town.state, attempt.paths.logs)
    files.write_atomically(attempt.paths.brief, prompt, lasting=False)


def _give(attempt: AttemptContext, invocation: Invocation, copy: Path, prompt: str) -> Sequence[Path]:
    """Write the files that the CLI is told of, its copy of the brief among them; gives the latter, if it needs one."""
    told = (*invocation.argv, *invocation.env.values(), str(invocation.stdin or ""))
    named = copy in invocation.readable or any(str(copy) in word for word in told)
    if named or invocation.files:
        attempt.execution.scratch(attempt.paths.clone, "brief")
    for path, text in invocation.files.items():
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
    if not named:
        return ()
    copy.unlink(missing_ok=True)
    copy.write_text(prompt, encoding="utf-8")
    # Its reader may be another user, and its folder is shown to nobody.
    copy.chmod(0o444)
    return [copy]


def _is_logged_out(attempt: AttemptContext, driver: Driver, home: Path) -> bool:
    """Certainly so: it could wait for a person who is not there, or ask for ever, so it is not begun at all."""
    path = environment.path_of_agents(os.environ)
    folders = [attempt.paths.clone]
    return login.told(attempt.town, attempt.cli, driver, home=home, path=path, folders=folders) is False


def _invocation(
    attempt: AttemptContext, driver: Driver, prompt: str, session: str | None, home: Path, budget_usd: float | None
) -> tuple[Invocation, Sequence[Path]]:
    """How the CLI is started, and files that it is given besides those that its driver makes."""
    copy = scratch_folder(attempt.paths.clone, "brief") / "brief.md"
    invocation = driver.invocation(
        Request(
            prompt=prompt,
            prompt_file=copy,
            workspace=attempt.paths.clone,
            session=session,
            session_workspace=_workspace_of(attempt, session) if session is not None else None,
            home=home,
            sandboxed=sandbox.of_town(attempt.town).kind != "none",
            review=attempt.reviews,
            budget_usd=budget_usd,
        )
    )
    return invocation, _give(attempt, invocation, copy, prompt)


def _read(attempt: AttemptContext, driver: Driver, ended: Ended, cli: AgentCliSettings) -> tuple[Result, str]:
    """What the driver makes of the outputs, and the answer as far as the CLI itself wrote it."""
    output = Output(ended.exit_code, ended.stdout, ended.stderr, now=time.time(), zone=environment.zone(cli.env))
    result = driver.result(output)
    if result.outcome in _OF_TIME or result.retry_after is not None:
        # Only then the database is asked: most runs are over without a word of a time.
        output = replace(output, now=_now(attempt))
        result = driver.result(output)
    answer = result.text
    if ended.own is not None and not answers_alone(attempt) and not _anybody_judges(attempt):
        answer = driver.result(replace(output, stdout=ended.own)).text
    if ended.reason == "repeating" and result.outcome not in _OF_ITS_MODEL:
        words = f"it only repeated that its model does not answer: {result.summary}"
        result = replace(result, outcome=Outcome.UNREACHABLE, summary=words)
    return result, answer


def _now(attempt: AttemptContext) -> float:
    """The server's time: what a CLI says of the end of a limit is compared with that, whatever this machine's clock."""
    try:
        return attempt.engine.store.now()
    except TinytownError:
        return time.time()


def _anybody_judges(attempt: AttemptContext) -> bool:
    return _settings(attempt).verdict_by == "any"


def _agent_socket(
    attempt: AttemptContext,
    speaker: Speaker | None = None,
    runs: CommandRunner | None = None,
    conductor: ConductorCommands | None = None,
) -> AgentSocket:
    return AgentSocket(
        attempt.town.runtime,
        conductor or AttemptCommands(attempt.engine, attempt.claim, attempt.read),
        purpose=attempt.record.purpose,
        speaker=None if _anybody_judges(attempt) else speaker,
        in_answer=attempt.reviews and answers_alone(attempt),
        runs=runs,
        answers=conductor,
    )


def _advised(attempt: AttemptContext, result: Result) -> Result:
    """With what to do, where only the user can do it; all before that may be an agent's words."""
    result = replace(result, summary=calm(result.summary))
    if result.outcome is not Outcome.NOT_LOGGED_IN:
        return result
    retry = f"`tt mission retry {attempt.mission.short} {attempt.item.typed}`"
    return replace(result, summary=f"{result.summary}; log in to {attempt.cli} on this machine, then {retry}")


def _workspace_of(attempt: AttemptContext, session: str) -> Path | None:
    """The folder of this item's first attempt in ``session``: later ones went on from there."""
    for number in range(1, attempt.record.number):
        paths = attempt.paths.numbered(number)
        with contextlib.suppress(OSError):
            if paths.session.read_text(encoding="utf-8") == session:
                return paths.clone
    return None


def _limited(budget_usd: float | None) -> Mapping[str, str]:
    return {} if budget_usd is None else {contract.ENV_BUDGET: f"{budget_usd:.2f}"}


def _safely(attempt: AttemptContext) -> Mapping[str, str]:
    """In a review, Python takes no module from the folder that it is started in; whoever works needs that."""
    return {"PYTHONSAFEPATH": "1"} if attempt.record.purpose is Purpose.REVIEW else {}
