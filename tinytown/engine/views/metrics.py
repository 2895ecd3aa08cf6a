"""The town in numbers, for Prometheus: what waits for whom, what runs, what ended how, and how late the town is.

Gauges are read from the records at each look. Counters are counted from the town's history: whoever keeps a ``Counted``
goes on from where it stopped. The history is capped, so after a restart they may begin lower, as Prometheus expects of
a counter whose process started again.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.engine.operate.present import AgentView, agent_views
from tinytown.engine.views.limits import limits_json
from tinytown.engine.views.missions import counted
from tinytown.errors import NotFoundError
from tinytown.missions.crew import CHECKS_ROLE, FORGE_ROLE, REVIEWER_ROLE
from tinytown.missions.records.agent import Event
from tinytown.missions.states import ItemState, MissionState
from tinytown.state import duties, lookup, watches
from tinytown.state.records import AdmissionView, DamagedRecordError

#: Upper ends of the classes of a histogram, in seconds.
QUICK: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
LONG: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 3600.0, 7200.0)
#: Beginnings that are remembered until their end is seen.
_OPEN: Final = 20_000
#: Entries of the history that are read at once.
_PAGE: Final = 1000


@dataclass
class Times:
    """How long something took, as a histogram."""

    ends: Sequence[float]
    counts: Counter[float] = field(default_factory=Counter)
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        seconds = max(0.0, seconds)
        self.counts[next((end for end in self.ends if seconds <= end), float("inf"))] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """How many took no longer than each end."""
        found, so_far = [], 0
        for end in (*self.ends, float("inf")):
            so_far += self.counts[end]
            found.append(("+Inf" if end == float("inf") else str(end), float(so_far)))
        return found


class Counted:
    """What the history of a town says, counted."""

    def __init__(self) -> None:
        self._position = "-"
        #: By purpose and outcome.
        self.attempts: Counter[tuple[str, str]] = Counter()
        #: By the state in which they ended.
        self.items: Counter[str] = Counter()
        self.missions: Counter[str] = Counter()
        #: From the moment at which an item could be worked on until somebody took it.
        self.hand_offs = Times(QUICK)
        #: From the moment at which any attempt was sent until somebody took it; by purpose.
        self.pickups: dict[str, Times] = {}
        #: How long attempts ran, by purpose.
        self.runs: dict[str, Times] = {}
        self._since: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def follow(self, context: Context) -> None:
        """Count what has been added to the history."""
        while rows := context.store.events(after=self._position, count=_PAGE):
            for position, event in rows:
                self._position = position
                self._count(event)

    def _count(self, event: Event) -> None:
        mission, item, data = event.mission, event.item, event.data
        number, purpose = str(data.get("number", "")), str(data.get("purpose", ""))
        if event.kind == "item_ready":
            self._begin(event.at, "ready", mission, item)
        elif event.kind == "attempt_sent":
            self._begin(event.at, "sent", mission, item, number)
        elif event.kind == "attempt_started":
            self._end(self.pickups.setdefault(purpose, Times(QUICK)), event.at, "sent", mission, item, number)
            self._end(self.hand_offs, event.at, "ready", mission, item)
            self._begin(event.at, "ran", mission, item, number)
        elif event.kind == "attempt_ended":
            self.attempts[purpose, str(data.get("outcome", ""))] += 1
            self._end(self.runs.setdefault(purpose, Times(LONG)), event.at, "ran", mission, item, number)
        to = str(data.get("to", "")) if "from" in data else ""
        if item and to in _SETTLED:
            self.items[to] += 1
        elif mission and not item and to in _ENDED:
            self.missions[to] += 1

    def _begin(self, at: float, *what: str) -> None:
        self._since[what] = at
        while len(self._since) > _OPEN:
            self._since.popitem(last=False)

    def _end(self, times: Times, at: float, *what: str) -> None:
        since = self._since.pop(what, None)
        if since is not None:
            times.add(at - since)


_SETTLED: Final = frozenset(state.value for state in ItemState if state.ended)
_ENDED: Final = frozenset(state.value for state in MissionState if state.ended)


def families(context: Context, history: Counted) -> Iterator[Metric]:
    """All numbers as they are now.

    Raises:
        ServerError: the database does not answer.
    """
    history.follow(context)
    views = list(_live(context))
    agents = agent_views(context)
    yield from _missions(context, views)
    yield from _work(context, views, agents)
    yield from _limits(context)
    yield from _clock(context, views)
    yield from _counters(history)


def text(metrics: Sequence[Metric]) -> str:
    """Numbers in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Once(metrics))
    return generate_latest(registry).decode()


