"""Every error a user can meet, with its exit code and the way out.

The tree (exit code in brackets)::

    TinytownError               [1]
      ConfigurationError        [2]  a file, option, name or value is wrong
      NotFoundError             [3]  what was named does not exist
      StateError                [4]  refused: the present state does not allow it
        NotATownError           [4]  no tinytown.toml here or above
        CopiedTownError         [4]  a copy of a town that still stands
        BaseGoneError           [4]  the branch that changes are merged into is not there
        CycleError              [4]  the issues depend on each other in a circle
        ConflictError           [4]  somebody else changed the record first
        ClosedChangeError       [4]  a person closed the change, so it stays closed
        ForeignCommitsError     [4]  the branch has commits that are not tinytown's
      UnreachableError          [5]  the town, its database or its forge does not answer
        RateLimitError          [5]  the forge wants to be asked later, and says when
        HubAwayError            [5]  the hub does not answer, or not yet with what is wanted
        UnclearError            [5]  the answer to a write was lost: it may have been done
        OtherServerError        [5]  another server is named than the one the town uses
        DatabaseFullError       [1]  the database has no room to save; whoever can wait, waits
      NotSentError            [1,5]  it is saved and goes on by itself; only a message could not be sent
      ForgeRefusedError         [1]  the forge refuses what it was asked for, as it stands now
      DiskFullError             [1]

An error is one sentence without a full stop, and a remedy: the next command, or what to change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Exit codes of ``tt``, as documented in the reference.
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_STATE = 4
EXIT_UNREACHABLE = 5
#: Only of `--follow`: how the mission stands that was followed.
EXIT_CANCELLED = 6
EXIT_HELP = 7
#: As shells have it for a program that was interrupted.
EXIT_INTERRUPTED = 130


class TinytownError(Exception):
    """Something went wrong that a person can act on."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, remedy: str = "") -> None:
        # What others said, at its end, may have brought one along.
        self.message = message.removesuffix(".")
        super().__init__(self.message)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[Callable[..., TinytownError], tuple[object, ...]]:
        # Those below take other arguments than they pass on, and by those pickle would make them anew.
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[TinytownError], args: tuple[object, ...], known: dict[str, object]) -> TinytownError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(known)
    return error


class ConfigurationError(TinytownError):
    """A file, option, name or value is wrong."""

    exit_code = EXIT_USAGE


class NotFoundError(TinytownError):
    """What was named does not exist."""

    exit_code = EXIT_NOT_FOUND


class StateError(TinytownError):
    """The current state does not allow it."""

    exit_code = EXIT_STATE


class NotATownError(StateError):
    """No ``tinytown.toml`` here or in a folder above."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} is not in a town", remedy="run `tt init` in your repository first")


class CopiedTownError(StateError):
    """A copy of a town that still exists: the processes and records belong to the original."""

    def __init__(self, here: str, original: str) -> None:
        super().__init__(
            f"{here} is a copy of the town at {original}, which still exists",
            remedy="run `tt init` here to make it a town of its own, or work in the original",
        )


class BaseGoneError(StateError):
    """The branch that changes are merged into does not exist."""


class CycleError(StateError):
    """The issues depend on each other in a circle, so none of them could ever start."""

    def __init__(self, path: Sequence[str], *, lines: Sequence[str] = ()) -> None:
        self.path = tuple(path)
        self.lines = tuple(lines)
        stated = f" ({'; '.join(lines)})" if lines else ""
        super().__init__(
            f"the issues depend on each other in a circle: {' -> '.join(path)}{stated}",
            remedy="remove one of these dependencies",
        )


class ConflictError(StateError):
    """A record changed between reading and writing it; read it again."""


class ClosedChangeError(StateError):
    """A person closed the change without merging it; nobody but a person opens it again."""


class ForeignCommitsError(StateError):
    """A published branch has commits that tinytown did not bring there; ``sha`` is the newest of them."""

    def __init__(self, message: str, *, sha: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.sha = sha


class SetBackError(StateError):
    """Somebody set a published branch back to an older commit, ``sha``."""

    def __init__(self, message: str, *, sha: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.sha = sha


class UnreachableError(TinytownError):
    """The town, its database or its forge does not answer."""

    exit_code = EXIT_UNREACHABLE


class RateLimitError(UnreachableError):
    """The forge wants to be asked again only after ``wait`` seconds; nobody sleeps that long, it is due again then."""

    def __init__(self, message: str, *, wait: float, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.wait = wait


class HubAwayError(UnreachableError):
    """The hub does not answer, or not yet with what is wanted: it is asked again, however long that takes."""


class UnclearError(UnreachableError):
    """The answer to a write was lost. It may have been done: look at what is there before it is repeated."""


class OtherServerError(UnreachableError):
    """This shell, or the configuration, names a different server from the one the town uses."""


class DatabaseFullError(UnreachableError):
    """The town's database has no room to save anything."""

    exit_code = EXIT_FAILED

    def __init__(self) -> None:
        super().__init__(
            "the disk of the town's database is full", remedy="free some space: saved work continues by itself"
        )


class NotSentError(TinytownError):
    """The request is saved and the next tick carries it out; the message to do it now could not be sent."""

    exit_code = EXIT_UNREACHABLE

    def __init__(self, cause: UnreachableError, *, what: str = "what you asked for") -> None:
        super().__init__(
            f"{what} is saved and continues by itself as soon as possible: {cause.message}", remedy=cause.remedy
        )
        self.cause = cause
        self.exit_code = cause.exit_code


class ForgeRefusedError(TinytownError):
    """The forge refuses what it was asked for, as it stands now; that may be otherwise in a while."""


class DiskFullError(TinytownError):
    """There is no space left on the disk."""
