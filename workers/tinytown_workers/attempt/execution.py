"""Running outside code for an attempt: agents, setups and checks alike, under its lease and its limits."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tinytown import keys, tracing
from tinytown.agents.driver import Sort
from tinytown.agents.shown import private
from tinytown.attempt_paths import AttemptPaths, scratch_folder, scratch_folders
from tinytown.engine.dispatch.claiming import Claim
from tinytown.errors import UnreachableError
from tinytown.missions.states import Outcome, Purpose
from tinytown.town import Town
from tinytown_workers import sandbox
from tinytown_workers.clone.remove_entry import without_configuration
from tinytown_workers.limits import arguments, quota
from tinytown_workers.network import egress
from tinytown_workers.network.egress import Policy, Refusals
from tinytown_workers.run import environment
from tinytown_workers.run.agent_socket import AgentSocket
from tinytown_workers.run.announce import announced
from tinytown_workers.run.caller import Speaker
from tinytown_workers.run.hold import Hold
from tinytown_workers.run.run_spec import Ended, RunSpec
from tinytown_workers.run.runner import Runner
from tinytown_workers.sandbox import containers
from tinytown_workers.workspace import workspace

log = logging.getLogger(__name__)

#: Outcomes of runs that did not end by themselves.
CUT_SHORT: dict[str, tuple[Outcome, str]] = {
    "timed_out": (Outcome.TIMED_OUT, "reached its time limit"),
    "stalled": (Outcome.STALLED, "was silent for too long"),
    "stopped": (Outcome.CANCELLED, "was stopped"),
    "refused": (Outcome.REFUSED, "lost its lease"),
    "lost_guard": (Outcome.LOST, "its guard died"),
    **quota.REACHED,
}


@dataclass(frozen=True)
class AgentRun:
    """What the run of an agent has that a setup or a check has not."""

    #: The CLI that runs.
    cli: str
    agent_socket: AgentSocket
    #: Environment of its settings and of its driver.
    cli_env: Mapping[str, str] = field(default_factory=dict)
    driver_env: Mapping[str, str] = field(default_factory=dict)
    stdin: str | Path | None = None
    #: It says something while it works, so that silence means that it is stuck.
    streams: bool = False
    sort: Callable[[str], Sort] | None = None
    waits: Callable[[str], bool] | None = None
    #: Files of the user's that it sees.
    files: sandbox.Files | None = None
    #: Folders in which its CLI keeps sessions and caches.
    sessions: Sequence[Path] = ()
    caches: Sequence[Path] = ()
    #: What it may reach.
    policy: Policy | None = None
    #: Tells who speaks, where it reviews.
    speaker: Speaker | None = None
    #: The only programs that it finds, if they are few.
    programs: Sequence[str] | None = None


@dataclass
class Execution:
    """How an attempt runs outside code."""

    town: Town
    claim: Claim
    paths: AttemptPaths
    runner: Runner
    #: Ends what runs once it is set.
    stop: threading.Event
    #: Renews the lease; ``False`` once it is refused.
    renew: Callable[[], bool]
    #: Whether what runs is to stand still.
    hold: Hold = field(default_factory=Hold)
    #: What to do when the attempt is over, the last first.
    closing: list[Callable[[], None]] = field(default_factory=list)
    #: What the networks of its runs refused.
    refused: Refusals = field(default_factory=Refusals)
    #: Tells runs beside the agent's from it, while they go on at the same time.
    beside: str = ""
    #: Outside code was begun: until then nothing that goes wrong has anything to do with the work.
    begun: bool = False

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        logs: Path,
        role: str,
        timeout: float,
        agent: AgentRun | None = None,
    ) -> Ended:
        """Run outside code in ``folder``: limits, environment, sandbox and lease are the same for agents and checks.

        Raises:
            ConfigurationError: the program of an agent's CLI is not there.
            UnreachableError: the container for it could not be started.
        """
        settings = self.town.settings
        speaker = agent.speaker if agent is not None else None
        cage = sandbox.of_town(self.town)
        if speaker is not None:
            # Who traces the reviewer speaks in its name.
            cage = cage.untraced()
        caged = cage.kind != "none"
        # Only here, once an agent runs: a proxy of its own takes two megabytes.
        from tinytown_workers.run import networks

        env = self._environment(argv, folder, role=role, agent=agent, caged=caged)
        policy = agent.policy if agent is not None else None
        with contextlib.ExitStack() as stack:
            reach = policy or egress.of(settings.sandbox)
            network = stack.enter_context(
                networks.served(cage, reach, ChainMap(env, os.environ), logs / "network.log", self.refused)
            )
            if network is not None:
                env |= network.variables(env)
            command = sandbox.Command(list(argv), program=tuple(argv))
            if caged:
                command = self._caged(cage, argv, env, folder, agent=agent, shared_network=network is None)
            stack.enter_context(command)
            if caged and speaker is not None:
                command = command.around(announced)
            self.begun = True
            spec = RunSpec(
                id=f"{self.claim.attempt.id}+{self.beside}" if self.beside else self.claim.attempt.id,
                argv=command.argv,
                files=command.files,
                env=env,
                cwd=folder,
                logs=logs,
                stdin=agent.stdin if agent is not None else None,
                timeout=timeout,
                no_output=settings.timing.no_output_secs if agent is not None and agent.streams else None,
                sort=agent.sort if agent is not None else None,
                waits=agent.waits if agent is not None else None,
                heartbeat=settings.timing.heartbeat_secs,
                lease=settings.timing.lease_secs,
                grace=settings.timing.kill_grace_secs,
                wrapped=caged,
                carried=command.carried,
                limits=command.left_to_guard(self._limits(folder)),
                network=network,
                on_speaker=speaker.is_now if speaker is not None else None,
            )
            name, program = self.claim.attempt.id, Path(argv[0]).name
            with tracing.step(f"run {program}", role=role):
                ended = self.runner.run(
                    spec,
                    on_started=lambda pid: log.info("%s runs `%s` as pid %d", name, program, pid),
                    renew=partial(self._renew, command),
                    stop=self.stop,
                    hold=self.hold,
                )
        if ended.reason == "unstarted":
            containers.forget()
            said = ended.stderr.strip().splitlines()
            raise UnreachableError(said[-1].removeprefix("tinytown: "), remedy="see `tt doctor`")
        return ended

    def scratch(self, folder: Path, name: str, *, made: bool = True) -> Path:
        """A folder beside a clone that nobody needs after the attempt; the caller makes it if it is not ``made``."""
        scratch = scratch_folder(folder, name)
        if not scratch.exists():
            if made:
                scratch.mkdir(mode=0o700, parents=True)
            self.closing.append(lambda: workspace.discard(scratch))
        return scratch

    def _environment(
        self, argv: Sequence[str], folder: Path, *, role: str, agent: AgentRun | None, caged: bool
    ) -> dict[str, str]:
        env = environment.for_agent(
            os.environ,
            programs=self._programs(folder, agent=agent, caged=caged),
            tmp=Path("/tmp") if caged else self.scratch(folder, "tmp"),  # noqa: S108 - the sandbox's own
            program=argv[0] if agent is not None else "",
            cli_env={**self.town.settings.workspace.env, **(agent.cli_env if agent is not None else {})},
            driver_env=agent.driver_env if agent is not None else {},
            marks=environment.marks(
                self.town, self.claim, role=role, agent_socket=agent.agent_socket if agent is not None else None
            ),
        )
        if agent is not None:
            arguments.require_program(agent.cli, argv[0], env["PATH"])
        arguments.require_room(argv, env)
        return env

    def _programs(self, folder: Path, *, agent: AgentRun | None, caged: bool) -> Path:
        """A folder in which the run finds our programs, and which nobody else uses meanwhile."""
        if agent is None or agent.speaker is not None or caged or self.beside:
            return environment.programs_folder(self.scratch(folder, "bin", made=False))
        # An agent works at one thing at a time, so its own folder serves it alone. It is proven, and stays: to make and
        # to remove one takes longer than many other steps of an attempt.
        return environment.kept_programs(self.town.state / "programs" / self.claim.agent)

    def _caged(
        self,
        cage: sandbox.Sandbox,
        argv: Sequence[str],
        env: dict[str, str],
        folder: Path,
        *,
        agent: AgentRun | None,
        shared_network: bool,
    ) -> sandbox.Command:
        """The command inside the sandbox; what it finds there of programs goes into ``env``."""
        programs = agent.programs if agent is not None else None
        if programs is not None:
            env |= {"PATH": sandbox.narrowed(argv[0], env["PATH"])}
        return cage.wrap(
            argv,
            env=env,
            clone=folder,
            home=self.scratch(folder, "home"),
            tmp=self.scratch(folder, "tmp"),
            files=agent.files if agent is not None else None,
            readable=[Path(path).expanduser() for path in self.town.settings.workspace.readable],
            stand_ins=self._stand_ins(agent) if agent is not None else {},
            socket=agent.agent_socket.path if agent is not None else None,
            hidden=list(private(self.town)),
            shared_network=shared_network,
            logins=self.town.state / "logins",
            etc=self.town.state / "etc",
            review=agent is not None and agent.speaker is not None,
            tools=programs,
        )

    def _renew(self, command: sandbox.Command) -> bool:
        command.tend()
        return self.renew()

    def _limits(self, folder: Path) -> quota.Limits:
        wanted = self.town.settings.sandbox
        written = (folder, *scratch_folders(folder))
        return quota.Limits(wanted.memory, wanted.processes, wanted.disk, wanted.open_files, written)

    # -- folders of a CLI that outlive a run -----------------------------------------------------------

    def _stand_ins(self, agent: AgentRun) -> dict[Path, Path]:
        """What stands in the sandbox for the folders in which a CLI keeps sessions and caches."""
        sessions = {place: self._session_folder(place, agent) for place in agent.sessions}
        return sessions | {place: self._stand_in("caches", place, agent) for place in agent.caches}

    @property
    def _reviews(self) -> bool:
        return self.claim.attempt.purpose is Purpose.REVIEW

    def _stand_in(self, sort: str, place: Path, agent: AgentRun) -> Path:
        """What stands there for the CLI's folder ``place`` in all attempts of this agent on this item.

        What a run for work left there is never seen by a review, nor by another item's: programs are run from caches.
        """
        kind = "review" if self._reviews else "work"
        folder = self.paths.logs.parent / sort / self.claim.agent / agent.cli / kind / keys.marked_slug(str(place))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _session_folder(self, place: Path, agent: AgentRun) -> Path:
        """What stands there for a CLI's folder of sessions: no run configures another one, and no review goes on."""
        if self._reviews:
            return self.scratch(self.paths.clone, keys.marked_slug(str(place)))
        shown = (*agent.files.readable, *agent.files.excerpts) if agent.files is not None else ()
        return without_configuration(self._stand_in("sessions", place, agent), place, shown)
