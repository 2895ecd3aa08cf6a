"""The figures of a measurement, and how they are told."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure; without a baseline it stands for itself, or for a ratio of two of our own."""

    name: str
    unit: str
    value: float
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        """tinytown's figure by the baseline's."""
        return self.value / self.baseline if self.baseline else None


def say(what: str) -> None:
    """A line of progress, for people."""
    print(f"measuring {what} …", file=sys.stderr, flush=True)


def show(rows: Sequence[Row], machine: Mapping[str, object]) -> None:
    """The table."""
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  {'':7}  {'tinytown':>10}  {'baseline':>10}  {'ratio':>7}")
    for row in rows:
        bare = f"{_figure(row.baseline):>10}" if row.baseline is not None else " " * 10
        ratio = f"{row.ratio:7.2f}" if row.ratio is not None else ""
        print(f"{row.name:{width}}  {row.unit:7}  {_figure(row.value):>10}  {bare}  {ratio}".rstrip())
    print(f"\n{', '.join(f'{name} {value}' for name, value in machine.items())}")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
