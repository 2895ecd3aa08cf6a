"""Notice what people do to the issues of a mission that runs: said once, shown while it matters, never obeyed alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tinytown import keys
from tinytown.engine.context import Context, event
from tinytown.errors import ConfigurationError, ConflictError, NotFoundError, TinytownError
from tinytown.missions import issue_edits
from tinytown.missions.messages import told_conductor
from tinytown.missions.records.issue import Issue
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.state.records import Versioned
from tinytown.state.store import PAGE

log = logging.getLogger(__name__)


def look_at_issues(context: Context, mission: Mission) -> None:
    """Look again at the issues whose turn it is; a forge that does not answer brings no news."""
    if mission.tasks:
        return  # What tasks are to say is told by whoever gives them.
    tick = context.town.settings.timing.tick_secs
    every = tick if context.forge.kind == keys.LOCAL else mission.policy.watch_interval_secs
    order = context.store.order(mission.id)
    now = context.store.now()
    # Of a large mission all have their turn, also those that need none: else each tick would read all of it.
    large = len(order) > PAGE
    read = issue_edits.turn(list(order), now=now, every=every, tick=tick) if large else list(order)
    items = context.store.some_items(mission.id, read)
    due = [key for key, item in items.items() if issue_edits.watched(item.record)]
    wanted = due if large else issue_edits.turn(due, now=now, every=every, tick=tick)
    names = keys.names(order)
    for key, issue in context.store.issues(mission.id, wanted).items():
        try:
            _look(context, mission, items[key], issue, name=names[key])
        except ConflictError:
            continue  # It moved meanwhile; the next look sees it as it is then.
        except TinytownError as error:
            log.warning("%s: %s", key, error)
            if not isinstance(error, ConfigurationError):
                return  # Whoever does not answer now need not be asked fifty times.


def _look(context: Context, mission: Mission, item: Versioned[Item], old: Issue, *, name: str) -> None:
    record = item.record
    try:
        new = context.forge_of(record.key).issue(record.key)
    except NotFoundError as error:
        if record.noticed != "lost":
            # Of GitHub it may be that it is only not to be seen: nobody works for what may be gone.
            holds = mission.policy.forge_judges
            said = issue_edits.lost(error.message, record, run=mission.short, holds=holds)
            _say(context, mission, item, said, "lost", name=name, holds=holds)
        return
    seen, known = issue_edits.fingerprint(new), record.noticed or issue_edits.fingerprint(old)
    if new.number != record.number:
        # Another number means another repository: one that is only renamed keeps it.
        if new.key not in known:
            said = issue_edits.transferred(new.key, record, run=mission.short)
            _say(context, mission, item, said, f"{known} {new.key}", name=name, holds=True)
            return
        seen = f"{seen} {new.key}"
    kept = issue_edits.takeable(old, new)
    if issue_edits.follows(record) and not issue_edits.same_text(old, kept):
        said = issue_edits.tell(old, new, record, run=mission.short)
        # The state stays as it was told, so that it is told once.
        _say(context, mission, item, said, seen, name=name, take=kept)
    elif seen != known:
        _say(context, mission, item, issue_edits.tell(old, new, record, run=mission.short), seen, name=name)


def _say(
    context: Context,
    mission: Mission,
    item: Versioned[Item],
    text: str,
    seen: str,
    *,
    name: str,
    take: Issue | None = None,
    holds: bool = False,
) -> None:
    now = context.store.now()
    change = context.store.change()
    record = item.record
    # An issue that can be read again, where it was, is worked on again.
    back = record.noticed == "lost" and not holds
    new = issue_edits.held(record, text, now=now) if holds else issue_edits.let_go(record) if back else record
    change.put_item(mission, item, new.evolve(noticed=seen, news=text))
    if take is not None:
        change.put_issue(mission.id, take)
    if text:
        change.event(event("issue_edited", at=now, mission=mission.id, item=item.record.key, text=text))
        words = f"Issue {name} of mission {mission.short} {text}"
        change.message(told_conductor(words, at=now, mission=mission.id))
    change.commit()


def read_anew(context: Context, wanted: Mapping[str, Item]) -> dict[str, Issue]:
    """The present issues of these items, where their forge can tell; it knows nothing of tasks."""
    found = {}
    for key in wanted:
        if keys.is_task(key):
            continue
        try:
            found[key] = context.forge_of(key).issue(key)
        except TinytownError as error:
            log.warning("%s: %s", key, error)
    return found
