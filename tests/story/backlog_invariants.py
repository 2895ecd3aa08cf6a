"""What must be true of the backlog, besides: each entry is in one place, and agents take one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.story.invariants import hold
from tests.story.plan_invariants import PlanWatcher
from tinytown.missions.records.backlog import Entry
from tinytown.missions.states import ItemState


@dataclass
class BacklogWatcher(PlanWatcher):
    """Looks at the backlog after every commit, too."""

    #: All entries that ever were, as they were last.
    entries: dict[str, Entry] = field(default_factory=dict)
    #: Those that people wanted to remove.
    removable: set[str] = field(default_factory=set)
    #: What each agent took by itself last.
    taken: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        super().look()
        keys = self.store.keys
        with self.store.client.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.backlog)
            pipe.zrange(keys.backlog_lines, 0, -1)
            pipe.hgetall(keys.backlog_taken)
            found, lines, taken = pipe.execute()
        entries = {id_: Entry.model_validate_json(text.partition("\n")[2]) for id_, text in found.items()}
        self.entries |= entries
        self._each_once(entries)
        # Those that agents passed on too often are in a line of their own, for people.
        wanted = [
            f"{line} {entry.number:012d}"
            for entry in entries.values()
            for line in (("!",) if entry.depth > 3 else entry.roles or ("",))
        ]
        hold(sorted(lines) == sorted(wanted), f"{lines} stand in line, not {wanted}")
        for agent, place in taken.items():
            if self.taken.get(agent) != place:
                self._takes(agent, place, self.taken.get(agent))
        self.taken = taken

    def _each_once(self, entries: Mapping[str, Entry]) -> None:
        """An entry is in the backlog, or became one task; none vanishes that nobody removed."""
        tasks = Counter(
            item.entry
            for one in self._seen.values()
            for item in one.items.values()
            if item.entry and item.state is not ItemState.SKIPPED
        )
        for id_ in self.entries:
            places = tasks[id_] + (id_ in entries)
            hold(places < 2, f"{id_} is in {places} places")
            hold(places == 1 or id_ in self.removable, f"{id_} is nowhere")

    def _takes(self, agent: str, place: str, before: str | None) -> None:
        """An agent took an entry by itself: one that is for it, and only if it has no other."""
        mission, key = place.split(" ", 1)
        item = self._seen[mission].items[key]
        entry, role = self.entries[item.entry], self.roles[agent]
        fits = role in entry.roles if entry.roles else role != "reviewer"
        hold(fits and entry.depth <= 3, f"{agent} [{role}] took {entry.id}, which is for {entry.roles}")
        if before is None:
            return
        mission, key = before.split(" ", 1)
        old = self._seen[mission].items[key]
        at_it = old.attempt is not None and old.attempt.claimed and old.attempt.agent == agent
        had = not old.state.ended and old.directed_to == agent and not at_it
        hold(not had, f"{agent} took {entry.id}, and has {key} unfinished")
