"""What people do to a town that runs.

``missions`` pauses, resumes and cancels, ``items`` retries, redirects and merges, ``notes`` reads what a person writes
and does it; ``approve`` and ``merged_by`` let a change through on a person's word; ``agents`` spawns agents,
``present`` tells how they are, ``lives`` has what is done with one that is there, from its interruption to its end,
and ``recovery`` what is done after a crash.
"""
