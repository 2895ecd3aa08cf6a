"""Moving missions: what settles, what is sent, what an attempt may do, and the safety net behind it.

``advance`` moves a mission as far as it goes; begin there. ``admission`` decides who may start, ``attempts`` is the
protocol of a worker (claim, renew, report), ``reconcile`` sends again whatever is missing, ``mission_state`` says how
a mission stands. ``attempt_records`` and ``costs`` keep what an attempt did and cost.
"""
