"""What every attempt needs, whatever its purpose: its context, its folders, and the launch of its agent.

``context`` holds the records and launches; begin there. ``earlier_work`` is what earlier attempts left,
``folder_lock`` says whose the folders on this machine are, ``bills`` and ``meters`` have every cost counted once.
"""
