"""What every attempt needs, whatever its purpose: its context, its lease, and the launch of its agent.

``context`` is what an attempt knows of itself; begin there. ``execution`` runs outside code for it under its limits,
``launch`` runs its agent's CLI that way. ``lease`` keeps it the attempt's, ``earlier_work`` is what earlier attempts
left, ``folder_lock`` says whose the folders on this machine are, ``sweep`` cleans up those of nobody, ``bills`` and
``meters`` have every cost counted once. Where its files lie is in ``tinytown.attempt_paths``.
"""
