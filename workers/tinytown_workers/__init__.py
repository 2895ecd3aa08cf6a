"""Processes that run attempts: claim, prepare, brief, launch, collect, publish, report.

``python -m tinytown_workers --agent NAME`` serves an agent, ``--checks`` the checks and merges, ``--control``
the town's housekeeping. Begin with ``attempt``, the life of one attempt; ``guard`` and ``runner`` hold the
agent's process tree, ``workspace`` its clone, ``desk`` is where ``tt`` inside an attempt speaks to. It may import all
of ``tinytown``, which never imports it: tasks are called by the names in ``tinytown.contract``.
"""
