"""Processes that run attempts: claim, prepare, brief, launch, collect, publish, report.

``python -m tinytown_workers --role ROLE`` serves the agents of a role, ``--agent NAME`` one agent, ``--checks`` the
checks and merges, ``--control`` the town's housekeeping. Begin with ``pipeline``, the life of one attempt. Rooms, top
to bottom:

- ``serve``: whom a process serves, who takes what, and that they are alive.
- ``purposes``: attempts by what they are for: work, review, checks and merges.
- ``checking``: running a project's own commands on an exact commit.
- ``prepare``: making a clone ready to be worked in.
- ``attempt``: the context of an attempt and the launch of its agent.
- ``workspace``, ``collect``, ``clone``: a private clone, how its work comes home, and clones as files.
- ``run``: one run of an agent's process; ``sandbox``, ``network`` and ``limits`` are what holds it.

It may import all of ``tinytown``, which never imports it: tasks are called by the names in ``tinytown.contract``.
"""
