"""A machine's own bare copy of a repository, from which every clone is made and into which all work comes.

Its objects are its own: no hard links, no alternates. Branches of the repository are copied to it under their
own names; branches ``tt/…`` and refs ``refs/tinytown/…`` are tinytown's and no update touches them. Objects that were
ever collected go only once a base holds them, or when nothing has reached them for long; see ``clearing`` and ``use``.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tinytown import files
from tinytown.errors import StateError, UnreachableError
from tinytown.forge import contents, excludes, fitness
from tinytown.git.repository import BRANCH_PREFIX, Git

#: Seconds to wait for another process that updates the same mirror.
WAIT = 600.0
#: Packs after which they are combined: a clone copies every one of them.
PACKS = 20
#: Loose objects after which they are packed.
LOOSE = 100
#: Keeps the branches of the repository as they were when last fetched.
_SEEN = "tinytown-seen"
#: Where our branches are in a mirror.
OURS = f"refs/heads/{BRANCH_PREFIX}"
#: A branch of just this name would be where our branches need a folder.
BLOCKER = OURS.rstrip("/")


def update(users: Git, root: Path, folder: Path) -> Path:
    """Bring the mirror ``folder`` up to date with the user's repository at ``root``, making it if need be.

    Safe when several processes do it at once. A few cheap commands when nothing changed.

    Raises:
        UnreachableError: another process has been at it for too long.
    """
    refs = {
        name: sha for name, sha in users.refs("refs/heads").items() if not name.startswith(OURS) and name != BLOCKER
    }
    seen = "".join(f"{sha} {name}\n" for name, sha in sorted(refs.items()))
    if _seen(folder) == seen:
        excludes.copy(users, root, folder)
        contents.copy(users, root, folder)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(lock_of(folder), timeout=WAIT, what=f"updating {folder.name}"))
        except StateError as error:
            raise UnreachableError(error.message, remedy=error.remedy) from None
        # Otherwise git would fetch missing objects from the remote by itself, by that remote's configuration.
        fitness.require_whole(users, list(refs.values()))
        make(folder, users.line("rev-parse", "--show-object-format"))
        _fetch(users, refs, root, folder)
        tidy(folder)
        excludes.copy(users, root, folder)
        contents.copy(users, root, folder)
        files.write_atomically(folder / _SEEN, seen)
    return folder


def _seen(folder: Path) -> str | None:
    try:
        return (folder / _SEEN).read_text(encoding="utf-8")
    except OSError:
        return None


def lock_of(folder: Path) -> Path:
    """The file whose lock lets one process at a time bring something into a mirror."""
    return folder.with_name(f"{folder.name}.lock")


def make(folder: Path, object_format: str) -> None:
    """Make an empty mirror, if there is none; it appears complete or not at all."""
    if folder.exists():
        return
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        own = Git.own(temporary)
        own.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        try:
            temporary.replace(folder)
        except OSError:
            if not folder.exists():  # Else another process was quicker.
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fetch(users: Git, refs: dict[str, str], root: Path, folder: Path) -> None:
    mirror = Git.own(folder)
    ours = {name: sha for name, sha in mirror.refs("refs/heads").items() if not name.startswith(OURS)}
    # Deletions first: a branch `a` that is gone may be in the way of a new `a/b`.
    gone = "".join(f"delete {name} {sha}\n" for name, sha in ours.items() if name not in refs)
    if gone:
        mirror.run("update-ref", "--stdin", input=gone)
    shallow = any((git_dir / "shallow").exists() for git_dir in (users.common, folder))
    moved = {name: sha for name, sha in refs.items() if ours.get(name) != sha}
    if not shallow and _has_all(mirror, moved.values()):
        mirror.run("update-ref", "--stdin", input="".join(f"update {name} {sha}\n" for name, sha in moved.items()))
        return
    Git.mirror_of_users(folder).run(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
        "--no-prune", "--update-shallow", "--", str(root), "+refs/heads/*:refs/heads/*", f"^{OURS}*", f"^{BLOCKER}",
    )  # fmt: skip


def _has_all(mirror: Git, heads: Iterable[str]) -> bool:
    """Whether all objects of these commits are there; after a merge of ours they are, and nothing need be fetched."""
    wanted = "".join(f"{sha}\n" for sha in dict.fromkeys(heads))
    return mirror.run("rev-list", "--objects", "--quiet", "--stdin", "--not", "--all", input=wanted, ok=(0, 128)).ok


def tidy(folder: Path) -> None:
    """Combine packs and loose objects when there are many. No object is deleted, even if no ref reaches it."""
    packs = loose = 0
    for inner in (folder / "objects").iterdir():
        if inner.name == "pack":
            packs = sum(1 for path in inner.iterdir() if path.suffix == ".pack")
        elif len(inner.name) == 2:
            loose += sum(1 for _ in inner.iterdir())
    if packs > PACKS or loose > LOOSE:
        Git.own(folder).run("repack", "--quiet", "--geometric=2", "-d", "--no-write-bitmap-index")
