"""The records of a mission, one file each; the words for what can happen to them are in ``missions.states``.

Records are frozen; a change is a copy (``evolve``). Unknown fields of a newer release are kept.
Times are seconds since the epoch by the database's clock, money is US dollars, durations seconds.
Begin with ``item``.
"""
