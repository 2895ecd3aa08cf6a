"""What a driver of an agent CLI is: it turns a request into an argv and the output into a result.

A driver is pure: it starts nothing and reads no clock; of its CLI's own settings it may read which model they choose.
Built-in drivers and plug-ins enter by the entry point ``tinytown.agents`` and are correct when they pass
``tests/conformance/agents.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from tinytown.missions.states import Outcome
from tinytown.settings import AgentCliSettings

#: What a line of output is, while the run goes on: ``trouble``, the CLI says that its model does not answer and that it
#: tries again; ``wait``, the same, but only after ``LONGEST_WAIT``; ``frame``, words that come with every try;
#: ``work``, everything else.
Sort = Literal["work", "frame", "trouble", "wait"]
#: Makes of a file's text the part that a CLI needs; raises ``ValueError`` where it does not understand the text.
Excerpt = Callable[[str], str]


class LoginPart(Protocol):
    """A part of a file that a CLI may change; ``ValueError`` says that a text is not understood."""

    @property
    def name(self) -> str:
        """Tells it from other parts of the same file."""
        ...

    def pick(self, text: str) -> str:
        """The part of a file's text."""
        ...

    def merge(self, text: str, changed: str) -> str:
        """The file's text with its part as it was changed; all else stays as it is."""
        ...


#: Longest pause between two tries of a CLI that is waited for, in seconds: the item can wait better than a run.
LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Request:
    """One run that is wanted."""

    #: The brief.
    prompt: str
    #: The same brief in a file the CLI can read; it is there if the invocation names it.
    prompt_file: Path
    #: The agent's working folder.
    workspace: Path
    #: Session to resume, where the CLI can.
    session: str | None = None
    #: The folder in which that session worked; some CLIs file their sessions by it.
    session_workspace: Path | None = None
    #: The user's home, as the CLI finds it: where its own files are.
    home: Path = Path("/")
    #: It runs inside our sandbox, so it needs none of its own and nobody has to be asked.
    sandboxed: bool = False
    #: It judges a change: it reads, and neither writes nor starts anything of what it judges.
    review: bool = False
    #: What it may cost at the most, in US dollars, where that is limited: for CLIs that end themselves by then.
    budget_usd: float | None = None


@dataclass(frozen=True)
class Invocation:
    """How to start the CLI: a list of arguments (never a shell), what it reads, what it sees."""

    argv: Sequence[str]
    #: Written to its stdin, which is then closed; ``None`` means an empty stdin.
    stdin: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    #: Its output grows while it works, so silence means that it hangs.
    streams: bool = False
    #: Its own files that the sandbox must let it read, and those it must let it write. Nothing that it would run
    #: outside (settings with hooks, say) may be writable: an agent could leave there what runs as the user.
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    #: Of its own files those that hold more than it needs to start and to be logged in (keys of other services,
    #: programs, a history), and what makes the needed part of each. In the sandbox it finds that part, may change it
    #: for this run, and none of it comes back. Where the user names such a file as readable, all of it is shown.
    excerpts: Mapping[Path, Excerpt] = field(default_factory=dict)
    #: Log-in files that hold more than its own log-in. In the sandbox it finds that part, and what it changes there
    #: comes back; elsewhere, and where the user names such a file, it has all of it.
    parts: Mapping[Path, LoginPart] = field(default_factory=dict)
    #: Files of ``excerpts`` and ``parts`` that are shown with the keys of several providers, and why: nothing tells
    #: which one the run will use.
    undecided: Mapping[Path, str] = field(default_factory=dict)
    #: Files of its own that it finds, with these texts, where the user has none; only in the sandbox.
    made: Mapping[Path, str] = field(default_factory=dict)
    #: Files that it runs although they are not its program: in the sandbox, code that lies beside them is shown too.
    scripts: Sequence[Path] = ()
    #: Folders in which it keeps its sessions. In the sandbox a private one stands in for each, the same for all
    #: attempts of one agent on one item.
    sessions: Sequence[Path] = ()
    #: Settings to give it in files: paths beside ``Request.prompt_file``, and their texts. In the sandbox they are
    #: readable.
    files: Mapping[Path, str] = field(default_factory=dict)
    #: Programs of the system that it needs in a review, besides some that only read and what runs it: a shell, say.
    #: Only where it ``answers_alone``; any other CLI finds all.
    programs: Sequence[str] = ()
    #: Folders of things that it would fetch or make anew, with no log-in in them. In the sandbox a private one stands
    #: in for each, the same for all attempts of one agent on one item, reviews apart.
    caches: Sequence[Path] = ()


@dataclass(frozen=True)
class Opening:
    """What a CLI is told as a person opens it in their terminal."""

    #: A sentence that sends it to the file.
    words: str
    #: All that it shall know, the same in ``file``; it always fits into an argument.
    text: str
    #: In the repository's folder, but where git ignores it.
    file: Path


@dataclass(frozen=True)
class Output:
    """What came back. ``stdout`` and ``stderr`` are head and tail of a capped log, decoded leniently."""

    exit_code: int | None
    stdout: str
    stderr: str
    #: When it ended, in seconds since the epoch; without it no clock that it names can be read.
    now: float | None = None
    #: Zone of the clocks that it names without one; ``None`` for this machine's.
    zone: tzinfo | None = None


