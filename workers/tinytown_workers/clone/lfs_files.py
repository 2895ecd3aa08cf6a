"""A fresh clone's LFS files: contents instead of pointers, and git-lfs set up so that an agent can use it.

No filter is run for that. The contents come from the person's own store, or from what agents made before; if one is
missing, its pointer stays, as in any checkout.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinytown.forge import contents
from tinytown.forge.contents import Contents
from tinytown.git import filters, lfs
from tinytown.git.filters import Attributes
from tinytown.git.repository import Git
from tinytown_workers.clone import index_file

#: Contents are dated so many seconds before the index, because git does not trust files of the same moment.
AGE = 10
#: The configuration of a clone. Not ``required``, because a sandbox without git-lfs must still be able to commit.
CONFIGURATION = """[filter "lfs"]
\tclean = git-lfs clean -- %f
\tsmudge = git-lfs smudge -- %f
\tprocess = git-lfs filter-process
\trequired = false
[lfs]
\tskipdownloaderrors = true
\tlocksverify = false
[merge "lfs"]
\tname = leave one of the two, as a conflict
\tdriver = exit 1
"""
_CHUNK = 1 << 20


def configuration(mirror: Path) -> str:
    """The part about git-lfs of a clone's configuration, if LFS is used."""
    return CONFIGURATION if contents.of_mirror(mirror).lfs else ""


def fill(folder: Path, ledger: Path, index: Path, *, mirror: Path, sha: str) -> Mapping[str, lfs.Pointer]:
    """Write the contents into a fresh checkout of the commit ``sha``; gives the paths that have theirs now."""
    known = contents.of_mirror(mirror)
    return fill_from(folder, ledger, index, sha=sha, known=known, stores=known.stores(mirror))


def fill_from(
    folder: Path, ledger: Path, index: Path, *, sha: str, known: Contents, stores: Sequence[Path]
) -> Mapping[str, lfs.Pointer]:
    """The same for any repository whose contents are in these ``stores``."""
    if not known.lfs:
        return {}
    with Attributes(ledger, sha, known.rules) as attributes:
        if not attributes.relevant:
            return {}
        objects = attributes.files()
        named = attributes.filters(objects)
    wanted = {path: objects[path] for path, name in named.items() if name == lfs.FILTER}
    pointers = filters.pointers(Git.own(ledger), wanted.values())
    filled: dict[str, lfs.Pointer] = {}
    for path, blob in wanted.items():
        pointer = pointers.get(blob)
        source = lfs.find(stores, pointer) if pointer is not None else None
        if pointer is not None and source is not None and _write(source, folder / path, pointer, ledger / "content"):
            filled[path] = pointer
    if filled:
        index_file.remember(index, folder, filled)
    return filled


def copy_contents(folder: Path, filled: Mapping[str, lfs.Pointer], git_dir: Path) -> None:
    """Give git-lfs in the clone the contents too, so that it can restore a file that its agent changed."""
    for path, pointer in filled.items():
        target = git_dir / "lfs" / lfs.place(pointer.oid)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / path, target)


def _write(source: Path, target: Path, pointer: lfs.Pointer, temporary: Path) -> bool:
    """Replace a pointer by its content; ``False`` if the content is not what the pointer says."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, temporary.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() != pointer.oid:
        temporary.unlink()
        return False
    temporary.chmod(target.stat().st_mode & 0o777)
    temporary.replace(target)
    moment = time.time_ns() - AGE * 10**9
    os.utime(target, ns=(moment, moment))
    return True
