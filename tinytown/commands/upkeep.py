"""Commands by which a person keeps a town: saving it, restoring it, beginning anew, migrating."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinytown.commands.table import ACTS, LOOKS, Caller, command

if TYPE_CHECKING:
    from tinytown.engine.upkeep.gc import Cleared
    from tinytown.engine.upkeep.migrate import Migrated
    from tinytown.engine.upkeep.reset import Reset
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


@dataclass(frozen=True)
class Extent:
    """What to begin anew: all of the town, or its agents alone."""

    agents_only: bool = False


@command("reset.preview", Extent, by=LOOKS)
def preview_reset(caller: Caller, extent: Extent) -> Reset:
    """What a reset would remove; changes nothing."""
    from tinytown.engine.upkeep.reset import preview

    return preview(caller.context, agents_only=extent.agents_only)


@command("reset", Extent, by=ACTS)
def reset(caller: Caller, extent: Extent) -> Reset:
    """Remove the town's records, or its agents; all is saved first. A town that runs is stopped and started again."""
    from tinytown.engine.upkeep.reset import reset as reset_town
    from tinytown.engine.upkeep.reset import reset_agents

    return reset_agents(caller.context) if extent.agents_only else reset_town(caller.town)


@dataclass(frozen=True)
class Records:
    """All records of the town."""


@command("migrate.preview", Records, by=LOOKS)
def preview_migration(caller: Caller, _records: Records) -> Migrated:
    """Which records an older release wrote; changes nothing."""
    from tinytown.engine.upkeep.migrate import preview

    return preview(caller.context)


@command("migrate", Records, by=ACTS)
def migrate(caller: Caller, _records: Records) -> Migrated:
    """Write records of older releases in the form of this one; the town may work meanwhile."""
    from tinytown.engine.upkeep.migrate import migrate as migrate_records

    return migrate_records(caller.context)


@dataclass(frozen=True)
class Old:
    """All that is older than the settings say."""


@command("gc.preview", Old, by=LOOKS)
def preview_clearing(caller: Caller, _old: Old) -> Cleared:
    """What would be cleared away, and what would stay; changes nothing."""
    from tinytown.engine.upkeep.gc import clear as clear_town

    return clear_town(caller.context, dry_run=True)


@command("gc", Old, by=ACTS)
def clear(caller: Caller, _old: Old) -> Cleared:
    """Clear away what is old and proven to be elsewhere; the town may work meanwhile."""
    from tinytown.engine.upkeep.gc import clear as clear_town

    return clear_town(caller.context)


@command("archive", Old, by=LOOKS)
def archive(caller: Caller, _old: Old) -> Mapping[str, object]:
    """How many missions are archived, and where."""
    from tinytown.engine.upkeep.gc import archives

    return archives(caller.context)
