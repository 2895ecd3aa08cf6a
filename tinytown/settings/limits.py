"""What a whole town may use: money, starts and disk."""

from __future__ import annotations

from typing import Annotated

from pydantic import ByteSize, Field

from tinytown.settings.types import NonNegative, Section, Size


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
    disk_free: Size = Field(
        ByteSize(1 << 30),
        description="Begin nothing on a machine with less free space on the disk of clones or of the town's server; "
        "the former needs room for a clone of its largest repository, too.",
    )
