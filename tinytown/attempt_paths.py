"""Where the files of an attempt lie on a machine. Nothing else knows their names.

::

    work/<mission>/<item>/<number>             the clone that its agent works in
    work/<mission>/<item>/<number>-<name>      the clone of a check
    work/<mission>/<item>/<number>….<name>     scratch folders beside such a clone
    attempts/<mission>/<item>/<number>/        brief and logs, which stay
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinytown import keys
from tinytown.town import Town


@dataclass(frozen=True)
class AttemptPaths:
    """The folders of one attempt."""

    #: The working folder of its agent.
    clone: Path
    #: Brief and logs; they stay when the attempt is over.
    logs: Path

    @property
    def brief(self) -> Path:
        """What its agent was told."""
        return self.logs / "brief.md"

    @property
    def session(self) -> Path:
        """Names the session of the CLI that it was."""
        return self.logs / "session"

    def numbered(self, number: int) -> AttemptPaths:
        """The folders of another attempt at the same item."""
        return AttemptPaths(self.clone.with_name(str(number)), self.logs.with_name(str(number)))

    def beside(self, name: str) -> Path:
        """A clone of its own for a check or another command of this attempt."""
        return self.clone.with_name(f"{self.clone.name}-{name}")


def paths_of(town: Town, mission: str, key: str, number: int) -> AttemptPaths:
    """The folders of an attempt, by its mission's id and its item's key."""
    place = Path(mission[:8]) / keys.key_slug(key) / str(number)
    return AttemptPaths(town.work / place, town.attempts / place)


def scratch_folder(clone: Path, name: str) -> Path:
    """Where one of the folders of a run in ``clone`` is, beside it."""
    return clone.with_name(f"{clone.name}.{name}")


def scratch_folders(clone: Path) -> tuple[Path, ...]:
    """Those that the runs in one clone write into and share: their home in the sandbox, and their temporary files."""
    return scratch_folder(clone, "home"), scratch_folder(clone, "tmp")


def all_scratch(town: Town) -> list[Path]:
    """Every scratch folder of every attempt on this machine."""
    return list(town.work.glob("*/*/[0-9]*.*"))


def attempt_of(folder: Path) -> Path:
    """The attempt's own clone, for any folder of it: a check's clone, or scratch."""
    return folder.with_name(re.split("[-.]", folder.name)[0])
