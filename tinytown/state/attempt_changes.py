"""The part of a commit that is about attempts: the index of those that live, their leases, and what is kept of each."""

from __future__ import annotations

import json

from tinytown.missions.limits import Limit
from tinytown.missions.records.attempt import Attempt, AttemptRecord
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.spending import Caps, Day, Used
from tinytown.state import spending
from tinytown.state.database import Draft
from tinytown.state.keys import Keys


class AttemptChanges:
    """See the module; a ``Change`` is one."""

    draft: Draft
    _keys: Keys
    #: Something became due or startable, or a worker free: what was decided before must be decided anew.
    _moves: bool
    #: By mission and key: what items leave by this change.
    left: dict[tuple[str, str], str]

    def _index_attempt(
        self, mission: Mission, old: Attempt | None, new: Attempt | None, item: Item, lease: float | None
    ) -> None:
        if old == new:
            return
        keys, draft = self._keys, self.draft
        if old is not None and (new is None or new.id != old.id):
            self._moves = True
            draft.write("HDEL", keys.attempts, old.id)
            draft.write("ZREM", keys.leases, old.id)
        if new is not None:
            body = {
                "mission": mission.id,
                "item": item.key,
                "number": new.number,
                "purpose": new.purpose.kind.value,
                "queue": new.queue,
                "sent_at": new.sent_at,
                "agent": new.agent,
                "claimed": new.claimed,
                "role": new.role,
                "cli": new.cli,
            }
            draft.write("HSET", keys.attempts, new.id, f"{new.token or ''}\n{json.dumps(body)}")
            if lease is not None:
                draft.write("ZADD_IN", keys.leases, new.id, round(lease * 1000))

    def expect_expired(self, attempt: str) -> None:
        """Let the commit fail if the lease of this attempt has not run out by the server's clock."""
        self.draft.expect(self._keys.leases, f"<{attempt}", 0)

    def end_attempt(self, mission: str, record: AttemptRecord) -> None:
        """Keep a finished attempt for the history."""
        field = f"{record.item}/{record.number}"
        text = record.model_dump_json(exclude_defaults=True)
        self.draft.write("HSET", self._keys.mission_attempts(mission), field, text)
        if record.report.result and record.purpose in ("work", "fix"):
            self.put_result(mission, record.item, record.report.result)
        elif record.report.result and record.judge:
            self.put_result(mission, record.judge, record.report.result)

    def put_result(self, mission: str, key: str, text: str) -> None:
        """Keep what an item left."""
        self.left[mission, key] = text
        self.draft.write("HSET", self._keys.results(mission), key, text)

    def rewrite_attempt(self, mission: str, field: str, old: str, record: AttemptRecord) -> None:
        """A finished attempt in the form of this release, if it still is as it was read."""
        key = self._keys.mission_attempts(mission)
        self.draft.expect(key, field, old)
        self.draft.write("HSET", key, field, record.model_dump_json(exclude_defaults=True))

    def count_spent(self, used: Used, *, role: str, cli: str) -> None:
        """Count what a run of an agent used among what the town's runs use this day; once for each run."""
        self._moves = True
        spending.count(self.draft, self._keys, used, role=role, cli=cli)

    def put_last_start(self, at: float) -> None:
        """A run of an agent begins, and their starts are limited."""
        self.draft.write("HSET", self._keys.spent, spending.LAST, repr(at))

    def put_limit_asked(self, day: Day, caps: Caps, *, at: float) -> None:
        """Note that a person is asked about these limits of the day, as long as nobody else has asked meanwhile."""
        field = f"{day.number}/asked"
        self.draft.expect(self._keys.spent, field, repr(day.asked_at) if day.asked_at else 0)
        self.draft.write("HSET", self._keys.spent, field, spending.asked(caps, at))

    def raise_limits(self, day: Day, caps: Caps) -> None:
        """Give this day other limits than the settings do."""
        self._moves = True
        self.draft.write("HSET", self._keys.spent, f"{day.number}/raised", spending.raised(caps))

    def put_limit(self, account: str, limit: Limit) -> None:
        """Record a usage limit that was reached: nothing more goes to the agents that share it."""
        self._moves = True
        self.draft.write("HSET", self._keys.limits, account, limit.model_dump_json())

    def forget_limits(self) -> None:
        """Forget all usage limits, as a person says that there are none."""
        self._moves = True
        self.draft.write("DEL", self._keys.limits)
