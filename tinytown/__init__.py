"""tinytown: a set of issues in, merged and reviewed code out.

Rooms, top to bottom; each may import only what stands below it:

- ``cli``: one file per noun, text for people.
- ``engine``: use cases: load, decide, commit, send.
- ``canvases`` | ``state`` | ``forge`` | ``agents``: adapters, strangers to each other.
- ``app``, ``log``, ``plugins``, ``processes``: the bottom of the machine room.
- ``missions``: the pure domain; read it first.
- ``contract``, ``settings``, ``errors``: names and values that everything shares.

``tinytown_workers`` and ``tinytown_beat`` are processes on top of it; nothing here imports them.
"""

__version__ = "0.1.0"
