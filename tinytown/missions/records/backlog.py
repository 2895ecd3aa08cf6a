"""Work that nobody has yet: an entry of the backlog."""

from __future__ import annotations

from tinytown.missions.records.record import Record


class Entry(Record):
    """A task that waits, outside of all missions, for an agent that takes it."""

    #: ``b`` and its number: a later one has a larger number.
    id: str
    text: str
    tags: tuple[str, ...] = ()
    #: Roles that its tags named when it was added; none: it is for anybody who works.
    roles: tuple[str, ...] = ()
    #: Who added it: ``operator``, or an agent.
    by: str = ""
    at: float
    #: How often in a row agents had passed work on, each at work on what was passed on before; 0: a person added it.
    depth: int = 0

    @property
    def number(self) -> int:
        return int(self.id[1:])

    @property
    def title(self) -> str:
        """Its first line."""
        return self.text.strip().partition("\n")[0].strip()
