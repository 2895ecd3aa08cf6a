"""Where one attempt happens: its records, its folders, and the launch of its agent."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from tinytown import files, keys, plugins
from tinytown.agents import login
from tinytown.agents.driver import AnswersAlone, Driver, NeedsHosts, Output, Request, Result, Sort, SortsLines
from tinytown.agents.shown import private, shown
from tinytown.engine.context import Context
from tinytown.engine.dispatch.attempts import Claim
from tinytown.engine.dispatch.costs import Spent
from tinytown.errors import TinytownError
from tinytown.missions.fences import calm
from tinytown.missions.records.attempt import Attempt, Report
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.roles import REVIEWER
from tinytown.missions.states import Outcome, Purpose
from tinytown.settings import AgentCliSettings
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.attempt import bills, earlier_work, meters
from tinytown_workers.attempt.bills import Bill
from tinytown_workers.clone.remove_entry import without_configuration
from tinytown_workers.limits import arguments, quota
from tinytown_workers.network import egress
from tinytown_workers.network.egress import Policy, Refusals
from tinytown_workers.run import environment, networks
from tinytown_workers.run.agent_commands import AttemptVerbs
from tinytown_workers.run.agent_socket import Desk, Runs
from tinytown_workers.run.announce import announced
from tinytown_workers.run.caller import Speaker
from tinytown_workers.run.runner import Ended, Runner, RunSpec
from tinytown_workers.workspace import workspace
from tinytown_workers.workspace.pristine import scratch_folder, scratch_folders

log = logging.getLogger(__name__)

#: Wall-clock limit of a run for which neither its CLI nor its role says one, in seconds.
DEFAULT_TIMEOUT = 3600.0
#: Where an attempt's logs say which session of its CLI it was.
SESSION_FILE = "session"
#: Characters of an agent's result text that are kept.
RESULT_LIMIT = 4000

#: What is said of a run whose model said nothing and that came to nothing.
SILENT = "its model gave an empty answer"

#: What a CLI that only repeats its trouble may say of it.
_OF_ITS_MODEL = frozenset({Outcome.UNREACHABLE, Outcome.USAGE_LIMIT, Outcome.NOT_LOGGED_IN})


@dataclass
class Launched:
    """What a run of an agent came to, before anybody looked at the work it left."""

    ended: Ended
    result: Result
    #: What the agent said to its worker while it ran.
    desk: Desk
    #: Its final answer: as far as that can be told, without what programs wrote that it started.
    answer: str = ""


@dataclass(frozen=True)
class Ground:
    """What an attempt stands on in one repository: the same for all that it is told and given."""

    mirror: Path
    #: Tip of the base.
    base: str


@dataclass
class Scene:
    """See the module."""

    context: Context
    claimed: Claim
    #: The CLI that runs.
    cli: str
    role: str
    runner: Runner
    stop: threading.Event
    renew: Callable[[], bool]
    #: The agent's own CLI: another one runs while that is at a usage limit.
    own_cli: str = ""
    #: All that it could run are at their usage limits until then, by the database's clock.
    rests_until: float | None = None
    #: What to do when the attempt is over, the last first.
    closing: list[Callable[[], None]] = field(default_factory=list)
    #: What the runs of this attempt used that have ended.
    spent: Spent = field(default_factory=Spent)
    #: What their networks refused.
    refused: Refusals = field(default_factory=Refusals)
    #: Outside code was begun: until then nothing that goes wrong has anything to do with the work.
    begun: bool = False
    #: Tells the runs of this scene from that of the agent, while they go on at the same time.
    beside: str = ""
    _grounds: dict[str, Ground] = field(default_factory=dict)
    _bill: Bill | None = None

    @property
    def town(self) -> Town:
        return self.context.town

    @property
    def mission(self) -> Mission:
        return self.claimed.mission

    @property
    def item(self) -> Item:
        return self.claimed.item

    @property
    def attempt(self) -> Attempt:
        return self.claimed.attempt

    # The folders are told by a claim, which never changes.

    @cached_property
    def _place(self) -> Path:
        return Path(self.mission.short) / keys.key_slug(self.item.key) / str(self.attempt.number)

    @cached_property
    def folder(self) -> Path:
        """The agent's working folder."""
        return work_folder(self.town, self.mission.id, self.item.key, self.attempt.number)

    @cached_property
    def logs(self) -> Path:
        """Brief and logs of this attempt; they stay."""
        return self.town.attempts / self._place

    @property
    def roomy(self) -> Path:
        """A folder on the disk that is worked on."""
        self.town.state.mkdir(parents=True, exist_ok=True)
        return self.town.state

    @property
    def ref(self) -> str:
        """Where in the mirror this attempt's work is kept."""
        return earlier_work.attempt_ref(self.folder)

    def ground(self, repo: str) -> Ground:
        """A repository as it was when this attempt first asked for it."""
        if repo not in self._grounds:
            forge = self.context.forge
            mirror = forge.mirror(repo)
            self._grounds[repo] = Ground(mirror, forge.base_tip(repo, self.mission.base_of(repo)))
        return self._grounds[repo]

    def leave(self) -> None:
        """Undo what the attempt set up; what cannot be removed safely stays, and is named in the log."""
        while self.closing:
            try:
                self.closing.pop()()
            except TinytownError as error:
                log.warning("left behind: %s", error)

    def charge(self, report: Report) -> Report:
        """The report with what the attempt used and tried to reach, whatever it came to."""
        return report.evolve(cost_usd=self.spent.cost_usd, tokens=self.spent.tokens, refused=self.refused.words())

    def settle(self) -> None:
        """What the attempt used is on record."""
        if self._bill is not None:
            bills.close_bill(self.town, self._bill)
            self._bill = None

    def _open_bill(self, session: str | None) -> None:
        self._bill = Bill(
            mission=self.mission.id,
            item=self.item.key,
            number=self.attempt.number,
            cli=self.cli,
            folder=str(self.folder),
            logs=str(self.logs),
            cost_usd=self.spent.cost_usd,
            tokens=self.spent.tokens,
            session=session,
        )
        bills.open_bill(self.town, self._bill)

    def launch(self, prompt: str, *, session: str | None = None, runs: Runs | None = None) -> Launched:
        """Run this worker's agent CLI on ``prompt`` in the folder; ``runs`` are what it may have run elsewhere."""
        settings = self.town.settings
        brief = self._write_brief(prompt)
        cli = settings.agent_clis.get(self.cli) or AgentCliSettings()
        driver: Driver = plugins.driver(self.cli, cli)
        home = Path(cli.env.get("HOME") or os.environ.get("HOME") or "/")
        mine = shown(self.cli, cli, home=home, kept=private(self.town))
        if self._is_logged_out(driver, home):
            with self._desk() as desk:
                refused = Result(Outcome.NOT_LOGGED_IN, f"{self.cli} was not started: it is not logged in")
                return Launched(Ended("exited", None), self._advised(refused), desk)
        invocation = driver.invocation(
            Request(
                prompt=prompt,
                prompt_file=brief,
                workspace=self.folder,
                session=session,
                session_workspace=self._workspace_of(session) if session is not None else None,
                home=home,
                sandboxed=sandbox.of_town(self.town).kind == "bwrap",
                review=self.attempt.purpose is Purpose.REVIEW,
            )
        )
        for path, text in invocation.files.items():
            path.unlink(missing_ok=True)
            path.write_text(text, encoding="utf-8")
        role = REVIEWER if self.attempt.purpose is Purpose.REVIEW else self.role
        so_far = meters.before(self.logs, session, driver)
        self._open_bill(session)
        speaker = Speaker(alone=cli.verdict_by == "self") if self._reviews else None
        with self._desk(speaker, runs) as desk:
            ended = self.run(
                invocation.argv,
                folder=self.folder,
                logs=self.logs,
                role=role,
                timeout=self.timeout,
                cli_env=cli.env,
                driver_env={**invocation.env, **_safely(self.attempt.purpose)},
                desk=desk,
                # Most read the brief itself; in either case the guard gives them a copy.
                stdin=self.logs / "brief.md" if invocation.stdin == prompt else invocation.stdin,
                streams=invocation.streams,
                sort=driver.sort if isinstance(driver, SortsLines) and invocation.streams else None,
                files=sandbox.files_of(invocation, mine, [brief]),
                sessions=invocation.sessions,
                caches=invocation.caches,
                policy=egress.of(settings.sandbox, cli, driver.hosts if isinstance(driver, NeedsHosts) else ()),
                speaker=speaker,
                programs=invocation.programs if self._reviews and self.answers_alone else None,
            )
        output = Output(ended.exit_code, ended.stdout, ended.stderr, now=time.time(), zone=environment.zone(cli.env))
        result = driver.result(output)
        answer = result.text
        if ended.own is not None and not self.answers_alone and not self._anybody_judges:
            answer = driver.result(replace(output, stdout=ended.own)).text
        if ended.reason == "repeating" and result.outcome not in _OF_ITS_MODEL:
            words = f"it only repeated that its model does not answer: {result.summary}"
            result = replace(result, outcome=Outcome.UNREACHABLE, summary=words)
        self.spent += meters.charge(self.logs, result, so_far)
        if session is not None and result.session_lost and ended.reason == "exited":
            return self.launch(prompt, runs=runs)
        if result.session is not None:
            (self.logs / SESSION_FILE).write_text(result.session, encoding="utf-8", errors="replace")
        return Launched(ended, self._advised(result), desk, answer)

    @property
    def _reviews(self) -> bool:
        return self.attempt.purpose is Purpose.REVIEW

    def _write_brief(self, prompt: str) -> Path:
        """Keep the brief for the record, which is ours alone, and give the agent a copy."""
        files.private_folders(self.town.state, self.logs)
        files.write_atomically(self.logs / "brief.md", prompt)
        copy = self._scratch(self.folder, "brief") / "brief.md"
        copy.unlink(missing_ok=True)
        copy.write_text(prompt, encoding="utf-8")
        # Its reader may be another user, and its folder is shown to nobody.
        copy.chmod(0o444)
        return copy

    def _is_logged_out(self, driver: Driver, home: Path) -> bool:
        """Certainly so: it could wait for a person who is not there, or ask for ever, so it is not begun at all."""
        path = environment.path_of_agents(os.environ)
        return login.told(self.town, self.cli, driver, home=home, path=path, folders=[self.folder]) is False

    @cached_property
    def answers_alone(self) -> bool:
        """Whether the verdict of a review is in the CLI's answer and nowhere else."""
        driver = plugins.driver(self.cli, self.town.settings.agent_clis.get(self.cli) or AgentCliSettings())
        return isinstance(driver, AnswersAlone) and driver.answers_alone

    @property
    def _anybody_judges(self) -> bool:
        cli = self.town.settings.agent_clis.get(self.cli)
        return cli is not None and cli.verdict_by == "any"

    def _desk(self, speaker: Speaker | None = None, runs: Runs | None = None) -> Desk:
        return Desk(
            self.town.runtime,
            AttemptVerbs(self.context, self.claimed),
            purpose=self.attempt.purpose,
            speaker=None if self._anybody_judges else speaker,
            in_answer=self._reviews and self.answers_alone,
            runs=runs,
        )

    def _advised(self, result: Result) -> Result:
        """With what to do, where only the user can do it; all before that may be an agent's words."""
        result = replace(result, summary=calm(result.summary))
        if result.outcome is not Outcome.NOT_LOGGED_IN:
            return result
        retry = f"`tt mission retry {self.mission.short} {self.item.number or self.item.key}`"
        return replace(result, summary=f"{result.summary}; log in to {self.cli} on this machine, then {retry}")

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        logs: Path,
        role: str,
        timeout: float,
        cli_env: Mapping[str, str] | None = None,
        driver_env: Mapping[str, str] | None = None,
        desk: Desk | None = None,
        stdin: str | Path | None = None,
        streams: bool = False,
        sort: Callable[[str], Sort] | None = None,
        files: sandbox.Files | None = None,
        sessions: Sequence[Path] = (),
        caches: Sequence[Path] = (),
        policy: Policy | None = None,
        speaker: Speaker | None = None,
        programs: Sequence[str] | None = None,
    ) -> Ended:
        """Run outside code in ``folder``: limits, environment, sandbox and lease are the same for agents and checks.

        ``policy`` is what an agent may reach; setups and checks have one of their own.
        """
        timing = self.town.settings.timing
        cage = sandbox.of_town(self.town)
        if speaker is not None:
            # Who traces the reviewer speaks in its name.
            cage = cage.untraced()
        caged = cage.kind == "bwrap"
        tmp = self._scratch(folder, "tmp")
        env = environment.for_agent(
            os.environ,
            programs=environment.programs_folder(self._scratch(folder, "bin")),
            tmp=Path("/tmp") if caged else tmp,  # noqa: S108 - the sandbox's own
            program=argv[0] if desk is not None else "",
            cli_env={**self.town.settings.workspace.env, **(cli_env or {})},
            driver_env=driver_env or {},
            marks=environment.marks(self.town, self.claimed, role=role, desk=desk),
        )
        if desk is not None:
            arguments.require_program(self.cli, argv[0], env["PATH"])
        arguments.require_room(argv, env)
        reach = policy or egress.of(self.town.settings.sandbox)
        with contextlib.ExitStack() as stack:
            door = stack.enter_context(
                networks.served(cage, reach, {**os.environ, **env}, logs / "network.log", self.refused)
            )
            if door is not None:
                env |= door.variables(env)
            command = sandbox.Command(list(argv))
            if caged:
                if programs is not None:
                    env |= {"PATH": sandbox.narrowed(argv[0], env["PATH"])}
                command = cage.wrap(
                    argv,
                    env=env,
                    clone=folder,
                    home=self._scratch(folder, "home"),
                    tmp=tmp,
                    files=files,
                    readable=[Path(path).expanduser() for path in self.town.settings.workspace.readable],
                    stand_ins={place: self._session_folder(place, files) for place in sessions}
                    | {place: self._stand_in("caches", place) for place in caches},
                    socket=desk.path if desk is not None else None,
                    hidden=private(self.town),
                    shared_network=door is None,
                    logins=self.town.state / "logins",
                    etc=self.town.state / "etc",
                    review=speaker is not None,
                    tools=programs,
                )
            stack.enter_context(command)
            words: Sequence[str] = command.argv
            if caged and speaker is not None:
                words = [*words[: -len(argv)], *announced(words[-len(argv) :])]
            self.begun = True
            spec = RunSpec(
                id=f"{self.attempt.id}+{self.beside}" if self.beside else self.attempt.id,
                argv=words,
                files=command.files,
                env=env,
                cwd=folder,
                logs=logs,
                stdin=stdin,
                timeout=timeout,
                no_output=timing.no_output_secs if streams else None,
                sort=sort,
                heartbeat=timing.heartbeat_secs,
                lease=timing.lease_secs,
                grace=timing.kill_grace_secs,
                wrapped=caged,
                limits=self._limits(folder),
                door=door,
                on_speaker=speaker.is_now if speaker is not None else None,
            )
            return self.runner.run(
                spec,
                on_started=lambda pid: log.info("%s runs `%s` as pid %d", self.attempt.id, Path(argv[0]).name, pid),
                renew=partial(self._renew, command),
                stop=self.stop,
            )

    def _renew(self, command: sandbox.Command) -> bool:
        command.tend()
        return self.renew()

    def _limits(self, folder: Path) -> quota.Limits:
        wanted = self.town.settings.sandbox
        written = (folder, *scratch_folders(folder))
        return quota.Limits(wanted.memory, wanted.processes, wanted.disk, wanted.open_files, written)

    def _workspace_of(self, session: str) -> Path | None:
        """The folder of this item's first attempt in ``session``: later ones went on from there."""
        for number in range(1, self.attempt.number):
            file = self.logs.with_name(str(number)) / SESSION_FILE
            with contextlib.suppress(OSError):
                if file.read_text(encoding="utf-8") == session:
                    return self.folder.with_name(str(number))
        return None

    def _stand_in(self, sort: str, place: Path) -> Path:
        """What stands in the sandbox for the CLI's folder ``place`` in all attempts of this agent on this item.

        What a run for work left there is never seen by a review, nor by another item's: programs are run from caches.
        """
        kind = "review" if self.attempt.purpose is Purpose.REVIEW else "work"
        folder = self.logs.parent / sort / self.claimed.agent / self.cli / kind / keys.marked_slug(str(place))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _session_folder(self, place: Path, files: sandbox.Files | None) -> Path:
        """What stands there for a CLI's folder of sessions: no run configures another one, and no review goes on."""
        if self.attempt.purpose is Purpose.REVIEW:
            return self._scratch(self.folder, keys.marked_slug(str(place)))
        shown = (*files.readable, *files.excerpts) if files is not None else ()
        return without_configuration(self._stand_in("sessions", place), place, shown)

    def _scratch(self, folder: Path, name: str) -> Path:
        """A folder beside a clone that nobody needs after the attempt."""
        scratch = scratch_folder(folder, name)
        if not scratch.exists():
            scratch.mkdir(mode=0o700, parents=True)
            self.closing.append(lambda: workspace.discard(scratch))
        return scratch

    @property
    def timeout(self) -> float:
        """Wall-clock limit of this run: its CLI's, else its role's, else the default."""
        settings = self.town.settings
        cli = settings.agent_clis.get(self.cli)
        role = settings.roles.get(self.role)
        for section in (cli, role):
            if section is not None and section.timeout is not None:
                return section.timeout
        return DEFAULT_TIMEOUT


def _safely(purpose: Purpose) -> Mapping[str, str]:
    """In a review, Python takes no module from the folder that it is started in; whoever works needs that."""
    return {"PYTHONSAFEPATH": "1"} if purpose is Purpose.REVIEW else {}


def work_folder(town: Town, mission: str, key: str, number: int) -> Path:
    """Where the clone of an attempt is on this machine."""
    return town.work / mission[:8] / keys.key_slug(key) / str(number)


#: Outcomes of runs that did not end by themselves.
CUT_SHORT: dict[str, tuple[Outcome, str]] = {
    "timed_out": (Outcome.TIMED_OUT, "reached its time limit"),
    "stalled": (Outcome.STALLED, "was silent for too long"),
    "stopped": (Outcome.CANCELLED, "was stopped"),
    "refused": (Outcome.REFUSED, "lost its lease"),
    "lost_guard": (Outcome.LOST, "its guard died"),
    **quota.REACHED,
}
