"""What a brief is made from; ``brief`` composes its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinytown.missions.records.agent import Message
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.states import Purpose


@dataclass(frozen=True)
class Dependency:
    """An issue that came first, and what it left."""

    key: str
    title: str
    #: What its agent said.
    result: str = ""
    #: Files and lines it changed, and the patch.
    stat: str = ""
    patch: str = ""
    #: The repository that its change is in, if it is another one.
    elsewhere: str = ""


@dataclass(frozen=True)
class Rules:
    """A file in which the repository says how it is worked on."""

    name: str
    text: str = ""
    #: The CLI of this attempt reads it by itself, so it is not repeated.
    known: bool = False


@dataclass(frozen=True)
class BriefInputs:
    """What a brief is made from."""

    mission: Mission
    item: Item
    issue: Issue
    purpose: Purpose
    #: Random; never shown anywhere else.
    fence: str
    role_prompt: str = ""
    #: What was said before the messages that it answers, in the same exchanges, and what else its agent was told.
    before: Sequence[Message] = ()
    mail: Sequence[Message] = ()
    #: In the order of their keys.
    dependencies: Sequence[Dependency] = ()
    #: Texts of the documents that the mission names, by their paths.
    documents: Mapping[str, str] = field(default_factory=dict)
    #: The repository's own rules.
    rules: Sequence[Rules] = ()
    #: Commands that the change must pass.
    checks: Sequence[str] = ()
    #: Branch that the change is merged into.
    base: str = ""
    #: Work that earlier attempts left elsewhere than on the branch, and the refs that it has in the clone, a line each.
    elsewhere: Sequence[str] = ()
    #: Files with conflict markers, from this merge or an earlier one, and files in conflict that hold none.
    conflicts: Sequence[str] = ()
    unmarked: Sequence[str] = ()
    #: Files that configure agents and stand in the folder as the base has them, not as its branch does.
    masked: Sequence[str] = ()
    #: For a review: what the change does to what judges it, one sentence each.
    first: Sequence[str] = ()
    #: For a review: files of the commit that configure agents, and what the change does to such files.
    hidden: Sequence[str] = ()
    configuration: str = ""
    #: For a review that is a task of a plan: that task.
    task: Issue | None = None
    #: For a review: the change, and what its author said.
    diff: str = ""
    result: str = ""
    #: The branch holds earlier, unfinished work.
    resumed: bool = False
    #: Why the last attempt was ended, if it went over a limit, e.g. `used more memory than … allows`.
    exceeded: str = ""
    #: The output of the folder's setup, if it fails because of the earlier work on the branch.
    broken: str = ""
    #: For a review: the end of what the checks printed that passed.
    printed: str = ""
    #: For a review: its verdict is in the answer of the CLI, and no command gives it.
    in_answer: bool = False
    #: For a review: the word that its approval must contain if what it reads holds the line that approves.
    word: str = ""
    contested: bool = False
    #: For a second review, where the first gave no verdict: what it said instead.
    unheard: str = ""

    @property
    def messages(self) -> Sequence[Message]:
        """The messages that the item answers."""
        wanted = {one.id for one in self.item.messages}
        return [one for one in self.issue.messages if one.id in wanted]
