"""The truth: records in Redis, changed through one door by compare-and-set.

``keys`` has the whole schema; ``store`` reads and commits missions; ``agents`` knows the agents; ``mail`` the
mailboxes; ``serving`` which server a town uses. Only this room imports ``redis``. Rules live in
``missions``; the Lua files compare and write, and know no state. It may import ``missions``, ``town``, ``processes``
and what lies below them. Begin with ``keys``.
"""
