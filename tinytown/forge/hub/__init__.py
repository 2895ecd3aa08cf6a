"""The hub: one git address of a repository that every machine of a town reaches; on one machine there is none.

``hub`` fetches what an attempt needs and pushes what it left; begin there. ``places`` says where it is, ``names`` what
is where in it, ``faults`` what a server's refusal means, ``beside`` what travels besides commits. ``probe`` tries it,
and ``elsewhere`` is the forge of a machine that has nothing but the hub.
"""
