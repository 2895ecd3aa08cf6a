"""What earlier attempts at an item left, so that the next one goes on from it.

An attempt that failed, was ended or was refused brought its work into the mirror itself. What a dead worker left
lies in its clone until somebody saves it: the next attempt, or the sweeper.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from tinytown.errors import TinytownError
from tinytown.git.repository import Git
from tinytown_workers.attempt import folder_lock
from tinytown_workers.collect import kept_refs
from tinytown_workers.collect.kept_refs import Kept
from tinytown_workers.limits import isolated
from tinytown_workers.workspace import workspace

log = logging.getLogger(__name__)

#: Refs of the work that attempts brought in themselves.
ATTEMPTS = "refs/tinytown/attempts"

_NUMBER = re.compile(r".*/(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class EarlierWork:
    """Where an attempt begins."""

    #: Commit to go on from; ``None`` where there is nothing but the base.
    head: str | None = None
    #: It contains work that no gate has seen.
    unfinished: bool = False
    #: Numbers of the attempts whose work it contains.
    attempts: tuple[int, ...] = ()
    #: Work that they left elsewhere than on their branches, and that nobody has used yet.
    elsewhere: tuple[Kept, ...] = ()


def attempt_ref(folder: Path) -> str:
    """Where the mirror keeps the work that the attempt in ``folder`` brought in itself."""
    return f"{ATTEMPTS}/{_name(folder)}"


def find(
    mirror: Path, folder: Path, *, head: str | None, salvage: str | None, since: int = 0, patience: float = 0.0
) -> EarlierWork:
    """The newest work on an item, of which ``head`` and ``salvage`` are on record; saves what dead workers left.

    ``folder`` is the next attempt's. Work that does not contain ``head`` is older than it, or beside it; that of the
    attempts up to ``since`` is not gone on from. An attempt that still winds down here is given ``patience`` seconds.
    """
    if folder.name == "1":
        return EarlierWork(head, unfinished=False)
    for abandoned in workspace.folders(folder.parent.parent.parent):
        if abandoned.parent == folder.parent and abandoned != folder and abandoned.name.isdigit():
            with folder_lock.held(abandoned, timeout=patience) as ours:
                if ours:
                    save(abandoned, mirror)
    own = Git.own(mirror)
    places = (attempt_ref(folder).rpartition("/")[0], workspace.salvage_ref(_name(folder)).rpartition("/")[0])
    saved = sorted(
        (tuple(int(part or 0) for part in found.groups()), sha)
        for name, sha in own.refs(*places).items()
        if (found := _NUMBER.fullmatch(name)) and int(found[1]) > since
    )
    newest = head
    for sha in (*(sha for _, sha in reversed(saved)), salvage):
        if sha is not None and own.commit(sha) and (head is None or (own.commit(head) and own.is_ancestor(head, sha))):
            newest = sha
            break
    if newest is not None and not own.commit(newest):
        return EarlierWork(newest)
    done = [number for (number, _), sha in saved if head is not None and own.is_ancestor(sha, head)]
    besides = kept_refs.of_item(own, folder, newest=newest, since=max(done, default=since))
    if newest is None:
        return EarlierWork(elsewhere=besides)
    held = tuple(dict.fromkeys(number for (number, _), sha in saved if own.is_ancestor(sha, newest)))
    return EarlierWork(newest, newest != head, held, besides)


def save(folder: Path, mirror: Path | None) -> None:
    """Bring the work in a clone, whose lock is held, into the mirror, and remove the clone.

    What cannot be saved stays, and is set aside after a few tries.
    """
    if workspace.waits(folder):
        return
    prepared = workspace.load(folder)
    try:
        if prepared is not None and prepared.branch and mirror is not None:
            try:
                isolated.call(workspace.COLLECT_SECS, workspace.salvage, prepared, mirror=mirror, attempt=_name(folder))
            except TinytownError as error:
                if workspace.give_up(folder, error) is None:
                    raise
                return
        workspace.remove(folder)
    except TinytownError as error:
        log.warning("%s stays: %s", folder, error)


def _name(folder: Path) -> str:
    """Mission, item and number, from the path of the folder."""
    return "/".join(folder.parts[-3:])
