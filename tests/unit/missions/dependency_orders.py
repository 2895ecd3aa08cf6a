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
    ("Depends on https://example.com/acme/app/issues/3", ""),
    ("Depends on https://github.acme.com/acme/app/issues/3", "3"),
    ("Depends on https://gitea.acme.com/acme/app/issues/3", ""),
    ("This relies on the types added in #3.", "3"),
    ("Requires the endpoint that is being added in #3.", "3"),
    ("Depends on the switch introduced by #3.", "3"),
    ("Depends on the module which was removed in #3.", ""),
    ("Uses the helper from #3, so blocked on that.", "3"),
    ("#4 refactors the store and depends on that.", ""),
    ("The helper is being written in #3, we're waiting for it.", "3"),
    ("This covers the frontend only. The backend is #3 and must be done first.", "3"),
    ("What's needed first:\n- #3\n- #4", "3 4"),
    ("What's not needed first:\n- #3\n- #4", ""),
    ("I looked at #3. It depends on #4, so it won't be in this release.", ""),
    ("This replaces #3. It depends on #4.", "4"),
    ("I'd like to do this after #3 if nobody objects.", "3"),
    ("Our palette requires #112233 and #445566 as accent colours.", ""),
    ("### Dependencies\n\u2190 #3\n\u2192 none", "3"),
]
