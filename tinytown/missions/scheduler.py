"""Who may start now: slots, order, roles and live workers, decided from one snapshot.

Rules, in this order:

1. A larger ``priority`` goes first, then the longer critical path, then the lower number.
2. A mission has ``max_parallel_items`` slots; every sent or claimed attempt holds one, waiting holds none.
3. Work is sent only where a live idle worker can take it, counting all that is already sent to it by
   all missions. Otherwise the item stays where it is, with the reason.
4. Work and fixes go to the item's role; a role from a mere word that no live worker has goes to ``worker``;
   a role that a person named goes nowhere else; an operator's redirection goes to that agent alone.
5. A review goes to a live reviewer, or, if there is none, to any live worker; never to an author of the change.
6. Checks and merges go to the checks workers; what is said to a remote forge goes to the worker that speaks to it, and
   needs no free slot.
7. A worker whose CLI is at its usage limit, and whose role's fallbacks are, too, is sent nothing until that ends;
   others of its role go on, and are sent their work by name.
8. Nothing is sent to a host whose disks have no room for it, but what is done at a remote forge. An item that the
   budget or a limit holds back takes no slot; checks and merges cost nothing.
9. An agent for whom a message waits in another mission takes nothing else; a message needs no free slot, as its agent
   does one thing at a time.
10. A cold worker that comes back for work counts as busy. It is woken for an item that nobody else can take now.
11. A question goes to the unattended conductor, which takes nothing else.

Each rule but the seventh treats all items of a line (``lanes``) alike, so the heads of the lines are enough to decide
from.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from tinytown import contract, keys
from tinytown.missions import budget, gates, lanes
from tinytown.missions.crew import (
    CHECKS_ROLE,
    CONDUCTOR_ROLE,
    FORGE_ROLE,
    GENERAL_ROLE,
    REVIEWER_ROLE,
    TOWN_ROLES,
    Crew,
    Worker,
    queue_of,
)
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Mission
from tinytown.missions.spending import Allowance, Kind
from tinytown.missions.states import Purpose, WaitReason


@dataclass(frozen=True)
class Admit:
    """Send this attempt."""

    key: str
    purpose: Purpose
    queue: str
    role: str
    agent: str | None = None


@dataclass(frozen=True)
class Refuse:
    """The item stays where it is, for this reason."""

    key: str
    reason: WaitReason
    remedy: str
    until: float | None = None
    #: Nobody alive could take it even when idle: a person has to act.
    nobody: bool = False
    #: The worker that is to be woken for it.
    wakes: str = ""


@dataclass(frozen=True)
class More:
    """What is behind ``key`` in its line has to be read before anything else can be decided."""

    key: str


@dataclass(frozen=True)
class Place:
    """Where an attempt can go now; ``queue`` is empty if nowhere."""

    role: str
    queue: str = ""
    agent: str | None = None
    remedy: str = ""
    nobody: bool = False
    #: Those who could take it are at their usage limits until then.
    rests_until: float | None = None
    #: The worker that could be woken to take it.
    asleep: str = ""
    #: There is no room for a run on the disks of those who could take it.
    no_room: bool = False


def order(items: Iterable[Item]) -> list[Item]:
    """Rule 1."""
    return sorted(items, key=lambda i: (-i.priority, -i.critical_path, keys.place(i.key), i.key))


def admit(
    mission: Mission,
    due: Iterable[Item],
    *,
    live: int,
    crew: Crew,
    now: float,
    runs: int | None = None,
    allowance: Allowance | None = None,
    ends: Container[str] = (),
) -> list[Admit | Refuse | More]:
    """Decide about every item of ``due``.

    ``live`` is how many of the mission's items hold a slot, ``runs`` how many runs of agents its budget allows, and
    ``allowance`` what the town's limits do. Counts what it admits in ``crew`` and in ``allowance``, so each serves
    several missions in turn.

    ``ends`` are the last items that were read of lines that go on. If such an item does not hold up those behind it,
    ``More`` is the last decision: they come first, before anything that follows in order.
    """
    decisions: list[Admit | Refuse | More] = []
    held: set[str] = set()
    for item in order(due):
        step = gates.next_step(item, mission.policy)
        if not isinstance(step, gates.Run):
            continue
        lane = lanes.lane_of(item, mission.policy)
        place = find_place(item, step.purpose, crew.for_item(item.key, now))
        if item.not_before is None or item.not_before <= now or _passed_on(item, place, crew):
            decision = _decide(mission, item, step, place, live=live, runs=runs, allowance=allowance)
            decisions.append(decision)
            if isinstance(decision, Admit):
                live += 1
                runs = None if runs is None else runs - step.purpose.runs_agent
                crew.send(place.queue)
                if allowance is not None and step.purpose.runs_agent:
                    allowance.take(Kind(place.role, crew.cli_of(place.agent)))
            elif decision.reason in _FOR_ALL or decision.nobody or crew.alike(now):
                held.add(lane)
            if isinstance(decision, Refuse) and decision.wakes:
                crew.woken.add(decision.wakes)
        # Otherwise its record already says what it waits for, and until when.
        if item.key in ends and lane not in held:
            decisions.append(More(item.key))
            break
    return decisions


#: Reasons that hold for all items of a line, whatever the usage limits.
_FOR_ALL = frozenset({WaitReason.SLOTS, WaitReason.BUDGET, WaitReason.DAY_LIMIT, WaitReason.START_RATE})


def _decide(
    mission: Mission,
    item: Item,
    step: gates.Run,
    place: Place,
    *,
    live: int,
    runs: int | None,
    allowance: Allowance | None,
) -> Admit | Refuse:
    if place.nobody:
        return Refuse(item.key, WaitReason.NO_WORKER, place.remedy, nobody=True)
    if place.no_room:
        return Refuse(item.key, WaitReason.DISK_FULL, place.remedy)
    if place.rests_until is not None:
        return Refuse(item.key, WaitReason.USAGE_LIMIT, place.remedy, until=place.rests_until)
    if runs == 0 and step.purpose.runs_agent:
        return Refuse(item.key, WaitReason.BUDGET, budget.REMEDY)
    held = allowance.refusal() if allowance is not None and step.purpose.runs_agent else None
    if held is not None:
        reason, remedy, until = held
        return Refuse(item.key, reason, remedy, until=until)
    free = item.messages or gates.at_forge(item, step.purpose)
    if live >= mission.policy.max_parallel_items and not free:
        return Refuse(item.key, WaitReason.SLOTS, f"{live} of {mission.policy.max_parallel_items} slots are taken")
    if not place.queue:
        return Refuse(item.key, _busy_reason(step), place.remedy, wakes=place.asleep)
    return Admit(item.key, step.purpose, place.queue, place.role, place.agent)


def _passed_on(item: Item, place: Place, crew: Crew) -> bool:
    """Whether it waits for the end of a usage limit, and somebody whom that does not hold up can take it now."""
    return bool(place.queue) and item.limited_by in crew.limits and lanes.passable(item)


def _busy_reason(step: gates.Run) -> WaitReason:
    """What an item waits for while those who could take it are busy."""
    match step.purpose:
        case Purpose.CHECK:
            return WaitReason.CHECK
        case Purpose.REVIEW:
            return WaitReason.REVIEW
        case Purpose.MERGE:
            return WaitReason.MERGE
        case _:
            return WaitReason.NO_WORKER


def find_place(item: Item, purpose: Purpose, crew: Crew) -> Place:
    """Rules 3 to 6 for one attempt."""
    if gates.at_forge(item, purpose):
        return _by_role(FORGE_ROLE, crew, hint="run `tt start`: no worker that speaks to the forge is running")
    if not purpose.runs_agent:
        return _by_role(CHECKS_ROLE, crew, hint="run `tt start`: no checks worker is running")
    if purpose is Purpose.REVIEW:
        return _for_review(item, crew)
    if item.kind == gates.QUESTION:
        return _for_question(crew)
    if item.directed_to:
        return _directed(item.directed_to, crew)
    role = serving_role(item, crew)
    if role in TOWN_ROLES:
        return Place(role, remedy=f"no agent can have the role {role}: redirect it to another agent", nobody=True)
    return _by_role(role, crew, hint=f"no running worker has the role {role}: run `tt spawn {role}`")


def nobody_takes(item: Item, mission: Mission, crew: Crew) -> bool:
    """Whether the item is due, and nobody alive could take it even when idle."""
    if not mission.state.active:
        return False
    step = gates.next_step(item, mission.policy)
    return isinstance(step, gates.Run) and find_place(item, step.purpose, crew).nobody


def no_room(item: Item, mission: Mission, crew: Crew) -> bool:
    """Whether the item is due, and no host of those who could take it has room for a run."""
    if not mission.state.active:
        return False
    step = gates.next_step(item, mission.policy)
    return isinstance(step, gates.Run) and find_place(item, step.purpose, crew).no_room


def serving_role(item: Item, crew: Crew) -> str:
    """The role whose workers take the item, by rule 4, if nobody redirected it."""
    if not crew.of_role(item.role) and not item.role_named and crew.of_role(GENERAL_ROLE):
        return GENERAL_ROLE
    return item.role


def _by_role(role: str, crew: Crew, *, hint: str) -> Place:
    workers = crew.of_role(role)
    if not workers:
        held = _resume(w for w in crew.interrupted if w.role == role) or _return(w for w in crew.away if w.role == role)
        return Place(role, remedy=held or hint, nobody=True)
    if role != FORGE_ROLE and (missing := crew.no_room(workers)):
        return Place(role, remedy=missing, no_room=True)
    some_full = role not in TOWN_ROLES and any(w.host in crew.full for w in workers)
    if some_full or (crew.resting.keys() | crew.reserved) & {w.name for w in workers}:
        return _among(role, workers, crew)
    if crew.free(role) <= 0:
        asleep = crew.sleeper(workers)
        return Place(role, remedy=f"every worker with the role {role} is busy or starting", asleep=asleep)
    return Place(role, queue_of(role))


def _among(role: str, workers: Sequence[Worker], crew: Crew) -> Place:
    """Send it to one of these by name, because any worker of the role could take it from the role's queue."""
    if (until := crew.rests_until(workers)) is not None:
        return Place(role, remedy=f"every worker with the role {role} is at its usage limit", rests_until=until)
    free = next((w for w in workers if crew.can_take(w)), None)
    if free is None:
        remedy = f"every worker with the role {role} that is not at its usage limit is busy"
        return Place(role, remedy=remedy, asleep=crew.sleeper(workers))
    return Place(free.role, contract.agent_queue(free.name), free.name)


