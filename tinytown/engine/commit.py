"""The one way a use case changes records: load, decide, commit, and look again where somebody else was quicker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tinytown.engine.context import Context
from tinytown.errors import ConflictError
from tinytown.host import seats
from tinytown.state.change import Change

R = TypeVar("R")

#: Looks at what others change meanwhile.
TRIES = 50


def commit(context: Context, decide: Callable[[Change], R], *, tries: int = TRIES) -> R:
    """Commit what ``decide`` puts into a change, and give what it gave.

    ``decide`` loads what it decides from, so that after a conflict it sees what is there by then. A change that it
    leaves empty is not committed. A conflict that it meets itself counts as one; its other errors end the loop.

    Raises:
        ConflictError: somebody else was quicker ``tries`` times.
    """
    for left in reversed(range(tries)):
        change = context.store.change()
        try:
            answer = decide(change)
            if change:
                change.commit()
                if change.of_agents:
                    seats.tell(context.town)
        except ConflictError:
            if not left:
                raise
            continue
        return answer
    raise ValueError("at least one try is needed")
