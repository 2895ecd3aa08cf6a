"""Git, as every room uses it: explicit arguments, a stated environment, a deadline.

``repository`` is the one door to the program; begin there. ``merge`` merges commits without a work tree, ``diffs``
shows what a commit changes, ``filters`` and ``lfs`` tell which files are not what they seem, ``unsafe_paths`` what no
change may bring into a tree. It may import what lies below ``missions``.
"""
