"""The clock of a town: ``python -m tinytown_beat`` publishes ticks, ``duties`` are what a tick does.

Each duty has a file; each may run twice at once without harm, and is quick when there is nothing to do. The control
worker runs them, and missions move by events: a dead clock only makes repairs late. Begin with ``schedule``. It may
import all of ``tinytown``, which never imports it.
"""
