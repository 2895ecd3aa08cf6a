"""The type of an option that is a sum of money."""

from __future__ import annotations

import math
from typing import Any

import click


class Dollars(click.FloatRange):
    """A number of dollars above zero. "nan" is refused: no comparison with it is true, so it would cap nothing."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The sum; refuses what is not finite."""
        dollars = float(super().convert(value, param, ctx))
        if not math.isfinite(dollars):
            self.fail(f"{value} is not an amount of money.", param, ctx)
        return dollars
