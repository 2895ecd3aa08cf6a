"""Issues as their forge has them, and the dependencies that they state."""

from __future__ import annotations

from typing import Literal

from tinytown.missions.records.agent import Message
from tinytown.missions.records.record import Record
from tinytown.missions.states import Source


class Edge(Record):
    """One dependency of an item, with the place that states it."""

    #: Key of the issue that must settle first.
    on: str
    source: Source
    #: Line of the text that states it, from 1; 0 where there is none.
    line: int = 0
    #: The words that state it, shortened.
    text: str = ""


class Comment(Record):
    """What somebody who may write to the repository said below an issue."""

    author: str
    body: str
    #: When, as the forge writes it.
    at: str = ""


class Issue(Record):
    """An issue as it was read from its forge."""

    key: str
    #: 0 for a task, whose title and body come from its plan.
    number: int = 0
    title: str
    body: str = ""
    labels: tuple[str, ...] = ()
    #: ``open``, ``completed`` or ``not_planned``.
    state: Literal["open", "completed", "not_planned"] = "open"
    url: str = ""
    #: Keys from the forge's own "blocked by".
    blocked_by: tuple[str, ...] = ()
    #: How to find a line of the body in the file that it was read from: from this line on, add so many.
    shifts: tuple[tuple[int, int], ...] = ()
    #: Comments by people with write access, the oldest first.
    comments: tuple[Comment, ...] = ()
    #: Further comments, which nobody is shown: by others, or too many.
    left_out: int = 0
    #: Messages that the item answers, instead of a title and a body.
    messages: tuple[Message, ...] = ()
    #: Only people with write access can have edited its title and body.
    trusted: bool = True

    def line_in_file(self, line: int) -> int:
        """The line that people see for a line of the body."""
        return line + next((more for first, more in reversed(self.shifts) if first <= line), 0)
