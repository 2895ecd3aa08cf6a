"""What a command of the town is: its name, its typed arguments, who may use it, and the use case that it calls.

The command line, the socket of an agent's run, and whatever speaks to a town besides are faces over one table. A face
finds out who is calling, reads the arguments, calls the command, and shows what it gives as text or as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tinytown.errors import ConfigurationError, StateError

if TYPE_CHECKING:
    from tinytown.engine.context import Context
    from tinytown.engine.plan.by_hand import Given
    from tinytown.engine.plan.claims import Added
    from tinytown.engine.start.base_check import Observer
    from tinytown.engine.views.backlog import EntryView
    from tinytown.town import Town


class Who(StrEnum):
    """Who calls."""

    #: A person at a machine of the town, or a program that acts for one.
    OPERATOR = "operator"
    #: An agent, from inside its run.
    AGENT = "agent"
    #: The unattended conductor, from inside its run: it answers a question, and may do no more than that takes.
    CONDUCTOR = "conductor"
    #: Somebody who may look and change nothing.
    READER = "reader"


LOOKS = frozenset({Who.OPERATOR, Who.READER})
#: What the unattended conductor may look at: the work, and neither settings nor other towns.
SEES = LOOKS | {Who.CONDUCTOR}
#: What it may do: such as a person can undo, and only to what it was asked about.
ANSWERS = frozenset({Who.OPERATOR, Who.CONDUCTOR})
ACTS = frozenset({Who.OPERATOR})
IN_A_RUN = frozenset({Who.AGENT})
IN_ANY_RUN = IN_A_RUN | {Who.CONDUCTOR}


class Run(Protocol):
    """What an agent's run gives to those who speak from inside it. Each may raise ``TinytownError``."""

    def task_current(self) -> Mapping[str, Any]:
        """The work at hand: ``key``, ``title``, ``role``, ``purpose`` and whatever helps."""
        ...

    def complete(self, result: str) -> None:
        """The agent says that it is done."""
        ...

    def fail(self, why: str) -> None:
        """The agent gives up."""
        ...

    def judge(self, refusal: str | None) -> None:
        """A reviewer's verdict: why it refuses, or ``None`` for an approval."""
        ...

    def have_run(self, argv: Sequence[str]) -> Mapping[str, Any]:
        """Run a command of the project for a reviewer, away from it."""
        ...

    def send(self, to: str, text: str, *, kind: str, urgent: bool) -> Mapping[str, Any]:
        """Put a message into a mailbox, in the agent's name."""
        ...

    def inbox(self, *, everything: bool) -> Sequence[Mapping[str, Any]]:
        """The agent's new messages, or all of them."""
        ...

    def backlog(self, tag: str) -> Sequence[EntryView]:
        """The work that nobody has yet; with a tag only what has it."""
        ...

    def add_to_backlog(self, text: str, tags: Sequence[str]) -> Added:
        """Leave work for whoever is idle, in the agent's name."""
        ...

    def claim(self, id_: str, agent: str) -> Given:
        """Make an entry of the backlog the agent's next task; ``agent`` can only name itself."""
        ...


@dataclass(frozen=True)
class Caller:
    """Who calls, and what of the town that caller has: an operator its records, an agent only its own run."""

    who: Who
    _context: Context | None = None
    _run: Run | None = None
    #: Told of steps that take long, if the caller wants to know.
    observer: Observer | None = None
    _town: Town | None = None
    #: The mission that the unattended conductor was asked about.
    about: str = ""
    #: Told before it does something.
    _acts: Callable[[], None] | None = None

    def touches(self, mission: str) -> None:
        """Say that this mission is to be changed; raises ``StateError`` if the caller was not asked about it."""
        if self.who is not Who.CONDUCTOR:
            return
        if mission != self.about:
            raise StateError(
                f"you were not asked about mission {mission[:8]}", remedy="act only on what the question is about"
            )
        self.acts()

    def acts(self) -> None:
        """Say that something is to be done."""
        if self._acts is not None:
            self._acts()

    @property
    def context(self) -> Context:
        """The town, for whoever may act on all of it."""
        if self._context is None:
            raise StateError("this command is for the town's operators")
        return self._context

    @property
    def town(self) -> Town:
        """The place of the town, whether or not anything of it runs."""
        return self._town or self.context.town

    @property
    def run(self) -> Run:
        """The run of the agent that calls."""
        if self._run is None:
            raise StateError("this command is for agents, inside their runs")
        return self._run


