"""One run of a vendor's CLI as a worker runs it: its driver, the sandbox, the guard and the limits, without a town."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown import plugins
from tinytown.agents.driver import Driver, Output, Request, Result, SortsLines, TellsWaits
from tinytown.agents.shown import Shown
from tinytown.settings import AgentCliSettings, SandboxSettings
from tinytown_workers import sandbox
from tinytown_workers.network import egress
from tinytown_workers.run import environment, networks
from tinytown_workers.run.announce import announced
from tinytown_workers.run.run_spec import Ended, RunSpec
from tinytown_workers.run.runner import Runner

BRIEF = "Write hello.txt with the word hello.\n"


@dataclass(frozen=True)
class Alone:
    """How a run ended and what its driver made of it."""

    ended: Ended
    result: Result

    def __str__(self) -> str:
        ended = self.ended
        ends = f"{ended.stdout[-2000:]}\n-- stderr\n{ended.stderr[-2000:]}"
        return f"{ended.reason} {ended.exit_code} after {ended.duration:.0f} s\n{self.result!r}\n-- stdout\n{ends}"


def run(
    cli: str,
    env: Mapping[str, str],
    folder: Path,
    *,
    timeout: float,
    patience: float,
    loopback: Sequence[int] = (),
    clone: Path | None = None,
    review: bool = False,
    options: Sequence[str] = (),
) -> Alone:
    """Run ``cli`` once on ``BRIEF``, in a fresh clone below ``folder``; ``patience`` is that with its own trouble.

    ``loopback`` are ports that the town's configuration lets in; ``clone`` is another one that is there already;
    ``options`` are more of its own, before those that its driver gives.
    """
    home, tmp, logs = (folder / name for name in ("own-home", "tmp", "logs"))
    for place in (home, tmp, logs):
        place.mkdir(parents=True)
    if clone is None:
        clone = folder / "clone"
        clone.mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=clone, check=True)
    brief = logs / "brief.md"
    brief.write_text(BRIEF, encoding="utf-8")
    driver: Driver = plugins.driver(cli, AgentCliSettings(env=dict(env)))
    cage = sandbox.detect("auto")
    caged = cage.kind == "bwrap"
    request = Request(BRIEF, brief, clone, home=Path(os.environ["HOME"]), sandboxed=caged, review=review)
    invocation = driver.invocation(request)
    at = 2 if cli == "codex" else 1
    argv = [*invocation.argv[:at], *options, *invocation.argv[at:]]
    for path, text in invocation.files.items():
        path.write_text(text, encoding="utf-8")
    seen = environment.for_agent(
        os.environ,
        programs=environment.programs_folder(folder / "bin"),
        tmp=Path("/tmp") if caged else tmp,
        cli_env=env,
        driver_env=invocation.env,
        marks={"TINYTOWN_ATTEMPT": "1"},
    )
    stand_ins = {}
    for number, place in enumerate((*invocation.sessions, *invocation.caches)):
        stand_ins[place] = folder / f"kept-{number}"
        stand_ins[place].mkdir()
    policy = egress.of(SandboxSettings(loopback=list(loopback)), AgentCliSettings(env=dict(env)))
    with networks.served(cage, policy, {**os.environ, **seen}, logs / "network.log", egress.Refusals()) as network:
        if network is not None:
            seen |= network.variables(seen)
        if review and caged:
            seen["PATH"] = sandbox.narrowed(invocation.argv[0], seen["PATH"])
        command = cage.wrap(
            argv,
            env=seen,
            clone=clone,
            home=home,
            tmp=tmp,
            files=sandbox.files_of(invocation, Shown(), [brief]),
            stand_ins=stand_ins,
            shared_network=network is None,
            logins=folder / "logins",
            review=review,
            tools=invocation.programs if review else None,
        )
        spec = RunSpec(
            id=f"alone-{os.getpid()}-{time.monotonic_ns()}",
            argv=_announced(command.argv, argv) if review and caged else command.argv,
            files=command.files,
            env=seen,
            cwd=clone,
            logs=logs,
            stdin=invocation.stdin,
            timeout=timeout,
            sort=driver.sort if isinstance(driver, SortsLines) and invocation.streams else None,
            waits=driver.waits if isinstance(driver, TellsWaits) else None,
            patience=patience,
            wrapped=caged,
            network=network,
            on_speaker=(lambda pid, born: None) if review else None,
        )
        runner = Runner()
        try:
            ended = runner.run(spec, on_started=lambda pid: None, renew=lambda: True, stop=threading.Event())
        finally:
            runner.close()
    return Alone(ended, driver.result(Output(ended.exit_code, ended.stdout, ended.stderr, now=time.time())))


def _announced(argv: Sequence[str], inner: Sequence[str]) -> list[str]:
    return [*argv[: -len(inner)], *announced(inner)]
