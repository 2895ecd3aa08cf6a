"""Whether an agent CLI starts inside the sandbox: ``tt doctor`` asks, since only a worker knows what is shown there.

``python -m tinytown_workers.doctor.rehearsal CLI`` prints a line that says what is wrong, empty where it starts, and
one for each of its files that is not shown although it should be. The CLI is asked for its release where its driver
knows how; of any other command only the programs that run it are looked for, because it could begin work. Somebody
waits for the answer, so little is imported: no Celery, no client of a database.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tinytown import plugins
from tinytown.agents.driver import VersionCheck
from tinytown.agents.shown import private, shown
from tinytown.errors import TinytownError
from tinytown.settings import AgentCliSettings
from tinytown.town import Town, open_town
from tinytown_workers import sandbox
from tinytown_workers.doctor import inventory
from tinytown_workers.run import environment
from tinytown_workers.run.announce import NOT_EXECUTABLE, NOT_FOUND
from tinytown_workers.sandbox import program_files

#: Seconds that it may take: some are large programs that start slowly.
PATIENCE = 20.0

_LOOK = f'for file; do [ -x "$file" ] || {{ echo "$file is not there" >&2; exit {NOT_FOUND}; }}; done'


def rehearse(town: Town, name: str) -> str:
    """What keeps the CLI ``name`` from starting in the sandbox; empty if nothing does, or if there is no sandbox.

    Raises:
        ConfigurationError: its settings are wrong.
    """
    cage = sandbox.of_town(town)
    cli = town.settings.agent_clis.get(name) or AgentCliSettings()
    driver: Any = plugins.driver(name, cli)
    home = Path(cli.env.get("HOME") or os.environ.get("HOME") or "/")
    mine = shown(name, cli, home=home, kept=private(town))
    path = environment.path_of_agents(os.environ)
    found = shutil.which(str(driver.executable()), path=path)
    if cage.kind == "none" or found is None:
        return ""
    argv = list((driver.version_check() if isinstance(driver, VersionCheck) else None) or ())
    if not argv:
        argv = ["sh", "-c", _LOOK, "sh", *map(str, program_files.interpreters(Path(found), path))]
    with tempfile.TemporaryDirectory(prefix="tt-rehearsal-") as scratch:
        clone, own_home, tmp, programs = (Path(scratch, folder) for folder in ("clone", "home", "tmp", "bin"))
        for folder in (clone, own_home, tmp):
            folder.mkdir()
        env = environment.for_agent(
            os.environ,
            programs=environment.programs_folder(programs),
            tmp=Path("/tmp"),  # noqa: S108 - the sandbox's own
            program=found,
            cli_env=cli.env,
            driver_env={},
            marks={},
        )
        command = cage.wrap(
            argv,
            env=env,
            clone=clone,
            home=own_home,
            tmp=tmp,
            files=sandbox.Files(scripts=[Path(found)], readable=mine.readable, writable=mine.writable),
            hidden=list(private(town)),
            logins=Path(scratch, "logins"),
        )
        try:
            done = command.run(env, timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            return ""  # Slow, or nothing that could be tried: no proof that it would not start.
    if done.returncode not in (NOT_FOUND, NOT_EXECUTABLE):
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"


def main(name: str) -> int:
    """The process; gives its exit code."""
    try:
        town = open_town()
        sys.stdout.write(f"{rehearse(town, name)}\n")
        if sandbox.of_town(town).kind != "none":
            for path, why in inventory.left_out(town, name).items():
                sys.stdout.write(f"{path} is not shown in the sandbox: {why}\n")
    except TinytownError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
