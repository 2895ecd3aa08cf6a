"""What is shown of missions and items, as plain data: for the terminal, for scripts, and for whatever comes.

``town`` is the town at a glance, ``missions`` the state of missions (``glance`` that of a large one), ``items``
everything about one work item, ``history`` what happened, ``mailbox`` the messages of agents, ``preview`` what a
mission would do. Nothing is changed.
"""
