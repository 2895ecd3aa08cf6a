"""The truth: records in Redis, changed through one door by compare-and-set.

``keys`` has the whole schema; ``store`` reads and commits missions; ``crew`` knows the agents; ``mail`` the
mailboxes; ``server`` runs the embedded server. Only this room imports ``redis``. Rules live in
``missions``; the Lua files compare and write, and know no state. It may import ``missions``, ``town``, ``processes``
and what lies below them. Begin with ``keys``.
"""
