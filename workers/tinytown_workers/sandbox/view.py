"""What is to be seen of the machine inside, besides its system: an allow-list, by where each file really is."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tinytown
import tinytown_workers
from tinytown.agents.driver import Excerpt, Invocation, LoginPart
from tinytown.agents.shown import Shown
from tinytown_workers.sandbox import program_files, real_paths, system
from tinytown_workers.sandbox.mounts import Mount, hide
from tinytown_workers.sandbox.program_files import Part

#: Largest file from which an excerpt is made, in bytes.
EXCERPT_BYTES = 16 << 20
#: Most entries of a folder of the CLI's that are looked at.
ENTRIES = 1000


@dataclass(frozen=True)
class Files:
    """The files that a program is to find. Missing ones are left out, and so are paths that would show more."""

    #: Ours: shown wherever they are.
    given: Sequence[Path] = ()
    #: Files that an interpreter runs, wherever they are, with the code beside them.
    scripts: Sequence[Path] = ()
    #: The CLI's own files, and the user's.
    readable: Sequence[Path] = ()
    #: Folders among them that are shown without what looks like a key, a file of variables or a history.
    tidied: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    #: Files of which only a part is shown.
    excerpts: Mapping[Path, Excerpt] = field(default_factory=dict)
    #: Files of which only a part is shown, and changes of that part are brought back.
    parts: Mapping[Path, LoginPart] = field(default_factory=dict)
    #: Texts of files that do not exist outside.
    made: Mapping[Path, str] = field(default_factory=dict)


def files_of(invocation: Invocation, mine: Shown, given: Sequence[Path] = ()) -> Files:
    """What a run of a CLI finds: by its driver, and by the user's settings, which may show all of a file."""
    named = {*mine.readable, *mine.writable}
    return Files(
        given=(*given, *invocation.files),
        scripts=invocation.scripts,
        readable=(*invocation.readable, *mine.readable),
        tidied=[path for path in invocation.readable if path not in named],
        writable=(*invocation.writable, *mine.writable),
        excerpts={path: pick for path, pick in invocation.excerpts.items() if path not in named},
        parts={path: part for path, part in invocation.parts.items() if path not in named},
        made=invocation.made,
    )


@dataclass(frozen=True)
class Wanted:
    """What a program is to find, and the folders that are made for its run."""

    program: str
    env: Mapping[str, str]
    #: The working folder, writable, at its own path.
    clone: Path
    #: Existing empty folders that stand in for the user's home and for ``/tmp``.
    home: Path
    tmp: Path
    files: Files = field(default_factory=Files)
    #: By folder of the CLI's own: an existing folder of ours that appears in its place, writable.
    stand_ins: Mapping[Path, Path] = field(default_factory=dict)
    #: The clone is only read.
    review: bool = False
    #: The agent socket.
    socket: Path | None = None
    #: The town, its state, its repositories: nothing in them is shown except ``given``.
    hidden: Sequence[Path] = ()


@dataclass
class View:
    """The resulting mounts, and what was left out."""

    #: In the order in which they are to be made.
    mounts: list[Mount] = field(default_factory=list)
    #: Those of them that are folders and sockets of ours, made for this run.
    own: list[Mount] = field(default_factory=list)
    #: Texts that are shown as files, by their names.
    texts: dict[str, bytes] = field(default_factory=dict)
    #: What was wanted, is there, and is not shown, and why.
    left_out: dict[Path, str] = field(default_factory=dict)


def view(wanted: Wanted) -> View:
    """Work out what is shown, and how."""
    return _Maker(wanted).make()


