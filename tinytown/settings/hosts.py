"""What each host of a town says for itself."""

from __future__ import annotations

from pydantic import Field

from tinytown.settings.types import Positive, Section


class HostSettings(Section):
    """Limits of this host alone; in the file of the town's home they are the home's."""

    max_agents: Positive | None = Field(
        None, description="How many agents may be on this host (default: as many as the town may have)."
    )
