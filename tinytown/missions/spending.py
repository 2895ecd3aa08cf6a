"""What the runs of all missions of a town may use: dollars and tokens a day, and starts a minute.

What was told is counted; what runs, or was sent, is reckoned with what such runs used so far. So however many start at
once, they overshoot no more than one does. A day is the server's day in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinytown.missions.states import WaitReason

#: Seconds of a day.
DAY_SECS = 86_400
#: Parts of a dollar that are counted, as whole numbers: sums of them are exact.
NANO = 1_000_000_000
#: What a run that has not told is reckoned with while nobody knows such runs: US dollars, and tokens.
FIRST_USD = 0.5
FIRST_TOKENS = 500_000
#: Runs of one role and CLI that are remembered; what such a run uses is their median.
REMEMBERED = 15
#: After so many of them that told no cost, such runs are known to tell none.
TELLS_NONE = 3


@dataclass(frozen=True)
class Used:
    """What one run used; ``None`` where its CLI did not tell."""

    usd: float | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Caps:
    """What may be used; ``None`` for no limit."""

    usd: float | None = None
    tokens: int | None = None
    #: Runs of agents that may begin in a minute, one after the other.
    starts_per_minute: float | None = None

    @property
    def of_day(self) -> Caps:
        """Those that are used up on a day."""
        return Caps(self.usd, self.tokens)

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return self != Caps()


@dataclass(frozen=True)
class Day:
    """What the runs of a town used on one day, as it is recorded."""

    #: Days since 1970.
    number: int = 0
    usd: float = 0.0
    tokens: int = 0
    #: Runs of agents that are counted, and those of them that told no cost in dollars.
    runs: int = 0
    untold: int = 0
    #: Limits that a person gave this day instead of those of the settings.
    raised: Caps = field(default_factory=Caps)
    #: When, and for which limits, a person was asked; 0 if that was not done.
    asked_at: float = 0.0
    asked: Caps = field(default_factory=Caps)
    #: When the last run began, as far as starts are limited.
    last_start: float = 0.0

    @property
    def ends(self) -> float:
        """The next midnight, in seconds since 1970."""
        return float((self.number + 1) * DAY_SECS)

    def caps(self, configured: Caps) -> Caps:
        """The limits of this day."""
        return replace(
            configured,
            usd=configured.usd if self.raised.usd is None else self.raised.usd,
            tokens=configured.tokens if self.raised.tokens is None else self.raised.tokens,
        )


def reached(day: Day, caps: Caps) -> str:
    """Which limit of the day is used up, and by how much; empty if none is."""
    if caps.usd is not None and day.usd >= caps.usd:
        return f"${day.usd:.2f} of today's ${caps.usd:.2f} are spent"
    if caps.tokens is not None and day.tokens >= caps.tokens:
        return f"{day.tokens:,} of today's {caps.tokens:,} tokens are used"
    return ""


def answer(caps: Caps, day: Day) -> str:
    """The command that raises the limit that is used up."""
    dollars = caps.usd is not None and day.usd >= caps.usd
    return "tt limits --usd-today MORE" if dollars else "tt limits --tokens-today MORE"


@dataclass(frozen=True)
class Costs:
    """What runs used so far, by role and CLI; the newest first."""

    known: Mapping[tuple[str, str], Sequence[Used]] = field(default_factory=dict)
    first: Used = field(default_factory=lambda: Used(FIRST_USD, FIRST_TOKENS))

    def expected(self, role: str, cli: str = "") -> Used:
        """What a run of this role and CLI is reckoned with; without a CLI that of any.

        Where there was none of its kind, those of the role tell, else all.
        """
        alike = [self.known.get((role, cli), ())] if cli else []
        alike.append([one for (name, _), ones in self.known.items() if name == role for one in ones])
        alike.append([one for ones in self.known.values() for one in ones])
        runs = next((found for found in alike if found), ())
        usd = _median([one.usd for one in runs], self.first.usd or 0.0)
        tokens = _median([one.tokens for one in runs], self.first.tokens or 0)
        return Used(usd, round(tokens))

    def silent(self) -> list[str]:
        """The CLIs that tell no cost in dollars."""
        by_cli: dict[str, list[Used]] = {}
        for (_, cli), ones in self.known.items():
            by_cli.setdefault(cli, []).extend(ones)
        return sorted(cli for cli, ones in by_cli.items() if cli and ones and all(one.usd is None for one in ones))


def _median(values: Sequence[float | None], first: float) -> float:
    told = [value for value in values if value is not None]
    if told:
        # Only here: it is not small, and most processes of a town reckon nothing.
        import statistics

        return float(statistics.median(told))
    # Of a few that told nothing it is not known whether they can.
    return 0.0 if len(values) >= TELLS_NONE else first


@dataclass(frozen=True)
class Kind:
    """What a run is reckoned by."""

    role: str
    cli: str = ""


class Allowance:
    """What the limits allow while runs are admitted one after the other; it reckons with those it was told of."""

    def __init__(self, caps: Caps, day: Day, costs: Costs, flying: Iterable[Kind], *, now: float) -> None:
        self._caps = day.caps(caps)
        self._day = day
        self._costs = costs
        self._now = now
        self._usd, self._tokens = 0.0, 0
        if self._caps.usd is not None or self._caps.tokens is not None:
            for kind in flying:
                self._reckon(kind)
        #: When the last run began.
        self.last_start = day.last_start

    @property
    def reached(self) -> str:
        """See ``reached``."""
        return reached(self._day, self._caps)

    @property
    def caps(self) -> Caps:
        """The limits of the day."""
        return self._caps

    def refusal(self) -> tuple[WaitReason, str, float | None] | None:
        """Why no run may begin now: the reason, its remedy and until when; ``None`` if one may.

        The run itself is not counted, so that the first can always begin.
        """
        caps, day = self._caps, self._day
        if said := reached(day, caps):
            remedy = f"{said}: it goes on at midnight UTC, or with `{answer(caps, day)}`"
            return WaitReason.DAY_LIMIT, remedy, day.ends
        if caps.usd is not None and day.usd + self._usd >= caps.usd:
            return WaitReason.DAY_LIMIT, f"what runs may use up today's ${caps.usd:.2f}", None
        if caps.tokens is not None and day.tokens + self._tokens >= caps.tokens:
            return WaitReason.DAY_LIMIT, f"what runs may use up today's {caps.tokens:,} tokens", None
        if caps.starts_per_minute is not None and self._now < (turn := self.last_start + 60.0 / caps.starts_per_minute):
            said = f"{caps.starts_per_minute:g} runs may begin in a minute (`limits.starts_per_minute`)"
            return WaitReason.START_RATE, said, turn
        return None

    def take(self, kind: Kind) -> None:
        """A run begins."""
        self._reckon(kind)
        if self._caps.starts_per_minute is not None:
            self.last_start = self._now

    def _reckon(self, kind: Kind) -> None:
        expected = self._costs.expected(kind.role, kind.cli)
        self._usd += expected.usd or 0.0
        self._tokens += expected.tokens or 0
