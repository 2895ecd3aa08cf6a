"""Use cases: load, ask the domain, commit, send. Verbs live here, rules in ``missions``.

``context`` bundles what every use case needs. A mission's way: ``start`` -> ``advance`` (publish, admit,
settle) -> ``attempts`` (claim, renew, report) -> ``reconcile`` (the tick behind it all). ``operate`` is what
people do to a mission, ``town`` and ``supervisor`` run the processes.

It may import every room but ``cli``; it knows no Redis, no Celery and no terminal itself. Begin with ``advance``.
"""
