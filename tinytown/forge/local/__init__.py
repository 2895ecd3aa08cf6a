"""The forge that is made of files and git: no service, no account.

``forge`` is the contract carried out; begin there. Issues are files (``issue_files``, ``front_matter``), a change is a
branch, a merge is a real one (``base`` moves the branch on without touching anybody's work).
"""
