"""Drivers of agent CLIs: a request becomes an argv, the output becomes a result.

``driver`` is the contract, ``drivers.custom`` the driver for any command from ``[agent_clis.NAME]``; begin with these.
``drivers`` has one file for each CLI, ``answer`` judges what they read. ``tinytown.plugins`` finds the
driver for a name. A further CLI enters by the entry point ``tinytown.agents`` and is correct when it passes
``tests/conformance/agents.py``. Drivers are pure and may import ``missions``, ``settings`` and ``errors``.
"""
