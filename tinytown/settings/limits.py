"""What a whole town may use: money, starts and disk; and how long it keeps what is done."""

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


Days = NonNegative


class RetentionSettings(Section):
    """How long a town keeps what is done. 0: for ever."""

    logs_days: Days = Field(30, description="Days that briefs and logs of a mission stay after its end; 0 for ever.")
    refs_days: Days = Field(
        30,
        description="Days that a mission's branches and kept work stay in the mirror after its end; then they go if a "
        "base proves to hold their content. 0 for ever.",
    )
    objects_days: Days = Field(
        30, description="Days that objects stay in the mirror which no branch and no kept work reaches; 0 for ever."
    )
    records_days: Days = Field(
        180,
        description="Days until the records of a mission that ended are moved to a file in `.tt/archive`; 0: never.",
    )
    history_days: Days = Field(365, description="Days that the town's history is kept, at the longest; 0 for ever.")
