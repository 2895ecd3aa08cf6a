"""For each kind of answer that a Lua script gives, a sequence that leads to it: no chance decides whether it was met.

The steps are those of ``lua_machine.Machine``, with everything chosen; after each of them all that is
stored is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.survival.lua_machine import COPIES, HASHES, ONCE, TAKEN, TAKEN_INDEX, K, M, Machine, Order

Step = Callable[[Machine], None]

#: One lane with three items, its neighbour, and a lane whose name begins as theirs.
_LINES = ["a 1 1", "a 1 2", "a 2 3", "a! 1 k 4", "ab 1 ü"]


def _commits(order: Order) -> Step:
    return lambda machine: machine._commit(order)


def _write(*words: str) -> Step:
    return _commits(Order(writes=(words,)))


_CLAIMS: Final[Step] = lambda machine: machine.claims(name="1", token="t", lease="60000")  # noqa: E731
_IS_DUE: Final[Step] = lambda machine: machine.becomes_due(found=_LINES, name="1", time="0.5")  # noqa: E731


def _sets_aside(tag: str, *, right: bool) -> Step:
    return lambda machine: machine.sets_aside(value="t\n2", tag=tag, right=right)


def _looks(page: int, *, costs: bool = True) -> Step:
    return lambda machine: machine.looks(page=page, further=["1"], costs=costs)


def _copies(*, everything: bool, room: str) -> Step:
    return lambda machine: machine.copies(copy=COPIES[0], everything=everything, room=room)


def _renews(name: str, token: str, *, right: bool) -> Step:
    return lambda machine: machine.renews(name=name, token=token, lease="3600000", right=right)


#: Something in records of several kinds.
_SOMETHING: Final = _commits(
    Order(
        writes=(
            ("HSET", K.mission(M), "head", "1\n"), ("HSET", K.items(M), "1", "1\n", "k 4", "2\n"),
            ("SADD", K.live, "1"), ("INCR", K.admissions), ("RPUSH", K.notices, "t"), ("ZADD", K.missions, "0.5", "1"),
            ("XADD", K.mail("ann"), "MAXLEN", "~", "3", "*", "m", "1"),
        ),
        entries=(("1", False), ("2", True)),
    )
)  # fmt: skip
_SPENDS: Final = _write("SPEND", K.spent, K.costs, "1", "2", "250000000", "1200")

#: What leads to each answer.
DIRECTED: Final[Mapping[tuple[str, str], tuple[Step, ...]]] = {
    ("commit", "done"): (_SOMETHING, _SPENDS, _SPENDS, _SPENDS),
    ("commit", "refused"): (
        _SOMETHING,
        # The second of two is not as it is expected, and one that is not there is expected.
        _commits(Order(((HASHES[1], "1", "1"), (HASHES[1], "k 4", "9")), (("SADD", K.live, "2"),))),
        _commits(Order(((K.attempts, "1", "9"),), (("SADD", K.live, "2"),))),
        _CLAIMS,
        lambda machine: machine.reclaims(name="1"),
        lambda machine: machine.time_passes(seconds=4000.0),
        lambda machine: machine.reclaims(name="1"),
    ),
    ("commit", "first"): (_commits(Order(writes=(("INCR", K.tasks_number),), once=ONCE[0])),),
    ("commit", "again"): (
        _commits(Order(writes=(("INCR", K.tasks_number),), once=ONCE[0])),
        lambda machine: machine.commits_again(),
    ),
    ("renew", "done"): (_CLAIMS, _renews("1", "t", right=False), _renews("1", "0", right=True)),
    ("renew", "refused"): (_CLAIMS, _renews("1", "2", right=False), _renews("2", "t", right=False)),
    ("view", "done"): (
        _SOMETHING,
        _CLAIMS,
        _SPENDS,
        _looks(1),
        _looks(1, costs=False),
        lambda machine: machine.limits_the_day(),
        _looks(1, costs=False),
    ),
    ("view", "cut"): (_IS_DUE, _looks(1), _looks(2)),
    ("view", "whole"): (_IS_DUE, _looks(3)),
    ("view", "ripe"): (_IS_DUE, _looks(3)),
    ("set_aside", "done"): (
        _sets_aside("", right=True),
        _sets_aside("1", right=True),
        lambda machine: machine.takes(value="1", tag="2"),
        _sets_aside("2", right=True),
    ),
    ("set_aside", "refused"): (
        _sets_aside("", right=False),
        _sets_aside("1", right=False),
        _commits(Order(writes=(("HSET", TAKEN, "2", "other"), ("ZADD", TAKEN_INDEX, "1.0", "2")))),
        _sets_aside("2", right=False),
    ),
    ("snapshot", "done"): (
        _SOMETHING,
        _copies(everything=False, room=""),
        _copies(everything=True, room="1000000000"),
    ),
    ("snapshot", "refused"): (_SOMETHING, _copies(everything=True, room="1")),
    ("replace", "done"): (
        _SOMETHING,
        _copies(everything=True, room=""),
        _CLAIMS,
        lambda machine: machine.restores(source=COPIES[0], stay=True),
        _SOMETHING,
        lambda machine: machine.restores(source=COPIES[1], stay=False),
        lambda machine: machine.restores(source="", stay=False),
    ),
}  # fmt: skip


def direct(machine: Machine, answer: tuple[str, str]) -> None:
    """Take the steps that lead to this answer, on a machine on which nothing has happened yet."""
    for step in DIRECTED[answer]:
        step(machine)
        machine.all_is_equal()
