"""The other hosts of the town: whether each is there, of which release, and what its own doctor finds."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from tinytown.engine.context import Context
from tinytown.engine.doctor.findings import Finding, ago
from tinytown.errors import TinytownError
from tinytown.host import machine
from tinytown.state.hosts import HostLease, Hosts

#: Seconds that all of them together get to answer; each examines itself anew.
ANSWER_SECS = 25.0
#: Seconds by which a clock may be ahead or behind before it is told.
CLOCK_SECS = 30.0


class OtherHosts:
    """The other hosts, asked from the moment that this is made, while the checks of this host run."""

    def __init__(self, context: Context) -> None:
        self._hosts = Hosts(context.store)
        self._every: Mapping[str, HostLease] = {}
        self._answers: Mapping[str, Any] = {}
        self._trouble: TinytownError | None = None
        self._here = context.town.machine
        self._thread = threading.Thread(target=self._ask, name="doctor hosts", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._every = {name: one for name, one in self._hosts.all().items() if name != self._here}
            if live := [name for name, one in self._every.items() if one.live]:
                self._answers = self._hosts.ask(live, "doctor", seconds=ANSWER_SECS)
        except TinytownError as error:
            self._trouble = error

    def findings(self) -> Iterator[Finding]:
        """What is found of each, once they have answered or their time is over."""
        self._thread.join(ANSWER_SECS + 10.0)
        if self._trouble is not None:
            yield Finding("hosts", "fail", self._trouble.message, self._trouble.remedy)
        for name, one in self._every.items():
            yield from _of_record(name, one)
            if name in self._answers:
                yield from _told(name, self._answers[name])
            elif one.live:
                said = f"it did not answer within {ANSWER_SECS:.0f} s"
                yield Finding("doctor", "warn", said, "run `tt doctor` there", host=name)


def _of_record(name: str, one: HostLease) -> Iterator[Finding]:
    """What its record says."""
    record, mine = one.record, machine.release()
    if not one.live:
        said = f"away for {ago(one.now - one.until)}" if one.until else "it was never there"
        remedy = "run `tt start` there" + ("" if record.home else f", or `tt leave {name} --gone` if it stays away")
        yield Finding("host", "warn", said, remedy, host=name)
        return
    if not machine.work_together(record.release, mine):
        said = f"it runs tinytown {record.release}, and this host {mine}: only neighbours work together"
        yield Finding("host", "fail", said, "install the same release on both", host=name)
    elif record.release != mine:
        said = f"it runs tinytown {record.release}, and this host {mine}: they work together"
        yield Finding("host", "warn", said, "update the older one when it suits", host=name)
    else:
        yield Finding("host", "ok", f"there, tinytown {record.release}", host=name)
    if record.unknown:
        said = f"it does not know the settings {', '.join(record.unknown)}, and goes on without them"
        yield Finding("settings", "warn", said, "update tinytown there", host=name)
    if abs(record.clock_ahead) >= CLOCK_SECS:
        where = "ahead" if record.clock_ahead > 0 else "behind"
        said = f"its clock is {ago(abs(record.clock_ahead))} {where}; the town goes by the server's, its logs do not"
        yield Finding("clock", "warn", said, "set it, e.g. by NTP", host=name)


def _told(name: str, found: Any) -> Iterator[Finding]:
    """What its own doctor said; words of another release are taken as they are."""
    for one in found if isinstance(found, list) else []:
        status = one.get("status") if isinstance(one, dict) else None
        if status in ("ok", "warn", "fail"):
            words = {key: str(one.get(key, "")) for key in ("name", "detail", "remedy")}
            yield Finding(status=status, host=name, **words)
