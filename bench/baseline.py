"""The baseline: bare Celery, with a counter for each item that a small script in the server counts down.

One worker process with as many threads as tinytown has agents. A task runs the same program as an agent would,
tells the script that its item is settled, and sends what became ready. No lease, no retry, no record.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, cast

import redis
from celery import Celery

from bench.meter import Run, Times, processor_seconds, traffic
from bench.places import NOOP, SLOTS
from bench.shapes import Graph
from tinytown.app import celery_url

QUEUE = "baseline"

#: KEYS: counters, targets, times, finished; ARGV: item, its times. Gives the items that became ready.
_SETTLE = """
local ready = {}
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
for target in string.gmatch(redis.call('HGET', KEYS[2], ARGV[1]) or '', '%d+') do
  if redis.call('HINCRBY', KEYS[1], target, -1) == 0 then
    ready[#ready + 1] = target
  end
end
if redis.call('HINCRBY', KEYS[1], 'left', -1) == 0 then
  redis.call('RPUSH', KEYS[4], 'over')
end
return ready
"""

_runs = itertools.count(1)


def _keys(run: str) -> list[str]:
    return [f"{run}:{name}" for name in ("counters", "targets", "times", "over")]


def connect(url: str) -> Any:
    """A client of the server."""
    # It waits for the end of a run, which takes longer than any answer.
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=None)


def application(url: str) -> Celery:
    """Bare Celery: no results, the prefix apart from all others."""
    app = Celery("baseline", broker=celery_url(url), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_default_queue=QUEUE,
        broker_transport_options={"global_keyprefix": "baseline:"},
        worker_hijack_root_logger=False,
    )
    client = connect(url)
    settle = client.register_script(_SETTLE)

    def item(run: str, number: str) -> None:
        done = subprocess.run(NOOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
        began = int(done.stdout) / 1e9
        for ready in settle(keys=_keys(run), args=[number, f"{began!r} {time.time()!r}"]):
            task.delay(run, ready)

    # Not for every other application of the process, as would be usual.
    task = cast(Any, app).task(item, name="baseline.item", shared=False)
    return app


def run(app: Celery, client: Any, graph: Graph, *, worker: int, seconds: float = 60) -> Run:
    """Run ``graph`` once, with the worker process of this pid.

    An item's *settled* is the time just before the script counts it.
    """
    name = f"baseline:run{next(_runs)}"
    counters, targets, times, over = _keys(name)
    processor = processor_seconds([worker])
    before = traffic(client)
    submitted = time.time()
    with client.pipeline(transaction=False) as pipe:
        pipe.hset(counters, mapping={"left": len(graph)} | {str(n): len(needs) for n, needs in graph.items() if needs})
        pipe.hset(targets, mapping=_targets(graph))
        pipe.execute()
    task = cast(Any, app).tasks["baseline.item"]
    for number, needs in graph.items():
        if not needs:
            task.delay(name, str(number))
    if client.blpop([over], timeout=seconds) is None:
        raise TimeoutError(f"the baseline did not finish {len(graph)} items in {seconds:g} s")
    used = traffic(client) - before
    processor = processor_seconds([worker]) - processor
    found = {int(number): Times(*map(float, text.split())) for number, text in client.hgetall(times).items()}
    client.delete(counters, targets, times)
    return Run(graph, submitted, found, used, processor)


def _targets(graph: Graph) -> Mapping[str, str]:
    found: dict[int, list[int]] = {}
    for number, needs in graph.items():
        for need in needs:
            found.setdefault(need, []).append(number)
    return {str(need): " ".join(map(str, numbers)) for need, numbers in found.items()} or {"0": ""}


def command(url: str) -> list[str]:
    """How the worker is started."""
    return [sys.executable, "-m", "bench.baseline", url]


def main() -> None:
    """The worker process."""
    options = [f"--hostname={sys.argv[2]}"] if len(sys.argv) > 2 else []
    options += ["--pool=threads", f"--concurrency={SLOTS}", f"--queues={QUEUE}", "--loglevel=WARNING"]
    cast(Any, application(sys.argv[1])).worker_main(["worker", *options, "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    main()
