"""Speaking with people and with the conductor, the one who is asked when work is stuck.

``escalate`` asks for help, ``questions`` lists what waits for an answer, ``messages`` carries mail, ``notices`` runs
the command of ``[notify]``.
"""
