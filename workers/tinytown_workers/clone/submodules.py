"""A clone's submodules: filled from the person's copies, each with a git directory of its own and no remote.

Beside each lies a ledger as beside the clone itself, which shows whether an agent changed anything in it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinytown.forge import contents, submodules
from tinytown.forge.contents import Contents
from tinytown.forge.submodules import Copies
from tinytown.git.repository import Git, GitError
from tinytown_workers.clone import clone, lfs_files

#: In the ledger of a clone: those of its submodules, by numbers.
FOLDER = "modules"
_PATH, _COMMIT, _INDEX = "tinytown-path", "tinytown-commit", "index"
#: Names that need no quoting in a configuration.
_PLAIN = re.compile(r"[\w./ +-]+")


def fill(folder: Path, ledger: Path, *, mirror: Path, sha: str) -> str:
    """Fill the submodules of a fresh checkout of ``sha``; gives the part about them of the clone's configuration.

    Raises:
        StateError: there is no copy of one.
    """
    if not (folder / submodules.FILE).is_file():
        return ""
    known = contents.of_mirror(mirror)
    if known.git_dir is None or known.root is None:
        return ""
    maker = _Maker(folder, ledger, known)
    names = maker.fill(Git.own(ledger), Copies(known.git_dir, known.root), sha, "", known.inactive)
    return "".join(f'[submodule "{name}"]\n\tactive = true\n' for name in names if _PLAIN.fullmatch(name))


def untouched(folder: Path, ledger: Path) -> set[str]:
    """Paths of the submodules in which nothing was changed since they were filled, nor in those within them."""
    filled: set[str] = set()
    changed: set[str] = set()
    for own in _ledgers(ledger):
        path = (own / _PATH).read_text(encoding="utf-8", errors="surrogateescape")
        filled.add(path)
        if _changed(folder / path, own):
            changed.add(path)
    return {path for path in filled if not any(f"{other}/".startswith(f"{path}/") for other in changed)}


@dataclass(frozen=True)
class _Maker:
    """Fills the submodules of one clone."""

    folder: Path
    ledger: Path
    known: Contents

    def fill(self, own: Git, copies: Copies, commit: str, prefix: str, left_out: tuple[str, ...]) -> list[str]:
        """Those of a commit, and those within them."""
        names = []
        for link in submodules.links(own, commit):
            if link.optional or link.name in left_out:
                continue
            path = f"{prefix}{link.path}"
            source = submodules.find(copies, link)
            if source is None:
                raise submodules.missing(path)
            inner = self._make(path, source, link.sha)
            names.append(link.name)
            if path.count("/") - link.path.count("/") < submodules.DEPTH:
                self.fill(inner, copies.within(link, source), link.sha, f"{path}/", ())
        return names

    def _make(self, path: str, source: Path, sha: str) -> Git:
        """Fill one submodule; gives its ledger."""
        place = self.folder / path
        own = self.ledger / FOLDER / str(sum(1 for _ in _ledgers(self.ledger)) + 1)
        clone.make_git_dir(own, head=sha, sha=sha)
        (own / _PATH).write_text(path, encoding="utf-8", errors="surrogateescape")
        (own / _COMMIT).write_text(sha, encoding="utf-8")
        git_dir = place / ".git"
        clone.make_git_dir(git_dir, head=sha, sha=sha, extra=lfs_files.CONFIGURATION if self.known.lfs else "")
        with submodules.borrowed(source / "objects", sha) as borrowed:
            objects = borrowed.line("rev-list", "--objects", "--no-object-names", "--max-count=1", sha)
            # The copy is the person's: its objects are packed anew, and no file of it is shared.
            borrowed.run("pack-objects", "--quiet", "--window=0", str(own / "objects/pack/pack"), input=f"{objects}\n")
        for target in (own, git_dir):
            (target / "shallow").write_text(f"{sha}\n", encoding="utf-8")
        mine = Git.own(own, work_tree=place, index=own / _INDEX)
        mine.run("read-tree", "--reset", "-u", sha)
        # The store of the copy, or that of the repository that it is in.
        stores = (source / contents.STORE, self.known.store)
        filled = lfs_files.fill_from(place, own, own / _INDEX, sha=sha, known=self.known, stores=stores)
        lfs_files.copy_contents(place, filled, git_dir)
        clone.copy_objects(own, git_dir)
        if (own / _INDEX).exists():
            shutil.copy2(own / _INDEX, git_dir / "index")
        return mine


def _changed(place: Path, own: Path) -> bool:
    commit = (own / _COMMIT).read_text(encoding="utf-8")
    with clone.Foreign(place / ".git") as foreign:
        if not foreign.present or foreign.commit("HEAD") != commit or foreign.refs():
            return True
    try:
        mine = Git.own(own, work_tree=place, index=own / _INDEX)
        return bool(mine.names("ls-files", "-z", "-m", "-d", "-o", "--exclude-standard"))
    except (GitError, OSError):
        return True


def ledgers(folder: Path, ledger: Path) -> Iterator[tuple[Path, Path]]:
    """Ledgers of submodules, each with the folder whose files it knows."""
    for own in _ledgers(ledger):
        yield own, folder / (own / _PATH).read_text(encoding="utf-8", errors="surrogateescape")


def _ledgers(ledger: Path) -> Iterator[Path]:
    if (ledger / FOLDER).is_dir():
        yield from sorted((ledger / FOLDER).iterdir())
