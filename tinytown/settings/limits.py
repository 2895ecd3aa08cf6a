"""What a whole town may use: money and starts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tinytown.settings.types import NonNegative, Section


class LimitsSettings(Section):
    """Limits of all missions together."""

    usd_per_day: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None,
        description="Begin no further runs on a day (in UTC) on which all missions have spent so many US dollars.",
    )
    tokens_per_day: NonNegative | None = Field(None, description="The same for tokens.")
    starts_per_minute: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="How many runs of agents may begin in a minute, evenly spread."
    )
