"""How a program is started in the sandbox."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from tinytown.errors import TinytownError
from tinytown_workers.limits.quota import Limits

#: Placeholders in a command: what a container's ``carrier`` is to do, the way for its ports, and for limits reached.
ORDER, CHANNEL, TOLD = "&order", "&channel", "&told"


@dataclass(frozen=True)
class Command:
    """How to start a program: ``argv``, in the environment that was given, and nothing else. A context manager."""

    argv: list[str]
    #: By placeholder in ``argv``: the content of the open file whose number takes its place.
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: To be called when it has ended.
    closing: Sequence[Callable[[], None]] = ()
    #: To be called now and then while it runs.
    meanwhile: Sequence[Callable[[], None]] = ()
    #: The program that it starts inside, with its arguments.
    program: Sequence[str] = ()
    #: It starts a container and stands for it: signals and limits reach what is inside through it alone.
    carried: bool = False
    #: A container that cannot keep the limits of memory and processes itself.
    watched: bool = False

    def left_to_guard(self, limits: Limits) -> Limits:
        """Of the limits of a run those that its guard is to keep."""
        return replace(limits, memory=0, processes=0) if self.carried and not self.watched else limits

    def around(self, change: Callable[[Sequence[str]], Sequence[str]]) -> Command:
        """The same, but what ``change`` makes of the program and its arguments is started inside."""
        if self.carried:
            order = {**json.loads(self.files[ORDER]), "argv": list(change(self.program))}
            return replace(self, files={**self.files, ORDER: json.dumps(order).encode()})
        return replace(self, argv=[*self.argv[: -len(self.program)], *change(self.program)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for close in self.closing:
            close()

    def tend(self) -> None:
        """Call what is to be called while it runs, so that a renewed log-in can be used outside at once."""
        for one in self.meanwhile:
            with contextlib.suppress(OSError, TinytownError):
                one()

    def run(self, env: Mapping[str, str], *, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run it without a guard, for a look; raises ``OSError`` and ``subprocess.TimeoutExpired``."""
        with self, contextlib.ExitStack() as stack:
            given = {name: stack.enter_context(_read_from(data)) for name, data in self.files.items()}
            return subprocess.run(
                [str(given.get(word, word)) for word in self.argv if word not in (CHANNEL, TOLD)],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                pass_fds=list(given.values()),
            )


@contextlib.contextmanager
def _read_from(data: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        yield file.fileno()
