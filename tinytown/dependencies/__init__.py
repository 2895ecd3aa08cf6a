"""Which issues an issue waits for, read from its text. Others call ``sections``; begin reading with ``statements``.

``markdown`` (with ``html``) turns a body into passages, ``tokens`` a passage into words, ``issue_lists`` finds lists of
issues among them, ``judgement`` says whether a sentence means it, ``timing`` whether its "until" or "after" does,
``precedence`` finds what comes first ("#3 must land first"), ``statements`` puts this together; ``words`` and
``labels`` are vocabulary.
"""
