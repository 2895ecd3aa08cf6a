"""Use cases: load records, decide by the rules in ``missions``, commit, send. What is done is here, not the rules.

``context`` bundles what every use case needs. A mission's way: ``start`` reads and compiles it, ``dispatch`` moves it
(``advance``: publish, admit, settle; ``attempts``: claim, renew, report; ``reconcile``: the tick behind it all),
``watch`` looks at what people do outside the town, ``operate`` is what they do with ``tt``, ``conductor`` asks for
help, ``views`` is what is shown, ``doctor`` finds faults of a town, ``upkeep`` saves and restores one.

It may import every room but ``cli``; it knows no Redis, no Celery and no terminal itself. Begin with
``dispatch.advance``.
"""
