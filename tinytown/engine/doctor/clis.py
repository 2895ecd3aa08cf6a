"""The agent CLIs: installed, which release, logged in. No command that could start a paid run is ever called."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tinytown import contract, plugins, processes, programs
from tinytown.agents import login
from tinytown.agents.driver import LoginCheck, VersionCheck
from tinytown.agents.shown import private, shown
from tinytown.engine.context import Context
from tinytown.engine.doctor.findings import Check, Finding, Status
from tinytown.errors import TinytownError
from tinytown.host import server
from tinytown.settings import AgentCliSettings
from tinytown.town import Town

#: Seconds that a CLI gets to answer one question.
PATIENCE = 4.0
#: Seconds that the trial in the sandbox gets; it has a limit of its own.
TRIAL_PATIENCE = 40.0

_VERSION = re.compile(r"\d+\.\d+(?:[.+-]\w+)*")


def checks(town: Town) -> Iterator[Check]:
    """A check for every CLI that the configuration or an agent names, and for the default."""
    for name, used in sorted(_names(town).items()):
        yield Check(f"cli {name}", partial(_findings, town, name, used=used))


def _names(town: Town) -> dict[str, bool]:
    """Names of CLIs, and whether they were asked for: if only the built-in default is missing, that is no fault."""
    settings = town.settings
    named = {role.cli for role in settings.roles.values() if role.cli} | set(settings.agent_clis)
    named |= {name for role in settings.roles.values() for name in role.fallback}
    named |= {getattr(settings, key) for key in settings.model_fields_set if key.endswith("_cli")}
    named |= _of_agents(town)
    return {settings.default_cli: False, **dict.fromkeys(filter(None, named), True)}


def _of_agents(town: Town) -> set[str]:
    if town.settings.redis.url is None and server.server_process(town) is None:
        return set()
    try:
        context = Context(town, server.server_url(town), retries=0)
        return {agent.cli for agent in context.crew.agents().values() if agent.cli}
    except TinytownError:
        return set()  # The check of the server says why.


def _findings(town: Town, name: str, *, used: bool) -> Iterator[Finding]:
    check = f"cli {name}"
    bad: Status = "fail" if used else "warn"
    cli = town.settings.agent_clis.get(name) or AgentCliSettings()
    driver: Any = plugins.driver(name, cli)
    program = str(driver.executable())
    env = _environment(cli)
    found = shutil.which(program, path=env["PATH"])
    if found is None:
        remedy = f"install it, or set `command` under [agent_clis.{name}] in tinytown.toml"
        yield Finding(check, bad, f"`{program}` was not found", remedy)
        return
    home = Path(env.get("HOME") or "/")
    for path in shown(name, cli, home=home, kept=private(town)).missing():
        remedy = f"create it, or remove it from [agent_clis.{name}] in tinytown.toml"
        yield Finding(check, "warn", f"{path}, which it should be able to read, does not exist", remedy)
    told = _told(town, name, driver, env)
    if told is False:
        # Yielded before any program is started: on a busy machine that may take longer than the deadline.
        yield Finding(check, bad, f"{found}, not logged in", _log_in(name, driver))
    trouble, left_out = _in_the_sandbox(town, name)
    for one in left_out:
        remedy = f"see `tt doctor --sandbox {name}`; `[agent_clis.{name}] readable` shows all of a file"
        yield Finding(check, "warn", one, remedy)
    if trouble:
        remedy = f"name what it needs in `[agent_clis.{name}] readable`, or install it as one program"
        yield Finding(check, bad, f"{found} does not start in the sandbox: {trouble}", remedy)
    elif told is not False:
        detail = f"{found}, version {_version(driver, town, env)}"
        logged_in = _logged_in(driver, town, env, told)
        if logged_in is None:
            yield Finding(check, "ok", f"{detail}, whether it is logged in: unknown")
        elif logged_in:
            yield Finding(check, "ok", f"{detail}, logged in")
        else:
            yield Finding(check, bad, f"{detail}, not logged in", _log_in(name, driver))


def _told(town: Town, name: str, driver: object, env: dict[str, str]) -> bool | None:
    """Whether it is logged in by its files, as an agent's clone would see them."""
    folders = [town.root / repo.path for repo in town.settings.forge.local.repos.values()] or [town.root]
    return login.told(town, name, driver, home=Path(env.get("HOME") or "/"), path=env["PATH"], folders=folders)


def _log_in(name: str, driver: Any) -> str:
    argv = _login_check(driver)
    see = f"; see it with `{' '.join(argv)}`" if argv else ""
    return f"log in with `{driver.executable()}`, or give it a key in `[agent_clis.{name}] env`{see}"


def _login_check(driver: object) -> Sequence[str] | None:
    return driver.login_check() if isinstance(driver, LoginCheck) else None


def _in_the_sandbox(town: Town, name: str) -> tuple[str, Sequence[str]]:
    """What keeps it from starting there, and which files are not shown; empty also where that could not be tried."""
    if town.settings.sandbox.kind == "none":
        return "", ()
    argv = [sys.executable, "-P", "-m", "tinytown_workers.doctor.rehearsal", name]
    env = {**contract.for_processes(os.environ), contract.ENV_TOWN: str(town.root)}
    try:
        done = processes.run(argv, cwd="/", env=env, timeout=TRIAL_PATIENCE, check=False)
    except TinytownError:
        return "", ()
    trouble, *left_out = done.stdout.splitlines() if done.ok and done.stdout else [""]
    return trouble.strip(), left_out


def _version(driver: object, town: Town, env: dict[str, str]) -> str:
    argv = driver.version_check() if isinstance(driver, VersionCheck) else None
    if argv is None:
        return "unknown"
    done = _ask(argv, town, env)
    found = _VERSION.search(done.stdout) if done is not None and done.ok else None
    return found[0] if found else "unknown"


def _logged_in(driver: object, town: Town, env: dict[str, str], told: bool | None) -> bool | None:
    """Whether it is logged in: by its own word if it has a command for that, else by its files."""
    argv = _login_check(driver)
    done = _ask(argv, town, env) if argv is not None else None
    if done is None or (not done.ok and told is None and not getattr(driver, "check_sees_all", True)):
        return told
    return done.ok


def _ask(argv: Sequence[str], town: Town, env: dict[str, str]) -> processes.Completed | None:
    """What the command prints; ``None`` if it prints nothing in time."""
    try:
        folder = town.runtime if town.runtime.is_dir() else Path("/")
        return processes.run(argv, cwd=folder, env=env, timeout=PATIENCE, check=False)
    except TinytownError:
        return None


def _environment(cli: AgentCliSettings) -> dict[str, str]:
    """The environment of its runs, not of this shell, since a key in this shell does not reach an agent."""
    seen = {name: text for name, text in os.environ.items() if contract.agent_sees(name)}
    return {
        "LANG": "C.UTF-8",
        **seen,
        "PATH": programs.agents_path(os.environ.get("PATH") or os.defpath),
        "TERM": "dumb",
        **cli.env,
    }
