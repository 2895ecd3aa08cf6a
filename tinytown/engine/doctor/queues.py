"""Messages that no worker takes, and malformed ones that would crash any worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tinytown import contract
from tinytown.engine.context import Context
from tinytown.engine.doctor.findings import Finding, ago
from tinytown.engine.doctor.running import WorkerAnswers, consumed
from tinytown.missions.crew import TOWN_ROLES
from tinytown.state.queues import Flawed, Queues

#: Malformed messages that are told of one by one.
SHOWN = 5


def messages(context: Context, answers: WorkerAnswers) -> Iterator[Finding]:
    """Each queue has a consumer, and holds no message that would crash it."""
    queues = Queues(context.url, context.town.prefix)
    yield from _unconsumed(context, answers, queues.lengths())
    flawed = queues.flawed()
    if flawed:
        remedy = "run `tt doctor --quarantine`, which moves them aside unchanged and sends the work again"
        yield Finding("messages", "fail", f"{_told(flawed)}: they would crash a worker", remedy)
        return
    aside = queues.quarantined()
    more = f"; {sum(aside.values())} in quarantine" if aside else ""
    yield Finding("messages", "ok", f"workers can read all of them{more}")


def quarantine(context: Context) -> list[Finding]:
    """Move every malformed message aside, unaltered; one that a worker took meanwhile is gone from the queue."""
    queues = Queues(context.url, context.town.prefix)
    moved = [flawed for flawed in queues.flawed() if queues.set_aside(flawed)]
    if not moved:
        return [Finding("quarantine", "ok", "nothing to move: workers can read every message")]
    return [Finding("quarantine", "ok", f"moved aside: {_told(moved)}")]


def _unconsumed(context: Context, answers: WorkerAnswers, lengths: dict[str, int]) -> Iterator[Finding]:
    waiting = {name: length for name, length in lengths.items() if length > 0}
    served = consumed(context, answers) if waiting else set()
    sent: dict[str, float] = {}
    for attempt in context.store.live_attempts() if waiting else ():
        if not attempt.claimed:
            sent[attempt.queue] = min(attempt.sent_at, sent.get(attempt.queue, attempt.sent_at))
    now = context.store.now()
    for name in waiting.keys() - served:
        since = f", the oldest since {ago(now - sent[name])}" if name in sent else ""
        count = "1 message waits" if waiting[name] == 1 else f"{waiting[name]} messages wait"
        own = name in (contract.QUEUE_CONTROL, *contract.QUEUES_OF_TOWN)
        yield Finding(
            f"queue {name}",
            "fail" if own else "warn",
            f"{count}{since}, and no worker is taking from it",
            _remedy(name),
        )


def _remedy(queue: str) -> str:
    kind, _, name = queue.partition(".")
    if kind == "role" and name not in TOWN_ROLES:
        return f"run `tt spawn {name}`"
    if kind == "agent":
        return f"run `tt spawn {name}`, or do nothing: the work is taken back and sent to other agents"
    return f"run `tt start`, and see .tt/logs/{queue}.log"


def _told(flawed: Iterable[Flawed]) -> str:
    counted = Counter((one.place, one.flaw) for one in flawed)
    told = [f"{count} in `{place}` ({flaw})" for (place, flaw), count in counted.most_common(SHOWN)]
    return ", ".join([*told, *(["and more"] if len(counted) > SHOWN else [])])
