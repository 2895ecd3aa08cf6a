"""``make demo`` and the agent without a model that it uses: ``demo``, ``agent``, and the ``story`` it writes."""
