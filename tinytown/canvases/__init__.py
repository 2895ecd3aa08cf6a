"""Work graphs as Celery canvases: flat chains and chords, exact for every DAG, frozen at the start.

Never nested: Celery runs members of three or more adjacent groups several times, and a nested canvas
grows with the square of its items. ``canvas`` says what a mission's canvas is, ``release`` sends its edges; begin with
the first. This room may import celery, ``app``, ``contract`` and ``missions``; it knows no record and no forge.
"""
