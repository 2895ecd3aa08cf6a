"""Whether stories notice a fault that was planted in the product."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.story.invariants import ViolationError
from tinytown.errors import TinytownError


def first_noticing(
    plant: Callable[[pytest.MonkeyPatch], None], tell: Callable[[int, str], object], url: str, *, stories: int
) -> int | None:
    """The first of so many stories with a planted fault that breaks a rule, or ``None``.

    That story must go well without the fault: else it noticed something else.
    """
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        seed = next((seed for seed in range(stories) if _breaks_a_rule(tell, seed, url)), None)
    if seed is not None:
        _goes_well(tell, seed, url)
    return seed


@cache
def _goes_well(tell: Callable[[int, str], object], seed: int, url: str) -> None:
    """Once for all faults that the same story notices."""
    tell(seed, url)


def require_noticed(
    plant: Callable[[pytest.MonkeyPatch], None], tell: Callable[[int, str], object], url: str, *, stories: int
) -> None:
    """Fail if none of them does."""
    if first_noticing(plant, tell, url, stories=stories) is None:
        pytest.fail(f"{stories} stories went well without this rule")


def _breaks_a_rule(tell: Callable[[int, str], object], seed: int, url: str) -> bool:
    try:
        tell(seed, url)
    except ViolationError as error:
        if not isinstance(error.__cause__, ViolationError | TinytownError):
            raise  # What is planted does not fit the code any more.
        return True
    return False
