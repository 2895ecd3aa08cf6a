"""What an agent left in its clone, brought into the mirror without believing or running any of it.

``collect`` is the story; begin there. ``quarantine`` takes the objects over, ``content_policy`` and ``tree_size`` say
what may enter, ``branch_mismatch``, ``elsewhere``, ``worktrees``, ``unfinished_operations`` and ``excluded`` find work
that is not on the branch, ``kept_refs`` keeps it, ``conversion`` undoes filters, ``masks`` puts configuration back.
"""