@dataclass(frozen=True)
class Result:
    """What the output says.

    ``outcome`` is ``succeeded`` only in the sense that the CLI does not contradict it; the proof is the
    work it left.
    """

    outcome: Outcome
    summary: str = ""
    text: str = ""
    session: str | None = None
    cost_usd: float | None = None
    tokens: int | None = None
    #: Seconds after which it may be tried again, where the CLI said so: a usage limit with one ends by itself.
    retry_after: float | None = None
    #: The session to resume is not there; without it the run may work.
    session_lost: bool = False
    #: Further figures of what ``cost_usd`` and ``tokens`` count, by which a session's sums are told from a run's: none
    #: of them ever falls in a session. ``sent``, if there, is all input of its model.
    counters: Mapping[str, float] = field(default_factory=dict)
    #: What this run's own messages say of ``sent``; ``None`` where they do not, or not all of them are there.
    sent: int | None = None
    #: Its model said not a word, as the CLI tells it: of one that left no work either, its service was at fault.
    silent: bool = False
    #: The figures are sums of what this run's own messages say, so they are never the session's.
    of_run: bool = False


class Driver(Protocol):
    """See the module."""

    def __init__(self, name: str, settings: AgentCliSettings) -> None: ...

    def invocation(self, request: Request) -> Invocation:
        """How to start the CLI for this request.

        No argument is longer than ``arguments.ARGUMENT_BYTES``: a longer brief goes another way.

        Raises:
            ConfigurationError: as it is configured it cannot be given this brief.
        """
        ...

    def result(self, output: Output) -> Result:
        """What the output says; never raises, whatever the output is."""
        ...

    def executable(self) -> str:
        """Name or path of the program, for the check that it is installed."""
        ...


@runtime_checkable
class ReadsRules(Protocol):
    """What a driver may declare besides: files of a repository that its CLI reads by itself."""

    #: Paths in the repository, e.g. ``AGENTS.md``; only what is certain, since the others are put into the brief.
    house_rules: Sequence[str]


@runtime_checkable
class AnswersAlone(Protocol):
    """What a driver may declare besides: its CLI marks its final answer as such, apart from what it runs and quotes.

    The verdict of its reviews is in that answer and nowhere else: by ``tt review`` a program could give it that the
    CLI started.
    """

    answers_alone: bool


@runtime_checkable
class Configured(Protocol):
    """What a driver should declare besides: by which files of a repository its CLI is configured."""

    #: Patterns as in a `.gitignore`, in any letter case: settings, hooks, servers, skills, instructions, ignore files.
    #: They are out of force in reviews, and what an earlier agent made of them is in work. Give it as an attribute of
    #: the class: it counts whichever CLI runs.
    configures: Sequence[str]


@runtime_checkable
class SortsLines(Protocol):
    """What a driver of a CLI that streams may offer besides: to tell its own complaints from everything else."""

    def sort(self, line: str) -> Sort:
        """What a line of its stdout is; never raises. In doubt it is work."""
        ...


@runtime_checkable
class TellsWaits(Protocol):
    """The same of a CLI that says on its stderr how long it waits for its next try."""

    def waits(self, line: str) -> bool:
        """Whether a line of its stderr says that it now waits for longer than ``LONGEST_WAIT``; never raises."""
        ...


@runtime_checkable
class NeedsHosts(Protocol):
    """What a driver may declare besides: the hosts of its CLI's service, for ``[sandbox] egress = "strict"``."""

    #: Names, or ``*.example.org`` for all below a domain: to ask the model and to log in, nothing else.
    hosts: Sequence[str]


@runtime_checkable
class Converses(Protocol):
    """What a driver may offer besides: to open its CLI for a person, in their terminal, as they would themselves."""

    def conversation(self, opening: Opening) -> Sequence[str]:
        """Argv that begins a conversation. It allows nothing: the CLI asks the person as it always does.

        Where the CLI takes nothing to begin with, neither ``words`` nor the name of ``file`` is in it: then the person
        is asked to say it.
        """
        ...


@runtime_checkable
class VersionCheck(Protocol):
    """What a driver may offer besides: a way to ask its CLI for its release."""

    def version_check(self) -> Sequence[str] | None:
        """Argv that prints the release and does nothing else; ``None`` if that cannot be asked."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a CLI would be started."""

    #: The user's home, as the CLI finds it.
    home: Path
    #: The program that would be started.
    program: Path
    #: The variables that the town gives it; of those of the user's shell it sees none that could be a key.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Folders of repositories: those that it would work in, or those that these are clones of.
    folders: Sequence[Path] = ()


@runtime_checkable
class KnowsLogin(Protocol):
    """What a driver may offer besides: to tell from files and variables whether its CLI is logged in."""

    def executable(self) -> str: ...

    def logged_in(self, place: Place) -> bool | None:
        """Cheap, and without starting anything. No attempt begins after ``False``: in doubt it is ``None``.

        Raises:
            OSError: a file cannot be read, which is a doubt as well.
        """
        ...


@runtime_checkable
class LoginCheck(Protocol):
    """What a driver may offer besides: a way to ask its CLI whether it is logged in, for ``tt doctor``."""

    def login_check(self) -> Sequence[str] | None:
        """Argv that exits with 0 if and only if the CLI is logged in; ``None`` if that cannot be asked."""
        ...
