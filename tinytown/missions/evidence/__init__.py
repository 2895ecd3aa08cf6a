"""Why a change at a forge is not merging: what was seen of it, judged in one place. Begin with ``judge``.

``case`` is what a judgement is made from, ``judgement`` what it can be. One module a kind of evidence finds what stands
in the way: ``checks`` (with ``states`` for the newest word of each check, and ``attribution`` for whose fault a failure
is), ``bots``, ``reviews``, ``threads``, ``mergeability``. ``judge`` joins what they find, ``watching`` says it a line a
kind, ``memory`` keeps what is left of earlier looks and rounds, ``schedule`` tells when to look again.

Nothing that is missing, old, unreadable or about another head is ever good news: it is looked at again, or a person is
asked.
"""
