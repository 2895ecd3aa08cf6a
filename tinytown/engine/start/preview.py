"""Show what a mission would do: order, waves, who could take what, and what would wait. Changes nothing.

It works with the town stopped, too: then the clock is this machine's, and nobody is alive.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from tinytown.engine.context import Context
from tinytown.engine.start import strangers
from tinytown.engine.start.base_check import BaseVerdict, cached
from tinytown.engine.start.crew import coming_crew
from tinytown.engine.start.order import Order
from tinytown.engine.start.start import Draft, Rehearsal, bases_of, done_already, prepare, tips_of
from tinytown.errors import TinytownError, UnreachableError
from tinytown.missions import scheduler, staffing
from tinytown.missions.crew import Crew
from tinytown.missions.records.item import Item
from tinytown.missions.staffing import RoleStaffing
from tinytown.missions.states import ItemState


@dataclass(frozen=True)
class Wait:
    """Why an item would not start at once: a ``WaitReason`` and what would help."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class PreviewItem:
    """An item with its place in the mission."""

    item: Item
    #: From 1: items of one wave wait for none of each other.
    wave: int
    #: It lies on the critical path.
    critical: bool
    #: Live workers that could take it.
    takers: tuple[str, ...]
    waiting: Wait | None


@dataclass(frozen=True)
class PreviewBase:
    """A base on which the checks have to pass first, and what they said when they last ran on it as it is."""

    repo: str
    base: str
    #: ``None``: they did not, and a start would run them.
    known: BaseVerdict | None


@dataclass(frozen=True)
class Preview:
    """See the module."""

    draft: Draft
    items: tuple[PreviewItem, ...]
    roles: tuple[RoleStaffing, ...]
    #: Live workers that could review; empty where nobody has to.
    reviewers: tuple[str, ...]
    #: The town's records could be read.
    running: bool
    #: Why `tt mission start` would refuse it now, a sentence and a remedy each.
    refusals: tuple[TinytownError, ...]
    bases: tuple[PreviewBase, ...] = ()

    @property
    def waves(self) -> tuple[tuple[str, ...], ...]:
        return self.draft.graph.waves()

    @property
    def critical_path(self) -> tuple[str, ...]:
        return self.draft.graph.critical_path()

    def items_by_wave(self) -> list[PreviewItem]:
        """All items, wave by wave, each in order."""
        return sorted(self.items, key=lambda one: one.wave)

    @property
    def skipped(self) -> list[Item]:
        """What the manifest leaves out."""
        return [i for i in self.draft.items if i.state is ItemState.SKIPPED]


def preview(context: Context, order: Order) -> Preview:
    """Preview the mission that this order would start.

    Raises:
        TinytownError: as ``start`` does for its issues, options and manifest. What only stands in the way of a
            start now, such as a repository that is not ready, is part of the preview.
    """
    now = _now(context)
    running = now is not None
    rehearsal = Rehearsal(now=time.time() if now is None else now, records=running)
    draft = prepare(context, order, rehearsal=rehearsal)
    crew = coming_crew(context) if running else Crew([])
    wave = {key: number for number, keys in enumerate(draft.graph.waves(), start=1) for key in keys}
    critical = set(draft.graph.critical_path())
    waits = _waits(draft, crew, now=rehearsal.now)
    items = {item.key: item for item in draft.items}
    previewed = tuple(
        PreviewItem(
            item=items[key],
            wave=wave[key],
            critical=key in critical,
            takers=tuple(w.name for w in crew.of_role(scheduler.serving_role(items[key], crew))),
            waiting=waits.get(key),
        )
        for key in draft.graph.order
    )
    return Preview(
        draft=draft,
        items=previewed,
        roles=staffing.roles([one.item for one in previewed], crew),
        reviewers=staffing.reviewers(crew) if draft.mission.policy.reviewer_required else (),
        running=running,
        refusals=tuple(_refusals(context, draft, order, records=running)),
        bases=_bases(context, draft) if order.base_check and draft.unfit is None else (),
    )


def _bases(context: Context, draft: Draft) -> tuple[PreviewBase, ...]:
    bases = bases_of(context, draft)
    tips = tips_of(context, bases)
    return tuple(PreviewBase(repo, base, cached(context.town, repo, tips[repo])) for repo, base in bases.items())


def _now(context: Context) -> float | None:
    """The database's time, or ``None`` where it does not answer."""
    try:
        return context.store.now()
    except UnreachableError:
        return None


def _waits(draft: Draft, crew: Crew, *, now: float) -> Mapping[str, Wait]:
    """For what each item would wait right after the start."""
    waits = {i.key: Wait(i.waiting.reason.value, i.waiting.remedy) for i in draft.items if i.waiting is not None}
    free = [i.evolve(state=ItemState.READY) for i in draft.items if i.state is ItemState.PENDING and i.key not in waits]
    for decision in scheduler.admit(draft.mission, free, live=0, crew=crew, now=now):
        if isinstance(decision, scheduler.Refuse):
            waits[decision.key] = Wait(decision.reason.value, decision.remedy)
    return waits


def _refusals(context: Context, draft: Draft, order: Order, *, records: bool) -> list[TinytownError]:
    refusals: list[TinytownError] = [draft.unfit] if draft.unfit is not None else []
    refusals += draft.dead
    refusals += strangers.refusals(draft.items, {issue.key: issue for issue in draft.issues}, trust=order.trust)
    if records:
        refusals += done_already(context, draft, order)
        for item in draft.items:
            other = context.store.mission_of_issue(item.key)
            if other is not None and item.state is not ItemState.SKIPPED:
                refusals.append(_taken(item, other))
    return refusals


def _taken(item: Item, mission: str) -> TinytownError:
    return TinytownError(
        f"{item.key} is already in mission {mission}", remedy=f"see `tt mission status --run {mission[:8]}`"
    )


def short(key: str, repo: str) -> str:
    """``#2`` for an issue of ``repo``, else the whole key."""
    return key[len(repo) :] if key.lower().startswith(f"{repo.lower()}#") else key
