"""The drivers that are built in: one file for each agent CLI.

``custom`` drives any command of ``[agent_clis.NAME]``; ``vendor`` is what the others share. A further driver is one
file here, a line under ``tinytown.agents`` in ``pyproject.toml``, and its output in ``tests/conformance``.
"""
