"""Running a project's own commands on an exact commit, in clean clones.

``check_runner`` runs the checks; begin there. ``base_check`` does so on the tip of a base, ``failure_cause`` compares
with the base to tell whether the change or the base makes a check fail, ``review_command`` runs what a reviewer asks
for, ``change_facts`` says what a change does to the files that judge it.
"""
