"""Bills: files that say the cost of which runs on this machine is not counted yet, so that none is lost with a worker.

One is written before an agent starts and removed once its attempt's end, cost included, is on record. What a dead
worker left unpaid is read from the agent's logs by the sweeper.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tinytown import files, keys, plugins
from tinytown.agents.driver import Driver
from tinytown.engine.context import Context
from tinytown.engine.dispatch import costs
from tinytown.engine.dispatch.costs import Spent
from tinytown.errors import TinytownError
from tinytown.settings import AgentCliSettings
from tinytown.town import Town
from tinytown_workers.attempt import folder_lock, meters
from tinytown_workers.attempt.meters import LOGS, USED_FILE

log = logging.getLogger(__name__)

#: Seconds for which a log must have been quiet before a sweeper reads what its agent said last: the guard of a dead
#: worker completes it within one.
QUIET_SECS = 2.0


@dataclass(frozen=True)
class Bill:
    """An attempt whose cost is open."""

    mission: str
    item: str
    number: int
    cli: str
    #: The folders of its work and of its logs.
    folder: str
    logs: str
    #: What runs of this attempt that had ended before used already.
    cost_usd: float | None = None
    tokens: int | None = None
    #: The session that the open run resumed.
    session: str | None = None

    def path(self, town: Town) -> Path:
        """Its file."""
        return _folder(town) / f"{keys.marked_slug(f'{self.mission}/{self.item}/{self.number}')}.json"


def open_bill(town: Town, bill: Bill) -> None:
    """Keep it, in place of an older one of this attempt; see ``files.write_atomically`` for the errors."""
    logs, path = Path(bill.logs), bill.path(town)
    for name in (*LOGS, USED_FILE):
        # An earlier run of this attempt is in the bill, and must not be read a second time.
        (logs / name).unlink(missing_ok=True)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A machine that crashes loses the logs that the cost would be read from.
    files.write_atomically(path, json.dumps(asdict(bill)), lasting=False)


def close_bill(town: Town, bill: Bill) -> None:
    """Remove the bill, as the cost is counted."""
    bill.path(town).unlink(missing_ok=True)


def pay(context: Context) -> int:
    """Count what dead workers of this machine left unpaid; gives how many bills were closed."""
    return sum(_pay(context, path) for path in sorted(_folder(context.town).glob("*.json")))


def _pay(context: Context, path: Path) -> bool:
    try:
        bill = Bill(**(files.read_json(path) or {}))
    except TypeError:
        return False  # Another sweeper was quicker, or a newer release wrote it.
    logs = Path(bill.logs)
    try:
        with folder_lock.held(Path(bill.folder)) as ours:
            if not ours or not _quiet(logs):
                return False
            spent = Spent(bill.cost_usd, bill.tokens) + last_run(context.town, bill)
            if not costs.add(context, bill.mission, bill.item, bill.number, spent, log=bill.logs):
                return False
    except (TinytownError, OSError) as error:
        log.warning("the cost of %s/%d is not counted yet: %s", bill.item, bill.number, error)
        return False
    close_bill(context.town, bill)
    return True


def last_run(town: Town, bill: Bill) -> Spent:
    """What the run that was open used, by its logs."""
    settings = town.settings.agent_clis
    driver: Driver = plugins.driver(bill.cli, settings.get(bill.cli) or AgentCliSettings())
    logs = Path(bill.logs)
    return meters.charge(logs, meters.last_result(logs, driver), meters.before(logs, bill.session, driver))


def _quiet(logs: Path) -> bool:
    """Whether nothing was written to the logs for a while."""
    written = [path.lstat().st_mtime for name in LOGS if (path := logs / name).exists()]
    return all(abs(time.time() - at) >= QUIET_SECS for at in written)


def _folder(town: Town) -> Path:
    return town.state / "bills"