def numbers_json(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Stable keys for scripts."""
    return [
        {
            "name": metric.name,
            "type": metric.type,
            "help": metric.documentation,
            "samples": [{"name": one.name, "labels": one.labels, "value": one.value} for one in metric.samples],
        }
        for metric in metrics
    ]


class _Once(Collector):
    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Sequence[Metric]:
        return self._found


# -- what is now -----------------------------------------------------------------------------------


def _live(context: Context) -> Iterator[AdmissionView]:
    for mission in context.store.mission_ids(live=True):
        try:
            yield context.store.admission_view(mission, heads=0)
        except (NotFoundError, DamagedRecordError):  # It has just ended, or doctor tells of it.
            continue


def _missions(context: Context, views: Sequence[AdmissionView]) -> Iterator[Metric]:
    missions = [view.mission.record for view in views]
    states = Counter(mission.state.value for mission in missions)
    yield _gauge("missions", "Missions that have not ended, by state.", ["state"], _by(states, MissionState, _ENDED))
    items: Counter[str] = Counter()
    for view in views:
        items.update(counted(context.store, view))
    yield _gauge("items", "Work items of live missions, by state.", ["state"], _by(items, ItemState, frozenset()))
    spent = {(mission.short,): mission.spent_usd for mission in missions}
    yield _gauge("mission_cost_usd", "What a live mission has cost so far, in US dollars.", ["mission"], spent)
    asked = sum(1 for mission in missions if mission.help is not None)
    yield _gauge("missions_asking", "Live missions that wait for the answer of a person.", [], {(): asked})


def _by(counts: Mapping[str, int], states: Any, without: frozenset[str]) -> dict[tuple[str, ...], float]:
    return {(state.value,): counts.get(state.value, 0) for state in states if state.value not in without}


def _work(context: Context, views: Sequence[AdmissionView], agents: Sequence[AgentView]) -> Iterator[Metric]:
    now = context.store.now()
    role_of = {agent.name: agent.role for agent in agents}
    ready: Counter[str] = Counter()
    for view in views:
        if view.mission.record.state.active:
            ready.update(_startable(context, view, role_of))
    unclaimed: Counter[str] = Counter()
    running: Counter[str] = Counter()
    oldest: dict[str, float] = {}
    for attempt in context.store.live_attempts():
        role = role_of.get(attempt.agent or "", "") or _role_of_queue(attempt.queue)
        if attempt.claimed:
            running[role] += 1
            continue
        unclaimed[role] += 1
        oldest[role] = max(oldest.get(role, 0.0), now - attempt.sent_at)
    # Those of the settings, too: whoever scales by a number must be told of it when it is 0.
    roles = sorted({*ready, *unclaimed, *running, *role_of.values(), *context.town.settings.roles})
    help_ = "Items that a worker of this role could take at once, if there were one: not sent yet, or not claimed."
    yield _gauge("ready_unclaimed", help_, ["role"], {(role,): ready[role] + unclaimed[role] for role in roles})
    yield _gauge("running", "Attempts that run now, by role.", ["role"], {(role,): running[role] for role in roles})
    wanted = {(role,): ready[role] + unclaimed[role] + running[role] for role in roles}
    help_ = "Agents of this role that would have work now: the signal to scale by."
    yield _gauge("wanted_workers", help_, ["role"], wanted)
    ages = {(role,): oldest.get(role, 0.0) for role in roles}
    yield _gauge("queue_age_seconds", "How long the oldest unclaimed attempt has been waiting.", ["role"], ages)
    states = Counter((agent.role, agent.state) for agent in agents)
    yield _gauge("agents", "Agents by role and state.", ["role", "state"], dict(states))


def _startable(context: Context, view: AdmissionView, role_of: Mapping[str, str]) -> Counter[str]:
    """Items that are due, by the role that they wait for; no more than the mission may have at work."""
    mission = view.mission.record
    room = mission.policy.max_parallel_items - sum(1 for one in view.attempts if one.mission == mission.id)
    found: Counter[str] = Counter()
    for lane, count in lookup.lines(context.store, mission.id).items():
        role = _role_of_lane(lane, role_of)
        taken = min(max(0, room), count) if role else 0
        room -= taken
        found[role] += taken
    return +found


def _role_of_lane(lane: str, role_of: Mapping[str, str]) -> str:
    """The role that the items of a line wait for; empty if they wait for nobody."""
    kind, _, rest = lane.partition("/")
    match kind:
        case "role":
            return unquote(rest.partition("/")[0])
        case "agent":
            return role_of.get(unquote(rest), "")
        case "review":
            return REVIEWER_ROLE
        case "forge" | "publish":
            return FORGE_ROLE
        case "check":
            return CHECKS_ROLE
        case _:
            return ""


def _role_of_queue(queue: str) -> str:
    """The role that a queue is for; empty for the queue of one agent. The town's own are named after their roles."""
    return "" if queue.startswith(contract.agent_queue("")) else queue.removeprefix(contract.role_queue(""))


def _limits(context: Context) -> Iterator[Metric]:
    found = limits_json(context)
    spent = {("usd",): found["spent_usd"], ("tokens",): found["spent_tokens"]}
    yield _gauge("spent_today", "What all runs used on this day in UTC, by unit.", ["unit"], spent)
    caps = {("usd",): found["usd_limit"], ("tokens",): found["tokens_limit"]}
    known = {unit: cap for unit, cap in caps.items() if cap is not None}
    yield _gauge("limit_today", "What they may use, by unit; none where nothing is limited.", ["unit"], known)
    yield _gauge("runs_today", "Runs of agents that were counted on this day.", [], {(): found["runs"]})


def _clock(context: Context, views: Sequence[AdmissionView]) -> Iterator[Metric]:
    now = context.store.now()
    ages = {(name,): max(0.0, now - at) for name, at in duties.ticks(context.store).items()}
    yield _gauge("duty_age_seconds", "Time since a periodic duty last ended.", ["duty"], ages)
    took = {(name,): seconds for name, seconds in duties.took(context.store).items()}
    yield _gauge("duty_seconds", "How long a periodic duty took when it last ran.", ["duty"], took)
    lag = max((now - due for due in _looks(context, views)), default=0.0)
    help_ = "How long the look at a change that is most overdue has been due."
    yield _gauge("watch_lag_seconds", help_, [], {(): max(0.0, lag)})


def _looks(context: Context, views: Sequence[AdmissionView]) -> Iterator[float]:
    """When changes at a remote forge are to be looked at next; nobody looks at those of a mission that stands."""
    if not context.town.settings.forge.remote:
        return
    for mission in (view.mission.record for view in views):
        if mission.state.active:
            notable = lookup.notable(context.store, mission.id).items()
            published = [key for key, found in notable if found.record.change]
            yield from (w.due_at for w in watches.of_items(context.store, mission.id, published).values() if w.due_at)


# -- what has been ---------------------------------------------------------------------------------


def _counters(history: Counted) -> Iterator[Metric]:
    yield _counter("attempts", "Attempts that ended.", ["purpose", "outcome"], history.attempts)
    yield _counter("items_settled", "Items that settled, by state.", ["state"], _single(history.items))
    yield _counter("missions_ended", "Missions that ended, by state.", ["state"], _single(history.missions))
    help_ = "From the moment at which an item could be worked on until a worker took it."
    yield _histogram("hand_off_seconds", help_, [], {(): history.hand_offs})
    help_ = "From the moment at which an attempt was sent until a worker took it."
    yield _histogram("pickup_seconds", help_, ["purpose"], {(p,): t for p, t in history.pickups.items()})
    yield _histogram(
        "attempt_seconds", "How long attempts ran.", ["purpose"], {(p,): t for p, t in history.runs.items()}
    )


def _single(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(name,): count for name, count in counts.items()}


def _gauge(name: str, help_: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    found = GaugeMetricFamily(f"tinytown_{name}", help_, labels=labels)
    for names, value in sorted(values.items()):
        found.add_metric(list(names), value)
    return found


def _counter(name: str, help_: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    found = CounterMetricFamily(f"tinytown_{name}", help_, labels=labels)
    for names, value in sorted(values.items()):
        found.add_metric(list(names), value)
    return found


def _histogram(name: str, help_: str, labels: Sequence[str], values: Mapping[Any, Times]) -> Metric:
    found = HistogramMetricFamily(f"tinytown_{name}", help_, labels=labels)
    for names, times in sorted(values.items()):
        found.add_metric(list(names), times.buckets(), times.total)
    return found
