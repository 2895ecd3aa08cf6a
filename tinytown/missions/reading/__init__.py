"""Reading what people write in issues. ``tinytown.missions.issues`` is the door; begin with ``statements``.

``markdown`` makes passages of a body, ``prose`` words of a passage, ``lists`` finds lists of issues among them,
``judgement`` says whether a sentence means it, ``statements`` puts this together; ``words`` is the vocabulary,
with rooms of its own for ``labels`` and for ``precedence`` ("#3 must land first").
"""
