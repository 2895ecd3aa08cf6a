"""Who could do a mission: the roles that its items want, with the live workers that would serve each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinytown.missions.crew import REVIEWER_ROLE, TOWN_ROLES, Crew, Worker
from tinytown.missions.records.item import Item
from tinytown.missions.records.mission import Policy
from tinytown.missions.scheduler import serving_role
from tinytown.missions.states import ItemState

#: What to do where nobody could review.
NO_REVIEWER = "run `tt spawn reviewer`"


@dataclass(frozen=True)
class RoleStaffing:
    """A role with the live workers that would serve it."""

    role: str
    items: int
    workers: tuple[Worker, ...]
    #: What to do where there are none.
    remedy: str = ""


def roles(items: Iterable[Item], crew: Crew) -> tuple[RoleStaffing, ...]:
    """Each role that items want, with those who would serve it."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.role, []).append(item)
    planned = []
    for role, wanting in sorted(found.items()):
        # If a person named the role for one of them, nobody else may take it.
        strictest = next((item for item in wanting if item.role_named), wanting[0])
        workers = tuple(crew.of_role(serving_role(strictest, crew)))
        planned.append(RoleStaffing(role, len(wanting), workers, "" if workers else f"run `tt spawn {role}`"))
    return tuple(planned)


def reviewers(crew: Crew) -> tuple[str, ...]:
    """Who could review: reviewers, or without any everybody else; a single worker cannot review its own work."""
    named = crew.of_role(REVIEWER_ROLE)
    others = [worker for worker in crew.workers if worker.role not in TOWN_ROLES]
    able = named or (others if len(others) > 1 else [])
    return tuple(worker.name for worker in able)


def vacancies(items: Sequence[Item], crew: Crew, policy: Policy) -> list[str]:
    """Which workers a mission lacks to get to its end, each with a sentence and a command."""
    work = [item for item in items if item.state is not ItemState.SKIPPED]
    said: list[str] = []
    if all(worker.role in TOWN_ROLES for worker in crew.workers):
        said.append("no agents are running, so nothing happens until you spawn some: see `tt spawn --help`")
    for role in roles(work, crew):
        if not role.workers:
            count = "1 item" if role.items == 1 else f"{role.items} items"
            said.append(f"no agent has the role {role.role} ({count}): {role.remedy}")
    if policy.reviewer_required and not reviewers(crew):
        alone = [worker.name for worker in crew.workers if worker.role not in TOWN_ROLES]
        why = f"{alone[0]} may not review its own work" if alone else "nobody could review"
        said.append(f"{why}: {NO_REVIEWER}")
    return said
