"""The network of a sandbox: of its own, with a forward proxy as the only way out.

``egress`` decides what may be reached (``addresses`` knows which are public); begin there. ``proxy`` and ``dial``
carry it out, ``netns`` opens the ports inside. ``run.networks`` puts it together.
"""
