"""What is left to do at a remote forge once a change is merged: close its issue, delete its branch."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tinytown import keys
from tinytown.engine.changes import forge_change, repo_of
from tinytown.engine.context import Context
from tinytown.errors import TinytownError, UnreachableError
from tinytown.forge.contract import RemoteChanges
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission

log = logging.getLogger(__name__)


def finish(context: Context, mission: Mission, item: Item) -> None:
    """Do what the forge has not done by itself. It looks first, and what it refuses keeps nobody from going on.

    Raises:
        UnreachableError: it did not answer; it is to be asked again before the merge goes on record.
    """
    forge = context.forge
    if not isinstance(forge, RemoteChanges):
        return
    if not keys.is_task(item.key):
        _try(item.key, lambda: forge.close_issue(item.key))
    kept = _try(item.key, lambda: forge.delete_branch(repo_of(item, mission), forge_change(item, mission)))
    if kept:
        log.info("%s: the branch %s stays: %s", item.key, item.branch, kept)


def _try(key: str, act: Callable[[], str | None]) -> str | None:
    try:
        return act()
    except UnreachableError:
        raise
    except TinytownError as error:
        log.warning("%s: %s", key, error)
        return None
