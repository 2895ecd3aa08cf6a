"""What of a mirror is tinytown's, as one file: its refs with their whole history, and back into another mirror.

The file is a git bundle: it needs nothing but itself, whatever becomes of the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tinytown import files
from tinytown.errors import StateError
from tinytown.forge import contents, mirror
from tinytown.git import lfs
from tinytown.git.repository import BRANCH_PREFIX, Git, GitError

#: Everything that is kept for a mission: what attempts brought in, and branches.
REFS = ("refs/tinytown", f"refs/heads/{BRANCH_PREFIX.rstrip('/')}")
#: Seconds that one of a large repository may take.
_PATIENCE = 3600.0
#: Bytes of a line in a bundle's header.
_LINE = 4096


def write(folder: Path, target: Path) -> bool:
    """Write the refs of the mirror at ``folder`` into a new file; ``False`` if it has none.

    Raises:
        DiskFullError: no room.
    """
    own = Git.own(folder)
    if not own.refs(*(f"{start}/" for start in REFS)):
        return False
    patterns = [f"--glob={start}/*" for start in REFS]
    own.run("bundle", "create", "--quiet", str(target), *patterns, timeout=_PATIENCE)
    return True


def take_in(bundle: Path, folder: Path) -> int:
    """Bring the refs of a bundle into the mirror at ``folder``, which is made if need be; gives how many there are.

    Refs of the same names are replaced; whatever else the mirror has stays.

    Raises:
        StateError: the bundle is not whole, or does not fit the mirror.
        DiskFullError: no room.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(mirror.lock_of(folder), timeout=mirror.WAIT, what=f"updating {folder.name}"):
        try:
            heads, object_format = _header(bundle)
            mirror.make(folder, object_format)
            # History of the person's own repository is taken as it is, old irregularities included.
            options = "--quiet --no-tags --no-write-fetch-head --no-auto-maintenance --no-recurse-submodules --no-prune"
            refs = [f"+{start}/*:{start}/*" for start in REFS]
            git = Git.mirror_of_users(folder)
            git.run("fetch", *options.split(), "--", str(bundle), *refs, timeout=_PATIENCE)
        except GitError as error:
            raise StateError(
                f"the work of {folder.stem} cannot be taken in: {error.message}",
                remedy="is this a clone of the same repository? a shallow one needs `git fetch --unshallow`",
            ) from None
    return heads


def _header(bundle: Path) -> tuple[int, str]:
    """How many refs a bundle brings, and the format of its objects."""
    heads, object_format = 0, "sha1"
    with bundle.open("rb") as reader:
        for line in iter(lambda: reader.readline(_LINE), b"\n"):
            if not line:
                break
            if line.startswith(b"@object-format="):
                object_format = "sha256" if line.strip().endswith(b"=sha256") else "sha1"
            heads += line[:1] not in (b"#", b"@", b"-")
    return heads, object_format


def lfs_contents(folder: Path) -> Iterator[tuple[str, Path]]:
    """Hash and file of each git-lfs content that agents made."""
    store = folder / contents.STORE / lfs.OBJECTS
    for path in sorted(store.glob("*/*/*")):
        if path.is_file() and lfs.place(path.name) == f"{lfs.OBJECTS}/{path.relative_to(store)}":
            yield path.name, path


def lfs_store(folder: Path) -> Path:
    """Where a mirror keeps them."""
    return folder / contents.STORE
