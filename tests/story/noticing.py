"""Whether stories notice a fault that was planted in the product."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.story.invariants import ViolationError
from tinytown.errors import TinytownError


def require_noticed(
    plant: Callable[[pytest.MonkeyPatch], None], tell: Callable[[int, str], object], url: str, *, stories: int
) -> None:
    """Tell stories with a planted fault until one of them breaks a rule; fail if none does.

    That story must go well without the fault: else it noticed something else.
    """
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        seed = _noticing(tell, url, stories)
    tell(seed, url)


def _noticing(tell: Callable[[int, str], object], url: str, stories: int) -> int:
    for seed in range(stories):
        try:
            tell(seed, url)
        except ViolationError as error:
            if not isinstance(error.__cause__, ViolationError | TinytownError):
                raise  # What is planted does not fit the code any more.
            return seed
    pytest.fail(f"{stories} stories went well without this rule")
