"""What somebody wants started: plain words, so that whoever asks need not know how it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Order:
    """What somebody wants started; ``None`` means the town's policy."""

    issues: Sequence[str] = ()
    docs: Sequence[str] = ()
    manifest: Path | None = None
    max_parallel: int | None = None
    no_reviewer: bool = False
    budget_usd: float | None = None
    budget_tokens: int | None = None
    #: Also issues that a mission of this town has done already.
    again: bool = False
    #: Also issues by people who may not write to the repository.
    trust: bool = False
    #: First see that the checks pass on the base; off for a mission that is to mend them.
    base_check: bool = True
    workspace: Literal["clone", "none"] = "clone"
