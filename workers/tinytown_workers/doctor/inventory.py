"""What an agent can read, write and reach: for ``tt doctor --sandbox CLI``, by what its run would be given.

``python -m tinytown_workers.doctor.inventory CLI`` prints it as JSON. Nothing is started but the trial of the sandbox.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tinytown import plugins
from tinytown.agents.driver import AnswersAlone, Driver, NeedsHosts, Request
from tinytown.agents.shown import private, shown
from tinytown.errors import TinytownError
from tinytown.settings import AgentCliSettings
from tinytown.town import Town, open_town
from tinytown_workers import sandbox
from tinytown_workers.network import egress
from tinytown_workers.run import environment
from tinytown_workers.sandbox import system
from tinytown_workers.sandbox.mounts import Mount
from tinytown_workers.sandbox.view import View, Wanted, files_of, view

_CLONE, _HOME, _TMP, _PROGRAMS = "clone", "home", "tmp", "bin"


def inventory(town: Town, name: str) -> dict[str, Any]:
    """What is told of the CLI ``name``, by the keys of the JSON.

    Raises:
        ConfigurationError: there is no such CLI, or its settings are wrong.
    """
    cli = town.settings.agent_clis.get(name) or AgentCliSettings()
    driver: Driver = plugins.driver(name, cli, configured=town.settings.agent_clis)
    cage = sandbox.of_town(town)
    told: dict[str, Any] = {"cli": name, "sandbox": cage.kind, "weak": [asdict(one) for one in cage.weaknesses()]}
    path = os.environ.get("PATH") or environment.DEFAULT_PATH
    alone = isinstance(driver, AnswersAlone) and driver.answers_alone
    told["approves"] = "answer" if alone else cli.verdict_by
    told["program"] = shutil.which(driver.executable(), path=path)
    if cage.kind == "none":
        return told | {"why": cage.reason}
    home = Path(cli.env.get("HOME") or os.environ.get("HOME") or "/")
    with tempfile.TemporaryDirectory(prefix="tt-inventory-") as scratch:
        made, undecided = _view(town, name, cli, driver, home, Path(scratch))
        told["system"] = [*(one for one in system.SYSTEM if Path(one).exists()), *_etc()]
        told["entries"] = [*_entries(made, home, Path(scratch), undecided)]
    told["left_out"] = [{"path": str(path), "why": why} for path, why in made.left_out.items()]
    return told | {"network": _reach(town, cli, driver, cage)}


def left_out(town: Town, name: str) -> Mapping[Path, str]:
    """What the CLI's driver or the settings would show, and is not shown, and why."""
    cli = town.settings.agent_clis.get(name) or AgentCliSettings()
    home = Path(cli.env.get("HOME") or os.environ.get("HOME") or "/")
    with tempfile.TemporaryDirectory(prefix="tt-inventory-") as scratch:
        return _view(town, name, cli, plugins.driver(name, cli), home, Path(scratch))[0].left_out


def _view(
    town: Town, name: str, cli: AgentCliSettings, driver: Driver, home: Path, scratch: Path
) -> tuple[View, Mapping[Path, str]]:
    """What a run would find, with folders of ours in the place of its clone and the like; and what is undecided."""
    brief = scratch / "brief.md"
    brief.touch()
    folders = {folder: scratch / folder for folder in (_CLONE, _HOME, _TMP, "kept")}
    for folder in folders.values():
        folder.mkdir()
    invocation = driver.invocation(
        Request(prompt="", prompt_file=brief, workspace=folders[_CLONE], home=home, sandboxed=True)
    )
    for file, text in invocation.files.items():
        file.write_text(text, encoding="utf-8")
    env = environment.for_agent(
        os.environ,
        programs=environment.programs_folder(scratch / _PROGRAMS),
        tmp=Path("/tmp"),  # noqa: S108 - the sandbox's own
        program=driver.executable(),
        cli_env={**town.settings.workspace.env, **cli.env},
        driver_env=invocation.env,
        marks={},
    )
    files = files_of(invocation, shown(name, cli, home=home, kept=private(town)), [brief])
    more = tuple(Path(path).expanduser() for path in town.settings.workspace.readable)
    wanted = Wanted(
        program=invocation.argv[0],
        env=env,
        clone=folders[_CLONE],
        home=folders[_HOME],
        tmp=folders[_TMP],
        files=replace(files, readable=(*files.readable, *more)),
        stand_ins=dict.fromkeys((*invocation.sessions, *invocation.caches), folders["kept"]),
        hidden=list(private(town)),
    )
    return view(wanted), invocation.undecided


def _entries(made: View, home: Path, scratch: Path, undecided: Mapping[Path, str]) -> Iterator[dict[str, str]]:
    """Each thing that is shown or hidden: its path, whether it is read or written, and what of it."""
    names = {scratch / _CLONE: "its clone", scratch / _PROGRAMS: "tinytown's programs", home: "an empty home"}
    names |= {Path("/tmp"): "its own /tmp"}  # noqa: S108
    for mount in made.mounts:
        inside = mount.place.is_relative_to(scratch) and mount.place not in names
        path = names.get(mount.place) or (f"its {mount.place.name}" if inside else str(mount.place))
        what = _what(mount, made, () if mount.place in names else (mount.place,))
        if mount.place in undecided and (mount.text or mount.part is not None):
            what = {**what, "what": f"the keys of several providers, since {undecided[mount.place]}"}
        yield {"path": path, **what}


def _what(mount: Mount, made: View, stand_ins: Collection[Path]) -> Mapping[str, str]:
    if mount.mask:
        return {"access": "none", "what": "hidden"}
    if mount.text:
        return {"access": "read", "what": "only the fields that it needs"}
    if mount.part is not None:
        return {"access": "write", "what": "only the fields that it needs"}
    if mount.option != "--bind":
        return {"access": "read", "what": "all of it"}
    if mount not in made.own:
        return {"access": "write", "what": "yours"}
    return {"access": "write", "what": "a private one" if mount.place in stand_ins else "its own"}


def _etc() -> Iterator[str]:
    yield from (f"/etc/{name}" for name in system.ETC if Path("/etc", name).exists())


def _reach(town: Town, cli: AgentCliSettings, driver: Driver, cage: sandbox.Sandbox) -> dict[str, Any]:
    """By the same rules as the network of a run."""
    policy = egress.of(town.settings.sandbox, cli, driver.hosts if isinstance(driver, NeedsHosts) else ())
    why = "`egress` is open" if policy.egress == "open" else sandbox.try_network(replace(cage, shares_network=""))
    return {
        "shared": bool(why),
        "why": why,
        "egress": policy.egress,
        "hosts": [*policy.hosts, *policy.services, *(f"{host}:{port}" for host, port in sorted(policy.given))],
        "loopback": sorted(policy.loopback),
    }


def main(name: str) -> int:
    """The process; gives its exit code."""
    answer: dict[str, Any]
    try:
        answer = inventory(open_town(), name)
    except TinytownError as error:
        answer = {"error": error.message, "remedy": error.remedy}
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
