"""Run the checks of a repository on one exact commit, in a clean clone that is furnished as an agent's is."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown.missions.model import Verdict
from tinytown_workers import furnishing, workspace
from tinytown_workers.furnishing import CutShortError, Place
from tinytown_workers.scene import CUT_SHORT, Scene


@dataclass(frozen=True)
class Trial:
    """What the checks said of a commit."""

    verdict: Verdict
    #: The command that failed; empty where none did.
    failed: str = ""


@dataclass(frozen=True)
class Court:
    """Where commits of one repository are tried, by one attempt."""

    scene: Scene
    mirror: Path
    repo: str
    #: Tip of the base; empty if that is gone.
    base: str

    def hear(self, sha: str, commands: Sequence[str], *, name: str = "", afresh: bool = False) -> Trial:
        """Every command on ``sha``; stops at the first that fails. ``name`` tells its logs from others'.

        With ``afresh`` its setup has nothing that an earlier one made.

        Raises:
            SetupFailedError: the clone could not be made fit for it.
            CutShortError: the attempt was ended meanwhile.
        """
        scene, limit = self.scene, self.scene.town.settings.forge.local.check_timeout
        folder = scene.folder.with_name(f"{scene.folder.name}-{name}{sha[:12]}")
        logs = scene.logs / name if name else scene.logs
        prepared = workspace.prepare_at(self.mirror, folder, sha)
        try:
            furnishing.furnish(scene, prepared, Place(self.mirror, self.repo, self.base, logs, limit, afresh))
            deadline = time.monotonic() + limit
            for number, command in enumerate(commands, start=1):
                ended = scene.run(
                    shlex.split(command),
                    folder=folder,
                    logs=logs / f"check-{number}",
                    role="checks",
                    timeout=max(1.0, deadline - time.monotonic()),
                )
                why = ""
                if ended.reason == "timed_out":
                    why = f"`{command}` ran longer than {limit:g} s"
                elif ended.reason in CUT_SHORT:
                    raise CutShortError(*CUT_SHORT[ended.reason])
                elif ended.exit_code != 0:
                    why = f"`{command}` failed with exit code {ended.exit_code}"
                if why:
                    details = furnishing.tail_of(ended)
                    return Trial(Verdict(passed=False, sha=sha, why=why, details=details), command)
            return Trial(Verdict(passed=True, sha=sha))
        finally:
            workspace.remove(folder)
