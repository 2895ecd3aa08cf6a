"""The plan of the town: bringing ``tasks.toml`` to it and its states back, and having it done.

``sync`` is the story; ``tasks`` makes items of tasks, ``change`` brings a changed file into a plan that may run.
"""
