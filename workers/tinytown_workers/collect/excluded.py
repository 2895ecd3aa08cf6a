"""Files that a person's git is told to ignore: they are not taken from an agent either, but named.

A clone and its ledger have the person's patterns behind tinytown's own in ``info/exclude`` (see
``tinytown.forge.excludes``). A repository's ``.gitignore`` wins over them, as it does in git.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tinytown.git.repository import Git
from tinytown_workers.clone import clone
from tinytown_workers.collect import content_policy

#: Most files that are named of those that were ignored.
NAMED_LIMIT = 20

#: The line after which the ledger excludes what `[workspace]` brings into a clone.
WORKSPACE = "# brought by [workspace]"
_WHY = "your own git excludes name it"
_FILE = "info/exclude"


def any_of_person(ledger: Path) -> bool:
    """Whether the ledger has any patterns of the person's; most have none."""
    try:
        return len((ledger / _FILE).read_bytes().splitlines()) > len(clone.EXCLUDED)
    except OSError:
        return False


def among(own: Git, paths: Iterable[str], *, until: int | None = None) -> list[str]:
    """Which of these the person's patterns name; files that the index of ``own`` holds are never among them.

    Patterns from the line ``until`` on do not count.
    """
    names = "".join(f"./{path}\0" for path in paths)
    if not names:
        return []
    said = own.run("check-ignore", "-v", "-z", "--stdin", input=names, ok=(0, 1)).stdout.split("\0")
    found = zip(said[::4], said[1::4], said[2::4], said[3::4], strict=False)
    return [
        path.removeprefix("./")
        for source, line, pattern, path in found
        if source.endswith(f"/{_FILE}")
        and len(clone.EXCLUDED) < int(line) < (until or int(line) + 1)
        and not pattern.startswith("!")
    ]


def added(own: Git, start: str, head: str) -> list[str]:
    """Files that commits after ``start`` add although a person's patterns name them; see ``among``."""
    flags = ("-z", "-m", "--format=", "--name-only", "--diff-filter=A", "--no-renames", "--no-ext-diff")
    return among(own, dict.fromkeys(own.names("log", *flags, f"{start}..{head}")))


def lying_in(own: Git, ledger: Path) -> list[str]:
    """Files and folders in the work tree that were ignored because of the person's patterns."""
    try:
        lines = (ledger / _FILE).read_bytes().splitlines()
    except OSError:
        lines = []
    # What `[workspace]` brought is in every clone, so it is not worth a word.
    until = lines.index(WORKSPACE.encode()) + 1 if WORKSPACE.encode() in lines else None
    if until is not None and until <= len(clone.EXCLUDED) + 1:
        return []
    return among(own, own.names("ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory"), until=until)


def refusals(paths: Iterable[str]) -> list[content_policy.Refusal]:
    """The refusals that name them; their content may be lost, as whoever wrote the patterns wants."""
    wanted = list(dict.fromkeys(paths))
    found = [content_policy.Refusal(path, _WHY, content=False) for path in wanted[:NAMED_LIMIT]]
    if len(wanted) > NAMED_LIMIT:
        found.append(content_policy.Refusal(f"{len(wanted) - NAMED_LIMIT} more", _WHY, content=False))
    return found
