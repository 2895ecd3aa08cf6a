"""Reading what people write in issues. ``tinytown.missions.issues`` is the door; begin with ``statements``.

``markdown`` (with ``html``) makes passages of a body, ``prose`` words of a passage, ``lists`` finds lists of issues
among them, ``judgement`` says whether a sentence means it, ``timing`` whether its "until" or "after" does,
``precedence`` finds what comes first ("#3 must land first"), ``statements`` puts this together; ``words`` and
``labels`` are vocabulary.
"""
