"""Which issues an issue waits for, read from its text. ``sections`` is the door; begin with ``statements``.

``markdown`` (with ``html``) makes passages of a body, ``tokens`` words of a passage, ``issue_lists`` finds lists of
issues among them, ``judgement`` says whether a sentence means it, ``timing`` whether its "until" or "after" does,
``precedence`` finds what comes first ("#3 must land first"), ``statements`` puts this together; ``words`` and
``labels`` are vocabulary.
"""
