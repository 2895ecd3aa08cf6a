"""tinytown: a set of issues in, merged and reviewed code out.

Rooms, top to bottom; each may import only what stands below it:

- ``cli``: one file per noun, text for people.
- ``commands``: every command once, with its arguments and who may use it; faces call them.
- ``engine``: use cases: load, decide, commit, send.
- ``host``: the machine's side of a town: its processes and its server.
- ``canvases`` | ``state`` | ``forge`` | ``agents``: adapters, strangers to each other.
- ``app``, ``log``, ``plugins``: how the adapters are reached.
- ``missions``: the pure domain; read it first.
- ``dependencies``: which issues the text of an issue waits for. ``git``: the one way to git.
- ``town``, ``files``, ``processes``, ``settings``, ``contract``, ``errors``: what everything shares.

``tinytown_workers`` and ``tinytown_beat`` are processes on top of it; nothing here imports them.
"""

__version__ = "0.1.0"
