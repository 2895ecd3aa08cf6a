"""The clock of a town: ``python -m tinytown_beat`` publishes ticks, ``duties`` are what a tick does.

A duty a file; each is harmless when it runs twice at once, and quick with nothing to do. The control worker
runs them, so a dead clock costs latency and nothing else. Begin with ``schedule``. It may import all of ``tinytown``,
which never imports it.
"""
