"""Running a project's own commands on an exact commit, in clean clones.

``trial`` runs the checks; begin there. ``base_check`` does so on the tip of a base, ``blame`` compares with the base to
tell whose fault a failure is, ``review_command`` runs what a reviewer asks for, ``change_facts`` says what a change
does to its own judges.
"""
