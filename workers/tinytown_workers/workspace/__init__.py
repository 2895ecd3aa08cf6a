"""The private clone of an attempt, from its making to its end.

``workspace`` is the whole of it; begin there. ``conflicts`` (with ``leftover_markers`` and ``conflict_markers``)
remembers a merge that an agent must resolve, ``read_only`` is for reviews, ``pristine`` keeps a clean copy between
checks, ``retire`` removes a workspace or sets it aside.
"""
