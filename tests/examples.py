"""How many examples a property is tried with: a few in every run of the tests, many in ``make soak``."""

from __future__ import annotations

import os

_TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(usual: int) -> int:
    """``usual`` of them, or ``EXAMPLES_TIMES`` as many."""
    return usual * _TIMES
