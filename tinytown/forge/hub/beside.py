"""What goes with every clone besides commits, for machines that do not see the person's repository.

These are the patterns of files that they told git to ignore, and their attributes. LFS contents and submodules lie
where only home sees them, so a repository that has any is refused (see ``require_plain``).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tinytown import files
from tinytown.errors import StateError
from tinytown.forge import contents, excludes, submodules
from tinytown.git import lfs
from tinytown.git.filters import Attributes, Rules
from tinytown.git.repository import Git

#: Most files that a sentence names.
_NAMED = 3


def of_mirror(mirror: Path) -> str:
    """What lies beside home's mirror, as a text that is the same as long as nothing changes."""
    known = contents.of_mirror(mirror)
    said = {"excludes": excludes.of_mirror(mirror), "rules": asdict(known.rules), "inactive": list(known.inactive)}
    return json.dumps(said, sort_keys=True)


def put(text: str, mirror: Path) -> None:
    """Write it beside the mirror of another machine, if it is new there."""
    try:
        said = json.loads(text)
        rules, patterns = Rules(**said["rules"]), str(said["excludes"])
        inactive = [str(name) for name in said["inactive"]]
    except (ValueError, KeyError, TypeError):
        return  # Another release wrote it: what was known before stays.
    if patterns != excludes.of_mirror(mirror):
        excludes.put(patterns, mirror)
    known = contents.of_mirror(mirror)
    if (known.rules, list(known.inactive)) != (rules, inactive):
        about = {"rules": asdict(rules), "inactive": inactive}
        files.write_atomically(mirror / contents.FILE, json.dumps(about))


def require_plain(users: Git, root: Path, tip: str) -> None:
    """Make sure that all files of a commit travel with it.

    Raises:
        StateError: some are kept with git-lfs, or in submodules.
    """
    common = users.common
    known = contents.of_person(users, root)
    with Attributes(common, tip, known.rules) as attributes:
        names = attributes.filters(attributes.files()) if attributes.relevant else {}
    kept = [path for path, name in names.items() if name == lfs.FILTER]
    links = [link.path for link in submodules.links(Git.own(common), tip) if link.name not in known.inactive]
    for what, paths in (("kept with git-lfs", kept), ("submodules", links)):
        if paths:
            shown = ", ".join(f"`{path.encode(errors='backslashreplace').decode()}`" for path in paths[:_NAMED])
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            raise StateError(
                f"a hub brings no files that are {what}: {shown}{more}",
                remedy="work on this machine alone: remove `[hub] url` from tinytown.toml",
            )
