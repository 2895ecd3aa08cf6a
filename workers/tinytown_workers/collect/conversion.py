"""What an agent left at paths that go through a filter: LFS contents become pointers, other filters' files stay.

The attributes of the work itself count, except that no work may change which files go through a filter that would have
to be run.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinytown.forge import contents
from tinytown.forge.contents import Contents
from tinytown.git import filters, lfs
from tinytown.git.filters import Attributes
from tinytown.git.repository import Git
from tinytown_workers.clone.clone import Foreign
from tinytown_workers.collect import content_policy
from tinytown_workers.collect.content_policy import Refusal, Sorted

#: Largest content of one LFS file, in bytes.
CONTENT_LIMIT = 4 * 1024 * 1024 * 1024
_GONE = "000000"


@dataclass(frozen=True)
class Place:
    """Where an agent worked, and the commit it began at."""

    folder: Path
    ledger: Path
    mirror: Path
    start: str


def rules_among(changes: Sorted) -> Sorted:
    """Take the files of attributes out of ``changes``."""
    rules = Sorted([path for path in changes.add if _is_rules(path)], [p for p in changes.remove if _is_rules(p)])
    changes.add = [path for path in changes.add if not _is_rules(path)]
    changes.remove = [path for path in changes.remove if not _is_rules(path)]
    return rules


def refused_in_commits(place: Place, own: Git, newest: str, commits: Sequence[str]) -> list[str]:
    """Why commits cannot be taken as they are: what they have at a filtered path is not what the filter makes."""
    work = _Work(place, own)
    with work.attributes(place.start) as before, work.attributes(newest) as after:
        if not (before.relevant or after.relevant):
            return []
        old = before.files()
        new = [(sha, path) for sha, path in _entries(own, commits) if old.get(path) != sha]
        paths = list(dict.fromkeys([*old, *(path for _, path in new)]))
        was, now = before.filters(paths), after.filters(paths)
    if work.others(was) != work.others(now):
        return ["it changes which files a filter is for"]
    work.learn(one for sha, path in new if now.get(path) == lfs.FILTER for one in (sha, old.get(path)))
    for sha, path in new:
        name = now.get(path)
        if name is not None and not work.known.handled(name):
            return [f"it changes files that need the filter `{name}`"]
        if name is not None and not work.is_pointer(sha):
            return ["it holds contents where git-lfs keeps pointers"]
        if name is not None and work.is_lost(old.get(path)):
            return [f"it changes {content_policy.shown(path)}, whose content is not in your LFS store"]
    return []


def convert(place: Place, own: Git, changes: Sorted, rules: Sorted, *, committed: bool) -> bool:
    """Stage the LFS files among ``changes`` as pointers and refuse those of other filters; whether any was staged.

    ``rules`` are staged already, and taken back where they may not be; ``committed`` says that commits of the agent
    stand before them.
    """
    work = _Work(place, own)
    tree = own.line("write-tree") if rules.add or rules.remove or committed else place.start
    with work.attributes(place.start) as before, work.attributes(tree) as after:
        if not (before.relevant or (tree != place.start and after.relevant)):
            return False
        old, indexed = before.files(), after.files()
        paths = list(dict.fromkeys([*indexed, *changes.add, *(refusal.path for refusal in changes.refused)]))
        was, now = before.filters(paths), after.filters(paths)
        if work.others(was) != work.others(now) and (rules.add or rules.remove):
            _take_back(own, place.start, rules)
            why = "it changes which files a filter is for, and that is for people to do"
            changes.refused += [Refusal(path, why) for path in (*rules.add, *rules.remove)]
            return convert(place, own, changes, Sorted(), committed=True)
    touched = {*changes.add, *changes.remove}
    # Files that were there before they became LFS files, and the other way round.
    kept = [path for path in indexed if now.get(path) == lfs.FILTER != was.get(path) and path not in touched]
    freed = [path for path in indexed if was.get(path) == lfs.FILTER and path not in now and path not in touched]
    if work.known.lfs:
        content_policy.sort_paths(place.folder, own, freed, changes)
        # git would take them for unchanged, because the index has the times of the contents.
        out = "".join(f"{path}\0" for path in freed if path in changes.add)
        own.run("update-index", "-z", "--force-remove", "--stdin", input=out)
    large = [refusal for refusal in changes.refused if now.get(refusal.path) == lfs.FILTER and refusal.large]
    entries: list[tuple[str, str, str]] = []
    plain: list[str] = []
    refused: list[Refusal] = []
    work.learn(old.get(path) for path in changes.add if now.get(path) == lfs.FILTER)
    for path in (*changes.add, *kept, *(refusal.path for refusal in large)):
        name = now.get(path)
        if name is None:
            plain.append(path)
        elif not work.known.handled(name):
            refused.append(
                Refusal(path, f"only the filter `{name}` could make a change of it, and filters are not run")
            )
        elif work.is_lost(old.get(path)):
            refused.append(Refusal(path, "its content is not in your LFS store, so nobody can change it here"))
        else:
            made = work.point(path)
            if isinstance(made, Refusal):
                refused.append(made)
            elif made is not None:
                entries.append((*made, path))
            elif path in changes.add:
                plain.append(path)
    changes.add = plain
    changes.refused = [refusal for refusal in changes.refused if refusal not in large] + refused
    if entries:
        lines = "".join(f"{mode} {sha}\t{path}\0" for mode, sha, path in entries)
        own.run("update-index", "-z", "--index-info", input=lines)
    return bool(entries)


class _Work:
    """The files and objects of one collection."""

    def __init__(self, place: Place, own: Git) -> None:
        self._place = place
        self._own = own
        self.known: Contents = contents.of_mirror(place.mirror)
        self._stores = self.known.stores(place.mirror)
        self._pointers: dict[str, lfs.Pointer | None] = {}

    def attributes(self, tree: str) -> Attributes:
        return Attributes(self._place.ledger, tree, self.known.rules)

    def others(self, named: Mapping[str, str]) -> dict[str, str]:
        """What goes through filters that would have to be run."""
        return {path: name for path, name in named.items() if not self.known.handled(name)}

    def learn(self, shas: Iterable[str | None]) -> None:
        """Look up many objects at once that are asked for later."""
        wanted = {sha for sha in shas if sha is not None and sha not in self._pointers}
        found = filters.pointers(self._own, sorted(wanted))
        self._pointers |= {sha: found.get(sha) for sha in wanted}

    def is_pointer(self, sha: str) -> bool:
        """Whether an object is a pointer whose content is there; an empty file counts as one, as for git-lfs."""
        pointer = self._pointer(sha)
        return self._has(pointer) if pointer is not None else self._own.line("cat-file", "-s", sha) == "0"

    def is_lost(self, sha: str | None) -> bool:
        """Whether the file was a pointer to something that nobody here has."""
        pointer = self._pointer(sha) if sha is not None else None
        return pointer is not None and lfs.find(self._stores, pointer) is None

    def point(self, path: str) -> tuple[str, str] | Refusal | None:
        """Mode and object of the pointer to a file's content, which goes into the store.

        ``None`` if the file itself is to be taken, or is not a plain file.
        """
        with contextlib.suppress(OSError), Foreign(self._place.folder) as files, files.reading(path) as reader:
            found = os.fstat(reader.fileno())
            if found.st_size == 0:
                return None
            pointer = lfs.parse(reader.read(lfs.POINTER_LIMIT)) if found.st_size < lfs.POINTER_LIMIT else None
            if pointer is not None:
                return None if self._has(pointer) else Refusal(path, "it points to a content that is in no LFS store")
            reader.seek(0)
            pointer = lfs.keep(reader, self._place.mirror / contents.STORE, limit=CONTENT_LIMIT)
            if pointer is None:
                return Refusal(path, f"larger than {CONTENT_LIMIT >> 20} MB")
            mode = "100755" if found.st_mode & stat.S_IXUSR else "100644"
            return mode, self._own.line("hash-object", "-w", "--stdin", input=pointer.text().decode())
        return None

    def _has(self, pointer: lfs.Pointer) -> bool:
        """Whether the content is in a store; one that only the agent's clone has is taken over."""
        if lfs.find(self._stores, pointer) is not None:
            return True
        where = f"lfs/{lfs.place(pointer.oid)}"
        with (
            contextlib.suppress(OSError),
            Foreign(self._place.folder / ".git") as foreign,
            foreign.reading(where) as file,
        ):
            same = os.fstat(file.fileno()).st_size == pointer.size <= CONTENT_LIMIT
            return same and lfs.keep(file, self._place.mirror / contents.STORE, limit=pointer.size) == pointer
        return False

    def _pointer(self, sha: str) -> lfs.Pointer | None:
        self.learn([sha])
        return self._pointers[sha]


def _take_back(own: Git, start: str, rules: Sorted) -> None:
    """Restore the files of attributes as they were at the start."""
    names = [*rules.add, *rules.remove]
    entries = own.names("ls-tree", "-r", "-z", "--full-tree", start)
    old = {path: header for header, _, path in (entry.partition("\t") for entry in entries) if _is_rules(path)}
    gone = "0" * len(start)
    lines = "".join(f"{old.get(path) or f'{_GONE} {gone}'}\t{path}\0" for path in names)
    own.run("update-index", "-z", "--index-info", input=lines)


def _entries(own: Git, commits: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Object and path of every file that one of the commits brings."""
    raw = own.names(
        "diff-tree", "--stdin", "-z", "-r", "-m", "--root", "--raw", "--no-renames", "--no-abbrev", "--no-commit-id",
        "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", input="".join(f"{sha}\n" for sha in commits),
    )  # fmt: skip
    for header, path in zip(raw[::2], raw[1::2], strict=True):
        _, mode, _, sha, _ = header.split(" ")
        if mode.startswith("100"):
            yield sha, path


def _is_rules(path: str) -> bool:
    return PurePosixPath(path).name == filters.FILE
