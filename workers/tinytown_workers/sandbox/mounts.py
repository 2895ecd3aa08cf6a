"""One mount in the sandbox, as bwrap makes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinytown.agents.driver import LoginPart

#: Replaces a hidden file: it is empty, and inside nobody can even open it.
NOTHING = Path("/dev/null")


@dataclass(frozen=True)
class Mount:
    """bwrap's option, what is shown, and where; ``source`` is ``None`` for an empty folder, a text or a link."""

    option: str
    source: Path | None
    place: Path
    #: Name of the text that is shown as a file, see ``Command.files``.
    text: str = ""
    #: It hides what is there.
    mask: bool = False
    #: Only this part of the source is to be shown.
    part: LoginPart | None = None
    #: It is a link, and leads there.
    link: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether what it is mounted on has to be a folder."""
        return not self.text and not self.link and (self.source is None or self.source.is_dir())

    def words(self) -> list[str]:
        """bwrap's options."""
        if self.text:
            # In memory, and readable by nobody else.
            return ["--perms", "0666", self.option, self.text, str(self.place)]
        if self.link:
            return ["--symlink", self.link, str(self.place)]
        first = ["--perms", "0555"] if self.mask and self.source is None else []
        return [*first, self.option, *([str(self.source)] if self.source is not None else []), str(self.place)]

    def last_words(self) -> list[str]:
        """Options to add after all mounts: an empty folder that hides another one is made read-only."""
        return ["--remount-ro", str(self.place)] if self.mask and self.source is None else []


def hide(path: Path) -> Mount:
    """A mount that leaves nothing of ``path`` to be seen."""
    if path.is_dir():
        return Mount("--tmpfs", None, path, mask=True)
    return Mount("--ro-bind", NOTHING, path, mask=True)
