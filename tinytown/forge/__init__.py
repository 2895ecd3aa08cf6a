"""Forges: where issues come from and where changes go.

``contract`` says what a forge is; begin there. ``local`` is the forge that is made of files and git, ``github`` the
one of GitHub. ``mirror`` keeps the machine's own copy of a repository, with its ``submodules``, what filters make of
its ``contents``, and the person's ``copies`` and ``excludes``; ``fitness`` says whether a repository can be worked
with at all, ``landed`` whether a base holds a change already. ``tinytown.plugins`` finds the forge of a kind. A further
one enters by the entry point ``tinytown.forges`` and is correct when it passes ``tests/conformance/forges.py``. Forges
may import ``missions``, ``git``, ``town``, ``files``, ``settings`` and ``errors``; they know nothing of state, agents
or missions that run.
Only this room may import PyGithub.
"""
