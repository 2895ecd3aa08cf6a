"""A question that was given to the unattended conductor, and what came of it."""

from __future__ import annotations

from typing import Literal

from tinytown.missions.records.record import Record


class Asked(Record):
    """One question, given once. It is kept under the id of the mission whose one item is the run."""

    #: Mission that the question is about; empty where it is about none.
    mission: str = ""
    #: ``dispatcher``, or the agent that asked.
    sender: str
    #: When it was asked first.
    since: float
    reasons: tuple[str, ...] = ()
    #: The mission and the key of the run.
    run: str
    item: str
    #: When it was given.
    at: float
    #: ``asked``: the run has not ended. ``answered``: the question is settled. ``left``: it is left to people.
    state: Literal["asked", "answered", "left"] = "asked"
    #: Number of the attempt that did something about it; 0 for none.
    acted: int = 0
    #: What the run did, or why it could not answer, in a sentence.
    why: str = ""
    ended_at: float | None = None
    #: The run could not even begin, and may be tried again from then on.
    again_at: float | None = None
    cost_usd: float = 0.0