def _resume(interrupted: Iterable[Worker]) -> str:
    """What to do where the first of these would be the one to take it; empty if there is none."""
    name = next((worker.name for worker in interrupted), "")
    return name and f"{name} is interrupted: run `tt resume {name}`"


def _return(away: Iterable[Worker]) -> str:
    """Where the first of these is that would take it; empty if there is none."""
    worker = next(iter(away), None)
    if worker is None:
        return ""
    return f"{worker.name} is on the host {worker.host}, which gives no sign: see `tt hosts`, or run `tt start` there"


def _directed(name: str, crew: Crew) -> Place:
    worker = crew.named(name)
    if worker is None:
        hint = _resume(w for w in crew.interrupted if w.name == name) or _return(w for w in crew.away if w.name == name)
        return Place("", agent=name, remedy=hint or f"{name} is not running: run `tt spawn {name}`", nobody=True)
    if (until := crew.rests_until([worker])) is not None:
        return Place(worker.role, remedy=f"{name} is at its usage limit", rests_until=until)
    if missing := crew.no_room([worker]):
        return Place(worker.role, remedy=missing, no_room=True)
    if not crew.can_take(worker):
        return Place(worker.role, remedy=f"{name} is busy or starting", asleep=crew.sleeper([worker]))
    return Place(worker.role, contract.agent_queue(name), name)