class _Maker:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._view = View()
        home = Path(wanted.env.get("HOME") or "/")
        self._user_home = home
        self._home = real_paths.appearances([home])
        self._kept = real_paths.appearances(wanted.hidden)
        self._secret = self._home | self._kept
        # If the home is in a repository, the CLI's own files are there, too.
        self._around_home = {one for one in self._kept if real_paths.around(one, self._home)}
        self._shown: dict[Path, Mount] = {}
        self._masks: dict[Path, Mount] = {}
        self._parts: set[Path] = set()

    def make(self) -> View:
        self._collect()
        made, wanted = self._view, self._wanted
        # The home is hidden by the folder that is mounted on it.
        made.mounts += [
            hide(path)
            for path in sorted(self._secret)
            if path.exists() and system.in_system(path) and not path.is_relative_to(self._user_home)
        ]
        made.own.append(Mount("--bind", wanted.tmp, Path("/tmp")))  # noqa: S108 - the sandbox's own
        if self._user_home != Path("/"):
            made.own.append(Mount("--bind", wanted.home, self._user_home))
        made.own += [
            Mount("--bind", folder, place)
            for place, folder in wanted.stand_ins.items()
            if folder.is_dir() and not system.in_system(place)
        ]
        made.mounts += made.own
        self._shown[wanted.clone] = Mount("--ro-bind" if wanted.review else "--bind", wanted.clone, wanted.clone)
        if wanted.socket is not None:
            self._shown[wanted.socket] = Mount("--bind", wanted.socket, wanted.socket)
        self._arrange()
        made.own += [mount for mount in made.mounts if mount.place in (wanted.clone, wanted.socket)]
        return made

    # -- what is shown -----------------------------------------------------------------------------

    def _collect(self) -> None:
        wanted, path = self._wanted, self._wanted.env["PATH"]
        for place in (Path(path.partition(":")[0]), *wanted.files.given):
            if place.exists():
                self._show(place)
        for part in (*_ours(), *system.applications(path), *program_files.needs(wanted.program, path)):
            self._add_part(part)
        for script in wanted.files.scripts:
            for part in program_files.of_script(script, path) if program_files.is_code(script) else ():
                self._add_part(part)
        self._keep_links()
        for place in wanted.files.readable:
            self._add_named(place, "--ro-bind")
        for place in wanted.files.tidied:
            self._masks |= {odd: hide(odd) for odd in _odd_in(place)} if place in self._shown else {}
        for place in wanted.files.writable:
            self._add_named(place, "--bind")
        self._add_parts()
        for place, pick in wanted.files.excerpts.items():
            self._add_excerpt(place, pick)
        for place, text in wanted.files.made.items():
            if place not in self._shown and not os.path.lexists(place):
                self._add_text(place, text)

    def _show(self, place: Path, option: str = "--ro-bind") -> None:
        self._shown[place] = Mount(option, place, place)

    def _add_part(self, part: Part) -> None:
        if system.in_system(part.path) or not part.path.exists():
            return
        if real_paths.around(part.path.resolve(), self._secret):
            return
        if part.of is not None:
            of = part.of.resolve()
            if real_paths.around(of, self._secret) or real_paths.overlaps(of, self._kept):
                return
        self._show(part.path)
        self._parts.add(part.path)
        for odd in part.without:
            self._masks[odd] = hide(odd)

    def _keep_links(self) -> None:
        """Keep a program that is a link a link, because it looks for its files beside its real place."""
        for place in self._parts:
            if place.is_symlink() and not place.is_dir():
                leads = str(place.readlink())
                target = Path(os.path.normpath(place.parent / leads))
                if target in self._shown or system.in_system(target):
                    self._shown[place] = Mount("--symlink", None, place, link=leads)

    def _add_named(self, place: Path, option: str) -> None:
        if place not in self._wanted.files.given and place.exists() and self._may_be_named(place):
            self._show(place, option)

    def _may_be_named(self, place: Path) -> bool:
        """Whether showing this path shows nothing else."""
        real = place.resolve()
        why = ""
        if real == Path("/") or real_paths.around(real, self._secret):
            why = "it holds your home, or a folder of the town"
        elif real_paths.overlaps(real, self._kept - self._around_home) or not self._is_settings(real):
            why = "it is in the town, its state, or one of its repositories"
        for folder in self._wanted.files.writable:
            # An agent may have put a link there, to what it wants to see the next time.
            if folder in place.parents and not real.is_relative_to(folder.resolve()):
                why = "it is a link out of a folder that agents can write to"
        if why:
            self._view.left_out[place] = why
        return not why

    def _is_settings(self, real: Path) -> bool:
        """Whether it is not part of a repository around the home, or is in a hidden folder of the home."""
        if not real_paths.overlaps(real, self._around_home):
            return True
        inner = [real.relative_to(home).parts[0] for home in self._home if real.is_relative_to(home)]
        return any(name.startswith(".") and name not in (".git", ".tt", ".env") for name in inner)

    def _add_parts(self) -> None:
        for place, part in self._wanted.files.parts.items():
            if place not in self._shown and place.is_file() and self._may_be_named(place):
                self._shown[place] = Mount("--bind", place, place, part=part)

    def _add_excerpt(self, place: Path, pick: Excerpt) -> None:
        if place in self._shown or not place.is_file() or not self._may_be_named(place):
            return
        try:
            if place.stat().st_size > EXCERPT_BYTES:
                self._view.left_out[place] = "it is too large to make an excerpt of"
                return
            text = pick(place.read_text(encoding="utf-8-sig"))
        except OSError as error:
            self._view.left_out[place] = f"it cannot be read: {error.strerror}"
        except (ValueError, RecursionError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._view.left_out[place] = f"no excerpt of it could be made: {said}"
        else:
            self._add_text(place, text)

    def _add_text(self, place: Path, text: str) -> None:
        name = f"&excerpt-{len(self._view.texts)}"
        self._view.texts[name] = text.encode()
        self._shown[place] = Mount("--bind-data", None, place, text=name)

    # -- in which order -----------------------------------------------------------------------------

    def _arrange(self) -> None:
        """Order the mounts, outer folders first, as a later mount hides what is below it; drop what is seen already."""
        masks = {place: mask for place, mask in self._masks.items() if place not in self._shown}
        entries = sorted([*self._shown.items(), *masks.items()], key=lambda entry: len(entry[0].parts))
        done: dict[Path, Mount] = {}
        for place, mount in entries:
            for one in self._needed(mount, done):
                if one.place not in done:
                    done[one.place] = one
                    self._view.mounts.append(one)
            done.setdefault(place, mount)

    def _needed(self, mount: Mount, done: Mapping[Path, Mount]) -> Iterator[Mount]:
        around = next((done[folder] for folder in mount.place.parents if folder in done), None)
        if around is not None and around.source is not None:
            usual = around.source.resolve() / mount.place.relative_to(around.place)
            real = mount.place.resolve()
            if real != usual:
                # If a link in that folder leads out of it, it is shown as a link.
                if mount.source is not None and not real.is_relative_to(around.source.resolve()):
                    yield Mount(mount.option, mount.source, real, part=mount.part)
                return
            if around.option == mount.option and not mount.mask and not around.mask:
                return
        nothing_to_hide = mount.mask and around is None
        seen = mount.option == "--ro-bind" and system.in_system(mount.place)
        if not (nothing_to_hide or seen):
            yield mount


def _odd_in(folder: Path) -> Iterator[Path]:
    """Entries of a folder of texts that are not texts; of a large one only some are looked at."""
    left = ENTRIES
    pending = [folder] if folder.is_dir() else []
    while pending and left > 0:
        for entry in sorted(pending.pop(0).iterdir()):
            left -= 1
            if entry.is_symlink():
                continue
            if real_paths.looks_secret(entry):
                yield entry
            elif entry.is_dir():
                pending.append(entry)


def _ours() -> Sequence[Part]:
    """What ``tt`` needs: the Python that runs it, and packages that an editable installation has elsewhere."""
    return _ours_then(system.moment())


@functools.lru_cache(maxsize=1)
def _ours_then(_moment: int) -> Sequence[Part]:
    return tuple(_our_parts())


def _our_parts() -> Iterator[Part]:
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix)):
        if not system.in_system(Path(prefix)):
            yield from program_files.of_prefix(Path(prefix))
    for package in (tinytown, tinytown_workers):
        yield from (Part(Path(folder)) for folder in package.__path__)


def of_ours(path: Path) -> bool:
    """Whether it is part of tinytown, or of the Python that runs it, and so no file of the person's."""
    return f"{path}/".startswith(_our_folders())


@functools.cache
def _our_folders() -> tuple[str, ...]:
    packages = (folder for package in (tinytown, tinytown_workers) for folder in package.__path__)
    return tuple(f"{Path(folder)}/" for folder in (sys.prefix, sys.base_prefix, *packages))
