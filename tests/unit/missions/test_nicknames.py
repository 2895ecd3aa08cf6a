"""Nicknames of agents who were given none."""

from __future__ import annotations

from tinytown.missions.nicknames import NAMES, pick


def test_each_has_another_one_and_always_the_same() -> None:
    taken: list[str] = []
    for number in range(len(NAMES)):
        taken.append(pick(f"agent-{number}", taken))
    assert sorted(taken) == sorted(NAMES)
    assert pick("backend", []) == pick("backend", [])


def test_a_name_that_a_person_gave_is_taken_however_it_is_spelt() -> None:
    mine = pick("backend", [])
    assert pick("backend", [mine.upper()]) != mine


def test_when_all_are_taken_there_still_is_one() -> None:
    assert pick("one-more", NAMES) in NAMES
    assert len({name.casefold() for name in NAMES}) == len(NAMES)
