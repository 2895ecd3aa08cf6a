"""Bodies on which readers agree, again written before the parser was looked at: orders told in prose and in labels."""

from __future__ import annotations

#: Text, edges as in ``dependency_bodies``.
ORDERS: list[tuple[str, str]] = [
    ("Merge order: #3, then this", "3"),
    ("#3 \u2192 this \u2192 #4", "3"),
    ("We need the parser from #3, which must land first.", "3"),
    ("I would like to do it after #3.", "3"),
    ("I would suggest to wait for #3.", "3"),
    ("It would be nice to have something like #3.", ""),
]
