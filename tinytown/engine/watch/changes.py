"""Look at changes that were brought to a remote forge: what is due of each is read, judged, and becomes its next step.

Only the process that speaks to the forge does this. What it saw is written together with the item, so that an item is
never moved by evidence that is not on record.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinytown.engine.changes import forge_change, repo_of
from tinytown.engine.context import Context, event
from tinytown.engine.watch import acting, finishing
from tinytown.errors import ConflictError, UnclearError
from tinytown.forge.contract import Change, RemoteChanges, Seen
from tinytown.missions import gates, seen_outside
from tinytown.missions.evidence import memory as memories
from tinytown.missions.evidence import schedule
from tinytown.missions.evidence.case import Case
from tinytown.missions.evidence.judge import judge
from tinytown.missions.evidence.judgement import Fix, Judgement, UpdateBranch, Wait
from tinytown.missions.evidence.outcome import applied, subject
from tinytown.missions.evidence.schedule import Look
from tinytown.missions.records.forge_evidence import ChangeEvidence, ChangeWatch, Memory
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission, Policy
from tinytown.missions.states import ItemState
from tinytown.settings import BotSettings, bots
from tinytown.state import watches
from tinytown.state.records import Versioned

log = logging.getLogger(__name__)

#: Changes that are read together.
BATCH = 25


def look_at_changes(context: Context, mission: Mission, items: Mapping[str, Versioned[Item]]) -> bool:
    """Look at what is due of these items' changes; gives whether any of them moved.

    A forge that does not answer, or asks to be left alone, ends the look: what is due stays due.
    """
    forge = context.forge
    if not isinstance(forge, RemoteChanges):
        return False
    wanted = {key: item for key, item in items.items() if gates.is_watched(item.record, mission.policy)}
    known = watches.of_items(context.store, mission.id, list(wanted))
    now, moved = context.store.now(), False
    groups: dict[tuple[str, Look], list[Looked]] = {}
    found = {key: _at_head(known[key], item.record, mission.policy, now) for key, item in wanted.items()}
    context.looks.known(mission.id, {key: watch.due_at for key, watch in found.items()}, now=now)
    for key, item in wanted.items():
        watch = found[key]
        if watch.due_at > now:
            continue
        one = Looked(item, watch, _change(mission, item.record))
        look = _next_look(mission, one, now)
        try:
            if _settle(context, mission, one, look):
                moved = True
            elif item.record.state is ItemState.DONE and not gates.merge_due(item.record, mission.policy):
                # Its gates are passed; only that somebody merges it is of interest.
                _put(context, mission, item, item.record, watch.evolve(due_at=look.due_at))
            else:
                groups.setdefault((repo_of(item.record, mission), look), []).append(one)
        except (ConflictError, UnclearError) as error:
            log.info("%s: %s", key, error)  # The next look sees it as it is then.
    for (repo, look), group in groups.items():
        for first in range(0, len(group), BATCH):
            moved |= _judge(context, forge, mission, repo, group[first : first + BATCH], look, now=now)
    return moved


@dataclass(frozen=True)
class Looked:
    """An item whose change is looked at."""

    item: Versioned[Item]
    watch: ChangeWatch
    change: Change


def _at_head(known: ChangeWatch, item: Item, policy: Policy, now: float) -> ChangeWatch:
    """What is known of the published head; another one, or one of which nothing counts, is looked at anew, at once."""
    if known.head == item.published:
        unread = item.forge_verdict is None and gates.goes_by_forge(item, policy)
        return known.evolve(due_at=0.0) if unread else known
    return known.evolve(head=item.published or "", pushed_at=now, changed_at=now, due_at=0.0)


def _change(mission: Mission, item: Item) -> Change:
    return replace(forge_change(item, mission), head=item.published or "")


def _next_look(mission: Mission, one: Looked, now: float) -> Look:
    known = one.item.record.forge_verdict
    return schedule.after(
        now,
        interval=mission.policy.watch_interval_secs,
        pending=known is None or not known.passed,
        expected_since=one.watch.pushed_at,
        changed_at=one.watch.changed_at,
    )


def _settle(context: Context, mission: Mission, one: Looked, look: Look) -> bool:
    """Take in that a change was merged, closed or directed elsewhere by somebody; gives whether it was."""
    record = one.item.record
    seen = context.forge.observe(repo_of(record, mission), one.change)
    new = _settled(mission, record, seen, base=one.change.base, now=context.store.now())
    if new is None:
        return False
    if new.merged:
        finishing.finish(context, mission, record)
    _put(context, mission, one.item, new, one.watch.evolve(due_at=look.due_at))
    return new != record


def _judge(
    context: Context,
    forge: RemoteChanges,
    mission: Mission,
    repo: str,
    group: Sequence[Looked],
    look: Look,
    *,
    now: float,
) -> bool:
    found = forge.evidence(repo, [one.change for one in group], look, seen_at=now, bots=_logins(context))
    moved = False
    for one in group:
        fresh = found.get(one.change.id)
        if fresh is None:
            log.warning("%s: %s says nothing of it", one.item.record.key, forge)
            continue
        case = case_of(context, mission, one.item.record, one.watch, fresh, now=now)
        new, judgement = applied(one.item.record, case, now=now)
        if any(isinstance(action, UpdateBranch) for action in judgement.actions):
            new = acting.updated(context, forge, mission, new, one.change) or new
        changed = _said(new) != _said(one.item.record)
        flaky = memories.new_flakes(case)
        memory = _remembered(case, one.item.record, new, judgement)
        news = [*acting.told(memory, judgement.actions), *(("check_flaked", {"check": key[1]}) for key in flaky)]
        watch = one.watch.evolve(
            evidence=case.evidence,
            memory=acting.noted(memory.evolve(flaky=(*memory.flaky, *flaky)), judgement.actions),
            due_at=_due(look, judgement, now),
            changed_at=now if changed else one.watch.changed_at,
        )
        try:
            moved |= _put(context, mission, one.item, new, watch, news)
        except ConflictError:
            continue
        acting.act(context, forge, mission, new, one.change, judgement.actions)
    return moved


def _due(look: Look, judgement: Judgement, now: float) -> float:
    """When it is looked at again: what is only being computed, and what tinytown set off itself, is there sooner."""
    due = min(look.due_at, judgement.until) if isinstance(judgement, Wait) else look.due_at
    return min(due, now + schedule.SOON_SECS) if judgement.actions else due


def _said(item: Item) -> tuple[object, ...]:
    """What the evidence came to, without the times of the next look."""
    known = item.forge_verdict
    if known is None:
        return ()
    return known.sha, known.passed, known.reviewable, known.reason, [(one.name, one.state) for one in known.watched]


def _besides(item: Item) -> Item:
    return item.evolve(forge_verdict=None)


def judged_now(context: Context, mission: Mission, item: Item) -> Judgement | None:
    """What everything that its forge says at this moment comes to; ``None`` for a forge that is not judged."""
    forge = context.forge
    if not isinstance(forge, RemoteChanges):
        return None
    now = context.store.now()
    known = watches.of_items(context.store, mission.id, [item.key])[item.key]
    change = forge_change(item, mission)
    look = Look(due_at=now, good_until=now + mission.policy.watch_interval_secs)
    found = forge.evidence(repo_of(item, mission), [change], look, seen_at=now, bots=_logins(context))
    nothing = known.evolve(evidence=ChangeEvidence())
    return judge(case_of(context, mission, item, nothing, found.get(change.id, ChangeEvidence()), now=now))


def _bots(context: Context) -> Mapping[str, BotSettings]:
    return bots.table(context.town.settings.forge.github.bots)


def _logins(context: Context) -> list[str]:
    return [bot.login for bot in _bots(context).values()]


def case_of(
    context: Context, mission: Mission, item: Item, known: ChangeWatch, fresh: ChangeEvidence, *, now: float
) -> Case:
    """What is judged once ``fresh`` was read; the item's head is the one that was published."""
    return Case(
        subject=subject(
            item,
            name=f"PR #{item.change}",
            base=mission.base_of(repo_of(item, mission)),
            pushed_at=known.pushed_at,
        ),
        evidence=memories.taken_in(known.evidence, fresh),
        policy=mission.policy,
        now=now,
        memory=known.memory,
        bots=_bots(context),
    )


