"""Who could take work: the agents and workers that are there, and what was sent to them already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinytown import contract
from tinytown.missions import limits
from tinytown.missions.limits import Limit

#: Role of the processes that run checks and merges; nobody can be spawned with it.
CHECKS_ROLE = "checks"
#: Role of the process that speaks to a remote forge.
FORGE_ROLE = "forge"
#: Role of the process that runs the unattended conductor.
CONDUCTOR_ROLE = "conductor"
#: Roles of the town's own workers, which are no agents for people and take nothing else.
TOWN_ROLES = frozenset({CHECKS_ROLE, FORGE_ROLE, CONDUCTOR_ROLE})
#: The queues of these, where others have one that is named after the role.
_QUEUES = {
    CHECKS_ROLE: contract.QUEUE_CHECKS,
    FORGE_ROLE: contract.QUEUE_FORGE,
    CONDUCTOR_ROLE: contract.QUEUE_CONDUCTOR,
}
#: Role that takes what no other live worker is for.
GENERAL_ROLE = "worker"
REVIEWER_ROLE = "reviewer"


@dataclass(frozen=True)
class Worker:
    """A live worker that takes work, or one that is just starting; not one that is paused or draining."""

    name: str
    role: str
    idle: bool
    #: The CLIs that it may run, in this order, and where.
    clis: tuple[str, ...] = ()
    host: str = ""
    #: It is cold, and comes back when it is woken.
    asleep: bool = False


@dataclass(frozen=True)
class Crew:
    """All live workers of a town and what is sent to them but not yet taken."""

    workers: Sequence[Worker]
    #: Unclaimed attempts by queue.
    sent: dict[str, int] = field(default_factory=dict)
    #: Usage limits that were reached, by account.
    limits: Mapping[str, Limit] = field(default_factory=dict)
    #: Workers that are sent nothing, until then.
    resting: Mapping[str, float] = field(default_factory=dict)
    #: Hosts whose disks have no room for another run, each with what is missing.
    full: Mapping[str, str] = field(default_factory=dict)
    #: Workers that have a message to answer in another mission first.
    reserved: frozenset[str] = frozenset()
    #: Workers that take nothing because somebody interrupted them.
    interrupted: Sequence[Worker] = ()
    #: Workers on other hosts than the town's own, which give no sign; they come back with their hosts.
    away: Sequence[Worker] = ()
    #: Workers that are being woken.
    woken: set[str] = field(default_factory=set)

    def for_item(self, key: str, now: float) -> Crew:
        """The crew for the item ``key``, in which workers rest whose limits hold for it; ``sent`` is shared by all."""
        if not self.limits:
            return self
        ends = {w.name: limits.rests_until(w.clis, w.host, self.limits, key, now=now) for w in self.workers}
        return replace(self, resting={name: end for name, end in ends.items() if end is not None})

    def alike(self, now: float) -> bool:
        """Whether usage limits treat all items alike; just after the end of one, items go on one after the other."""
        return not any(limit.until <= now < limit.until + limits.MAX_SPREAD for limit in self.limits.values())

    def rests_until(self, workers: Iterable[Worker]) -> float | None:
        """When the first of these workers goes on, if all of them rest."""
        ends = [self.resting.get(worker.name) for worker in workers]
        known = [end for end in ends if end is not None]
        return min(known) if known and len(known) == len(ends) else None

    def no_room(self, workers: Iterable[Worker]) -> str:
        """What is missing on the disks of these workers' hosts, if none of them has room for a run."""
        found = [self.full.get(worker.host, "") for worker in workers]
        return next(iter(found), "") if all(found) else ""

    def of_role(self, role: str) -> list[Worker]:
        return [w for w in self.workers if w.role == role]

    def named(self, name: str) -> Worker | None:
        return next((w for w in self.workers if w.name == name and w.role not in TOWN_ROLES), None)

    def free(self, role: str) -> int:
        """How many more attempts the queue of this role could take at once."""
        idle = sum(1 for w in self.of_role(role) if self._unspoken(w))
        return idle - self.sent.get(queue_of(role), 0)

    def cli_of(self, name: str | None) -> str:
        """The CLI that a worker runs first; empty if nobody is named."""
        worker = self.named(name) if name else None
        return next(iter(worker.clis), "") if worker is not None else ""

    def can_take(self, worker: Worker) -> bool:
        """Whether this very worker is idle, and not needed for what is already in its role's queue."""
        return self._unspoken(worker) and self.free(worker.role) > 0

    def _unspoken(self, worker: Worker) -> bool:
        if not worker.idle or worker.name in self.resting or worker.name in self.reserved or worker.host in self.full:
            return False
        return not self.sent.get(contract.agent_queue(worker.name), 0)

    def sleeper(self, workers: Iterable[Worker]) -> str:
        """The first of these workers that could be woken; empty if there is none."""
        able = (w for w in workers if w.asleep and w.name not in self.resting and w.host not in self.full)
        asleep = (w.name for w in able if w.name not in self.woken)
        return next(asleep, "")

    def send(self, queue: str) -> None:
        self.sent[queue] = self.sent.get(queue, 0) + 1


def queue_of(role: str) -> str:
    return _QUEUES.get(role) or contract.role_queue(role)
