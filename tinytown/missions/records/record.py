"""What every record is: frozen, stored as JSON, changed only as a copy."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from tinytown.missions.states import WaitReason


class Record(BaseModel):
    """A frozen value that is stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def evolve(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return self.model_copy(update=changes)


class Waiting(Record):
    """Why an item does not move, since when, until when (if known), and what would help."""

    reason: WaitReason
    since: float
    until: float | None = None
    remedy: str = ""
    #: The commit that it is about, if any: with another one it is looked at again.
    about: str = ""