def operator(context: Context, *, observer: Observer | None = None) -> Caller:
    """A person at the machine."""
    return Caller(Who.OPERATOR, context, observer=observer)


def reader(context: Context) -> Caller:
    """Somebody who looks at the town and changes nothing."""
    return Caller(Who.READER, context)


def keeper(town: Town | None = None) -> Caller:
    """A person who sees to a town as a whole, which need not run; without one, to this machine."""
    return Caller(Who.OPERATOR, _town=town)


def agent(run: Run) -> Caller:
    """An agent inside its run."""
    return Caller(Who.AGENT, _run=run)


def answering(run: Run, context: Context, *, about: str, acts: Callable[[], None]) -> Caller:
    """The unattended conductor inside its run: asked about a mission, or about none; ``acts`` is told of what it does.

    ``context`` acts in its name.
    """
    return Caller(Who.CONDUCTOR, context, run, about=about, _acts=acts)


A = TypeVar("A")
R = TypeVar("R")


def plain(result: Any) -> Any:
    """A result as JSON, if it needs no view of its own."""
    if isinstance(result, list | tuple):
        return [plain(one) for one in result]
    if hasattr(result, "model_dump"):
        return result.model_dump(mode="json")
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result


@dataclass(frozen=True)
class Command(Generic[A, R]):
    """A command of the town; call it to use it."""

    name: str
    #: A frozen dataclass; its fields are the arguments.
    arguments: type[A]
    by: frozenset[Who]
    perform: Callable[[Caller, A], R]
    #: The result as JSON.
    shape: Callable[[R], Any] = plain

    def __call__(self, caller: Caller, arguments: A) -> R:
        """Use it.

        Raises:
            StateError: the caller may not.
        """
        if caller.who not in self.by:
            raise StateError(f"`{self.name}` is not for {caller.who.value}s")
        return self.perform(caller, arguments)

    def answer(self, caller: Caller, raw: Mapping[str, Any]) -> Any:
        """Use it with arguments that came as data; gives the result as JSON.

        Raises:
            StateError: the caller may not.
            ConfigurationError: an argument is missing, has the wrong type or is unknown.
        """
        return self.shape(self(caller, self.read(raw)))

    def read(self, raw: Mapping[str, Any]) -> A:
        """Arguments that came as data.

        Raises:
            ConfigurationError: one is missing, has the wrong type or is unknown.
        """
        # Importing it takes longer than most commands, and the command line has typed arguments already.
        from pydantic import TypeAdapter, ValidationError

        known = {one.name for one in fields(self.arguments)}  # type: ignore[arg-type]
        if unknown := [name for name in raw if name not in known]:
            raise ConfigurationError(f"`{self.name}` knows no `{str(unknown[0])[:40]}`")
        try:
            return TypeAdapter(self.arguments).validate_python(dict(raw))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "its arguments"
            raise ConfigurationError(f"`{self.name}`: {where}: {first['msg'].lower()}") from None


#: Every command, by name.
COMMANDS: dict[str, Command[Any, Any]] = {}


def command(
    name: str, arguments: type[A], *, by: frozenset[Who], shape: Callable[[R], Any] = plain
) -> Callable[[Callable[[Caller, A], R]], Command[A, R]]:
    """Put a use case into the table."""

    def enter(perform: Callable[[Caller, A], R]) -> Command[A, R]:
        made = Command(name, arguments, by, perform, shape)
        COMMANDS[name] = made
        return made

    return enter


def show(caller: Caller, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the command ``name`` gives as JSON (``result``), and the server's time (``now``, seconds since 1970).

    Raises:
        ConfigurationError: there is no such command, or its arguments are wrong.
        StateError: the caller may not use it.
    """
    found = COMMANDS.get(name)
    if found is None:
        raise ConfigurationError(f"there is no command `{name[:40]}`")
    result = found.answer(caller, raw)
    return {"now": caller.context.store.now(), "result": result}