def _settled(mission: Mission, item: Item, seen: Seen, *, base: str, now: float) -> Item | None:
    """What becomes of an item whose change is not open any more, or not as tinytown left it; ``None``: it is."""
    if item.attempt is not None:
        return None  # Whoever is at work ends first.
    match seen.state:
        case "merged":
            return item.evolve(merged=seen.sha, merged_head=item.head, waiting=None) if seen.sha else item
        case "closed":
            return seen_outside.change_closed(item, mission=mission.short, now=now)
        case "gone":
            return seen_outside.branch_gone(item, base=base, mission=mission.short, now=now)
    if seen.base and seen.base != base:
        return seen_outside.retargeted(item, to=seen.base, base=base, mission=mission.short, now=now)
    if seen.set_back and seen.head:
        return seen_outside.set_back(item, to=seen.head, mission=mission.short, now=now)
    if item.state is not ItemState.FIXING and item.head == item.published and seen.head not in (None, item.head):
        return seen_outside.head_moved(item)
    return new if (new := seen_outside.as_wanted(item)) is not item else None


def _remembered(case: Case, old: Item, new: Item, found: Judgement) -> Memory:
    memory = memories.after_look(case)
    begun = new.state is ItemState.FIXING and old.state is not ItemState.FIXING
    return memories.after_round(memory, found.failures) if begun and isinstance(found, Fix) else memory


def _put(
    context: Context,
    mission: Mission,
    old: Versioned[Item],
    new: Item,
    watch: ChangeWatch,
    news: Sequence[acting.News] = (),
) -> bool:
    """Record what was seen, and what is told of it besides; gives whether the item moved."""
    change, now = context.store.change(), context.store.now()
    change.put_item(mission, old, new)
    change.put_watch(mission.id, new.key, watch)
    for kind, said in news:
        change.event(event(kind, at=now, mission=mission.id, item=new.key, **said))
    moved = _said(new) != _said(old.record) or _besides(new) != _besides(old.record)
    if new.state is ItemState.FIXING and old.record.state is not ItemState.FIXING and new.fix is not None:
        fix = new.fix
        change.event(
            event("fix_requested", at=now, mission=mission.id, item=new.key, gate=fix.gate, summary=fix.summary)
        )
    elif moved and new.merged != old.record.merged:
        change.event(event("merged", at=now, mission=mission.id, item=new.key, sha=new.merged))
    elif moved and new.waiting != old.record.waiting:
        change.event(event("outside_news", at=now, mission=mission.id, item=new.key))
    change.commit()
    context.looks.expect(mission.id, new.key, watch.due_at)
    return moved
