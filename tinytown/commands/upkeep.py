"""Commands by which a person keeps a town: saving it, restoring it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinytown.commands.table import ACTS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.upkeep.restore import Restored
    from tinytown.engine.upkeep.save import Saved


@dataclass(frozen=True)
class Save:
    """A file to save into; one that exists is only replaced with ``force``."""

    file: str
    force: bool = False


@dataclass(frozen=True)
class Restore:
    """A file that was saved, and the folder to restore it in."""

    file: str
    folder: str
    #: Where the town there has records: put these in their place, which are saved first.
    replace: bool = False


@command("save", Save, by=ACTS)
def save(caller: Caller, wanted: Save) -> Saved:
    """Save the town as it is at this moment; it goes on meanwhile."""
    from tinytown.engine.upkeep.save import save as save_town

    return save_town(caller.context, Path(wanted.file), force=wanted.force)


@command("restore", Restore, by=ACTS)
def restore(_caller: Caller, wanted: Restore) -> Restored:
    """Restore a saved town in a repository; it does not run afterwards."""
    from tinytown.engine.upkeep.restore import restore as restore_town

    return restore_town(Path(wanted.folder), Path(wanted.file), replace=wanted.replace)
