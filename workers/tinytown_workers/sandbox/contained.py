"""The command that starts a program inside a container: what bubblewrap would be told, told to podman or Docker."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tinytown import contract
from tinytown.errors import ConfigurationError
from tinytown_workers.container import carrier, inner
from tinytown_workers.container.engine import CARRIER, INNER, LABEL_CARRIER, LABEL_RUN, LABEL_TOWN, Engine, EngineError
from tinytown_workers.container.engine import environment as of_engine
from tinytown_workers.container.layout import Layout, UnwritableError
from tinytown_workers.limits.quota import Limits
from tinytown_workers.network import netns
from tinytown_workers.sandbox import lending, rlimits
from tinytown_workers.sandbox.command import CHANNEL, ORDER, TOLD, Command
from tinytown_workers.sandbox.identity import Identity

#: Bytes of shared memory inside.
SHM_BYTES = 1 << 30
#: Characters of the parts of a container's name.
_NAME_CHARS = 40


def command(
    engine: Engine,
    argv: Sequence[str],
    options: Sequence[str],
    texts: Mapping[str, bytes],
    *,
    env: Mapping[str, str],
    cwd: Path,
    beside: Path,
    own: Sequence[Path],
    identity: Identity | None,
    rules: bytes,
    limits: Limits,
    keeps_limits: bool,
    shared_network: bool,
    closing: Sequence[Callable[[], None]],
) -> Command:
    """What runs ``argv`` in a container that shows what bubblewrap's ``options`` say.

    Args:
        texts: the content of open files, by their names in ``options``.
        env: of the run; its marks name the container.
        cwd: the folder to start in.
        beside: a folder of ours beside which files for this run may lie.
        own: folders of ours among what is shown, made for this run.
        identity: whom it runs as; ``None`` for this user.
        rules: the filter of system calls.
        keeps_limits: the engine keeps those of memory and processes.
        closing: what has to be called when it has ended.

    Raises:
        ConfigurationError: the engine does not work, or a path cannot be told to it.
    """
    me = Identity(os.geteuid(), os.getegid())
    user = identity or me
    prepared = Path(tempfile.mkdtemp(prefix=f"{beside.name}.box-", dir=beside.parent))
    name = _name(env)
    remove = partial(_remove, engine, name, prepared)
    try:
        talk = _folder_of_inner(prepared)

        def of(folder: Path) -> Identity:
            return me if folder.is_relative_to(prepared) else user

        layout = Layout(
            prepared,
            own,
            make_place=lambda folder, place, inner: lending.make_place(folder, place, of(folder), is_folder=inner),
            make_link=lambda folder, place, target: lending.make_link(folder, place, target, of(folder)),
        )
        layout.take([*options, "--ro-bind", str(talk), INNER], texts)
        start = engine.start(
            name=name,
            labels={LABEL_TOWN: town_label(env), LABEL_RUN: env.get(contract.ENV_RUN, ""), LABEL_CARRIER: CARRIER},
            user=(user.uid, user.gid),
            mounts=layout.mounts(),
            image=engine.empty_image(),
            program=[sys.executable, "-I", "-S", f"{INNER}/inner.py", f"{INNER}/{carrier.SOCKET}"],
            shared_network=shared_network,
            memory=limits.memory if keeps_limits else 0,
            processes=limits.processes if keeps_limits else 0,
            shm=SHM_BYTES,
        )
    except UnwritableError as error:
        remove()
        raise ConfigurationError(
            f"{engine.name} cannot show {error}: its path has a comma, a quote or a line break",
            remedy='rename it, or set `kind = "bwrap"` under [sandbox]',
        ) from None
    except EngineError as error:
        remove()
        raise ConfigurationError(str(error), remedy="see `tt doctor`") from None
    except BaseException:
        remove()
        raise
    order = {
        "start": start,
        "env": of_engine(),
        "folder": str(talk),
        "argv": list(argv),
        "cwd": str(cwd),
        "filter": base64.b64encode(rules).decode(),
        "open_files": rlimits.open_files(limits),
        "ports": [] if shared_network else [1],
        "watched": [one for one in ("memory", "processes") if keeps_limits and getattr(limits, one)],
    }
    return Command(
        [sys.executable, "-I", "-S", str(carrier.__file__), ORDER, CHANNEL, TOLD],
        {ORDER: json.dumps(order).encode()},
        (remove, *closing),
        tuple(closing),
        program=tuple(argv),
        carried=True,
        watched=not keeps_limits,
    )


def town_label(env: Mapping[str, str]) -> str:
    """What containers of a town on this machine are labelled with, by the marks of a run."""
    return f"{socket.gethostname()}:{env.get(contract.ENV_TOWN, '')}"


def _name(env: Mapping[str, str]) -> str:
    """The name of a container: the town's folder, the run, and what makes it the only one."""
    parts = [Path(env.get(contract.ENV_TOWN) or "trial").name, env.get(contract.ENV_RUN, "")]
    said = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-")[-_NAME_CHARS:] for part in parts if part)
    return f"tinytown-{said}-{secrets.token_hex(4)}"


def _folder_of_inner(prepared: Path) -> Path:
    """The folder that appears as ``INNER``: the first process's program, and soon its socket."""
    folder = prepared / "inner"
    folder.mkdir()
    for program in (Path(str(inner.__file__)), Path(str(netns.__file__))):
        shutil.copyfile(program, folder / program.name)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    return folder


def _remove(engine: Engine, name: str, prepared: Path) -> None:
    """What the engine has not removed itself, because it was killed; and what was prepared."""
    if engine.left(name):
        engine.remove(name)
    shutil.rmtree(prepared, ignore_errors=True)
