"""The pure domain: what a mission is and what should happen next. Read this room first.

Nothing here reads a clock, the environment, a file or a database: records, observations and ``now`` go
in, new records and decisions come out. Begin with ``records`` and ``states`` (the words for them), then
``lifecycle`` (how an item moves), ``gates`` (what a change must pass), ``scheduler`` (who may start). ``evidence``
judges what a forge says of a change.
"""
