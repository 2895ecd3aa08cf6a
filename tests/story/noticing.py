"""Whether stories notice a fault that was planted in the product."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.story.invariants import ViolationError
from tinytown.errors import TinytownError


def require_noticed(tell: Callable[[int, str], object], url: str, *, stories: int) -> None:
    """Tell stories until one of them breaks a rule; fail if none does."""
    for seed in range(stories):
        try:
            tell(seed, url)
        except ViolationError as error:
            if not isinstance(error.__cause__, ViolationError | TinytownError):
                raise  # What is planted does not fit the code any more.
            return
    pytest.fail(f"{stories} stories went well without this rule")