def _for_question(crew: Crew) -> Place:
    """A question waits for the unattended conductor alone; rule 10."""
    workers = crew.of_role(CONDUCTOR_ROLE)
    if (until := crew.rests_until(workers)) is not None:
        return Place(CONDUCTOR_ROLE, remedy="the unattended conductor is at its usage limit", rests_until=until)
    if missing := crew.no_room(workers):
        return Place(CONDUCTOR_ROLE, remedy=missing, no_room=True)
    if workers and crew.free(CONDUCTOR_ROLE) <= 0:
        return Place(CONDUCTOR_ROLE, remedy="the unattended conductor is busy or starting")
    if workers:
        return Place(CONDUCTOR_ROLE, queue_of(CONDUCTOR_ROLE))
    return Place(CONDUCTOR_ROLE, remedy="the unattended conductor does not run: see `tt doctor`", nobody=True)


def _for_review(item: Item, crew: Crew) -> Place:
    if item.judge_agent and item.judge_agent not in item.authors:
        return _directed(item.judge_agent, crew)
    reviewers = crew.of_role(REVIEWER_ROLE)
    if reviewers and not any(w.name in item.authors for w in reviewers):
        return _by_role(REVIEWER_ROLE, crew, hint="")
    others = [w for w in crew.workers if w.role not in TOWN_ROLES and w.name not in item.authors]
    able = [w for w in others if w.role == REVIEWER_ROLE] or others
    if not able:
        held = _resume(w for w in crew.interrupted if w.role == REVIEWER_ROLE and w.name not in item.authors)
        remedy = held or "no running agent may review it: run `tt spawn reviewer`"
        return Place(REVIEWER_ROLE, remedy=remedy, nobody=True)
    if (until := crew.rests_until(able)) is not None:
        remedy = "every agent who may review it is at its usage limit"
        return Place(REVIEWER_ROLE, remedy=remedy, rests_until=until)
    if missing := crew.no_room(able):
        return Place(REVIEWER_ROLE, remedy=missing, no_room=True)
    free = next((w for w in able if crew.can_take(w)), None)
    if free is None:
        return Place(REVIEWER_ROLE, remedy="every agent who may review it is busy", asleep=crew.sleeper(able))
    return Place(free.role, contract.agent_queue(free.name), free.name)
