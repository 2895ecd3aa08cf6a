"""What bubblewrap would be told to show, as a container shows it: mounts, and folders prepared for what is no mount.

Bubblewrap makes links, texts and empty folders on its way; a container engine only mounts. So these are prepared in a
folder beside the run's others. Everything that something is mounted on is made before, too: the engine would make it as
root, or could not, in what is mounted read-only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: What the engine provides itself.
_ENGINES = ("/proc", "/dev", "/sys")
#: What bubblewrap mounts on a file that is hidden.
_NOTHING = Path("/dev/null")
#: Files that engines mount in folders of these names, whatever they are told.
_MOUNTED_BY_ENGINES = {"/etc": ("hosts", "hostname", "resolv.conf"), "/run": (".containerenv", "secrets/")}
#: Options of bubblewrap with one argument, that mean nothing here.
_ONE_WORD = ("--size", "--proc", "--dev")
#: Characters that the engines' way to write a mount does not allow in a path.
_UNWRITABLE = (",", '"', "\n", "\r")


class UnwritableError(Exception):
    """A path cannot be told to a container engine."""


@dataclass
class Bind:
    """``source`` appears at a place."""

    source: Path
    writable: bool = False
    #: It was made for this run, so more can be put into it.
    ours: bool = False


@dataclass
class Layout:
    """What a container shows. ``prepared`` is an empty folder for what has to be made."""

    prepared: Path
    #: Folders made for this run, in which what is mounted on may be made.
    own: Sequence[Path]
    #: Makes what something is mounted on in such a folder: by the folder, the place in it, and whether it is a folder.
    make_place: Callable[[Path, Path, bool], None]
    #: Makes a link there: by the folder, the place in it, and where it leads.
    make_link: Callable[[Path, Path, str], None]
    binds: dict[Path, Bind] = field(default_factory=dict)
    links: dict[Path, str] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    _count: int = 0

    def take(self, options: Sequence[str], texts: Mapping[str, bytes]) -> None:
        """Take in bubblewrap's options, in their order: a later one hides what is below it."""
        words = iter(options)
        mode = 0o755
        for word in words:
            if word == "--perms":
                mode = int(next(words), 8)
                continue
            if word in ("--bind", "--ro-bind"):
                self._bind(Path(next(words)), Path(next(words)), writable=word == "--bind")
            elif word in ("--bind-data", "--ro-bind-data"):
                self._text(texts[next(words)], Path(next(words)), mode, writable=word == "--bind-data")
            elif word == "--tmpfs":
                self._empty(Path(next(words)), mode)
            elif word == "--dir":
                self.folders.append(Path(next(words)))
            elif word == "--symlink":
                target = next(words)
                self.links[Path(next(words))] = target
            elif word == "--remount-ro":
                self._close(Path(next(words)))
            elif word in _ONE_WORD:
                next(words)
            else:
                raise ValueError(f"a container cannot carry out bubblewrap's {word}")
            mode = 0o755

    def _put(self, place: Path, bind: Bind) -> None:
        if str(place).startswith(tuple(f"{one}/" for one in _ENGINES)) or str(place) in _ENGINES:
            return
        for below in [one for one in self.binds if place in one.parents]:
            del self.binds[below]
        self.binds.pop(place, None)
        self.binds[place] = bind

    def _bind(self, source: Path, place: Path, *, writable: bool) -> None:
        if source == _NOTHING:
            # As a file: what is a device outside would be one inside.
            source = self._new()
            source.touch(mode=0)
        self._put(place, Bind(source, writable, ours=source in self.own))

    def _text(self, text: bytes, place: Path, mode: int, *, writable: bool) -> None:
        file = self._new()
        file.write_bytes(text)
        file.chmod(mode)
        self._put(place, Bind(file, writable))

    def _empty(self, place: Path, mode: int) -> None:
        folder = self._new()
        folder.mkdir()
        folder.chmod(mode)
        self._put(place, Bind(folder, writable=False, ours=True))

    def _close(self, place: Path) -> None:
        if place in self.binds:
            self.binds[place].writable = False

    def _new(self) -> Path:
        self._count += 1
        return self.prepared / str(self._count)

    def mounts(self) -> list[str]:
        """The engine's options, once everything is prepared.

        Raises:
            UnwritableError: a path has a character that cannot be told.
        """
        for place, inner in list(self.binds.items()):
            if not inner.writable:
                self._close_below(place, inner.source)
        for place in [*self.binds, *self.folders, *self.links]:
            self._gather(place)
        for place in sorted({*self.binds, *self.folders}, key=lambda one: len(one.parts)):
            self._make_room(place)
        for place, target in self.links.items():
            self._make_link(place, target)
        return [word for place, bind in self.binds.items() for word in ("--mount", _written(bind, place))]

    def _close_below(self, place: Path, source: Path) -> None:
        """What is mounted below a folder outside stays writable in a mount that is not, unless it is closed itself."""
        real = source.resolve()
        for point in _mount_points(real):
            below = place / point.relative_to(real)
            if below not in self.binds and not str(below).startswith(tuple(f"{one}/" for one in _ENGINES)):
                self.binds[below] = Bind(point)

    def _gather(self, place: Path) -> None:
        """Prepare the outermost folder around ``place``, where no mount is around it."""
        if len(place.parts) > 2 and not any(folder in self.binds for folder in place.parents):
            outermost = Path(*place.parts[:2])
            folder = self._new()
            folder.mkdir()
            folder.chmod(0o755)
            self.binds[outermost] = Bind(folder, ours=True)
            for name in _MOUNTED_BY_ENGINES.get(str(outermost), ()):
                self.make_place(folder, Path(name), name.endswith("/"))

    def _around(self, place: Path) -> tuple[Path, Bind] | None:
        found = next((folder for folder in place.parents if folder in self.binds), None)
        return (found, self.binds[found]) if found is not None else None

    def _make_room(self, place: Path) -> None:
        around = self._around(place)
        if around is not None and around[1].ours:
            bind = self.binds.get(place)
            is_folder = bind is None or bind.source.is_dir()
            self.make_place(around[1].source, place.relative_to(around[0]), is_folder)

    def _make_link(self, place: Path, target: str) -> None:
        around = self._around(place)
        if around is None or not around[1].ours:
            return
        self.make_link(around[1].source, place.relative_to(around[0]), target)


def _written(bind: Bind, place: Path) -> str:
    for path in (bind.source, place):
        if any(one in str(path) for one in _UNWRITABLE):
            raise UnwritableError(str(path))
    return f"type=bind,source={bind.source},target={place}{'' if bind.writable else ',readonly'}"


def _mount_points(folder: Path) -> Iterator[Path]:
    """Where something is mounted below a folder of this machine, the outer ones first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as rows:  # noqa: PTH123
        points = {row.split()[4].encode().decode("unicode_escape") for row in rows}
    yield from sorted(Path(point) for point in points if point.startswith(f"{folder}/"))
