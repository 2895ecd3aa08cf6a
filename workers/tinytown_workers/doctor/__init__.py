"""The worker's part of ``tt doctor``: only a worker knows what a sandbox shows.

``rehearsal`` tries whether an agent CLI starts inside, ``inventory`` lists what an agent of it can read and reach.
"""
