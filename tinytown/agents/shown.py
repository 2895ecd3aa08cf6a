"""The user's files and folders that ``[agent_clis.NAME] readable`` and ``writable`` show to a CLI in the sandbox."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytown.agents.relative import named, within
from tinytown.errors import ConfigurationError
from tinytown.settings import AgentCliSettings
from tinytown.town import Town


@dataclass(frozen=True)
class Shown:
    """What a CLI is shown, by the names of the settings."""

    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()

    def missing(self) -> Sequence[Path]:
        """Those that do not exist; the CLI runs without them."""
        return [path for path in (*self.readable, *self.writable) if not path.exists()]


def private(town: Town) -> Iterator[Path]:
    """The town, its folders and its repositories, of which an agent is shown nothing but its own clone.

    The disk is looked at when the first is asked for: most CLIs are shown nothing that could be one of them.
    """
    repos = [town.root / repo.path for repo in town.settings.forge.local.repos.values()]
    around = [place for repo in (town.root, *repos) for place in _repository(repo)]
    yield from dict.fromkeys([town.root, town.state, town.runtime, *repos, *around])


def _repository(folder: Path) -> list[Path]:
    """The work tree that a folder is in, and where its history is if that is elsewhere."""
    top = next((place for place in (folder, *folder.resolve().parents) if (place / ".git").exists()), None)
    if top is None:
        return []
    pointer = top / ".git"
    try:
        if not pointer.is_file():
            return [top]
        text = pointer.read_text(encoding="utf-8", errors="surrogateescape")
        history = top / text.removeprefix("gitdir:").strip()
        common = history / "commondir"
        return [top, history, *([history / common.read_text().strip()] if common.is_file() else [])]
    except (OSError, ValueError):
        return [top]


def shown(name: str, cli: AgentCliSettings, *, home: Path, kept: Iterable[Path]) -> Shown:
    """What the configuration of the CLI ``name`` shows; ``~`` is ``home``, ``kept`` is what nothing may show.

    Raises:
        ConfigurationError: one of them is the home, or one of ``kept``, or is within it or around it; or the CLI's own
            command is within one of ``kept``.
    """
    words = _words(cli.command or "")
    if not (cli.readable or cli.writable or named(words)):
        return Shown()
    kept = [path.resolve() for path in kept]
    if inside := within(words, kept):
        raise ConfigurationError(
            f"`agent_clis.{name}.command` runs {inside}, which agents can change",
            remedy="install it outside of your repositories and the town, and write that path",
        )

    def place(key: str, text: str) -> Path:
        path = home / text[1:].lstrip("/") if text.startswith("~") else Path(text)
        real = path.resolve()
        around = next((one for one in kept if real.is_relative_to(one) or one.is_relative_to(real)), None)
        if around is None and home.resolve().is_relative_to(real):
            around = home
        if around is not None:
            raise ConfigurationError(
                f"`agent_clis.{name}.{key}` names {text}, which would show an agent {around}",
                remedy=f"name only files and folders of the CLI in `[agent_clis.{name}] {key}`",
            )
        return path

    return Shown(
        readable=[place("readable", text) for text in cli.readable],
        writable=[place("writable", text) for text in cli.writable],
    )


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []
