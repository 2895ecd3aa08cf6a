"""How well agents are kept from the machine: said at each start and by ``tt doctor``, and shown by ``tt status``.

Only a worker knows what its sandbox does, so one is asked: a process of its own that tries it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass

from tinytown import contract, files, processes
from tinytown.errors import ConfigurationError, TinytownError
from tinytown.town import Town

#: Seconds that the trial may take; it has a limit of its own.
PATIENCE = 30.0
_RECORD = "sandbox.json"


@dataclass(frozen=True)
class Weakness:
    """Something that an agent could do and should not be able to, and what to do about it."""

    said: str
    remedy: str


def weaknesses(town: Town | None) -> list[Weakness]:
    """What is weaker than it could be; without a town, with the default settings.

    Raises:
        ConfigurationError: the settings demand more than this machine has.
    """
    if town is not None and town.settings.sandbox.kind == "none":
        return [off()]
    argv = [sys.executable, "-P", "-m", "tinytown_workers.sandbox", *(["--town"] if town is not None else [])]
    env = contract.for_processes(os.environ) | ({contract.ENV_TOWN: str(town.root)} if town is not None else {})
    try:
        answer = json.loads(processes.run(argv, cwd="/", env=env, timeout=PATIENCE).stdout)
    except (TinytownError, ValueError) as error:
        if town is not None and town.settings.sandbox.required:
            raise ConfigurationError(
                f"`[sandbox] required = true`, but the sandbox could not be tried: {error}", remedy="see `tt doctor`"
            ) from None
        return [Weakness(f"the sandbox could not be tried: {error}", "see `tt doctor`")]
    if "error" in answer:
        raise ConfigurationError(answer["error"], remedy=answer["remedy"])
    return [Weakness(**one) for one in answer["weak"]]


def renew(town: Town) -> list[Weakness]:
    """Find the weaknesses, and keep them on record for ``known``."""
    weak = weaknesses(town)
    files.private_folder(town.run)
    files.write_atomically(town.run / _RECORD, json.dumps([asdict(one) for one in weak]))
    return weak


def known(town: Town) -> list[Weakness]:
    """The weaknesses that the last start found."""
    try:
        found = json.loads((town.run / _RECORD).read_text(encoding="utf-8"))
        return [Weakness(str(one["said"]), str(one["remedy"])) for one in found]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def forget(town: Town) -> None:
    """Drop what the last start found."""
    (town.run / _RECORD).unlink(missing_ok=True)


def off() -> Weakness:
    """The weakness of a town whose sandbox is switched off in its settings."""
    return Weakness(
        f"there is no sandbox (`[sandbox] kind`): agents run {rights()}",
        'set `kind = "auto"` under [sandbox], unless nothing here is worth protecting',
    )


def rights() -> str:
    """What an agent without a sandbox may do, in words."""
    return "as root" if os.geteuid() == 0 else "with your own rights"
