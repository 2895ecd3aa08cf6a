"""``tt doctor``: look at the machine and the town, name a remedy for each fault, and change nothing.

Begin with ``examination``, which says what is looked at and in which order; a file besides it for each part of
the town. The one thing that changes anything is ``queues.quarantine``, which ``tt doctor --quarantine`` asks for.
"""

from tinytown.engine.doctor.examination import examine
from tinytown.engine.doctor.findings import Finding

__all__ = ["Finding", "examine"]
